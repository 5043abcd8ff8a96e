# SPDX-License-Identifier: GPL-2.0-or-later
"""The module dseg-vmm and the tool dseg-vm, in L1: running VMs get a VMM segment, and lose it.

QEMU verifies all the time that the segment says what the nested page tables say.
"""

import json
import os
import re
import subprocess
import time
from contextlib import contextmanager

import pytest

from dseg import OUT, ROOT
from dseg.base.sizes import MiB, parse_size
from dseg.experiments.measure import Walks, measure
from dseg.experiments.tradeoffs.work import Work
from dseg.stack.complaints import complaints
from dseg.stack.console import CommandError
from dseg.stack.layout import SMALL_PAGES
from dseg.stack.memory import Memory
from dseg.stack.stack import GUEST, Stack
from dseg.stack.workload import Workload

PAGE = 4096
VM_SIZE = os.environ.get('DSEG_TEST_VM_MEMORY', '256M')
SEGMENT = parse_size(VM_SIZE) - MiB         # all but the first MiB
ALL = parse_size(VM_SIZE) // MiB            # for the balloon
L1_MEMORY = 2048 * MiB + 4 * (parse_size(VM_SIZE) - 256 * MiB)
GUPS = 'gups --bytes 64M --updates 100000'
LONG = 180          # seconds for what takes some on a busy machine
MONITOR_PORT = 4444
START = f'dseg-vm start --memory {VM_SIZE}'
PID = '$(pidof qemu-system-x86_64)'


def initrd_with_program(folder):
    """L1's ramdisk, and vmm-abi in it."""
    root = folder / 'root'
    (root / 'usr/bin').mkdir(parents=True)
    subprocess.run(['gcc', '-O2', '-Wall', '-static', '-o', root / 'usr/bin/vmm-abi',
                    ROOT / 'tests/linux/programs/vmm-abi.c'], check=True, timeout=60)
    names = b'usr\nusr/bin\nusr/bin/vmm-abi'
    archive = subprocess.run(['busybox', 'cpio', '-o', '-H', 'newc', '-R', '0:0'], cwd=root,
                             input=names, capture_output=True, check=True, timeout=60).stdout
    initrd = folder / 'l1.cpio'
    initrd.write_bytes((GUEST / 'l1.cpio').read_bytes() + archive)
    return initrd


class Host:
    """L1, the host of the VMs."""

    def __init__(self, stack):
        self.stack = stack

    def run(self, command, timeout=LONG):
        return self.stack.l1.run(command, timeout=timeout)

    def fail(self, command):
        """The exit code and the output of a command that must fail."""
        with pytest.raises(CommandError) as error:
            self.run(command)
        return error.value.code, error.value.output

    def segments(self):
        return json.loads(self.run('dseg-vm list --json'))['vms']

    def segment(self):
        [segment] = self.segments()
        return segment

    def wait_for_state(self, state):
        """Until the only segment is in that state."""
        for _ in range(50):
            if self.segment()['state'] == state:
                return
            time.sleep(0.2)
        assert self.segment()['state'] == state

    def start_vm(self, options='', words=''):
        """A VM on the stack's second console; returns when it has a shell."""
        self.stack.l2.clear()
        self.run(f'{words} {START} {options} >/tmp/vm.log 2>&1 &')
        self.stack.l2.expect('^l2# ', LONG)
        if '--mode base' not in options:
            # It says what has become of the segment, whatever that is.
            self.run('until grep -q segment /tmp/vm.log; do sleep 0.1; done')

    def end_vms(self):
        self.run(f'kill {PID} 2>/dev/null; while pidof qemu-system-x86_64; do sleep 0.1; done')

    def kill(self, pid):
        """Until the last thread has gone, and all memory with it."""
        self.run(f'pid={pid}; kill -9 $pid; while [ -d /proc/$pid ]; do sleep 0.1; done')

    def monitor(self, command):
        """One command of the VM's human monitor."""
        return self.run(f'{{ echo "{command}"; sleep 1; }} | nc 127.0.0.1 {MONITOR_PORT}')

    @contextmanager
    def vm_stopped(self):
        """A while in which the VM does not run."""
        self.monitor('stop')
        self.wait_for_status('paused')
        try:
            yield
        finally:
            self.monitor('cont')
            self.wait_for_status('running')

    def wait_for_status(self, status):
        """Until the VM's monitor says that status."""
        for _ in range(30):
            answer = self.monitor('info status')
            if f'VM status: {status}' in answer:
                return
        assert f'VM status: {status}' in answer

    @contextmanager
    def all_memory_comes_back(self):
        """Not the noise of a running kernel: of what is not free, and of what is nobody's."""
        before = Memory.of(self.stack.l1)
        yield
        lost, unaccounted = Memory.of(self.stack.l1).lost_since(before)
        assert lost < 2 * MiB and unaccounted < MiB, (lost, unaccounted)

    def nested_faults(self):
        """How many nested page faults KVM has mended."""
        self.run('mount | grep -q debugfs || mount -t debugfs none /sys/kernel/debug')
        return int(self.run('cat /sys/kernel/debug/kvm/pf_fixed'))

    def registers(self):
        [cpu] = self.stack.qmp('query-x86-dseg')
        return cpu['guest-mode'], cpu['registers']


