# SPDX-License-Identifier: GPL-2.0-or-later
"""As much of gdb's remote protocol as the tests need: registers and memory.

    with Gdb(stack) as gdb:         # the machine stands still meanwhile
        gdb.write('cr9', 0x1000)
        print(gdb.read('cr9'))

The protocol is described in the appendix "Remote Protocol" of gdb's manual.
"""

import re
import socket
import tempfile
from pathlib import Path

from dseg import patient


class GdbError(Exception):
    """QEMU's gdbstub has refused a command."""


class Gdb:
    """A connection to the gdbstub of a stack."""

    def __init__(self, stack, timeout=30):
        self._stack = stack
        self._folder = tempfile.TemporaryDirectory(prefix='dseg-gdb-')
        self._path = Path(self._folder.name) / 'gdb'
        self._timeout = timeout
        self._sock = None
        self._numbers = {}

    def __enter__(self):
        self._stack.hmp(f'gdbserver unix:{self._path},server=on,wait=off')
        self._sock = socket.socket(socket.AF_UNIX)
        self._sock.settimeout(patient(self._timeout))
        self._sock.connect(str(self._path))
        self.command('qSupported:xmlRegisters=i386')
        return self

    def __exit__(self, *exception):
        try:
            self.command('D')       # detach: the machine goes on
        finally:
            self._sock.close()
            self._stack.hmp('gdbserver none')
            self._folder.cleanup()

    def command(self, text):
        """Sends a packet; returns the data of the reply."""
        data = text.encode()
        self._sock.sendall(b'$%s#%02x' % (data, sum(data) % 256))
        reply = b''
        while not (found := re.search(rb'\$([^#]*)#..', reply)):
            more = self._sock.recv(65536)
            if not more:
                raise GdbError(f'{text}: the connection has ended')
            reply += more
        self._sock.sendall(b'+')
        return found[1].decode('latin-1')

    def checked(self, text):
        reply = self.command(text)
        if not reply or re.fullmatch('E..', reply):
            raise GdbError(f'{text}: {reply or "not supported"}')
        return reply

    def document(self, name):
        """A part of the description of the target."""
        text = ''
        while True:
            reply = self.checked(f'qXfer:features:read:{name}:{len(text):x},800')
            text += reply[1:]
            if reply[0] == 'l':
                return text

    def number(self, register):
        """Of the dseg feature: its registers have their numbers in the XML."""
        if not self._numbers:
            assert 'i386-dseg.xml' in self.document('target.xml')
            xml = self.document('i386-dseg.xml')
            for tag in re.findall(r'<reg [^>]*>', xml):
                name = re.search(r'name="(\w+)"', tag)[1]
                self._numbers[name] = int(re.search(r'regnum="(\d+)"', tag)[1])
        return self._numbers[register]

    def read(self, register):
        reply = self.checked(f'p{self.number(register):x}')
        return int.from_bytes(bytes.fromhex(reply), 'little')

    def write(self, register, value):
        data = value.to_bytes(8, 'little').hex()
        self.checked(f'P{self.number(register):x}={data}')

    def memory(self, address, size):
        return bytes.fromhex(self.checked(f'm{address:x},{size:x}'))
