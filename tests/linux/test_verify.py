# SPDX-License-Identifier: GPL-2.0-or-later
"""Verify mode: segments that agree with page tables do so, others are found."""

import re
import time

import pytest

from gdbremote import Gdb
from dseg import OUT, patient
from dseg.base.sizes import KiB
from dseg.stack.modes import MODES, find_cr3, guest_segment, set_mode
from dseg.stack.stack import Stack
from dseg.stack.workload import Workload

PAGE = 4 * KiB
DIRECT = [name for name, mode in MODES.items()
          if mode.world == 'nested' and (mode.guest or mode.vmm)]


@pytest.fixture(scope='module')
def stack():
    with Stack(cpu_extra='dseg=on,dseg-verify=on',
               log_dir=OUT / 'log/test-linux-verify') as machine:
        machine.boot_l1()
        machine.boot_l2()
        yield machine


@pytest.fixture(scope='module')
def gups(stack):
    workload = Workload(stack, 'nested', 'gups --bytes 16M --updates 50000')
    yield workload
    workload.stop()


def counts(stack):
    [cpu] = stack.qmp('query-x86-dseg-walks')
    return cpu['verified'], cpu['mismatches']


@pytest.mark.parametrize('mode', DIRECT)
def test_segments_that_agree_are_verified(stack, gups, mode):
    set_mode(stack, mode, gups.area)
    stack.qmp('x86-dseg-walks-reset')
    gups.begin_round()
    gups.next_round()
    verified, mismatches = counts(stack)
    assert verified > 0 and mismatches == 0


def test_without_segments_there_is_nothing_to_verify(stack, gups):
    set_mode(stack, 'base')
    stack.qmp('x86-dseg-walks-reset')
    gups.begin_round()
    assert counts(stack) == (0, 0)


def last_entry(stack, address, cr3, dimension):
    """The entry that ends a walk of both dimensions for an address."""
    end = time.monotonic() + patient(30)
    while time.monotonic() < end:
        reply = stack.qmp('x86-dseg-translate', address=address)
        if reply.get('regime') == 'base' and reply['cr3'] == cr3:
            return [s for s in reply['steps']
                    if s['dimension'] == dimension][-1]
    pytest.fail('the CPU did not run GUPS in time')


def write_entry(stack, entry, value):
    with Gdb(stack) as gdb:
        gdb.checked('Qqemu.PhyMemMode:1')
        gdb.checked(f'M{entry["hpa"]:x},8:{value.to_bytes(8, "little").hex()}')


def mismatch(stack, level):
    """The next event of that level: the test before may have left one of the other."""
    while (event := stack.event('X86_DSEG_MISMATCH'))['level'] != level:
        pass
    return event


USER = 1 << 2


@pytest.mark.parametrize('level, mode, dimension', [
    ('guest', 'guest-direct', 'guest'), ('vmm', 'vmm-direct', 'nested')])
def test_permission_that_only_paging_denies_is_told_of(stack, gups, level,
                                                       mode, dimension):
    """A page of the work area becomes the kernel's, behind everyone's back."""
    area, page = gups.area, 5 * PAGE
    cr3 = find_cr3(stack, area)
    stack.qmp('x86-dseg-clear')
    gups.begin_round()              # has written to every page
    entry = last_entry(stack, area.va + page, cr3, dimension)
    set_mode(stack, mode, area, cr3)
    stack.qmp('x86-dseg-walks-reset')
    write_entry(stack, entry, entry['entry'] & ~USER)
    try:
        event = mismatch(stack, level)
    finally:
        write_entry(stack, entry, entry['entry'])
    source = area.va if level == 'guest' else area.pa
    target = area.pa if level == 'guest' else stack.layout.l2_work_hpa
    assert source + page <= event['address'] < source + page + PAGE
    assert event['paging-target'] == event['segment-target'] == \
        event['address'] - source + target
    assert event['level'] == level
    assert event['denied'] is True
    verified, mismatches = counts(stack)
    assert 0 < mismatches < verified
    assert [r for r in gups.begin_round() if r.errors] == []


# The last test: it spoils the data.
def test_segment_that_disagrees_is_told_of(stack, gups):
    """One page further than page tables have it, in all of the work area."""
    area = gups.area
    segment = guest_segment(area, find_cr3(stack, area))
    segment['target'] += PAGE
    stack.qmp('trace-event-set-state', name='x86_dseg_mismatch', enable=True)
    stack.qmp('x86-dseg-walks-reset')
    begin = time.monotonic()
    stack.qmp('x86-dseg-set', **segment, force=True)
    events = [mismatch(stack, 'guest') for _ in range(2)]
    apart = time.monotonic() - begin
    verified, mismatches = counts(stack)
    output = stack.hmp('info dseg-walks')
    stack.qmp('trace-event-set-state', name='x86_dseg_mismatch', enable=False)
    stack.qmp('x86-dseg-clear')
    for event in events:
        address = event['address']
        assert area.va <= address < area.va + area.bytes
        assert event['paging-target'] == address - area.va + area.pa
        assert event['segment-target'] == event['paging-target'] + PAGE
        assert (event['cpu'], event['level']) == (0, 'guest')
        assert event['access'] in ('load', 'store')
        assert event['denied'] is False
    assert apart > 0.9              # one a second, but all are counted
    assert 2 < mismatches <= verified
    assert re.search(r'verify mode: \d+ compared, \d+ mismatches', output)
    assert re.search(r'x86_dseg_mismatch CPU 0 level guest addr 0x6\w+ segment '
                     r'0x\w+ paging 0x\w+ denied 0',
                     stack.qemu_log())
