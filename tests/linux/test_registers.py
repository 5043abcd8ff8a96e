# SPDX-License-Identifier: GPL-2.0-or-later
"""Segments that are in registers, under a stock KVM: they follow the world.

gdb writes them while GUPS runs in L2, as a kernel of L2 would have; from then
on KVM's own VMRUN and #VMEXIT keep CR9 to CR12 for its guest.
"""

import re
import time

import pytest

from dseg import patient
from dseg.experiments.measure import measure
from dseg.stack.modes import guest_segment, vmm_segment
from gdbremote import Gdb

NAMES = ('cr9', 'cr10', 'cr11', 'vmm_base', 'vmm_limit', 'vmm_offset',
         'vmm_filter0', 'vmm_filter1', 'vmm_filter2', 'vmm_filter3')
LEVELS = {'guest-direct': 'guest', 'vmm-direct': 'vmm', 'dual-direct': 'both'}


def stop_in_guest(stack, timeout=60):
    """Stops the machine at a moment when its CPU runs L2."""
    deadline = time.monotonic() + patient(timeout)
    while time.monotonic() < deadline:
        stack.qmp('stop')
        [cpu] = stack.qmp('query-x86-dseg')
        if cpu['guest-mode']:
            return cpu
        stack.qmp('cont')
        time.sleep(0.02)
    pytest.fail('L2 did not run in time')


def write_segment(gdb, names, segment):
    """LIMIT first and last: no state between has a segment."""
    base, limit, offset = names
    gdb.write(limit, 0)
    gdb.write(base, segment['base'])
    gdb.write(offset, (segment['target'] - segment['base']) % 2**64)
    gdb.write(limit, segment['base'] + segment['size'])


def program(stack, area, level):
    """Sets the registers of L2 (guest), of L1 (vmm), or both."""
    stop_in_guest(stack)
    with Gdb(stack) as gdb:
        if level in ('guest', 'both'):
            write_segment(gdb, NAMES[:3], guest_segment(area, 0))
        if level in ('vmm', 'both'):
            write_segment(gdb, NAMES[3:6], vmm_segment(stack.layout))
    stack.qmp('cont')


@pytest.fixture
def registers(stack, gups):
    """Registers that are written while L2 runs; all 0 again afterwards."""
    yield stack
    stop_in_guest(stack)
    with Gdb(stack) as gdb:
        for name in NAMES:
            gdb.write(name, 0)
    stack.qmp('cont')


@pytest.mark.parametrize('mode', LEVELS)
def test_registers_give_l2_the_mode_under_a_stock_kvm(registers, gups, mode):
    program(registers, gups.area, LEVELS[mode])
    result = measure(registers, gups, mode, rounds=2)
    assert result.checksum_ok
    assert result.share >= 0.9, result.walks.regimes


def test_guest_registers_are_zero_in_l1_and_back_in_l2(registers, gups):
    """World switches by a KVM that knows nothing of them."""
    program(registers, gups.area, 'guest')
    expected = guest_segment(gups.area, 0)
    seen = set()
    for _ in range(2000):
        registers.qmp('stop')
        [cpu] = registers.qmp('query-x86-dseg')
        registers.qmp('cont')
        found = cpu['registers']
        wanted = ((expected['base'], expected['base'] + expected['size'])
                  if cpu['guest-mode'] else (0, 0))
        assert (found['cr9'], found['cr10']) == wanted, cpu
        seen.add(cpu['guest-mode'])
        if seen == {True, False}:
            break
        # L2 runs nearly always: let L1 have something to do.
        registers.l1.run('true')
    assert seen == {True, False}


