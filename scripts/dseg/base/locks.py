# SPDX-License-Identifier: GPL-2.0-or-later
"""One at a time: who makes something holds a lock on it, and who waits says for whom."""

import fcntl
import os
import sys
import time
from contextlib import contextmanager
from pathlib import Path

from .. import OUT, Failure
from . import processes
from .progress import Line

LOCKS = OUT / 'lock'


@contextmanager
def alone(what, path=None, *, shared=False):
    """Hold the lock on what there is to be made, until all commands of ours have ended, too.

    what: the path that messages name
    path: of the lock, a file or a folder; by default a file in LOCKS named like what
    shared: others may hold it, too, as long as all of them say so
    """
    path = path or LOCKS / what.name
    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    try:
        fd = _acquire(path, kind, what)
    except OSError as error:
        if error.filename:
            raise               # run_main() knows what to do
        raise Failure(f'{path} can\'t be locked: {error.strerror}') from error
    processes.held_locks.add(fd)
    try:
        yield
    finally:
        processes.held_locks.remove(fd)
        os.close(fd)


def _acquire(path, kind, what):
    """The open lock file, with its holder's name in it."""
    line = None
    while True:
        fd = _open(path)
        while not _try(fd, kind):
            if not line:
                line = Line(f'Waiting for {_holder(fd)}, which has {what}', at_once=True)
            line.show('')
            time.sleep(0.1)
        if _is_at(fd, path):
            break
        os.close(fd)            # rm -rf out: who comes after us would take another
    if line:
        line.end('done')
    if not path.is_dir():
        os.truncate(fd, 0)
        os.pwrite(fd, f'{Path(sys.argv[0]).stem} (process {os.getpid()})'.encode(), 0)
    return fd


def _open(path):
    if path.is_dir():
        return os.open(path, os.O_RDONLY)
    path.parent.mkdir(parents=True, exist_ok=True)
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o666)


def _try(fd, kind):
    try:
        fcntl.flock(fd, kind | fcntl.LOCK_NB)
        return True
    except BlockingIOError:
        return False


def _holder(fd):
    try:
        return os.pread(fd, 200, 0).decode(errors='replace') or 'another script'
    except OSError:
        return 'another script'         # the lock is a folder


def _is_at(fd, path):
    """Whether the file is the one that has the name now."""
    try:
        return os.path.samestat(os.fstat(fd), os.stat(path))
    except FileNotFoundError:
        return False
