# SPDX-License-Identifier: GPL-2.0-or-later
"""Stands between a script and a command: runs it, and ends with it all that it has started.

usage: keeper.py LIFELINE FD,... COMMAND WORD...

LIFELINE is the number of the reading end of a pipe. When its other end is closed, because the
script says so or because it is gone, whatever has ended it, the command is ended too. The numbers
after it are of files that the keeper keeps open until then: locks.

Orphans of the command, whatever their session, become children of the keeper, which is what
finds them. Standard library only, and no module of ours: this starts for each command.
"""

import ctypes
import os
import resource
import select
import signal
import sys
import time

PR_SET_CHILD_SUBREAPER = 36     # linux/prctl.h
GRACE = 5                       # seconds from SIGTERM to SIGKILL
GIVE_UP = 30                    # seconds to SIGKILL's end: the kernel, or another user, has it
STOPS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT)


def adopt_orphans():
    """From now on what our descendants leave behind becomes a child of ours."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def children():
    """The processes whose parent is this one."""
    ours = str(os.getpid())
    found = []
    for name in filter(str.isdigit, os.listdir('/proc')):
        try:
            with open(f'/proc/{name}/stat', encoding='latin-1') as file:
                if file.read().rpartition(')')[2].split()[1] == ours:
                    found.append(int(name))
        except OSError:
            pass                # it has just ended
    return found


def reap():
    """Take what has ended: pid to status; None when there are no children any more."""
    ended = {}
    try:
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return ended
            ended[pid] = status
    except ChildProcessError:
        return ended or None


def end_children():
    """End every child, then those that become ours by that, until there is none.

    A child can't be mistaken for another process: its number is not free before we reap it.
    """
    asked = set()
    begin = time.monotonic()
    while reap() is not None and time.monotonic() < begin + GIVE_UP:
        late = time.monotonic() > begin + GRACE
        for pid in children():
            try:
                if late:
                    os.kill(pid, signal.SIGKILL)
                elif pid not in asked:
                    os.kill(pid, signal.SIGTERM)
                    os.kill(pid, signal.SIGCONT)
            except OSError:
                pass            # another user's, as of sudo
            asked.add(pid)
        time.sleep(0.01)


def start(command):
    """The command in a group of its own, with our standard streams; returns its pid."""
    return os.posix_spawnp(command[0], command, os.environ, setpgroup=0, setsigmask=(),
                           setsigdef=(signal.SIGPIPE, signal.SIGXFSZ))


def wait_for_end(child, lifeline, wake):
    """The status of the command, or None if it is to be ended before."""
    while True:
        ready = select.select([lifeline, wake], [], [])[0]
        if lifeline in ready or any(number in STOPS for number in os.read(wake, 512)):
            return None
        status = (reap() or {}).get(child)
        if status is not None:
            return status


def end_as(status):
    """End as the command has."""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if number != signal.SIGKILL:
            signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    sys.exit(os.WEXITSTATUS(status))


def main(lifeline, locks, command):
    """Run the command; ends as it does."""
    for fd in (lifeline, *locks):
        os.set_inheritable(fd, False)
    adopt_orphans()
    wake, wakened = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    signal.set_wakeup_fd(wakened)
    for number in (signal.SIGCHLD, *STOPS):
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, lambda *_: None)
    try:
        child = start(command)
    except OSError as error:
        sys.exit(f'{command[0]}: {error.strerror}')
    status = wait_for_end(child, lifeline, wake)
    if status is None:
        try:
            os.killpg(child, signal.SIGTERM)    # some programs rely on a terminal's doing so
        except OSError:
            pass
    end_children()
    end_as(signal.SIGTERM if status is None else status)


if __name__ == '__main__':
    main(int(sys.argv[1]), [int(word) for word in sys.argv[2].split(',') if word], sys.argv[3:])