@pytest.fixture(scope='module')
def host(tmp_path_factory):
    """L1 with one CPU, the module loaded, and no VM."""
    with Stack(cpu_extra='dseg=on,dseg-verify=on', holes=False, l1_memory=L1_MEMORY,
               l2_memory=VM_SIZE, append=f'l2.append={SMALL_PAGES}',     # a large VM, too
               initrd=initrd_with_program(tmp_path_factory.mktemp('l1')),
               extra_args=['-device', 'dseg-bad-frames'],
               log_dir=OUT / 'log/test-linux-dseg-vmm') as stack:
        stack.boot_l1(timeout=LONG)
        stack.l1.run('modprobe dseg-vmm')
        yield Host(stack)


@pytest.fixture(autouse=True)
def nothing_is_left_of_a_test_that_failed(request, host):
    """Or others would fail for its sake."""
    if 'vm' not in request.fixturenames:
        host.end_vms()
        host.run('dseg-vm reserve 0')


@pytest.fixture(scope='class')
def vm(host):
    """A VM in mode base, in which GUPS runs."""
    host.start_vm(f'--mode base -- -monitor tcp:127.0.0.1:{MONITOR_PORT},server=on,wait=off')
    workload = Workload(host.stack, 'nested', GUPS)
    yield workload
    workload.stop()
    host.end_vms()


@pytest.fixture
def attached(host, vm):
    """The same VM with a segment, for one test."""
    host.run(f'dseg-vm attach {PID}')
    yield vm
    if any(s['state'] != 'ended' for s in host.segments()):
        host.run(f'dseg-vm detach {PID}')


def check_mode(host, workload, mode):
    """That nearly all walks of a workload are as the mode says, and its data is right."""
    result = measure(host.stack, workload, mode, rounds=1)
    refs, checks = {'base': ((4, 20), 0), 'vmm-direct': ((4, 0), 5)}[mode]
    assert max(result.walks.refs, key=result.walks.refs.get) == refs
    assert result.walks.checks_typical == checks
    assert result.share >= 0.95, result.walks.regimes
    assert result.checksum_ok


def test_requests_answer_as_the_header_says(host):
    assert host.run('vmm-abi').endswith('0 failures\n')


