# SPDX-License-Identifier: GPL-2.0-or-later
"""Known answers of the modelled caches: where the leaf entries of GUPS are found.

Each update comes to a random page, so to a random line of M lines with leaf entries, 8 pages to a
line, and to a line of data that is as good as new. A cache of C lines with LRU has what the last k
updates brought in, with

    k + M (1 - e^(-k / M)) = C

as entries come again among those k. An update whose page was used within the last T does not walk:
the TLB has it. Of the last T updates only those to the 7 other pages of a line can have brought in an
entry that is looked for. So the share of entries that the cache has is

    1 - e^(-7/8 min(k, T) / M - max(k - T, 0) / M)

For M = 2048, which is 64 MiB, and the caches below these are 1.4 %, 21 % and 71 %; for twice as much
0.7 %, 11 % and 42 %.
"""

import json
import math
import subprocess
from collections import Counter

import pytest

from dseg import OUT, ROOT, patient
from dseg.base.sizes import KiB, MiB
from dseg.experiments.tlbaccuracy import preset
from dseg.stack.orders import Exact

LINE, PAGE, ENTRIES = 64, 4 * KiB, 8        # bytes; entries of a line
# None has more sets than a page has lines: so it does not matter which frames the page tables have.
CACHES = {'line': LINE, 'memory': 200,
          'l1d': {'size': 4 * KiB, 'ways': 16, 'latency': 4},
          'l2': {'size': 64 * KiB, 'ways': 16, 'latency': 12},
          'llc': {'size': 256 * KiB, 'ways': 64, 'latency': 30}}
PLACES = ('l1', 'l2', 'llc', 'memory')
TABLES = (64 * MiB, 128 * MiB)
ALL = 'all programs'
UPDATES = 300000
IN_TLB = 512            # entries of L2 of the TLB: about as many updates back
BEGIN, END = 0x104, 0x105                   # of updates: linux/workloads/common.h
SEED = 10 ** 12         # earlier numbers of the sequence have few bits
NOISE = 0.02


def share_within(lines, entry_lines):
    """Of the leaf entries, in a cache of so many lines."""
    low, high = 0.0, lines
    for _ in range(60):
        middle = (low + high) / 2
        if middle + entry_lines * (1 - math.exp(-middle / entry_lines)) < lines:
            low = middle
        else:
            high = middle
    return 1 - math.exp(-(7 / 8 * min(low, IN_TLB) + max(low - IN_TLB, 0)) / entry_lines)


def predicted(table):
    """Place to the share of leaf entries that are found there."""
    entry_lines = table // PAGE // ENTRIES
    within = [share_within(CACHES[name]['size'] // LINE, entry_lines)
              for name in ('l1d', 'l2', 'llc')]
    return dict(zip(PLACES, (below - above for above, below in zip((0, *within), (*within, 1)))))


def leaf_entries(marker):
    """Place to how many entries of the lowest level user programs have found there."""
    return Counter({step['place']: step['count'] for step in marker['tlb']['caches']['steps']
                    if (step['world'], step['privilege'], step['dimension'], step['table-level'])
                    == ('native', 'user', 'guest', 1)})


def shares_of(count):
    return {place: count[place] / count.total() for place in PLACES}


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Has what scripts/explain has said of the last run, too."""
    return tmp_path_factory.mktemp('caches')


@pytest.fixture(scope='module')
def found(folder):
    """Bytes of the table to (place to share); ALL to those of all programs of the last run."""
    file, socket = folder / 'small.json', folder / 'qmp'
    file.write_text(json.dumps({**preset('sandybridge-ep'), 'caches': CACHES}))
    shares = {}
    # Its clock counts instructions: else a slow machine has an interrupt in every few updates.
    with Exact(cpu_extra=f'dseg=on,dseg-tlb={file},dseg-tlb-mode=exact,dseg-caches=on', holes=False,
               log_dir=OUT / 'log/test-linux-caches',
               extra_args=('-qmp', f'unix:{socket},server=on,wait=off')) as stack:
        stack.boot_l1(timeout=600)
        stack.run('l1', 'echo never >/sys/kernel/mm/transparent_hugepage/enabled')
        for table in TABLES:
            stack.qmp('x86-dseg-walks-reset')
            stack.run('l1', f'gups --bytes {table // MiB}M --updates {UPDATES} --rounds 1 '
                            f'--seed {SEED}', timeout=600)
            markers = {marker['label']: marker for marker in stack.qmp('query-x86-dseg-markers')}
            shares[table] = shares_of(leaf_entries(markers[END]) - leaf_entries(markers[BEGIN]))
        shares[ALL] = shares_of(leaf_entries({'tlb': stack.qmp('query-x86-dseg-tlb')[0]}))
        for picture in ('steps.svg', 'steps.txt'):
            done = subprocess.run([ROOT / 'scripts/explain', '--counts', '--qmp', socket, '--out',
                                   folder / picture], timeout=patient(120), text=True,
                                  capture_output=True, check=False)
            assert done.returncode == 0, done.stderr
    return shares


@pytest.mark.parametrize('table', TABLES)
def test_leaf_entries_of_gups_are_found_where_its_footprint_predicts(found, table):
    assert found[table] == pytest.approx(predicted(table), abs=NOISE)


def test_twice_the_footprint_moves_leaf_entries_to_memory_as_predicted(found):
    once, twice = (found[table] for table in TABLES)
    assert twice['memory'] - once['memory'] == pytest.approx(
        predicted(TABLES[1])['memory'] - predicted(TABLES[0])['memory'], abs=NOISE)


def test_explain_shows_where_a_running_machine_has_found_leaf_entries(found, folder):
    lines = (folder / 'steps.txt').read_text().splitlines()
    leaf, = [line.split() for line in lines if line.startswith('guest 1 ')]
    shares = dict(zip(('l1', 'l2', 'llc', 'memory', 'spared'), leaf[-5:]))
    assert shares['spared'] == '0.0%'
    assert {place: float(shares[place].rstrip('%')) / 100 for place in PLACES} == pytest.approx(
        found[ALL], abs=0.001)
    kept = json.loads((folder / 'steps.json').read_text())
    assert kept['tlb']['geometry']['caches']['memory'] == CACHES['memory']
    assert (folder / 'steps.svg').read_text().count('<path') > 20