def test_pages_in_the_msr_filter_cost_a_nested_walk(registers, gups):
    """The filter that goes with the VMM segment of the MSRs is in MSRs too."""
    program(registers, gups.area, 'both')
    # All bits: every page passes, so the nested page tables translate all.
    stop_in_guest(registers)
    with Gdb(registers) as gdb:
        for i in range(4):
            gdb.write(f'vmm_filter{i}', 2**64 - 1)
    registers.qmp('cont')
    result = measure(registers, gups, 'guest-direct', rounds=1)
    assert result.checksum_ok
    assert result.share >= 0.9, result.walks.regimes
    assert result.walks.refs[0, 0] == 0 < result.walks.refs[0, 4]
    assert result.walks.total['escapes'] >= result.walks.refs[0, 4]
    # Nobody can tell which pages were meant.
    assert result.walks.total['false-escapes'] == 0


def test_monitor_segment_replaces_that_of_the_registers(registers, gups):
    program(registers, gups.area, 'both')
    # Disjoint from what GUPS uses: with it, GUPS has no segment any more.
    registers.qmp('x86-dseg-set', level='guest', base=0x500000000000, size=4096,
                  target=0, world='nested', force=True)
    result = measure(registers, gups, 'vmm-direct', rounds=1)
    assert result.checksum_ok
    assert result.share >= 0.9, result.walks.regimes
    registers.qmp('x86-dseg-clear')
    assert measure(registers, gups, 'dual-direct', rounds=1).share >= 0.9


@pytest.mark.parametrize('name,value', [
    ('cr9', 0x1234), ('cr9', 1 << 48), ('cr10', 0xfff), ('cr11', 1),
    ('cr12', 0x18), ('cr12', 1 << 12), ('cr13', 1), ('vmm_base', 1 << 52),
    ('vmm_base', 0x800), ('vmm_limit', 2**64 - 4096), ('vmm_offset', 1),
])
def test_gdb_cannot_write_what_software_could_not(stack, name, value):
    with Gdb(stack) as gdb:
        names = NAMES + ('cr12', 'cr13')
        before = {n: gdb.read(n) for n in names}
        gdb.write(name, value)      # QEMU's gdbstub has no answer for a refusal
        assert {n: gdb.read(n) for n in names} == before
    assert f'gdb: {name}: ' in stack.qemu_log()


def test_gdb_reads_back_what_it_wrote(registers):
    values = {'cr9': 0x1000, 'cr10': 0x3000, 'cr11': 2**64 - 0x1000,
              'cr12': 0x571, 'vmm_base': 0x4000, 'vmm_limit': 0x8000,
              'vmm_offset': 2**64 - 0x4000, 'vmm_filter2': 0x123456789abcdef0}
    with Gdb(registers) as gdb:
        for name, value in values.items():
            gdb.write(name, value)
        assert {name: gdb.read(name) for name in values} == values
        text = registers.hmp('info registers')
        for name, value in values.items():
            assert re.search(rf'\b{name.upper()}={value:016x}\b', text)
            gdb.write(name, 0)


def test_counter_that_cr12_selects_is_that_of_the_monitor(stack, gups):
    """CR13 by gdb: walks of base, user, all accesses."""
    stack.qmp('x86-dseg-walks-reset')
    gups.begin_round()
    gups.next_round()
    with Gdb(stack) as gdb:
        gdb.write('cr12', 3 << 4 | 1 << 8)
        [cpu] = stack.qmp('query-x86-dseg-walks')
        expected = sum(t['walks'] for t in cpu['regimes']
                       if (t['regime'], t['privilege']) == ('base', 'user'))
        assert gdb.read('cr13') == expected > 0
        gdb.write('cr12', 0)


def test_registers_are_zero_after_a_reset(bare_qemu):
    machine = bare_qemu('EPYC,dseg=on')
    machine.cmd('system_reset')
    [cpu] = machine.cmd('query-x86-dseg')
    assert set(cpu['registers'].pop('vmm-filter')) == {0}
    assert set(cpu['registers'].values()) == {0}


def test_vmm_registers_are_missing_without_svm(bare_qemu):
    machine = bare_qemu('EPYC,-svm,dseg=on')
    text = machine.cmd('human-monitor-command', command_line='info registers')
    assert 'CR9=' in text and 'VMM_BASE' not in text
