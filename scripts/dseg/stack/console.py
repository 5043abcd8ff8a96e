# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest's serial console, with a shell on it, as a program on the host sees it."""

import re
import shlex
import socket
import threading
import time
from pathlib import Path

from .. import Failure, patient, unwritable

L2_ENDED = 'l2: the VMM ended with exit code'       # as linux/init/l2 says it
LAST_LINES = 20
TAIL = 16384            # characters kept to take the last lines from
NOT_TEXT = re.compile(r'\r|\x1b\[[0-9;?]*[A-Za-z]')


class StackError(Failure):
    """What went wrong in QEMU or in a guest."""


class TimeOut(StackError):
    """A guest did not do in time what was waited for."""


class CommandError(StackError):
    """A command in a guest failed."""

    def __init__(self, command, code, output):
        super().__init__(f'{command!r} ended with exit code {code}:\n{output}')
        self.code = code
        self.output = output


class Console:
    """Runs commands in a guest's shell.

    A thread of its own reads all the time, so that the guest never waits for its reader, and
    writes everything to a log.
    """

    def __init__(self, name, sock, log):
        self.name = name
        self.ended = False      # QEMU is gone
        self._sock = sock
        self._log = Path(log)
        self._text = ''         # what nobody has waited for yet
        self._tail = ''         # the last of all output, for messages
        self._listener = None
        self._count = 0         # of commands, to tell their marks apart
        self._command = None    # the one that runs now
        self._failure = None    # why nobody reads any more, if it is not QEMU's end
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._read_all, daemon=True)
        self._thread.start()

    def _read_all(self):
        failure = None
        try:
            with open(self._log, 'wb', buffering=0) as log:
                while data := self._read():
                    log.write(data)
                    self._take(data)
        except OSError as error:
            failure = StackError(unwritable(self._log, error))
        except Failure as error:
            failure = error             # the listener's
        with self._changed:
            self._failure = failure
            self.ended = True
            self._changed.notify_all()

    def _read(self):
        try:
            return self._sock.recv(65536)
        except OSError:
            return b''

    def _take(self, data):
        text = NOT_TEXT.sub('', data.decode(errors='replace'))
        with self._changed:
            self._text += text
            self._tail = (self._tail + text)[-TAIL:]
            self._changed.notify_all()
            listener = self._listener
        if listener:
            listener(data)

    def check(self):
        """Raise the failure, if any, that has ended the reading of what the guest prints."""
        if self._failure:
            raise self._failure

    def listen(self, listener):
        """Call a function with all that the guest prints from now on; None: no more.

        A Failure that it raises is raised to whoever waits for the guest, or checks.
        """
        with self._changed:
            self._listener = listener

    def close(self):
        """End the thread; QEMU need not have ended."""
        try:
            self._sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass                # QEMU was faster
        self._thread.join()
        self._sock.close()

    def last_lines(self, count=LAST_LINES):
        """The last that the guest has printed, for a message."""
        lines = [line for line in self._tail.splitlines() if line.strip()]
        return '\n'.join(f'  {self.name}| {line}' for line in lines[-count:])

    def send(self, data):
        """Type something: text or bytes."""
        try:
            self._sock.sendall(data.encode() if isinstance(data, str) else data)
        except OSError as error:
            raise self._has_ended() from error

    def _has_ended(self):
        return StackError(f'{self.name}: QEMU has ended\n{self.last_lines()}')

    def clear(self):
        """Forget all output so far, as of a guest that has been replaced by another."""
        with self._changed:
            self._text = self._tail = ''

    def _wait(self, regex, timeout, what):
        """Consume the output through the first match; returns what is before it, and it.

        what: says in a message what was waited for
        """
        pattern = re.compile(regex, re.M)
        left = timeout = patient(timeout)
        with self._changed:
            while not (found := pattern.search(self._text)):
                if self.ended:
                    self.check()
                    raise self._has_ended()
                if left <= 0:
                    raise TimeOut(f'{self.name}: {timeout:g} s passed without '
                                  f'{what}\n{self.last_lines()}')
                begin = time.monotonic()
                self._changed.wait(min(left, 1))
                # Where more has passed this machine has stood still, and so has the guest.
                left -= min(time.monotonic() - begin, 1)
            before = self._text[:found.start()]
            self._text = self._text[found.end():]
        return before, found

    def wait_for(self, regex, timeout):
        """Wait for output of a guest without a shell; returns what is before the match, and it."""
        return self._wait(regex, timeout, repr(regex))

    @property
    def socket(self):
        """Ours."""
        return self._sock

    def _end_mark(self):
        return rf'DSEG-END-{self._count}-(?P<dseg_code>\d+)\n'

    def _end_command(self, output, found):
        """The running command has ended: raises CommandError if it failed."""
        command, self._command = self._command, None
        code = int(found['dseg_code'])
        if code:
            raise CommandError(command, code, output.strip())

    def expect(self, regex, timeout=60, what=None):
        """Wait for output, consuming it and what is before it; returns the match.

        The end of the running command before that is an error. what: as for _wait()
        """
        what = what or repr(regex)
        if not self._command:
            return self._wait(regex, timeout, what)[1]
        before, found = self._wait(f'(?:{regex})|{self._end_mark()}', timeout, what)
        if found['dseg_code'] is not None:
            command = self._command
            self._end_command(before, found)
            raise CommandError(command, 0, before.strip())
        return found

    def start(self, command):
        """Start a command; wait() or interrupt() must end it."""
        if self._command:
            raise StackError(f'{self.name}: {self._command!r} still runs')
        self._count += 1
        # The quotes keep the echo of this very line from looking like the marks. The trap is for a
        # command that exits, and with it the shell: another one takes its place.
        mark = f"echo D''SEG-END-{self._count}-$?"
        again = f'{mark}; exec sh -l'
        self.send(f"echo D''SEG-BEGIN-{self._count}; trap {shlex.quote(again)} EXIT; "
                  f"eval {shlex.quote(command)}; {mark}; trap - EXIT\n")
        self._command = command
        self._wait(f'DSEG-BEGIN-{self._count}\n', 60, f'the start of {command!r}')

    def wait(self, timeout=60):
        """Wait for the end of the running command; returns the rest of its output."""
        output, found = self._wait(self._end_mark(), timeout, f'the end of {self._command!r}')
        self._end_command(output, found)
        return output

    def run(self, command, timeout=60):
        """Run a command and return its output; raises CommandError if it fails."""
        self.start(command)
        return self.wait(timeout)

    def interrupt(self, timeout=30):
        """Press Ctrl-C to end the running command; returns the rest of its output."""
        # The shell drops the rest of a line whose command died of it, so type the mark again.
        self.send(f"\x03\necho D''SEG-END-{self._count}-130\n")
        output, _ = self._wait(self._end_mark(), timeout, f'the end of {self._command!r}')
        self._command = None
        return output
