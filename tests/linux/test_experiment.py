# SPDX-License-Identifier: GPL-2.0-or-later
"""scripts/experiment with real guests: experiments/smoke.toml, and what makes its numbers trusted."""

import csv
import json
import subprocess
import sys

import pytest

from dseg import ROOT, patient

EXPERIMENT = ROOT / 'experiments/smoke.toml'
SECONDS = 1500
# A server in a primary region, and its load.
PROGRAMS = '''\
[fixed]
size = "smoke"
[product]
workload = ["redis"]
configuration = ["dd"]
'''
CHECKSUM = '183ddd289630d112'       # of its values, with seed 1


def experiment(*words):
    """scripts/experiment, without what makes QEMU and the guests first."""
    return subprocess.run([sys.executable, '-m', 'dseg.experiments.sweep.commands', *map(str, words)],
                          cwd=ROOT, check=False, text=True, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=patient(SECONDS))


@pytest.fixture(scope='module')
def results(tmp_path_factory):
    """The folder of a run of all of it."""
    folder = tmp_path_factory.mktemp('experiment') / 'results'
    done = experiment('run', EXPERIMENT, '--folder', folder)
    assert done.returncode == 0, done.stdout
    return folder


def records(folder):
    return {(record['axes']['workload'], record['axes']['configuration']): record
            for record in (json.loads(file.read_bytes())
                           for file in folder.glob('points/*/record.json'))}


def test_each_configuration_is_measured_and_every_claim_is_met(results, tmp_path):
    done = experiment('report', results, '--csv', tmp_path / 'all.csv', '--html', tmp_path / 'all.html')
    assert done.returncode == 0, done.stdout
    assert '18 of 18 points are measured' in done.stdout and 'not met' not in done.stdout
    with open(tmp_path / 'all.csv', encoding='utf-8', newline='') as file:
        assert len(list(csv.DictReader(file))) == 18
    assert (tmp_path / 'all.html').stat().st_size > 100000


def test_points_measured_again_after_another_boot_are_the_same_to_the_last_count(results, tmp_path):
    chosen = [f'--only=configuration={name}' for name in ('dd', 'native-4k')]
    done = experiment('run', EXPERIMENT, '--folder', tmp_path / 'again', *chosen)
    assert done.returncode == 0, done.stdout
    before, again = records(results), records(tmp_path / 'again')
    assert len(again) == 4
    for key, record in again.items():
        assert {**record, 'seconds': 0} == {**before[key], 'seconds': 0}


def test_a_server_of_debian_s_and_its_load_are_the_same_to_the_last_count_after_another_boot(tmp_path):
    file = tmp_path / 'programs.toml'
    file.write_text(PROGRAMS)
    found = []
    for folder in 'one', 'again':
        done = experiment('run', file, '--folder', tmp_path / folder)
        assert done.returncode == 0, done.stdout
        found.append(records(tmp_path / folder)['redis', 'dd'])
    first, again = found
    assert {**again, 'seconds': 0} == {**first, 'seconds': 0}
    assert first['checksum'] == CHECKSUM
    walks = [row for row in first['walks'] if row['privilege'] == 'user']
    direct = sum(row['walks'] for row in walks if row['regime'] == 'dual-direct')
    assert direct > sum(row['walks'] for row in walks) / 4


def test_what_shadow_paging_costs_is_in_its_exits_and_not_in_its_walks(results):
    found = records(results)
    shadow, native = (found['gups', name] for name in ('shadow-4k', 'native-4k'))

    def references(record):
        rows = [row for row in record['walks'] if row['privilege'] == 'user']
        return sum(row['guest-refs'] for row in rows) / sum(row['walks'] for row in rows)
    assert references(shadow) == references(native) == 4
    assert any(exit['name'] == 'exception-14' for exit in shadow['exits'])
    assert not any(row['regime'] == 'base' for row in shadow['walks'])
