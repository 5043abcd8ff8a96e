# SPDX-License-Identifier: GPL-2.0-or-later
"""Nothing of what a script has started outlives it, whatever ends it."""

import os
import random
import signal
import subprocess
import tempfile
import time
import types

import pytest

from dseg import ROOT
from dseg.stack.stack import Stack
from marked import PYTHON, start, start_python     # pylint: disable=unused-import

# Runs the words after the log by run_logged(), as every script does.
SCRIPT = '''
import sys
from dseg import run_main
from dseg.base.progress import run_logged
def main(arguments):
    log, timeout, *command = arguments
    run_logged('Testing', command, log, timeout=float(timeout))
run_main('script', main)
'''
# Children in its own group, in a session of their own, and orphans of both.
TREE = '''
sleep 1001 &
setsid sleep 1002 &
sh -c 'sleep 1003 & setsid sleep 1004 &'
wait
'''
SLEEPERS = ('sleep 1001', 'sleep 1002', 'sleep 1003', 'sleep 1004')
# One that no polite signal ends, whose leader is gone at the first.
STUBBORN = '''
sh -c 'trap "" TERM HUP INT QUIT; sleep 1001 & setsid sleep 1002 & wait' &
exec sleep 1003
'''


@pytest.fixture
def script(start_python, tmp_path):
    """Starts such a script."""
    def start_script(command, timeout=300, **options):
        return start_python(SCRIPT, tmp_path / 'log', timeout, *command, **options)
    return start_script


@pytest.mark.parametrize('number, code', [
    (signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130), (signal.SIGQUIT, 131),
    (signal.SIGKILL, -9), (signal.SIGSEGV, -11), (signal.SIGUSR1, -10)])
def test_a_signal_to_a_script_ends_all_that_it_has_started(script, number, code):
    running = script(['sh', '-c', TREE])
    running.wait_for(*SLEEPERS)
    running.process.send_signal(number)
    assert running.process.wait(timeout=20) == code
    assert running.left() == {}
    assert 'Traceback' not in running.end()[1]


# Tidies up a folder, which takes a while, in the end.
TIDY = '''
import shutil, sys, time
from dseg import run_main
def main(arguments):
    try:
        print('begins', flush=True)
        time.sleep(60)
    finally:
        print('tidies up', flush=True)
        time.sleep(1)
        shutil.rmtree(arguments[0])
run_main('script', main)
'''


def test_more_signals_do_not_keep_a_script_from_tidying_up(start_python, tmp_path):
    """Ctrl-C twice, or TERM three times, is what people do with what does not end at once."""
    folder = tmp_path / 'folder'
    folder.mkdir()
    running = start_python(TIDY, folder)
    for line, number in (('begins', signal.SIGINT), ('tidies up', signal.SIGINT)):
        assert running.process.stdout.readline() == f'{line}\n'
        running.process.send_signal(number)
    for number in signal.SIGTERM, signal.SIGQUIT, signal.SIGHUP:
        running.process.send_signal(number)
    assert running.end() == (130, '')
    assert not folder.exists()


def test_a_stack_leaves_no_folder_wherever_its_end_is_interrupted(monkeypatch, tmp_path):
    """The one signal that is heeded may come in the end, too."""
    monkeypatch.setattr(tempfile, 'tempdir', str(tmp_path))
    for where in 'shutdown', 'close':
        ended = []
        stack = Stack('/bin/true', initrd='/dev/null', kernel='/dev/null')
        stack._log_dir = tempfile.mkdtemp(prefix='dseg-')

        def end(name, where=where, ended=ended, **_):
            ended.append(name)
            if name == where:
                raise SystemExit(143)
        stack._vm = types.SimpleNamespace(shutdown=lambda end=end, **_: end('shutdown'))
        stack.l1 = types.SimpleNamespace(close=lambda end=end: end('close'))
        stack.l2 = types.SimpleNamespace(close=lambda ended=ended: ended.append('close l2'))
        with pytest.raises(SystemExit):
            stack.close()
        assert os.listdir(tmp_path) == []
        assert sorted(ended) == ['close', 'close l2', 'shutdown']


def test_a_kill_of_the_whole_group_ends_all_that_a_script_has_started(script):
    running = script(['sh', '-c', TREE])
    running.wait_for(*SLEEPERS)
    os.killpg(running.process.pid, signal.SIGKILL)
    assert running.left() == {}


def test_a_kill_of_the_keeper_ends_all_that_a_script_has_started(script):
    running = script(['sh', '-c', TREE])
    running.wait_for(*SLEEPERS)
    os.kill(running.keeper(), signal.SIGKILL)
    code, output = running.end()
    assert code == 1 and 'Testing failed (-9)' in output
    assert running.left() == {}


def test_what_ignores_polite_signals_is_killed_when_the_time_is_up(script):
    begin = time.monotonic()
    running = script(['sh', '-c', STUBBORN], timeout=1)
    code, output = running.end()
    assert code == 1 and 'Testing failed (nothing after 1.0 s)' in output
    assert running.pids() == {}
    assert time.monotonic() - begin < 15


