# SPDX-License-Identifier: GPL-2.0-or-later
"""Connects the user's terminal with the consoles of the stack."""

import errno
import os
import select
import sys
import termios
import time
import tty

from .. import Failure, unwritable
from .console import L2_ENDED, TimeOut

CTRL_A = b'\x01'
HINT = '''\
Ctrl-A c: QEMU's monitor and back   Ctrl-A 1, Ctrl-A 2: console of L1, of L2
Ctrl-A x: end                       Ctrl-A Ctrl-A: a Ctrl-A for the guest'''


def require_input():
    """Raise Failure if standard input can't be read."""
    try:
        os.read(0, 0)
    except OSError as error:
        raise unreadable(error) from error


def unreadable(error):
    return Failure(f'standard input can\'t be read: {error.strerror}; to type nothing: </dev/null')


def attach(stack, console, timeout):
    """Connect the terminal with a console, until QEMU ends.

    Without a terminal, standard input is typed instead, and the guest must power off in that
    time after the last of it.
    """
    saved = termios.tcgetattr(sys.stdin) if sys.stdin.isatty() else None
    try:
        if saved:
            print(HINT, file=sys.stderr)
            tty.setraw(sys.stdin)
        _Switch(stack, console).run(timeout)
    finally:
        for each in (stack.l1, stack.l2):
            each.listen(None)
        if saved:
            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, saved)
            print()


class _Switch:
    """Which console the terminal is connected with."""

    def __init__(self, stack, console):
        self._consoles = {b'1': stack.l1, b'2': stack.l2}
        self._console = None
        self._after_ctrl_a = False
        self._select(console)

    def _select(self, console):
        if self._console:
            self._console.listen(None)
        self._console = console
        console.listen(_show)

    def run(self, timeout):
        deadline = None
        while not self._console.ended:
            require_reader()
            for console in self._consoles.values():
                console.check()
            if deadline:
                time.sleep(0.1)
                if L2_ENDED in self._console.last_lines():
                    return
                if time.monotonic() > deadline:
                    raise TimeOut(f'{self._console.name} still runs {timeout:g} s after the end '
                                  f'of standard input\n{self._console.last_lines()}')
            elif select.select([sys.stdin], [], [], 0.1)[0]:
                try:
                    data = os.read(sys.stdin.fileno(), 4096)
                except OSError as error:
                    raise unreadable(error) from error
                self._type(data)
                if not data:
                    deadline = time.monotonic() + timeout
        self._console.check()

    def _type(self, data):
        """Pass on what was typed, but for the keys that switch between consoles."""
        for key in (data[i:i + 1] for i in range(len(data))):
            if self._after_ctrl_a and key in self._consoles:
                self._select(self._consoles[key])
                _show(f'\r\n[console of {self._console.name}]\r\n'.encode())
                self._console.send('\r')        # for a new prompt
            elif self._after_ctrl_a:
                self._console.send(CTRL_A + key)
            elif key != CTRL_A:
                self._console.send(key)
            self._after_ctrl_a = key == CTRL_A and not self._after_ctrl_a


def _show(data):
    try:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except OSError as error:
        raise unwritable('standard output', error) from error


def require_reader():
    """Raise Failure if the other end of a pipe is gone, also while there is nothing to write."""
    poll = select.poll()
    poll.register(sys.stdout, 0)
    if poll.poll(0):
        raise unwritable('standard output', BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE)))
