# SPDX-License-Identifier: GPL-2.0-or-later
"""Primary regions from dseg-guest: what is promised, in L1 and in L2, and nothing leaks.

QEMU checks each translation by a segment against the page tables meanwhile (verify mode): a
segment in a wrong address space, or one that is stale, is a mismatch.
"""

import re
import time

import pytest

import guest_programs
from dseg import OUT
from dseg.base.sizes import MiB
from dseg.stack.complaints import complaints
from dseg.stack.memory import Memory
from dseg.stack.stack import Stack
from pinning import pin_l2

PAGE = 4096
OF_L1 = 'native-direct'
OF_L2 = 'guest-direct'

# Out-of-tree and not signed; all else is a warning, an oops or the like.
TAINT = 1 << 12 | 1 << 13

# What the noise of a running kernel may be, in bytes: of what is not free, and of what is nobody's.
TOLERANCES = 2 * MiB, MiB

ABI = [case for case in guest_programs.cases('guest-abi') if case not in ('cgroup', 'swapping')]
CHANGES = guest_programs.cases('guest-changes')
HOSTILE = ['same-address', 'vfork-and-exec', 'forked-children']
RACES = ['exec-leaves-nothing', 'threads-at-once', 'disturbed-while-made', 'killed']


@pytest.fixture(scope='module')
def machine(tmp_path_factory):
    """Two CPUs in L1 and in L2, a disk to swap to, and the test programs."""
    folder = tmp_path_factory.mktemp('dseg-guest')
    swap = folder / 'swap.img'
    with open(swap, 'wb') as image:
        image.truncate(64 * MiB)
    with Stack(cpu_extra='dseg=on,dseg-verify=on', l1_cpus=2, l2_cpus=2, l2_memory='256M',
               # Half of L2's memory is for its ramdisk.
               initrd=guest_programs.ramdisk(folder, ['guest-abi', 'guest-changes', 'guest-hostile']),
               extra_args=['-drive', f'file={swap},format=raw,if=virtio'],
               log_dir=OUT / 'log/test-linux-dseg-guest') as stack:
        stack.boot_l1()
        stack.l1.run('modprobe dseg-guest')
        stack.l1.run('mkdir /tmp/cgroup; mount -t cgroup2 none /tmp/cgroup; '
                     'echo +memory >/tmp/cgroup/cgroup.subtree_control')
        yield stack


@pytest.fixture
def stack(machine):
    """Nothing has gone wrong unnoticed afterwards."""
    yield machine
    for cpu in machine.qmp('query-x86-dseg-walks'):
        assert cpu['mismatches'] == 0
    assert_no_warning(machine.l1)


@pytest.fixture
def l1(stack):
    return stack.l1


@pytest.fixture(scope='module')
def booted_l2(machine):
    """With nested mappings of 4 KiB, and the module."""
    machine.l1.run('echo never >/sys/kernel/mm/transparent_hugepage/enabled')
    machine.boot_l2()
    machine.l2.run('modprobe dseg-guest')
    yield machine.l2


@pytest.fixture
def l2(stack, booted_l2):
    yield booted_l2
    assert_no_warning(booted_l2)


def assert_no_warning(console):
    assert int(console.run('cat /proc/sys/kernel/tainted')) == TAINT
    assert not complaints(console)


def run(console, program, case):
    console.run(f'{program} {case}', timeout=120)


def tally(stack, regime):
    """What the walks of one regime have cost on all CPUs: walks, refs, nested refs, checks."""
    sums = [0] * 4
    for cpu in stack.qmp('query-x86-dseg-walks'):
        for part in cpu['regimes']:
            if part['regime'] == regime:
                for i, field in enumerate(('walks', 'guest-refs', 'nested-refs', 'checks')):
                    sums[i] += part[field]
    return sums


def total_of(stack, counter):
    return sum(cpu[counter] for cpu in stack.qmp('query-x86-dseg-walks'))


@pytest.mark.parametrize('case', ABI)
def test_interface(l1, case):
    run(l1, 'guest-abi', case)


@pytest.mark.parametrize('case', CHANGES)
def test_change_of_memory_is_seen(l1, case):
    run(l1, 'guest-changes', case)


@pytest.mark.parametrize('case', HOSTILE)
def test_segment_is_for_its_process_only(stack, l1, case):
    before = total_of(stack, 'verified')
    run(l1, 'guest-hostile', case)
    assert total_of(stack, 'verified') > before


@pytest.mark.parametrize('case', RACES)
def test_race_does_no_harm(l1, case):
    run(l1, 'guest-hostile', case)


def test_walks_are_direct_and_free(stack, l1):
    stack.qmp('x86-dseg-walks-reset')
    run(l1, 'guest-abi', 'all-threads-on-all-cpus')
    walks, refs, nested_refs, checks = tally(stack, OF_L1)
    assert walks >= 2 * 4 * MiB // PAGE
    assert (refs, nested_refs, checks) == (0, 0, walks)


