# SPDX-License-Identifier: GPL-2.0-or-later
"""scripts/boot ends cleanly, whatever happens, and leaves no QEMU."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from dseg import ROOT

MARK = 'DSEG_TEST_BOOT'     # in the environment of all that a test starts


def descendants(mark):
    """Processes that were started with the mark in their environment."""
    found = []
    for process in Path('/proc').glob('[0-9]*'):
        try:
            environment = (process / 'environ').read_bytes()
        except OSError:
            continue                    # it has ended, or is not ours
        if f'{MARK}={mark}\0'.encode() in environment + b'\0':
            found.append((process / 'cmdline').read_bytes())
    return found


def start_boot(mark, *args):
    return subprocess.Popen(
        [ROOT / 'scripts/boot', *args], stdin=subprocess.DEVNULL, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env={**os.environ, MARK: mark})


def finish(boot, timeout=90):
    try:
        output, _ = boot.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        boot.kill()
        pytest.fail(f'still running: {boot.communicate()[0]}')
    return boot.returncode, output


@pytest.fixture
def mark(request):
    """What to find the processes of a test by; none may be left."""
    mark = f'{request.node.name}-{os.getpid()}'
    yield mark
    for _ in range(50):
        if not descendants(mark):
            return
        time.sleep(0.1)
    pytest.fail(f'left behind: {descendants(mark)}')


def test_boot_runs_a_workload_in_a_mode_and_ends(mark):
    code, output = finish(start_boot(
        mark, '--workload', 'gups --bytes 16M', '--mode', 'dual-direct',
        '--rounds', '2'))
    assert code == 0, output
    assert output.count(' ok errors 0') == 2


def test_boot_says_so_when_the_kernel_is_none(mark, tmp_path):
    kernel = tmp_path / 'vmlinuz'
    kernel.write_bytes(b'no kernel' * 1000)
    code, output = finish(start_boot(
        mark, '--kernel', str(kernel), '--timeout', '5'))
    assert code == 1
    assert 'boot: ' in output and 'Traceback' not in output


def test_boot_says_so_when_the_kernel_does_not_exist(mark, tmp_path):
    code, output = finish(start_boot(
        mark, '--kernel', str(tmp_path / 'none')))
    assert code == 1
    assert f'{tmp_path}/none does not exist' in output


def test_boot_shows_the_last_lines_of_a_kernel_that_panics(mark):
    code, output = finish(start_boot(mark, '--append', 'rdinit=/none root=/dev/none'))
    assert code == 1
    assert 'Kernel panic' in output and 'L1 did not boot' in output


def test_boot_ends_when_its_time_is_up(mark):
    code, output = finish(start_boot(mark, '--timeout', '1'))
    assert code == 1
    assert 'L1 did not boot' in output and '1 s passed' in output


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT,
                                    signal.SIGKILL])
def test_boot_takes_qemu_with_it_when_it_is_killed(mark, number):
    boot = start_boot(mark, '--timeout', '60')
    for _ in range(300):
        if any(b'qemu-system' in line for line in descendants(mark)):
            break
        time.sleep(0.1)
    else:
        pytest.fail('no QEMU')
    boot.send_signal(number)
    code, output = finish(boot, timeout=20)
    assert code != 0
    assert 'Traceback' not in output
