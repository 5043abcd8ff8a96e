# SPDX-License-Identifier: GPL-2.0-or-later
"""scripts/tradeoffs: the poster's table comes out of experiments, and each has attempted much."""

import json
import os
import re
import subprocess

import pytest

from dseg import OUT, ROOT

MODES = ('base', 'dual-direct', 'vmm-direct', 'guest-direct')
FREE, LIMITED = 'unrestricted', 'limited'
POSTER = {
    'Page walk dimensions': ['2D', '0D', '1D', '1D'],
    '# of memory accesses for most page walks': ['24', '0', '4', '4'],
    '# of base-bound checks for page walks': ['0', '1', '5', '1'],
    'Guest OS modifications': ['none', 'required', 'none', 'required'],
    'VMM modifications': ['none', 'required', 'required', 'none'],
    'Application category': ['any', 'big memory', 'any', 'big memory'],
    'Page sharing': [FREE, LIMITED, LIMITED, FREE],
    'Ballooning': [FREE, LIMITED, LIMITED, FREE],
    'Guest OS swapping': [FREE, LIMITED, FREE, LIMITED],
    'VMM swapping': [FREE, LIMITED, LIMITED, FREE],
}
WALKS = list(POSTER)[:3] + ['Application category']
FREEDOMS = list(POSTER)[6:]
MANY_PAGES, MANY_WALKS = 256, 100000


@pytest.fixture(scope='module')
def run(tmp_path_factory):
    """One run: its exit code, its output, and what it wrote."""
    file = tmp_path_factory.mktemp('tradeoffs') / 'out.json'
    done = subprocess.run(
        ['/usr/bin/python3', '-m', 'dseg.experiments.tradeoffs.table', '--json', file,
         '--logs', OUT / 'log/test-linux-tradeoffs'],
        env={**os.environ, 'PYTHONPATH': str(ROOT / 'scripts')},
        timeout=3000, text=True, capture_output=True, check=False)
    assert file.exists(), done.stderr
    return done, json.loads(file.read_text())


def test_nothing_differs_from_the_poster_and_no_data_is_wrong(run):
    done, table = run
    assert table['problems'] == []
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith('every cell is as the poster says, and all data was right\n')


def test_the_table_is_that_of_the_poster(run):
    _, table = run
    assert table['schema'] == 1
    assert {row['property']: [row[mode] for mode in MODES] for row in table['rows']} == POSTER
    assert all(row['matches_poster'] is True for row in table['rows'])


def test_the_numbers_say_where_they_are_from(run):
    """tests/scripts/test_provenance.py has the rest; this is of what has really booted."""
    _, table = run
    found = table['provenance']
    assert found['command'].startswith('scripts/tradeoffs --json ')
    assert re.fullmatch(r'\d+\.\d+\.\d+', found['versions']['qemu'])
    assert re.match(r'\d+\.\d+', found['versions']['kernel'])
    assert all(re.fullmatch('[0-9a-f]{64}', found['inputs'][name])
               for name in ('qemu', 'kernel', 'ramdisk'))


@pytest.mark.parametrize('name', WALKS)
def test_a_row_about_walks_follows_from_many_of_one_kind(run, name):
    _, table = run
    for mode, found in table['evidence'][name].items():
        assert found['walks'] > MANY_WALKS and found['share'] > 0.95, (mode, found)


@pytest.mark.parametrize('name', FREEDOMS)
def test_a_row_about_memory_follows_from_many_pages_on_both_sides(run, name):
    _, table = run
    for mode, found in table['evidence'][name].items():
        for side in 'inside', 'outside':
            assert found[side]['attempted'] > MANY_PAGES, (mode, found)
        assert found['data_right'], (mode, found)
        # What a segment limits goes on outside it.
        assert found['outside']['done'] > MANY_PAGES / 4, (mode, found)
        kept_out = found['inside']['done'] < found['inside']['attempted'] / 20
        assert (kept_out or not found['segment_kept']) == (found['verdict'] == LIMITED)
