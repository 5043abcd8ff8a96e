# SPDX-License-Identifier: GPL-2.0-or-later
"""Run a long command: a line of progress for people, everything in a log."""

import errno
import os
import re
import selectors
import shutil
import subprocess
import sys
import time
from pathlib import Path

from .. import FULL, Failure
from .processes import running
from .sizes import MiB

LINES_ON_FAILURE = 30
TEMPORARY = 16                  # MiB that a compiler may want for a file
# As the C library and apt say it.
NO_SPACE = (os.strerror(errno.ENOSPC), os.strerror(errno.EDQUOT), "You don't have enough free space")
SECONDS_BETWEEN_LINES = 20      # where the progress does not go to a terminal


class Line:
    """One line on stderr: renewed in place on a terminal, else repeated now and then."""

    def __init__(self, title, at_once=False):
        self.title = title
        self.start = time.monotonic()
        self.on_terminal = sys.stderr.isatty()
        self.last_shown = self.start - (SECONDS_BETWEEN_LINES if at_once else 0)

    def elapsed(self):
        minutes, seconds = divmod(int(time.monotonic() - self.start), 60)
        return f'{minutes}:{seconds:02}'

    def show(self, text):
        now = time.monotonic()
        if now - self.last_shown < (0.1 if self.on_terminal else SECONDS_BETWEEN_LINES):
            return
        self.last_shown = now
        line = f'{self.title} {self.elapsed()} {text}'.rstrip()
        if self.on_terminal:
            width = shutil.get_terminal_size().columns - 1
            print(f'\r\033[K{line[:width]}', end='', file=sys.stderr, flush=True)
        else:
            print(line, file=sys.stderr, flush=True)

    def say(self, text):
        """A line that stays, above."""
        print(f'\r\033[K{text}' if self.on_terminal else text, file=sys.stderr, flush=True)

    def end(self, text):
        clear = '\r\033[K' if self.on_terminal else ''
        print(f'{clear}{self.title} {text} ({self.elapsed()})', file=sys.stderr, flush=True)


class Narrator:
    """Says on stderr what happens, and how long after the start."""

    def __init__(self):
        self._start = time.monotonic()

    def __call__(self, text):
        print(f'{time.monotonic() - self._start:6.1f} s  {text}', file=sys.stderr, flush=True)


def _follow(process, log, line, deadline):
    """Copy the output to the log and show its last line, until it ends."""
    last = ''
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while True:
            if time.monotonic() > deadline:
                raise TimeoutError
            if selector.select(timeout=1):
                data = os.read(process.stdout.fileno(), 65536)
                if not data:
                    return
                try:
                    log.write(data)
                except OSError as error:
                    raise OSError(error.errno, error.strerror, log.name) from error
                lines = re.split(r'[\r\n]+', data.decode(errors='replace'))
                last = next((text for text in reversed(lines) if text.strip()), last)
            elif process.poll() is not None:
                return              # its keeper was killed
            line.show(last)


def _full_temporary_folder():
    """What to do if it is full, of which compilers and configure say what is not so; or ''."""
    folder = os.environ.get('TMPDIR') or '/tmp'
    try:
        free = shutil.disk_usage(folder).free
    except OSError:
        return ''               # programs use another one then
    if free >= TEMPORARY * MiB:
        return ''
    return (f'{folder}, where compilers write, has less than {TEMPORARY} MiB left: free some space '
            'there, or name another folder by TMPDIR.')


def run_logged(title, command, log, *, timeout, cwd=None, env=None, hint=''):
    """Run a command in a session of its own, its output in the file log.

    Raises Failure with the end of the log and the hint when it fails or takes longer than
    timeout seconds; nothing of it is left running then.
    """
    log = Path(log)
    log.parent.mkdir(parents=True, exist_ok=True)
    line = Line(title)
    try:
        # Without a buffer, so that it is the write that says that it has failed.
        with open(log, 'wb', buffering=0) as output, running(
                command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT) as process:
            _follow(process, output, line, line.start + timeout)
            code = process.wait()
    except TimeoutError:
        code = f'nothing after {timeout} s'
    except BaseException:
        line.end('stopped')
        raise
    if code == 0:
        line.end('done')
        return
    line.end('failed')
    last_lines = log.read_text(errors='replace').splitlines()[-LINES_ON_FAILURE:]
    if any(words in '\n'.join(last_lines) for words in NO_SPACE):
        hint = f'There is no space left: {FULL}.'
    hint = _full_temporary_folder() or hint
    raise Failure('\n'.join([f'{title} failed ({code}). The last lines of {log}:', '']
                            + [f'  {text}' for text in last_lines] + ['', hint]).rstrip())