class TestRunningVm:
    """One VM, which runs all the time."""

    def test_there_is_no_segment_unless_asked_for(self, host, vm):
        check_mode(host, vm, 'base')
        assert host.segments() == []

    def test_running_vm_gets_a_segment_and_loses_it(self, host, vm):
        vm.begin_round()
        host.run(f'dseg-vm attach {PID}')
        segment = host.segment()
        assert segment['command'].startswith('qemu-system')
        assert (segment['gpa'], segment['size'], segment['state']) == (MiB, SEGMENT, 'active')
        assert segment['hpa'] % PAGE == 0 and segment['moved'] >= 64 * MiB // PAGE
        check_mode(host, vm, 'vmm-direct')
        host.run(f'dseg-vm detach {PID}')
        assert host.segments() == []
        check_mode(host, vm, 'base')

    def test_segment_needs_no_nested_page_table(self, host, vm):
        with host.vm_stopped():         # or pages that have moved are used before the segment
            host.run(f'dseg-vm attach {PID}')
        vm.begin_round()
        before = host.nested_faults()
        vm.begin_round()
        with_segment = host.nested_faults() - before
        host.run(f'dseg-vm detach {PID}')
        vm.begin_round()                # began before, with the segment
        vm.begin_round()
        # Moving the pages has emptied the nested page tables of all of them, and a round of
        # 100000 updates leaves out one page in 400.
        assert host.nested_faults() - before - with_segment >= 0.99 * 64 * MiB // PAGE
        assert with_segment < 100

    def test_registers_are_loaded_only_while_the_vm_runs(self, host, attached):
        segment = host.segment()
        expected = {'vmm-base': segment['gpa'], 'vmm-limit': segment['gpa'] + segment['size'],
                    'vmm-offset': segment['hpa'] - segment['gpa']}
        seen = 0
        for _ in range(100):
            in_guest, registers = host.registers()
            if in_guest:
                seen += 1
                assert {name: registers[name] for name in expected} == expected
        assert seen
        with host.vm_stopped():
            for _ in range(20):
                in_guest, registers = host.registers()
                assert not in_guest and not any(registers[name] for name in expected)
        check_mode(host, attached, 'vmm-direct')

    def test_escaped_page_is_translated_by_nested_paging(self, host, attached):
        gpa = MiB + SEGMENT // 2
        host.run(f'dseg-vm escape {PID} {gpa:#x}')
        assert host.segment()['escapes'] == 1
        attached.begin_round()
        host.stack.qmp('x86-dseg-walks-reset')
        attached.begin_round()
        walks = Walks.from_reply(host.stack.qmp('query-x86-dseg-walks'), 'nested')
        host.run(f'dseg-vm unescape {PID}')
        assert host.segment()['escapes'] == 0
        assert walks.total['filter-lookups'] == walks.total['checks'] > 0
        assert walks.share('vmm-direct') > 0.95
        check_mode(host, attached, 'vmm-direct')

    def test_segment_is_suspended_while_writes_are_logged(self, host, attached):
        host.monitor('migrate_set_parameter max-bandwidth 1k')
        host.monitor('migrate -d exec:cat>/dev/null')
        host.wait_for_state('suspended')
        check_mode(host, attached, 'base')
        host.monitor('migrate_cancel')
        host.wait_for_state('active')
        check_mode(host, attached, 'vmm-direct')

    def test_segment_ends_when_the_vmm_gives_memory_away(self, host, attached):
        host.monitor(f'balloon {ALL - 56}')
        host.wait_for_state('ended')
        check_mode(host, attached, 'base')
        host.monitor(f'balloon {ALL}')
        while f'actual={ALL}' not in host.monitor('info balloon'):
            pass
        host.run(f'dseg-vm attach {PID}')       # an ended one is no obstacle
        check_mode(host, attached, 'vmm-direct')

    def test_module_loads_and_unloads_under_a_running_vm(self, host, vm):
        vm.begin_round()
        host.run(f'dseg-vm attach {PID} && rmmod dseg-vmm && modprobe dseg-vmm')
        with host.all_memory_comes_back():
            host.run('for i in $(seq 100); do '
                     f'[ $((i % 50)) != 1 ] || dseg-vm attach {PID} >/dev/null || exit; '
                     'rmmod dseg-vmm && modprobe dseg-vmm || exit; done', timeout=2 * LONG)
        for _ in range(2):
            host.run(f'dseg-vm attach {PID}')
            host.run('rmmod dseg-vmm')
            _, registers = host.registers()
            assert not any(registers[name] for name in ('vmm-base', 'vmm-limit', 'vmm-offset'))
            host.run('modprobe dseg-vmm')
        check_mode(host, vm, 'base')

    def test_two_vms_on_one_cpu_have_a_segment_each(self, host, attached):
        host.run("L2_CONSOLE=file:/tmp/second L2_QMP=/tmp/second.qmp "
                 "L2_APPEND='run=gups,--bytes,32M,--updates,100000,--rounds,0' "
                 f'{START} >/tmp/second.log 2>&1 &')
        host.run('until grep -q "round 3" /tmp/second; do kill -0 $! || exit; sleep 1; done',
                 timeout=2 * LONG)
        segments = host.segments()
        assert [s['state'] for s in segments] == ['active', 'active']
        first, second = segments
        assert (first['hpa'] + first['size'] <= second['hpa'] or
                second['hpa'] + second['size'] <= first['hpa'])
        attached.begin_round()
        host.stack.qmp('x86-dseg-walks-reset')
        mine = attached.begin_round()
        rounds = 'grep "round .* errors [0-9]" /tmp/second'     # a line comes letter by letter
        lines = len(host.run(rounds).splitlines())
        host.run(f'while [ $({rounds} | wc -l) -lt {lines + 3} ]; do sleep 0.5; done')
        walks = Walks.from_reply(host.stack.qmp('query-x86-dseg-walks'), 'nested', 'user')
        assert walks.share('vmm-direct') > 0.95, walks.regimes
        assert not any(r.errors for r in mine)
        others = host.run(rounds).splitlines()
        assert len(others) >= lines + 3 and all(' ok ' in line for line in others)
        host.kill(second['pid'])
        assert [s['pid'] for s in host.segments()] == [first['pid']]
        check_mode(host, attached, 'vmm-direct')


