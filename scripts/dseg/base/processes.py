# SPDX-License-Identifier: GPL-2.0-or-later
"""Run commands so that nothing of them outlives the script, whatever ends that."""

import atexit
import functools
import os
import subprocess
from contextlib import contextmanager

from . import keeper

held_locks = set()      # file descriptors; they stay locked until our commands have ended, too


@functools.cache
def _end_at_last():
    """What a keeper leaves that was killed itself becomes ours, and ends with us."""
    keeper.adopt_orphans()
    atexit.register(keeper.end_children)


@contextmanager
def running(command, **options):
    """A Popen of a command; the end of the with statement ends whatever of it still runs.

    It has a session of its own, and ends as the command does. options: of Popen
    """
    _end_at_last()
    lifeline, ours = os.pipe()
    locks = tuple(held_locks)
    words = ['/usr/bin/python3', '-IS', keeper.__file__, lifeline, ','.join(map(str, locks)), *command]
    try:
        with subprocess.Popen([str(word) for word in words], pass_fds=(lifeline, *locks),
                              start_new_session=True, **options) as process:
            try:
                yield process
            finally:
                os.close(ours)
                ours = None
                process.wait()
    finally:
        os.close(lifeline)
        if ours is not None:
            os.close(ours)


def run(command, *, timeout=None, input=None, capture_output=False, **options):
    """As subprocess.run(check=False), but all that the command has started ends with it."""
    # pylint: disable=redefined-builtin     (as subprocess.run has it)
    if capture_output:
        options.update(stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    options['stdin'] = subprocess.DEVNULL if input is None else subprocess.PIPE
    with running(command, **options) as process:
        stdout, stderr = process.communicate(input, timeout=timeout)
    return subprocess.CompletedProcess(command, process.returncode, stdout, stderr)


def dying_with_us(command):
    """Command line of one process, a QEMU, which the kernel kills when its parent has ended.

    The parent is the thread that starts it. The shell is for a parent that ended before that.
    """
    return ['setpriv', '--pdeathsig', 'KILL', 'sh', '-c', '[ "$PPID" = "$0" ] && exec "$@"',
            str(os.getpid()), *map(str, command)]
