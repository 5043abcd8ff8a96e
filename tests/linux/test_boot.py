# SPDX-License-Identifier: GPL-2.0-or-later
"""scripts/boot ends cleanly, whatever happens, and leaves no QEMU."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from dseg import ROOT, patient
from dseg.stack.boot import parse_arguments

MARK = 'DSEG_TEST_BOOT'     # in the environment of all that a test starts


def heed_signals():
    """As on a terminal; what a shell starts in the background, or nohup, ignores some of them."""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


class Boot:
    """A running scripts/boot, and the processes that it has started."""

    def __init__(self, mark, *args):
        self._mark = f'{MARK}={mark}'.encode()
        self._process = subprocess.Popen(
            [ROOT / 'scripts/boot', *args], stdin=subprocess.DEVNULL, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            preexec_fn=heed_signals, env={**os.environ, MARK: mark})

    def command_lines(self):
        """Of all its processes: those that have inherited the mark."""
        found = []
        for process in Path('/proc').glob('[0-9]*'):
            try:
                environment = (process / 'environ').read_bytes().split(b'\0')
                command_line = (process / 'cmdline').read_bytes().split(b'\0')
            except OSError:
                continue                # it has ended, or is not ours
            if self._mark in environment:
                found.append(command_line)
        return found

    def wait_for_qemu(self):
        end = time.monotonic() + patient(30)
        while time.monotonic() < end:
            if any(line[0].endswith(b'qemu-system-x86_64') for line in self.command_lines()):
                return
            time.sleep(0.1)
        pytest.fail('there was no QEMU in time')

    def kill(self, number):
        self._process.send_signal(number)

    def finish(self, timeout=90):
        """Its exit code and what it printed, once it has ended."""
        output, _ = self._process.communicate(timeout=patient(timeout))
        return self._process.returncode, output

    def close(self):
        """Nothing may be left of it a moment after its end."""
        ended = self._process.poll() is not None
        self._process.kill()
        self._process.communicate()
        for _ in range(50):
            if not self.command_lines():
                break
            time.sleep(0.1)
        assert ended and self.command_lines() == []


@pytest.fixture
def boot(request):
    """Starts scripts/boot with some arguments."""
    boots = []

    def start(*args):
        boots.append(Boot(f'{request.node.name}-{os.getpid()}', *args))
        return boots[-1]

    yield start
    for each in boots:
        each.close()


def test_boot_runs_a_workload_in_a_mode_and_ends(boot):
    code, output = boot('--workload', 'gups --bytes 16M', '--mode',
                        'dual-direct', '--rounds', '2').finish()
    assert code == 0, output
    assert output.count(' ok errors 0') == 2


def test_boot_says_so_when_the_kernel_is_none(boot, tmp_path):
    kernel = tmp_path / 'vmlinuz'
    kernel.write_bytes(b'no kernel' * 1000)
    code, output = boot('--kernel', str(kernel), '--timeout', '5').finish()
    assert code == 1
    assert 'boot: ' in output and 'Traceback' not in output


def test_boot_says_so_when_the_kernel_does_not_exist(boot, tmp_path):
    code, output = boot('--kernel', str(tmp_path / 'none')).finish()
    assert code == 2
    assert f'there is no {tmp_path}/none' in output


def test_boot_shows_the_last_lines_of_a_kernel_that_panics(boot):
    code, output = boot('--append', 'rdinit=/none root=/dev/none').finish()
    assert code == 1
    assert 'Kernel panic' in output and 'L1 did not boot' in output


def test_boot_ends_when_its_time_is_up(boot):
    code, output = boot('--timeout', '0.1').finish()
    assert code == 1
    assert 'L1 did not boot' in output and f'{patient(0.1):g} s passed' in output


def test_boot_ends_at_once_when_there_is_no_space_for_its_logs(boot, tmp_path):
    (tmp_path / 'l1.log').symlink_to('/dev/full')
    code, output = boot('--logs', str(tmp_path)).finish(timeout=45)
    assert code == 1
    assert f'{tmp_path}/l1.log can\'t be written: No space left on device' in output
    assert 'passed without' not in output and 'Traceback' not in output


def test_boot_ends_at_once_when_nobody_reads_its_output():
    done = subprocess.run(
        ['sh', '-c', 'printf "uname -r\\npoweroff -f\\n" | "$0" | head -n 1', ROOT / 'scripts/boot'],
        check=False, capture_output=True, text=True, timeout=patient(100))
    assert 'still runs' not in done.stderr and 'Traceback' not in done.stderr, done.stderr


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT,
                                    signal.SIGKILL])
def test_boot_takes_qemu_with_it_when_it_is_killed(boot, number):
    running = boot('--timeout', '60')
    running.wait_for_qemu()
    running.kill(number)
    code, output = running.finish(timeout=60)
    assert code != 0
    assert 'Traceback' not in output


@pytest.mark.parametrize('option, value, rule', [
    ('--timeout', '-1', 'a number above 0'), ('--timeout', 'nan', 'a number above 0'),
    ('--workload', ' ', 'must begin with one of'), ('--disk', '/tmp', 'is a folder'),
])
def test_argument_that_means_nothing_is_refused(capsys, option, value, rule):
    with pytest.raises(SystemExit):
        parse_arguments([option, value])
    assert rule in capsys.readouterr().err


def test_file_that_is_no_socket_is_not_given_up_for_one(capsys, tmp_path):
    (tmp_path / 'precious').write_text('mine')
    with pytest.raises(SystemExit):
        parse_arguments(['--qmp', str(tmp_path / 'precious')])
    assert 'no socket' in capsys.readouterr().err
    assert (tmp_path / 'precious').read_text() == 'mine'