def test_a_command_that_ends_leaves_nothing_behind(script):
    begin = time.monotonic()
    running = script(['sh', '-c', 'setsid sleep 1001 & sleep 1002 & exit 0'])
    code, output = running.end()
    assert code == 0, output
    assert running.pids() == {}
    assert time.monotonic() - begin < 10


def test_a_script_that_is_killed_at_any_moment_leaves_nothing(script):
    rng = random.Random(12)
    begin = time.monotonic()
    killed = [script(['sh', '-c', TREE])]
    killed[0].wait_for(*SLEEPERS)
    whole = time.monotonic() - begin        # the way to the last of them
    killed[0].process.kill()
    for _ in range(12):
        running = script(['sh', '-c', TREE])
        time.sleep(rng.uniform(0, 1.2 * whole))
        running.process.kill()
        killed.append(running)
    for running in killed:
        assert running.left() == {}


@pytest.mark.parametrize('command, code', [('exit 0', '0'), ('exit 3', '3'),
                                           ('kill -KILL $$', '-9'), ('kill -TERM $$', '-15')])
def test_a_command_ends_as_it_does_by_itself(start_python, command, code):
    running = start_python('import sys\nfrom dseg.base import processes\n'
                           'print(processes.run(sys.argv[1:]).returncode)', 'sh', '-c', command)
    assert running.end() == (0, f'{code}\n')


def test_a_command_has_the_streams_that_it_was_given(start_python):
    code = '''
from dseg.base import processes
done = processes.run(['sh', '-c', 'tr a-z A-Z; ls /proc/self/fd | wc -l'], input=b'text\\n',
                     capture_output=True)
print(done.stdout)
'''
    assert start_python(code).end() == (0, r"b'TEXT\n4\n'" + '\n')


def test_a_command_that_does_not_exist_is_named(script):
    code, output = script(['/none/such']).end()
    assert code == 1 and 'Traceback' not in output
    assert '/none/such: No such file or directory' in output


def test_a_script_that_is_to_ignore_a_hangup_goes_on(script):
    running = script(['sh', '-c', 'sleep 1.5'], preexec_fn=lambda: signal.signal(
        signal.SIGHUP, signal.SIG_IGN))
    running.wait_for('sleep 1.5')
    running.process.send_signal(signal.SIGHUP)
    assert running.end()[0] == 0


def test_qemu_does_not_start_when_its_parent_is_gone(start, tmp_path):
    """The parent can end between its fork and the time that the kernel knows what to do then."""
    started = tmp_path / 'started'
    code = f'''
import os
from dseg.base import processes
words = processes.dying_with_us(['touch', {str(started)!r}])
words[words.index(str(os.getpid()))] = '1'       # as if our place had been taken
os.execvp(words[0], words)
'''
    assert start(PYTHON, '-c', code).end()[0] != 0
    assert not started.exists()


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGKILL])
def test_a_step_ends_with_the_script_that_runs_it(start, tmp_path, number):
    """scripts/demo and others are shells that wait for a step."""
    scripts = tmp_path / 'scripts'
    (scripts / 'lib').mkdir(parents=True)
    (scripts / 'lib/setup.sh').symlink_to(ROOT / 'scripts/lib/setup.sh')
    (scripts / 'whole').write_text('set -eu\n. "$(dirname "$0")/lib/setup.sh"\n'
                                   'run_step part --option "two words"\necho after\n')
    (scripts / 'part').write_text('#!/bin/sh\necho "$#: $*"\nexec sleep 1001\n')
    (scripts / 'part').chmod(0o755)
    running = start('sh', scripts / 'whole')
    running.wait_for('sleep 1001')
    running.process.send_signal(number)
    assert running.process.wait(timeout=20) == -number
    assert running.left() == {}
    assert running.end()[1] == '2: --option two words\n'


SUITE = '''
project('small')
test('slow', find_program('sh'), suite: 'slow', args: ['-c', 'sleep 1001 & exec sleep 1002'],
  timeout: 0)
'''


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGKILL])
def test_a_signal_to_scripts_test_ends_what_its_suites_have_started(start_python, tmp_path, number):
    """Meson gives each test a session of its own."""
    (tmp_path / 'meson.build').write_text(SUITE)
    build = tmp_path / 'build'
    subprocess.run(['meson', 'setup', build, tmp_path], check=True, capture_output=True, timeout=60)
    running = start_python(
        'import sys\nfrom pathlib import Path\nfrom dseg import run_main\nfrom dseg.testing import testrun\n'
        'run_main("test", lambda words: testrun.run_suite("slow", testrun.Results(), '
        'build=Path(words[0])))', build)
    running.wait_for('sleep 1001', 'sleep 1002')
    running.process.send_signal(number)
    running.process.wait(timeout=20)
    assert running.left() == {}
