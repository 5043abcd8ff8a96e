# SPDX-License-Identifier: GPL-2.0-or-later
"""A stack whose guests do the same each time, to the last instruction.

    with Exact() as stack:
        stack.boot_l1()
        stack.boot_l2()
        print(stack.run('l2', 'gups --rounds 1'))
        stack.save(file)

The clock counts instructions, and the machine is stopped whenever something comes from outside:
in the guests linux/workloads/orders.c takes the place of the shell.
"""

import fcntl
import struct
import termios
import time

from .. import patient
from .console import L2_ENDED, CommandError, StackError
from .stack import PROGRAMS, BootError, Stack

TURNS = {'l1': 0x210, 'l2': 0x211}      # labels of orders.c: it is somebody's turn to type
PIECE = 6       # characters; with 2 more a UART takes as many as Linux's interrupt threshold
CLOCK = ('-icount', 'shift=1,sleep=off', '-rtc', 'clock=vm,base=2026-01-01', '-seed', '7')
DONE = r'orders: exit (\d+)\n'
BOOT_SECONDS = 300


def unread(sock):
    """How many bytes the other end of a socket has not read yet."""
    answer = fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, struct.pack('i', 0))
    return struct.unpack('i', answer)[0]


class Exact(Stack):
    """A stack of one CPU that is stopped whenever nothing has been asked of it."""

    def __init__(self, *arguments, append='', extra_args=(), state=None, counts_time=True,
                 with_programs=False, **options):
        """
        state: a file of save(), where to go on; the other arguments must be as they were then
        counts_time: the guests' clock counts instructions; without it, no two runs are the same
        with_programs: there is the disk of programs
        """
        incoming = ('-incoming', 'defer') if state else ('-S',)
        # Requests of a disk end whenever the host has done them; memory is there at once.
        super().__init__(*arguments, append=f'orders nokaslr {append}',
                         programs=PROGRAMS if with_programs else None, programs_are_memory=True,
                         extra_args=[*(CLOCK if counts_time else ()), *incoming, *extra_args],
                         **options)
        self._state = state

    def launch(self):
        """Start QEMU; the machine is stopped."""
        super().launch()
        if self._state:
            self.qmp('migrate-incoming', uri=f'file:{self._state}')
            self._wait_for_migration('in')
        self._stop_at()

    def boot_l1(self, timeout=BOOT_SECONDS):
        """Start QEMU; returns when L1 waits for its first order."""
        self._progress('L1 boots')
        self.launch()
        self._go_on('l1', timeout)

    def boot_l2(self, timeout=BOOT_SECONDS, append='', settings='', arguments=''):
        """Start L2 in L1; returns when L2 waits for its first order."""
        self._progress('L2 boots')
        self.l2.clear()
        self.run('l1', self.l2_command(f'orders nokaslr {append}', settings, arguments))
        self._go_on('l2', timeout)

    def run(self, guest, command, timeout=60, at=None):
        """Have a guest run a command; returns its output. Raises CommandError if it fails.

        at: (labels, action): call action(marker) whenever the machine is behind a marker of one of
            them, of whichever guest; the action may have another guest run a command meanwhile
        """
        console = getattr(self, guest)
        pieces = [command[i:i + PIECE] for i in range(0, len(command), PIECE)]
        for piece in pieces[:-1]:
            self._type(console, f'+{piece}\n')
            self._run_past(guest, 60, at)
        self._type(console, f'.{pieces[-1]}\n')
        self._run_past(guest, timeout, at)
        output, found = console.wait_for(DONE, 10)
        if found[1] != '0':
            raise CommandError(command, int(found[1]), output.strip())
        return output

    def _run_past(self, guest, timeout, at):
        """On to the guest's next turn, past the markers of at (as of run()), if there are any."""
        if not at:
            self._go_on(guest, timeout)
            return
        labels, action = at
        while (marker := self._next_of(guest, timeout, labels))['label'] != TURNS[guest]:
            if marker['label'] not in labels:
                raise StackError(f'while {guest} runs a command, that of the other guest has ended')
            action(marker)

    def _next_of(self, guest, timeout, labels):
        """Go on until the next marker with one of the labels, or of a turn; returns it."""
        before = self.markers()
        self._stop_at(*labels)
        self._go_on(guest, timeout)
        self._stop_at()
        passed = [marker for label, marker in self.markers().items()
                  if label in (*labels, *TURNS.values())
                  and marker['count'] != before.get(label, {}).get('count')]
        if len(passed) != 1:
            raise StackError(f'{len(passed)} markers have stopped the machine, not 1')
        return passed[0]

    def _stop_at(self, *more):
        self.qmp('x86-dseg-stop-at', labels=[*TURNS.values(), *more])

    def _type(self, console, text):
        """Put it into the UART's FIFO: the guest, which is stopped, will find it there."""
        console.send(text)
        end = time.monotonic() + patient(30)
        while unread(console.socket):
            if time.monotonic() > end:
                raise StackError(f'{console.name}: QEMU does not take what is typed')
            time.sleep(0.001)

    def _go_on(self, guest, timeout):
        """Until it is that guest's turn."""
        self.qmp('cont')
        end = time.monotonic() + patient(timeout)
        while not self.has_event('STOP', 1):
            why = (f'{timeout:g} s have passed' if time.monotonic() > end else
                   'its VMM has ended' if guest == 'l2' and L2_ENDED in self.l2.last_lines() else '')
            if why:
                log = '' if guest == 'l1' else f'\n{self._l2_log()}'
                raise BootError(f'{guest} has not come to its next order: {why}{log}'
                                f'{self.last_lines()}')

    def _l2_log(self):
        """What the VMM has said, if L1 can be asked."""
        if L2_ENDED not in self.l2.last_lines():
            return ''
        self.qmp('stop')
        self.has_event('STOP', 10)
        try:
            return self.run('l1', 'cat /tmp/l2.log', 30)
        except StackError as error:
            return str(error)

    def save(self, file):
        """Write the machine's state into a file; the machine is of no more use then."""
        self.qmp('migrate', uri=f'file:{file}')
        self._wait_for_migration('out')

    def _wait_for_migration(self, way, timeout=300):
        end = time.monotonic() + patient(timeout)
        while time.monotonic() < end:
            found = self.qmp('query-migrate')
            if found.get('status') == 'completed':
                return
            if found.get('status') in ('failed', 'cancelled'):
                raise StackError(f'the state was not moved {way}: '
                                 f'{found.get("error-desc", found["status"])}')
            time.sleep(0.05)
        raise StackError(f'the state was not moved {way} within {timeout} s')
