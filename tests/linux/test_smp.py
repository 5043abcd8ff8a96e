# SPDX-License-Identifier: GPL-2.0-or-later
"""Two CPUs in L1 and in L2: each has segments and counters of its own."""

import time

import pytest

from dseg.experiments.measure import Walks, measure
from dseg.stack.modes import MODES, guest_segment, set_mode, vmm_segment
from dseg.stack.stack import MonitorError
from dseg.stack.workload import Workload
from invariants import assert_consistent

NESTED = [name for name, mode in MODES.items() if mode.world == 'nested']
NATIVE = [name for name, mode in MODES.items() if mode.world == 'native']
GUPS = 'gups --bytes 64M --threads 2 --updates 400000'


@pytest.fixture(scope='module')
def gups(smp_session_stack):
    """GUPS in L2 with a thread for each CPU."""
    workload = Workload(smp_session_stack, 'nested', GUPS)
    yield workload
    workload.stop()


@pytest.fixture(scope='module')
def native_gups(smp_session_stack, gups):   # pylint: disable=unused-argument
    """GUPS in L1, beside that in L2: switching between the two empties QEMU's TLB."""
    workload = Workload(smp_session_stack, 'native',
                        'gups --bytes 64M --threads 2 --updates 1000000', companions=False)
    yield workload
    workload.stop()


def per_cpu(stack, world):
    """The walks of programs in L2 (nested) or L1, of each CPU."""
    return [Walks.from_reply([cpu], world, 'user')
            for cpu in stack.qmp('query-x86-dseg-walks')]


def assert_mode_on_both(stack, workload, mode):
    set_mode(stack, mode, workload.area)
    result = measure(stack, workload, mode, rounds=2)
    assert result.checksum_ok
    assert result.share >= 0.9, result.walks.regimes
    reply = stack.qmp('query-x86-dseg-walks')
    assert [cpu['cpu'] for cpu in reply] == [0, 1]
    for cpu in reply:
        assert_consistent(cpu)
    for walks in per_cpu(stack, workload.area.world):
        # No share: a CPU may idle while the other verifies the data.
        assert walks.regimes[mode] > 1000
        assert walks.refs_typical == MODES[mode].refs
        assert walks.checks_typical == MODES[mode].checks


@pytest.mark.parametrize('mode', NESTED)
def test_mode_in_l2_is_in_force_on_both_cpus(smp_stack, gups, mode):
    assert_mode_on_both(smp_stack, gups, mode)


def test_switching_modes_while_both_cpus_run_keeps_the_data_right(smp_stack,
                                                                  gups):
    cr3 = set_mode(smp_stack, 'guest-direct', gups.area)
    gups.begin_round()
    for i in range(40):
        set_mode(smp_stack, NESTED[i * 3 % 4], gups.area, cr3)
        time.sleep(0.05)
    rounds = gups.begin_round()
    assert [r for r in rounds if r.errors] == []


def test_vmm_segment_of_one_cpu_is_in_force_there_only(smp_stack, gups):
    segment = vmm_segment(smp_stack.layout)
    checks = smp_stack.qmp('x86-dseg-set', **segment, cpu=1)
    assert [c['cpu'] for c in checks] == [1]
    first, second = smp_stack.qmp('query-x86-dseg')
    assert 'vmm' not in first and second['vmm']['size'] == segment['size']
    result = measure(smp_stack, gups, 'vmm-direct', rounds=1)
    assert result.checksum_ok
    base, direct = per_cpu(smp_stack, 'nested')
    assert base.share('base') >= 0.95 and base.regimes['vmm-direct'] == 0
    assert direct.share('vmm-direct') >= 0.95


def test_guest_segment_of_one_cpu_is_in_force_there_only(smp_stack, gups):
    cr3 = set_mode(smp_stack, 'guest-direct', gups.area)
    smp_stack.qmp('x86-dseg-clear', level='guest', cpu=0)
    result = measure(smp_stack, gups, 'guest-direct', rounds=1)
    assert result.checksum_ok
    base, direct = per_cpu(smp_stack, 'nested')
    assert base.share('base') >= 0.95 and base.regimes['guest-direct'] == 0
    assert direct.share('guest-direct') >= 0.95
    segment = guest_segment(gups.area, cr3)
    checks = smp_stack.qmp('x86-dseg-set', **segment, cpu=0)
    assert [c['cpu'] for c in checks] == [0]


def test_escape_of_one_cpu_is_in_force_there_only(smp_stack, gups):
    set_mode(smp_stack, 'dual-direct', gups.area)
    page = gups.area.pa
    smp_stack.qmp('x86-dseg-escape-add', page=page, cpu=0)
    first, second = smp_stack.qmp('query-x86-dseg')
    assert (first['escapes'], second['escapes']) == ([page], [])
    result = measure(smp_stack, gups, 'dual-direct', rounds=1)
    assert result.checksum_ok
    assert per_cpu(smp_stack, 'nested')[1].total['escapes'] == 0


def test_escape_that_one_cpu_refuses_is_added_on_none(smp_stack):
    """All CPUs or none."""
    smp_stack.qmp('x86-dseg-escape-add', page=0x1000, cpu=1)
    with pytest.raises(MonitorError, match=r'\(CPU 1\)'):
        smp_stack.qmp('x86-dseg-escape-add', page=0x1000)
    first, second = smp_stack.qmp('query-x86-dseg')
    assert (first['escapes'], second['escapes']) == ([], [0x1000])


def test_counters_of_one_cpu_are_reset_alone(smp_stack, gups):
    gups.begin_round()
    smp_stack.qmp('stop')
    try:
        smp_stack.qmp('x86-dseg-walks-reset', cpu=1)
        first, second = per_cpu(smp_stack, 'nested')
        assert first.count > 0 and second.count == 0
        [alone] = smp_stack.qmp('query-x86-dseg-walks', cpu=1)
        assert (alone['cpu'], alone['total']['walks']) == (1, 0)
    finally:
        smp_stack.qmp('cont')


@pytest.mark.parametrize('mode', NATIVE)
def test_mode_in_l1_is_in_force_on_both_cpus(smp_stack, native_gups, mode):
    assert_mode_on_both(smp_stack, native_gups, mode)
