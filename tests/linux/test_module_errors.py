# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernel modules when something goes wrong: steps that fail, processes that keep their locks
for ever, frames that go bad meanwhile, a kernel that crashes.

Whatever it is, nothing is lost, nobody else has to wait, and the kernel does not complain.
"""

import json
import re
import time
from contextlib import contextmanager

import pytest

import guest_programs
from dseg import OUT, patient
from dseg.base.sizes import MiB
from dseg.stack.complaints import complaints
from dseg.stack.memory import Memory
from dseg.stack.stack import Stack

PAGE = 4096
SIZE = 4 * MiB              # of the programs' regions and segments
SOON = 20                   # seconds for what must not wait for anybody
BAD_FRAMES = 16
TOLERANCES = 2 * MiB, MiB   # the noise of a running kernel: not free, nobody's
# What each CPU has counted by itself is added first: else it comes within seconds.
PINS = ("echo 1 >/proc/sys/vm/stat_refresh; awk '/^nr_foll_pin_acquired/ { n += $2 } "
        "/^nr_foll_pin_released/ { n -= $2 } END { print n }' /proc/vmstat")
FAULT = '/sys/module/dseg_vmm/parameters/fault'
FILL = 96 * MiB


@pytest.fixture(scope='module')
def stack(tmp_path_factory):
    """L1 with both modules, and room for a crash kernel."""
    initrd = guest_programs.ramdisk(tmp_path_factory.mktemp('errors'))
    with Stack(cpu_extra='dseg=on,dseg-verify=on', l1_memory='1536M', l1_cpus=2, holes=False,
               initrd=initrd, extra_args=['-device', 'dseg-bad-frames'], append='crashkernel=192M',
               log_dir=OUT / 'log/test-linux-module-errors') as stack:
        stack.boot_l1()
        stack.l1.run('modprobe -a fuse dseg-guest dseg-vmm')
        yield stack


@pytest.fixture(scope='module')
def l1(stack):
    return stack.l1


@pytest.fixture(autouse=True)
def kernel_does_not_complain(request):
    if 'crash' in request.node.name:
        yield
        return
    l1 = request.getfixturevalue('l1')
    l1.run('dmesg -c >/dev/null')
    yield
    assert not complaints(l1)


def load_anew(l1):
    """The kernel unmaps lazily what it has mapped, but all of that where a module goes."""
    l1.run('for name in dseg-guest dseg-vmm; do rmmod $name && modprobe $name || exit; done')


@pytest.fixture(scope='module')
def before(l1):
    """The memory, once the kernel has what it allocates once, and all pins."""
    l1.run('guest-abi drop && vmm-abi')
    load_anew(l1)
    return Memory.of(l1), l1.run(PINS)


# Steps that fail

@pytest.mark.parametrize('case,least', [('region', 12), ('populated-region', 15), ('segment', 15),
                                        ('reserve', 4)])
@pytest.mark.usefixtures('before')
def test_whatever_step_fails_nothing_stays_pinned_or_charged(l1, case, least):
    output = l1.run(f'faults {case}')
    assert int(re.match(r'(\d+) steps', output)[1]) >= least, output


def bad_frames(stack, **arguments):
    for command, frames in arguments.items():
        stack.qmp(f'dseg-bad-frames-{command}', frames=frames)
        time.sleep(1)       # for its interrupt


def segment(l1):
    [segment] = json.loads(l1.run('dseg-vm list --json'))['vms']
    return segment


def free_range(l1):
    """Where the next segment or reserve will be."""
    found = re.search(r'hpa=0x([0-9a-f]+)', l1.run(f'dseg-vm reserve {SIZE}'))
    l1.run('dseg-vm reserve 0')
    return int(found[1], 16)


@pytest.fixture
def frames(stack, l1):
    """Free frames that have gone bad where the next segment will be: the module holds them."""
    start = free_range(l1)
    frames = [start + (i * SIZE // BAD_FRAMES // PAGE + 7) * PAGE for i in range(BAD_FRAMES)]
    bad_frames(stack, add=frames)
    yield frames
    bad_frames(stack, remove=frames)
    use_memory(l1)          # a frame that was given back twice would be found now


def use_memory(l1):
    """Have the kernel use frames that are free."""
    l1.run(f'dd if=/dev/zero of=/tmp/fill bs=1M count={FILL // MiB} 2>/dev/null; rm /tmp/fill')


def accesses(stack):
    state = stack.qmp('query-dseg-bad-frames')
    return state['reads'], state['writes']


def test_next_segment_goes_over_free_frames_that_are_bad(l1, frames):
    assert l1.run('dmesg | grep -c "bad frame"; true') == '0\n'     # all of them are held
    assert free_range(l1) == frames[0] - 7 * PAGE


def test_whatever_step_fails_bad_frames_stay_out_of_use(stack, l1, frames):
    output = l1.run(f'faults segment-of-reserve {len(frames)}')
    assert int(re.match(r'(\d+) steps', output)[1]) >= 15 + len(frames), output
    stack.qmp('dseg-bad-frames-reset')
    use_memory(l1)
    assert accesses(stack) == (0, 0)


def test_bad_frames_stay_out_of_use_for_who_may_not_lock_them(stack, l1, frames):
    stack.qmp('dseg-bad-frames-reset')
    l1.run('vmm-abi over-limit')
    use_memory(l1)
    assert accesses(stack) == (0, 0)


def test_frame_of_the_reserve_that_is_made_good_stays_there(stack, l1, frames):
    l1.run(f'dseg-vm reserve {SIZE}')
    bad_frames(stack, remove=frames)
    use_memory(l1)
    bad_frames(stack, add=frames)
    l1.run('dseg-vm reserve 0')


def wait_for(word, file):
    """Shell commands that wait until it is in there, but not for ever."""
    return (f'for i in $(seq {int(10 * patient(SOON))}); do grep -qs {word} {file} && break; '
            'sleep 0.1; done')


@contextmanager
def staying(l1, command, word):
    """A process that says this word and stays, until it is killed."""
    l1.run(f'rm -f /tmp/stay; {command} >/tmp/stay 2>&1 & echo $! >/tmp/stay.pid')
    try:
        assert l1.run(f'{wait_for(word, "/tmp/stay")}; cat /tmp/stay',
                      timeout=2 * SOON) == f'{word}\n'
        yield
    finally:
        l1.run('pid=$(cat /tmp/stay.pid); kill -9 $pid; while [ -d /proc/$pid ]; do sleep 0.1; '
               'done')


@pytest.mark.parametrize('step', [1, 2, 3, 4, 5])
def test_frame_goes_bad_and_a_step_of_its_replacement_fails(stack, l1, step):
    pins = l1.run(PINS)
    with staying(l1, 'faults stay', 'ready'):
        frame = segment(l1)['hpa'] + 37 * PAGE
        l1.run(f'echo {step} >{FAULT}')
        bad_frames(stack, add=[frame])
        left = int(l1.run(f'cat {FAULT}; echo 0 >{FAULT}'))
        assert (left, segment(l1)['state']) == ((0, 'ended') if step < 5 else (1, 'active'))
    bad_frames(stack, remove=[frame])
    assert l1.run(PINS) == pins


@pytest.mark.parametrize('name', ['dseg-guest', 'dseg-vmm'])
def test_whatever_step_of_loading_fails_the_next_attempt_succeeds(l1, name):
    steps = int(l1.run(
        f'rmmod {name}; n=1; while ! modprobe {name} fault=$n 2>/dev/null; do n=$((n + 1)); done; '
        f'echo 0 >/sys/module/{name.replace("-", "_")}/parameters/fault; echo $((n - 1))'))
    assert 5 <= steps < 20
    l1.run('guest-abi drop && vmm-abi')


# Limits of others

def test_limit_of_the_vmms_memory_cgroup_is_an_error_and_kills_no_vmm(l1):
    folder = '/tmp/cgroup/vmm'
    l1.run('mkdir /tmp/cgroup; mount -t cgroup2 none /tmp/cgroup; '
           'echo +memory >/tmp/cgroup/cgroup.subtree_control; '
           f'mkdir {folder}; echo 16M >{folder}/memory.max')
    with staying(l1, f"sh -c 'echo $$ >{folder}/cgroup.procs; exec faults stay-idle'", 'ready'):
        output = l1.run('dseg-vm attach $(cat /tmp/stay.pid) 2>&1; echo code $?')
        assert 'no contiguous memory' in output and output.endswith('code 1\n')
        assert 'oom_kill 0' in l1.run(f'cat {folder}/memory.events')
        assert json.loads(l1.run('dseg-vm list --json'))['vms'] == []
    l1.run(f'rmdir {folder}; umount /tmp/cgroup')


# Processes that keep their locks

def stuck(l1, case):
    """A process that keeps its mmap lock (programs/stuck.c)."""
    return staying(l1, f'stuck {case}', 'stuck')


def assert_is_done_soon(l1, command):
    output = l1.run(f'rm -f /tmp/soon; (({command}) 2>&1; echo code $?) >/tmp/soon & '
                    f'{wait_for("^code", "/tmp/soon")}; cat /tmp/soon', timeout=2 * SOON)
    assert output.endswith('code 0\n'), output or f'{command}: not done in {SOON} s'


@pytest.mark.parametrize('case', ['region-ended', 'segment-detached'])
def test_process_that_keeps_its_lock_keeps_nobody_waiting_who_unloads_the_module(l1, case):
    name = 'dseg-guest' if case == 'region-ended' else 'dseg-vmm'
    with stuck(l1, case):
        assert_is_done_soon(l1, 'guest-abi drop && vmm-abi')
        assert_is_done_soon(l1, f'rmmod {name} && modprobe {name}')


@pytest.mark.parametrize('case', ['making-region', 'attaching'])
def test_process_that_keeps_its_lock_keeps_no_other_request_waiting(l1, case):
    with stuck(l1, case):
        assert_is_done_soon(l1, 'guest-abi drop && vmm-abi')


def test_bad_frame_of_a_process_that_keeps_its_lock_ends_its_segment(stack, l1):
    with stuck(l1, 'segment-attached'):
        frame = segment(l1)['hpa']
        bad_frames(stack, add=[frame])
        assert_is_done_soon(l1, 'guest-abi drop')
        assert segment(l1)['state'] == 'ended'
    bad_frames(stack, remove=[frame])


# The end of it all

def test_after_all_that_nothing_is_lost(l1, before):
    memory, pins = before
    load_anew(l1)
    lost = Memory.of(l1).lost_since(memory)
    assert all(n < most for n, most in zip(lost, TOLERANCES)), lost
    assert l1.run(PINS) == pins


def test_crash_kernel_finds_no_segment(stack, l1):
    l1.send('crash\n')
    l1.expect('Linux version', 120)
    # The other CPU is halted, with what it had, until it gets an INIT.
    registers = stack.qmp('query-x86-dseg')[0]['registers']
    assert (registers['cr9'], registers['cr10'], registers['cr11']) == (0, 0, 0)