def test_killed_vmm_leaves_nothing_behind(host):
    host.end_vms()
    with host.all_memory_comes_back():
        for _ in range(2):
            host.start_vm()
            assert host.segment()['state'] == 'active'
            host.kill(PID)
            assert host.segments() == []
            _, registers = host.registers()
            assert not any(registers[name] for name in ('vmm-base', 'vmm-limit', 'vmm-offset'))


def test_many_vms_leave_nothing_behind(host):
    host.run('vmm-abi')
    with host.all_memory_comes_back():
        host.run('for i in $(seq 5); do vmm-abi >/dev/null || exit; done', timeout=2 * LONG)


def reserve(host, size=VM_SIZE):
    """Where the next VM will be."""
    return int(re.search(r'hpa=0x([0-9a-f]+)', host.run(f'dseg-vm reserve {size}'))[1], 16)


class Fragments:
    """The program fragment, in L1, until the with statement ends."""

    def __init__(self, host, options):
        self._host = host
        self._options = options

    def __enter__(self):
        self._host.run(f'fragment {self._options} >/tmp/fragment 2>&1 &')
        self._host.run('until grep -q ready /tmp/fragment; do kill -0 $! || exit; sleep 1; done')

    def __exit__(self, *exception):
        self._host.run('kill $(pidof fragment); while pidof fragment; do sleep 0.1; done')
        assert 'BAD' not in self._host.run('cat /tmp/fragment')


def test_compaction_makes_room_for_a_segment(host):
    with Fragments(host, '--movable'):
        before = int(re.search(r'pgmigrate_success (\d+)', host.run('cat /proc/vmstat'))[1])
        host.start_vm()
        segment = host.segment()
        after = int(re.search(r'pgmigrate_success (\d+)', host.run('cat /proc/vmstat'))[1])
        assert segment['size'] == SEGMENT and segment['state'] == 'active'
        # A page in each block of 64 KiB was in the way.
        assert segment['displaced'] >= SEGMENT // (64 << 10) * 0.9
        assert after - before >= segment['displaced']
        assert f'{segment["displaced"]} pages displaced' in host.run('cat /tmp/vm.log')
        host.end_vms()


def test_without_contiguous_memory_the_vm_does_what_was_asked_for(host):
    host.run('dseg-vm reserve 100M')
    with Fragments(host, ''):
        code, output = host.fail(START)
        assert code == 125 and 'there is no contiguous memory of that size' in output
        assert not host.run('pidof qemu-system-x86_64; true')

        host.start_vm('--fallback base')
        assert 'it runs in mode base' in host.run('cat /tmp/vm.log')
        assert host.segments() == []
        code, output = host.fail(f'dseg-vm attach {PID}')
        assert code == 1 and 'no contiguous memory' in output

        # How much there is now depends on where the kernel puts what it needs meanwhile.
        host.run(f'dseg-vm reserve 0 && dseg-vm attach --largest {PID}')
        assert 2 * MiB <= host.segment()['size'] < SEGMENT
        host.end_vms()