def in_cgroup(console, limit, command):
    """Run a command with so much memory; nobody may be killed, and all is given back."""
    folder = '/tmp/cgroup/small'
    console.run(f'mkdir {folder}; echo {limit} >{folder}/memory.max')
    console.run(f"sh -c 'echo $$ >{folder}/cgroup.procs; {command}'", timeout=120)
    assert 'oom_kill 0' in console.run(f'cat {folder}/memory.events')
    deadline = time.monotonic() + 10
    while int(console.run(f'cat {folder}/memory.current')) > MiB and time.monotonic() < deadline:
        time.sleep(0.5)
    assert int(console.run(f'cat {folder}/memory.current')) <= MiB
    console.run(f'rmdir {folder}')


def test_limit_of_memory_cgroup_is_an_error_and_kills_nobody(l1):
    in_cgroup(l1, '32M', 'guest-abi cgroup')


def test_region_is_not_swapped_and_the_rest_is(l1):
    l1.run('mkswap /dev/vda >/dev/null && swapon /dev/vda')
    before = int(l1.run("awk '/^pswpout/ { print $2 }' /proc/vmstat"))
    in_cgroup(l1, '16M', 'guest-abi swapping')
    assert int(l1.run("awk '/^pswpout/ { print $2 }' /proc/vmstat")) > before
    l1.run('swapoff /dev/vda')


def start_load(console):
    console.run('guest-load >/tmp/load & echo $! >/tmp/load.pid')


def end_load(console):
    """Ends the checksum workload, which must not have failed; returns how many regions it had."""
    console.run('kill $(cat /tmp/load.pid); '
                'while kill -0 $(cat /tmp/load.pid) 2>/dev/null; do sleep 0.1; done')
    output = console.run('cat /tmp/load')
    assert (found := re.search(r'^regions: (\d+)\n', output, re.M)), output
    return int(found[1])


def test_cpus_come_and_go_under_load(l1):
    start_load(l1)
    l1.run('for i in 1 2 3 4 5; do for on in 0 1; do '
           'echo $on >/sys/devices/system/cpu/cpu1/online || exit; sleep 0.2; done; done',
           timeout=120)
    assert end_load(l1) > 0


def assert_all_has_come_back(l1, before):
    lost = Memory.of(l1).lost_since(before)
    assert all(n < most for n, most in zip(lost, TOLERANCES)), lost


def test_module_comes_and_goes_under_load(l1):
    run(l1, 'guest-abi', 'drop')                # what the kernel keeps, it has now
    before = Memory.of(l1)
    start_load(l1)
    # It is in use for moments, while the workload has the device open.
    l1.run('for i in $(seq 100); do until rmmod dseg-guest 2>/dev/null; do sleep 0.02; done; '
           'modprobe dseg-guest || exit; done', timeout=600)
    assert end_load(l1) > 0
    assert_all_has_come_back(l1, before)


def test_no_frame_is_lost(l1):
    for case in 'drop', 'unprivileged':
        run(l1, 'guest-abi', case)
    before = Memory.of(l1)
    l1.run('for i in 1 2; do guest-hostile killed && guest-abi drop && guest-abi unprivileged && '
           'guest-hostile threads-at-once || exit; done', timeout=240)
    assert_all_has_come_back(l1, before)


def test_kernel_of_l2_has_nothing_to_ask_its_host(stack, l2):
    stack.qmp('x86-dseg-walks-reset')
    run(l2, 'guest-abi', 'zeroed')
    walks, refs, nested_refs, checks = tally(stack, OF_L2)
    assert walks >= 4 * MiB // PAGE
    assert (refs, nested_refs, checks) == (0, 4 * walks, walks)


@pytest.mark.parametrize('case', ['bad-arguments', 'unprivileged', 'ask-after-exit'])
def test_interface_in_l2(l1, l2, case):
    pin_l2(l1, '1')
    run(l2, 'guest-abi', case)
    pin_l2(l1, '3')


@pytest.mark.parametrize('case', ['unmapped-page-faults', 'dropped-page-is-zero'])
def test_change_of_memory_is_seen_in_l2(l2, case):
    run(l2, 'guest-changes', case)


@pytest.mark.parametrize('case', HOSTILE)
def test_segment_is_for_its_process_only_in_l2(stack, l2, case):
    before = total_of(stack, 'verified')
    run(l2, 'guest-hostile', case)
    assert total_of(stack, 'verified') > before


def test_l1_and_l2_have_regions_at_once(stack, l1, l2):
    start_load(l1)
    run(l2, 'guest-hostile', 'same-address')
    assert end_load(l1) > 0
