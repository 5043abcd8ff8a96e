# SPDX-License-Identifier: GPL-2.0-or-later
"""Known answers of the modelled TLB: walks of GUPS that follow from its geometry alone.

Each update loads and stores a random word of the table, whose pages are all that its TLB misses are
of: its code, its stack and the generator's state fit. So an update walks unless the page happens to be
among the entries.
"""

import json

import pytest

from dseg import OUT
from dseg.base.sizes import KiB, MiB
from dseg.experiments.measure import measure
from dseg.stack.modes import MODES, set_mode
from dseg.stack.stack import Stack
from dseg.stack.workload import Workload

PRESET = 'sandybridge-ep'
L1D_4K, L2_4K = 64, 512         # entries
L1D_2M = 32                     # 4 ways: 8 sets, which pages that follow each other fill evenly
TABLE = 128 * MiB
# The numbers at the beginning of the sequence have few bits, and so often the same page.
SEED = 10 ** 12
GUPS = f'gups --bytes {TABLE // MiB}M --updates 200000 --seed {SEED}'

# Random accesses to pages of 4 KiB: L2 has some of them, L1 of the others at most its own number.
PAGES_4K = TABLE // (4 * KiB)
FEWEST, MOST = 1 - (L2_4K + L1D_4K) / PAGES_4K, 1 - L2_4K / PAGES_4K
# To pages of 2 MiB: L1 alone has entries for them.
WALKS_2M = 1 - L1D_2M / (TABLE // (2 * MiB))
NOISE = 0.01
ROUNDS = 4


def walks_per_update(stack, workload, mode):
    """Those that segments alone do not answer, of the round that was disturbed least.

    Each switch to another process costs walks: the more of them, the slower the machine is.
    """
    return min(of_one_round(stack, workload, mode) for _ in range(ROUNDS))


def of_one_round(stack, workload, mode):
    result = measure(stack, workload, mode, rounds=1)
    assert result.checksum_ok
    walks = result.walks.count - result.walks.regimes['dual-direct'] \
        - result.walks.regimes['native-direct']
    return walks / result.rounds[0].updates


def counts_of_a_process(guest):
    """What dseg-guest says of the walks of a program in its primary region, by regime."""
    guest.run('modprobe dseg-guest')
    guest.run('dseg-run --size 16M --report /tmp/report.json python3 -c '
              '"sum(bytearray(8 << 20)[::64])"', timeout=120)
    return json.loads(guest.run('cat /tmp/report.json'))['programs'][0]['walks']


@pytest.fixture(scope='module')
def both():
    """Mode to walks per update, in guests whose work areas are outside of their kernels; and what a
    process's walks in L2 were."""
    with Stack(cpu_extra=f'dseg=on,dseg-tlb={PRESET}', log_dir=OUT / 'log/test-linux-tlb') as stack:
        stack.boot_l1()
        stack.boot_l2()
        found = {}
        for world in 'nested', 'native':
            workload = Workload(stack, world, GUPS, companions=False)
            for mode in (name for name, m in MODES.items() if m.world == world):
                set_mode(stack, mode, workload.area)
                found[mode] = walks_per_update(stack, workload, mode)
            workload.stop()
            stack.qmp('x86-dseg-clear')
        return found, counts_of_a_process(stack.l2)


@pytest.fixture(scope='module')
def found(both):
    return both[0]


@pytest.mark.parametrize('mode', ['native', 'base', 'vmm-direct', 'guest-direct'])
def test_gups_walks_unless_its_page_is_one_of_the_entries(found, mode):
    assert FEWEST - NOISE < found[mode] < MOST + NOISE


def test_native_and_vmm_direct_walk_equally_often(found):
    assert found['vmm-direct'] == pytest.approx(found['native'], rel=0.01)


@pytest.mark.parametrize('mode', ['dual-direct', 'native-direct'])
def test_program_in_a_primary_region_hardly_walks_in_0d(found, mode):
    assert found[mode] < NOISE


def test_counts_of_a_process_in_l2_are_not_those_of_its_host(both):
    """The module finds out where it is, whatever translations the TLB has kept."""
    walks = both[1]
    assert walks['native'] == walks['native-direct'] == 0, walks
    assert walks['guest-direct'] > 0 and walks['base'] > 0, walks


@pytest.fixture(scope='module')
def by_pages():
    """Walks per update, of memory in huge pages and not."""
    with Stack(cpu_extra=f'dseg=on,dseg-tlb={PRESET}', holes=False, l1_memory='1G',
               log_dir=OUT / 'log/test-linux-tlb-pages') as stack:
        stack.boot_l1()
        found = {}
        for pages in 'always', 'never':
            stack.l1.run(f'echo {pages} >/sys/kernel/mm/transparent_hugepage/enabled')
            workload = Workload(stack, 'native', GUPS, companions=False)
            found[pages] = walks_per_update(stack, workload, 'native')
            workload.stop()
        return found


def test_huge_pages_cut_the_walks_of_gups_by_what_the_geometry_says(by_pages):
    assert FEWEST - NOISE < by_pages['never'] < MOST + NOISE
    # The kernel uses entries for pages of 2 MiB, too: a few more walks.
    assert by_pages['always'] == pytest.approx(WALKS_2M, rel=0.05)