def test_largest_segment_is_what_has_been_set_aside(host):
    reserved = reserve(host, '101M')
    with Fragments(host, ''):
        host.start_vm('--fallback largest')
        segment = host.segment()
        assert (segment['hpa'], segment['size']) == (reserved, 101 * MiB)
        host.end_vms()


def bad_frames(host, **arguments):
    """The device's state, after a command to it."""
    for command, frames in arguments.items():
        host.stack.qmp(f'dseg-bad-frames-{command}', frames=frames)
        time.sleep(1)       # for its interrupt
    return host.stack.qmp('query-dseg-bad-frames')


@pytest.mark.parametrize('count', [1, 16])
def test_vm_on_bad_frames_does_not_touch_them(host, count):
    start = reserve(host)
    frames = [start + i * (SEGMENT // count // PAGE * PAGE) + 37 * PAGE for i in range(count)]
    bad_frames(host, add=frames)
    try:
        host.start_vm()
        segment = host.segment()
        assert segment['escapes'] == count and segment['hpa'] == start
        host.stack.qmp('dseg-bad-frames-reset')
        workload = Workload(host.stack, 'nested', 'gups --bytes 128M --updates 100000')
        check_mode(host, workload, 'vmm-direct')
        workload.stop()
        state = bad_frames(host)
        assert (state['reads'], state['writes']) == (0, 0)
    finally:
        host.end_vms()
        host.run('dseg-vm reserve 0')
        bad_frames(host, remove=frames)


def test_frame_that_goes_bad_under_a_running_vm_is_replaced(host):
    start = reserve(host)
    # Memory that the VM's kernel leaves alone, or little might work after that.
    host.start_vm(words="L2_HOLE='2M$20M'")
    workload = Workload(host.stack, 'nested', GUPS)
    workload.begin_round()
    frame = start + 20 * MiB
    bad_frames(host, add=[frame])
    try:
        assert host.segment()['escapes'] == 1 and host.segment()['state'] == 'active'
        host.stack.qmp('dseg-bad-frames-reset')
        check_mode(host, workload, 'vmm-direct')
        state = bad_frames(host)
        assert (state['reads'], state['writes']) == (0, 0)
        workload.stop()
    finally:
        host.end_vms()
        host.run('dseg-vm reserve 0')
        bad_frames(host, remove=[frame])


def mismatches(host):
    [cpu] = host.stack.qmp('query-x86-dseg-walks')
    return cpu['mismatches']


def test_without_the_filter_bad_frames_are_touched_and_data_is_wrong(host):
    """The monitor has the same segment, but not the filter, and then leaves it to the module."""
    host.start_vm()
    work = Work(host.stack.l2, GUPS)
    segment = host.segment()
    pages = [work.physical_address(host.stack.layout.gva + (i * 1024 + 37) * PAGE)
             for i in range(16)]
    frames = [page - segment['gpa'] + segment['hpa'] for page in pages]
    assert mismatches(host) == 0
    # KVM's tables need not map any of it yet, hence the force.
    host.stack.qmp('x86-dseg-set', level='vmm', base=segment['gpa'], size=segment['size'],
                   target=segment['hpa'], force=True)
    bad_frames(host, add=frames)
    try:
        segment = host.segment()
        assert (segment['escapes'], segment['state']) == (16, 'active')
        host.stack.qmp('dseg-bad-frames-reset')
        wrong = work.wait_for_round()
        assert work.wait_for_round() >= wrong + 2
        state = bad_frames(host)
        assert all(frame['reads'] and frame['writes'] for frame in state['frames']), state

        host.stack.qmp('x86-dseg-clear')
        wrong = work.wait_for_round()   # it has written all of its table anew
        host.stack.qmp('dseg-bad-frames-reset')
        assert work.wait_for_round() == wrong
        state = bad_frames(host)
        assert (state['reads'], state['writes']) == (0, 0)
    finally:
        host.stack.qmp('x86-dseg-clear')
        host.stack.qmp('x86-dseg-walks-reset')  # of mismatches, which are to be expected here
        work.stop()
        host.end_vms()
        bad_frames(host, remove=frames)


def test_verify_mode_has_found_no_mismatch(host):
    assert mismatches(host) == 0


def test_kernel_has_not_complained(host):
    assert not complaints(host)
