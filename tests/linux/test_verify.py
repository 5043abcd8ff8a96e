# SPDX-License-Identifier: GPL-2.0-or-later
"""Verify mode: segments that agree with page tables do so, others are found."""

import re
import time

import pytest

from conftest import GUPS
from dseg import OUT
from dseg.layout import KiB
from dseg.measure import Workload
from dseg.modes import MODES, find_cr3, guest_segment, set_mode
from dseg.stack import Stack

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
    workload = Workload(stack, 'nested', GUPS)
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


# The last test: it spoils the data.
def test_segment_that_disagrees_is_told_of(stack, gups):
    """One page further than page tables have it, in all of the work area."""
    area = gups.area
    segment = guest_segment(area, find_cr3(stack, area))
    segment['target'] += PAGE
    stack.qmp('trace-event-set-state', name='x86_dseg_mismatch', enable=True)
    stack.qmp('x86-dseg-walks-reset')
    stack.qmp('x86-dseg-set', **segment, force=True)
    begin = time.monotonic()
    events = [stack.event('X86_DSEG_MISMATCH') for _ in range(2)]
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
