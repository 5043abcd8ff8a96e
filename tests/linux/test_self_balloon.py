# SPDX-License-Identifier: GPL-2.0-or-later
"""Self-ballooning: a fragmented guest gets contiguous memory, and loses none.

In L1, whose VMM is the QEMU of the tests, and in L2, under KVM in L1. One page of
each 64 KiB of the guest's memory is in use and pinned, by a workload that checks
and changes them all the time, so that nothing but new memory is contiguous. In L1
a program then has its primary region there.
"""

import contextlib
import json
import signal
import subprocess
import time

import pytest

from dseg import OUT, ROOT, patient
from dseg.base.sizes import GiB, KiB, MiB
from dseg.stack.stack import CommandError, Stack

FRAGMENTED = 4 * MiB        # the longest free run that is left then is shorter
SETTLE = 20                 # seconds
SETTLED = 2                 # seconds without a change
READY = r'^fragment: ready kept=(\d+) free=(\d+) .*\n'
ROUND = r'^fragment: round (\d+) .* checksum ([0-9a-f]+) (ok|BAD) errors (\d+)$'


def contiguity(console):
    return json.loads(console.run('contiguity --json'))


def contiguity_with(console, own):
    """The same, once the system has so much; else as it is at the end of SETTLE seconds.

    Pages that the balloon has been given or gives back just now belong to nobody.
    """
    for _ in range(SETTLE):
        now = contiguity(console)
        if now['own'] == own:
            break
        time.sleep(1)
    return now


def meminfo(console, name):
    """A line of /proc/meminfo, in bytes."""
    return int(console.run(f"sed -n 's/{name}: *\\(.*\\) kB/\\1/p' /proc/meminfo")) * KiB


def total_memory(console):
    return meminfo(console, 'MemTotal')


class Fragmented:
    """The workload that fragments a guest's memory, until the with statement ends."""

    def __init__(self, console, options=''):
        self._console = console
        console.run(f'fragment {options} >/tmp/fragment 2>&1 &')
        console.run('for i in $(seq 60); do grep -q round /tmp/fragment && break; sleep 1; done; '
                    'grep ready /tmp/fragment', timeout=120)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self._console.run('kill %fragment; wait %fragment; true')

    def rounds(self):
        """(number, checksum, right) of all rounds until now."""
        text = self._console.run("grep ' round ' /tmp/fragment; true")
        return [(int(line.split()[2]), line.split()[-4], line.endswith(' ok errors 0'))
                for line in text.splitlines()]


def assert_right(before, after):
    """Rounds have gone on meanwhile, and nothing was lost in any."""
    assert len(after) > len(before) > 0
    assert all(right for _, _, right in after)
    assert len({checksum for _, checksum, _ in after}) == 1
    assert [number for number, _, _ in after] == list(range(1, len(after) + 1))


