# SPDX-License-Identifier: GPL-2.0-or-later
"""Finds whatever a script has started, and has left, by a mark in its environment."""

import os
import signal
import subprocess
import time
import uuid
from pathlib import Path

import pytest

from dseg import ROOT, patient

MARK = 'DSEG_TEST_MARK'
PYTHON = '/usr/bin/python3'


def heed_signals():
    """As on a terminal; what a shell starts in the background, or nohup, ignores some of them."""
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_DFL)


class Marked:
    """A running command; it and all that it starts, in whatever session, have the same mark."""

    def __init__(self, command, **options):
        self._mark = f'{MARK}={uuid.uuid4()}'
        name, _, value = self._mark.partition('=')
        # scripts/test has set these, for the project itself.
        inherited = {key: text for key, text in os.environ.items()
                     if key not in ('DSEG_OUT', 'DSEG_ROOT')}
        env = {**inherited, 'PYTHONPATH': str(ROOT / 'scripts'), 'PYTHONDONTWRITEBYTECODE': '1',
               **options.pop('env', {}), name: value}
        self.process = subprocess.Popen(
            [str(word) for word in command], **{
                'env': env, 'stdin': subprocess.DEVNULL, 'stdout': subprocess.PIPE, 'text': True,
                'stderr': subprocess.STDOUT, 'preexec_fn': heed_signals,
                'start_new_session': True, **options})

    def pids(self):
        """Those with the mark, by their command lines."""
        mark = self._mark.encode()
        found = {}
        for process in Path('/proc').glob('[0-9]*'):
            try:
                if mark in (process / 'environ').read_bytes().split(b'\0'):
                    words = (process / 'cmdline').read_bytes().decode().split('\0')
                    found[int(process.name)] = ' '.join(words).strip()
            except OSError:
                continue                # it has ended, or is not ours
        return found

    def wait_for(self, *lines, seconds=20):
        """Until each of these command lines is that of a process of it."""
        end = time.monotonic() + patient(seconds)
        while time.monotonic() < end:
            if set(lines) <= set(self.pids().values()):
                return
            time.sleep(0.02)
        raise AssertionError(f'not all of {lines} are in {self.pids()}')

    def keeper(self):
        """The keeper of what it runs (scripts/dseg/base/keeper.py)."""
        [pid] = [pid for pid, line in self.pids().items() if 'dseg/base/keeper.py' in line]
        return pid

    def end(self, seconds=20):
        """Its exit code and output, once it has ended."""
        output, _ = self.process.communicate(timeout=patient(seconds))
        return self.process.returncode, output

    def left(self, seconds=10):
        """What is left of it, given a moment to go."""
        end = time.monotonic() + patient(seconds)
        while (left := self.pids()) and time.monotonic() < end:
            time.sleep(0.02)
        return left

    def clean_up(self):
        """Leave nothing of it, whatever has failed."""
        while pids := self.pids():
            for pid in pids:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            self.process.poll()
        self.process.communicate()


@pytest.fixture
def start():
    """Starts commands, and leaves nothing of them."""
    running = []

    def start_one(*command, **options):
        running.append(Marked(command, **options))
        return running[-1]

    yield start_one
    for each in running:
        each.clean_up()


@pytest.fixture
def start_python(start):
    """Starts Python code, with the modules of scripts/."""
    return lambda code, *arguments, **options: start(PYTHON, '-c', code, *arguments, **options)
