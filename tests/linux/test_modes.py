# SPDX-License-Identifier: GPL-2.0-or-later
"""Each mode costs what the poster says, in Linux that knows nothing of it."""

import time

import pytest

from dseg import patient
from dseg.experiments.measure import Walks, measure
from dseg.stack.modes import MODES, guest_segment, set_mode, vmm_segment
from invariants import assert_consistent

NESTED = [name for name, mode in MODES.items() if mode.world == 'nested']
NATIVE = [name for name, mode in MODES.items() if mode.world == 'native']

# The poster's table: references in the guest and the nested dimension.
REFS = {'base': (4, 20), 'vmm-direct': (4, 0), 'guest-direct': (0, 4),
        'dual-direct': (0, 0), 'native': (4, 0), 'native-direct': (0, 0)}
CHECKS = {'base': 0, 'vmm-direct': 5, 'guest-direct': 1, 'dual-direct': 1,
          'native': 0, 'native-direct': 1}


def assert_costs(result, mode):
    walks = result.walks
    assert max(walks.refs, key=walks.refs.get) == REFS[mode]
    assert walks.checks_typical == CHECKS[mode]
    assert result.share >= 0.9, walks.regimes
    assert result.checksum_ok


def assert_mode(stack, workload, mode):
    set_mode(stack, mode, workload.area)
    assert_costs(measure(stack, workload, mode, rounds=2), mode)


@pytest.mark.parametrize('mode', NESTED)
def test_mode_in_l2_costs_what_the_poster_says(stack, gups, mode):
    assert_mode(stack, gups, mode)


def test_counters_add_up_in_every_mode(stack, gups):
    for mode in NESTED:
        set_mode(stack, mode, gups.area)
        gups.begin_round()
        stack.qmp('x86-dseg-walks-reset')
        gups.begin_round()
        for cpu in stack.qmp('query-x86-dseg-walks'):
            assert cpu['total']['walks'] > 10000
            assert_consistent(cpu)


# Every change from one of the four modes to another, once in 12 steps.
TOUR = (0, 1, 0, 2, 0, 3, 1, 2, 1, 3, 2, 3)


def next_walks(stack, least=1000, timeout=30):
    """Waits for new walks of programs in L2, more than it takes GUPS to print; counts them by regime."""
    stack.qmp('x86-dseg-walks-reset')
    end = time.monotonic() + patient(timeout)
    while time.monotonic() < end:
        time.sleep(0.02)
        walks = Walks.from_reply(stack.qmp('query-x86-dseg-walks'), 'nested',
                                 'user')
        if walks.count >= least:
            return walks.regimes
    pytest.fail(f'L2 has made {walks.count} walks only')


def test_switching_modes_100_times_under_load_keeps_the_data_right(stack,
                                                                   gups):
    cr3 = set_mode(stack, 'guest-direct', gups.area)
    gups.begin_round()
    rounds = []
    switches = 0
    while switches < 100 or len(rounds) < 3:
        mode = NESTED[TOUR[switches % len(TOUR)]]
        set_mode(stack, mode, gups.area, cr3)
        walks = next_walks(stack)
        assert max(walks, key=walks.get) == mode, f'switch {switches}'
        if mode in ('base', 'vmm-direct'):
            assert walks['guest-direct'] + walks['dual-direct'] == 0
        if mode in ('base', 'guest-direct'):
            assert walks['vmm-direct'] + walks['dual-direct'] == 0
        rounds += gups.rounds_until_now()
        switches += 1
    rounds.append(gups.next_round())
    assert [r for r in rounds if r.errors] == []


def test_guest_segment_is_not_in_force_in_other_address_spaces(stack, gups):
    """Under a CR3 that nobody has, GUPS goes on with its page tables."""
    segment = guest_segment(gups.area, cr3=0x1000)
    segment['target'] += 4096   # so that the data would be wrong
    stack.qmp('x86-dseg-set', **segment, force=True)
    result = measure(stack, gups, 'base', rounds=1)
    assert result.checksum_ok
    assert result.walks.regimes['guest-direct'] == 0


def test_vmm_segment_is_not_in_force_for_other_guests(stack, gups):
    segment = vmm_segment(stack.layout)
    stack.qmp('x86-dseg-set', **segment, cr3=0x1000, force=True)
    result = measure(stack, gups, 'base', rounds=1)
    assert result.checksum_ok
    assert result.walks.regimes['vmm-direct'] == 0


@pytest.mark.parametrize('mode', NATIVE)
def test_mode_in_l1_costs_what_the_poster_says(stack, native_gups, mode):
    assert_mode(stack, native_gups, mode)