@contextlib.contextmanager
def start_host_self_balloon(socket, *arguments):
    """scripts/self-balloon while it runs; it has ended when the with statement does."""
    command = [ROOT / 'scripts/self-balloon', '--qmp', socket, '--json', *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def host_self_balloon(socket, *arguments):
    """scripts/self-balloon: its exit code, what it printed, its errors."""
    with start_host_self_balloon(socket, *arguments) as process:
        output, errors = process.communicate(timeout=patient(300))
    return process.returncode, output, errors


@pytest.fixture(scope='module')
def socket(tmp_path_factory):
    return tmp_path_factory.mktemp('qmp') / 'socket'


@pytest.fixture(scope='module')
def l1(socket):
    """L1 with a balloon, and room for more memory."""
    with Stack(cpu_extra='dseg=on', qmp_socket=socket,
               log_dir=OUT / 'log/test-self-balloon-l1',
               extra_args=['-m', 'slots=4,maxmem=8G', '-device', 'virtio-balloon-pci']) as stack:
        stack.boot_l1()
        yield stack


def vm_memory(stack):
    """What QEMU has given to the guest: all in all, and what the balloon has left of it."""
    summary = stack.qmp('query-memory-size-summary')
    return (summary['base-memory'] + summary['plugged-memory'],
            stack.qmp('query-balloon')['actual'])


def has_room_for_region(console, size):
    """Whether a program gets a primary region of that size, and works in it."""
    try:
        console.run('grep -q dseg_guest /proc/modules || modprobe dseg-guest; '
                    f'chase --primary --bytes {size} --rounds 1', timeout=180)
    except CommandError as error:
        assert 'no region of' in error.output
        return False
    return True


# Pinned, no region larger than what is movable all the same, such as the files in memory.
@pytest.mark.parametrize('options, size, found', [('', '192M', False),
                                                  ('--movable', '64M', True)])
def test_compaction_makes_a_region_of_movable_fragments_only(l1, options, size, found):
    with Fragmented(l1.l1, options) as workload:
        rounds, before = workload.rounds(), contiguity(l1.l1)
        assert has_room_for_region(l1.l1, size) is found
        l1.l1.run('sleep 2')
        assert_right(rounds, workload.rounds())
    assert before['free'] > 768 * MiB
    assert before['free_run'] < FRAGMENTED


def test_a_guest_that_has_not_so_much_is_left_alone(l1, socket):
    memory, total = vm_memory(l1), total_memory(l1.l1)
    code, _, errors = host_self_balloon(socket, '--size', '2G')
    assert code == 1
    assert 'the guest can give' in errors and 'Traceback' not in errors
    assert (vm_memory(l1), total_memory(l1.l1)) == (memory, total)


def given(stack):
    """What the balloon has of the guest's memory."""
    memory, left = vm_memory(stack)
    return memory - left


def stop_while_it_takes(balloon, stack):
    """Stop scripts/self-balloon in the middle; returns what the guest had given it by then."""
    while not given(stack):
        assert balloon.poll() is None, 'it ends only once it has taken something'
    balloon.send_signal(signal.SIGSTOP)
    # What it has asked for the guest gives all the same.
    before = None
    while before != (before := given(stack)):
        time.sleep(SETTLED)
    return before


def test_a_guest_that_stops_giving_gets_back_what_it_gave(l1, socket):
    memory, total = vm_memory(l1), total_memory(l1.l1)
    available = meminfo(l1.l1, 'MemAvailable')
    size = (available - 32 * MiB) // (128 * MiB) * 128 * MiB
    with start_host_self_balloon(socket, '--size', str(size)) as balloon:
        left = size - stop_while_it_takes(balloon, l1)
        assert left >= 64 * MiB, 'it has not nearly ended'
        # More than the balloon would leave, with what the kernel keeps for itself.
        used = meminfo(l1.l1, 'MemFree') - left + 64 * MiB
        l1.l1.run(f'echo {used // (2 * MiB)} >/proc/sys/vm/nr_hugepages')
        taken = meminfo(l1.l1, 'Hugetlb')
        balloon.send_signal(signal.SIGCONT)
        _, errors = balloon.communicate(timeout=patient(300))
    l1.l1.run('echo 0 >/proc/sys/vm/nr_hugepages')
    assert taken >= used - 4 * MiB, 'what this test is about has happened'
    assert balloon.returncode == 1, errors
    assert 'the balloon has given back what it took' in errors
    assert (vm_memory(l1), total_memory(l1.l1)) == (memory, total)


def test_memory_that_the_guest_does_not_use_is_taken_back(l1, socket):
    memory, total = vm_memory(l1), total_memory(l1.l1)
    online = '/sys/devices/system/memory/auto_online_blocks'
    l1.l1.run(f'echo offline >{online}')
    code, _, errors = host_self_balloon(socket, '--size', '128M', '--timeout', '30')
    l1.l1.run(f'echo online_kernel >{online}')
    assert code == 1
    assert 'memhp_default_state=online_kernel' in errors
    assert 'the new memory has been removed' in errors
    assert (vm_memory(l1), total_memory(l1.l1)) == (memory, total)
    assert l1.qmp('query-memory-devices') == []


def test_l1_gets_contiguous_memory_for_fragments(l1, socket):
    size = 256 * MiB
    total = total_memory(l1.l1)
    with Fragmented(l1.l1) as workload:
        rounds, before = workload.rounds(), contiguity(l1.l1)
        assert not has_room_for_region(l1.l1, '192M')
        code, output, errors = host_self_balloon(socket, '--size', '256M')
        assert code == 0, errors
        after = contiguity_with(l1.l1, before['own'])
        assert has_room_for_region(l1.l1, '192M')
        assert_right(rounds, workload.rounds())
    result = json.loads(output)
    assert result['moved'] == size
    assert result['address'] >= 4 * GiB
    assert total_memory(l1.l1) == total
    assert (result['total_before'], result['total_after']) == (total, total)
    assert after['own'] == before['own']
    assert before['free_run'] < FRAGMENTED
    # The kernel may have put something new into it since.
    assert 0.9 * size < after['free_run'] <= size
    assert result['address'] <= after['free_run_at'] < result['address'] + size


def test_the_io_gap_is_not_closed_where_the_balloon_would_take_what_is_above(l1, socket):
    memory = vm_memory(l1)          # 256M of which are above 4 GiB, and there are no NUMA nodes
    code, _, errors = host_self_balloon(socket, '--io-gap')
    assert code == 1
    assert 'NUMA' in errors
    assert vm_memory(l1) == memory


def test_a_vm_without_balloon_is_refused(bare_qemu, tmp_path):
    bare_qemu('EPYC', '-qmp', f'unix:{tmp_path}/qmp,server=on,wait=off')
    code, _, errors = host_self_balloon(tmp_path / 'qmp', '--size', '128M')
    assert code == 1
    assert '-device virtio-balloon-pci' in errors


@pytest.mark.parametrize('arguments, message', [
    ([], '--size or --io-gap'),
    (['--size', '100M'], 'multiple of 128M'),
    (['--size', 'much'], 'not a size'),
    (['--size', '128M', '--backend', 'ram'], 'not JSON'),
    (['--size', '128M'], 'no QMP there'),
])
def test_wrong_arguments_are_explained(tmp_path, arguments, message):
    code, _, errors = host_self_balloon(tmp_path / 'none', *arguments)
    assert code in (1, 2)
    assert message in errors and 'Traceback' not in errors


def test_the_io_gap_closes_over_the_memory_of_a_running_guest(socket):
    """RAM from below 4 GiB goes next to that above it, as far as it is free."""
    nodes = ['-object', 'memory-backend-ram,id=low,size=2G',
             '-object', 'memory-backend-ram,id=high,size=2G',
             '-numa', 'node,memdev=low,cpus=0', '-numa', 'node,memdev=high']
    with Stack(l1_memory='4G', l2_memory='256M', qmp_socket=f'{socket}2',
               log_dir=OUT / 'log/test-self-balloon-gap',
               extra_args=['-m', 'slots=4,maxmem=8G', '-device', 'virtio-balloon-pci',
                           *nodes]) as stack:
        stack.boot_l1()
        before, total = contiguity(stack.l1), total_memory(stack.l1)
        stack.l1.run('chase --bytes 64M --updates 100000 --rounds 0 >/tmp/chase & '
                     'until grep -q ready /tmp/chase; do sleep 1; done')
        # Above the gap all may be free, and 32M are to stay available.
        can = meminfo(stack.l1, 'MemAvailable') - 2 * GiB - 32 * MiB
        code, output, errors = host_self_balloon(f'{socket}2', '--io-gap', '--step', '128M')
        assert code == 0, errors
        after = contiguity_with(stack.l1, before['own'])
        stack.l1.run('kill %chase; wait %chase; grep -q ok /tmp/chase')
        assert stack.l1.run('grep BAD /tmp/chase; true') == ''
        assert total_memory(stack.l1) == total
    moved = json.loads(output)['moved']
    assert before['own_run'] == 2 * GiB                 # what is above the gap
    assert after['own_run'] == before['own_run'] + moved
    assert after['own_run_at'] == 4 * GiB
    assert after['own'] == before['own']
    # In blocks of 128M; the kernel's idea of what is available changes a little meanwhile.
    assert moved % (128 * MiB) == 0 and can - 136 * MiB < moved < can + 8 * MiB


def test_l2_gets_contiguous_memory_for_fragments_under_kvm():
    size = 128 * MiB
    with Stack(cpu_extra='dseg=on', log_dir=OUT / 'log/test-self-balloon-l2') as stack:
        stack.boot_l1()
        stack.boot_l2(settings='L2_MACHINE=q35 L2_AT= L2_HOLE=', timeout=240)
        total = total_memory(stack.l2)
        with Fragmented(stack.l2) as workload:
            rounds, before = workload.rounds(), contiguity(stack.l2)
            try:
                output = stack.l1.run('self-balloon --qmp /tmp/l2.qmp --size 128M --json '
                                      '--timeout 120 2>/tmp/errors', timeout=400)
            except CommandError:
                pytest.fail(stack.l1.run('tail -5 /tmp/errors') + stack.l2.run('free -m'))
            after = contiguity_with(stack.l2, before['own'])
            assert_right(rounds, workload.rounds())
        result = json.loads(output)
        assert result['moved'] == size
        assert total_memory(stack.l2) == total
        assert after['own'] == before['own']
        assert before['free_run'] < FRAGMENTED
        # A NUMA node of its own, which nothing is taken from as long as the other has memory.
        assert (after['free_run'], after['free_run_at']) == (size, result['address'])
