# SPDX-License-Identifier: GPL-2.0-or-later
"""Output that can't be written ends a script at once, with the reason."""

import socket
import subprocess
import time

import pytest

from dseg import FULL, OUT
from dseg.base import processes, progress
from dseg.stack.console import Console, StackError
from marked import start, start_python      # pylint: disable=unused-import

# Connects a terminal with the console of a guest that prints a line again and again, as scripts/boot
# does; the guest is a thread.
ATTACHED = '''
import socket, sys, threading, time, types
from dseg import run_main
from dseg.stack.console import Console
from dseg.stack.terminal import attach
consoles, guests = [], []
for name in ('L1', 'L2'):
    ours, guest = socket.socketpair()
    consoles.append(Console(name, ours, sys.argv[1]))
    guests.append(guest)
attached = threading.Event()
listen = consoles[0].listen
consoles[0].listen = lambda listener: (listen(listener), attached.set())
def guest():
    attached.wait()         # what came before is not shown
    for number in range(int(sys.argv[2])):
        guests[0].sendall(b'line %d\\n' % number)
        time.sleep(0.01)
threading.Thread(target=guest, daemon=True).start()
run_main('boot', lambda _: attach(types.SimpleNamespace(l1=consoles[0], l2=consoles[1]),
                                  consoles[0], 60))
'''
ENDLESS = 10 ** 9
SECONDS = 15        # less than any of the time-outs that would give a false reason


@pytest.fixture
def full(tmp_path):
    """A file that can be opened, and has no space."""
    (tmp_path / 'full').symlink_to('/dev/full')
    return tmp_path / 'full'


def ends(running):
    """Its exit code and errors, which must come soon."""
    begin = time.monotonic()
    _, errors = running.process.communicate(timeout=SECONDS)
    assert time.monotonic() - begin < SECONDS
    return running.process.returncode, errors


@pytest.mark.parametrize('lines', [ENDLESS, 3], ids=['guest-prints', 'guest-is-silent'])
def test_a_terminal_ends_when_nobody_reads_its_output(start_python, tmp_path, lines):
    running = start_python(ATTACHED, tmp_path / 'log', lines, stderr=subprocess.PIPE)
    assert running.process.stdout.readline() == 'line 0\n'
    running.process.stdout.close()
    running.process.stdout = None
    assert ends(running) == (1, 'boot: standard output can\'t be written: Broken pipe\n')


def test_a_terminal_ends_when_its_output_is_full(start_python, tmp_path):
    with open('/dev/full', 'wb') as output:
        running = start_python(ATTACHED, tmp_path / 'log', ENDLESS, stdout=output,
                               stderr=subprocess.PIPE)
        assert ends(running) == (
            1, 'boot: standard output can\'t be written: No space left on device\n')


def test_a_terminal_ends_when_a_log_is_full(start_python, full):
    running = start_python(ATTACHED, full, ENDLESS, stderr=subprocess.PIPE)
    assert ends(running) == (1, f'boot: {full} can\'t be written: No space left on device\n')


def test_a_console_says_at_once_that_its_log_is_full(full):
    ours, guest = socket.socketpair()
    console = Console('L1', ours, full)
    guest.sendall(b'something\n')
    begin = time.monotonic()
    with pytest.raises(StackError, match=f'{full} can\'t be written: No space left on device'):
        console.expect('nothing', timeout=60)
    assert time.monotonic() - begin < 5
    console.close()


def test_a_console_says_at_once_that_its_log_can_t_be_opened(tmp_path):
    ours, _guest = socket.socketpair()
    console = Console('L1', ours, tmp_path / 'none/log')
    with pytest.raises(StackError, match='none/log can\'t be written: No such file or directory'):
        console.expect('nothing', timeout=60)
    console.close()


def test_a_command_whose_log_is_full_ends_and_says_so(full):
    begin = time.monotonic()
    with pytest.raises(OSError, match=f'No space left on device: {str(full)!r}'):
        progress.run_logged('Testing', ['sh', '-c', 'echo text; exec sleep 60'], full, timeout=60)
    assert time.monotonic() - begin < SECONDS


@pytest.mark.parametrize('folder, variable', [('out', 'DSEG_OUT'), ('tmp', 'TMPDIR')])
def test_the_folder_that_is_full_is_the_one_that_may_be_another(start_python, tmp_path, folder,
                                                                variable):
    running = start_python('import sys\nfrom dseg import run_main\n'
                           'def main(_): raise OSError(28, "No space left on device", sys.argv[1])\n'
                           'run_main("script", main)', tmp_path / folder / 'file',
                           env={'DSEG_OUT': str(tmp_path / 'out'), 'TMPDIR': str(tmp_path / 'tmp')})
    assert running.end() == (1, f'script: {tmp_path}/{folder}/file: No space left on device: free '
                             f'some space on that disk, or name a folder on another one by {variable}\n')


@pytest.mark.parametrize('redirection, reason', [
    ('| head -n 1 >/dev/null', 'standard output can\'t be written: Broken pipe'),
    ('>/dev/full', f'standard output, or a file in {OUT}: No space left on device: {FULL}')])
def test_a_script_whose_output_can_t_be_written_says_so_in_a_line(tmp_path, redirection, reason):
    (tmp_path / 'script.py').write_text('from dseg import run_main\n'
                                        'run_main("script", lambda _: print("text\\n" * 100000))')
    done = processes.run(['sh', '-c', f'/usr/bin/python3 "$0" {redirection}',
                          tmp_path / 'script.py'], capture_output=True, text=True, timeout=30)
    assert done.stderr == f'script: {reason}\n'
