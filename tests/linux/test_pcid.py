# SPDX-License-Identifier: GPL-2.0-or-later
"""Linux with PCIDs and INVPCID, which the default CPU lacks: as host and as nested guest.

L1 has page table isolation, so that each process has two PCIDs, and each system call and
interrupt changes CR3 with bit 63 set.
"""

import re
import time

import pytest

from dseg import OUT
from dseg.experiments.measure import measure
from dseg.stack.complaints import complaints
from dseg.stack.modes import set_mode
from dseg.stack.stack import Stack
from dseg.stack.workload import Workload

CPU = '+pcid,+invpcid,+flushbyasid,dseg=on,dseg-verify=on'
CR4_PCIDE = 1 << 17
PCID = 0xfff
USER_PCID = 1 << 11         # Linux: in the PCID of page tables for user mode
SAMPLES = 100


@pytest.fixture(scope='module')
def stack():
    with Stack(cpu_extra=CPU, l1_cpus=2, l2_cpus=2, append='pti=on',
               log_dir=OUT / 'log/test-linux-pcid') as machine:
        machine.boot_l1()
        machine.boot_l2()
        yield machine


@pytest.fixture(params=('l1', 'l2'))
def console(request, stack):
    return getattr(stack, request.param)


def test_the_kernel_has_both_features(console):
    flags = console.run('grep -m1 ^flags /proc/cpuinfo').split()
    assert 'pcid' in flags and 'invpcid' in flags


def test_kvm_can_flush_by_asid(stack):
    assert 'flushbyasid' in stack.l1.run('grep -m1 ^flags /proc/cpuinfo').split()


def samples(stack):
    """CR3 and CR4 of the first CPU, at SAMPLES moments."""
    for _ in range(SAMPLES):
        text = stack.hmp('info registers')
        yield tuple(int(re.search(rf'{name}=([0-9a-f]+)', text)[1], 16) for name in ('CR3', 'CR4'))
        time.sleep(0.02)


def test_the_kernel_uses_pcids_for_both_halves_of_a_process(stack):
    assert 'isolation: enabled' in stack.l1.run('dmesg')
    stack.l1.start('taskset 1 sh -c "while :; do uname; done" >/dev/null')
    seen = list(samples(stack))
    stack.l1.interrupt()
    assert any(cr3 & USER_PCID for cr3, _ in seen)
    assert any(cr3 & PCID and not cr3 & USER_PCID for cr3, _ in seen)
    assert all(cr4 & CR4_PCIDE for _, cr4 in seen)


@pytest.mark.parametrize('mode', ('base', 'dual-direct'))
def test_a_workload_is_right_and_a_segment_goes_by_cr3_without_its_pcid(stack, mode):
    gups = Workload(stack, 'nested', 'gups --bytes 16M --updates 50000')
    set_mode(stack, mode, gups.area)
    measured = measure(stack, gups, mode, rounds=2)
    gups.stop()
    assert measured.walks.refs_typical == (0 if mode == 'dual-direct' else 24)
    assert measured.walks.count
    assert not any(cpu['mismatches'] for cpu in stack.qmp('query-x86-dseg-walks'))


def test_processes_come_and_go_without_a_complaint(console):
    console.run('for i in $(seq 50); do sh -c "echo $i | grep -q $i" || exit 1; done',
                timeout=180)
    assert not complaints(console)
