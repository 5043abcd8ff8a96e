# SPDX-License-Identifier: GPL-2.0-or-later
"""L2 as L1 sees it: a process of L1, and the monitor of its VMM."""

import json
import re
import shlex

from ...base.sizes import MiB
from ...stack.console import StackError
from . import Range, count_pages, stopped

MAPPING = re.compile(r'^([0-9a-f]+)-([0-9a-f]+) rw-p 00000000 00:00 0 *$', re.M)
ALIGNMENT = 2 * MiB     # of the VMM's for what may be in huge pages
MONITOR_PORT = 4444     # in L1, which has no program for QMP's own sockets
REPLY = '/tmp/reply'
REPLY_SECONDS = 30

# More arguments of its VMM.
MONITOR = f'-qmp tcp:127.0.0.1:{MONITOR_PORT},server=on,wait=off'


def vmm_with(console, word):
    """The process ID of the VMM with that among its arguments."""
    found = console.run(f'for p in $(pidof qemu-system-x86_64); do grep -q {word} '
                        '/proc/$p/cmdline && echo $p; done; true').split()
    if len(found) != 1:
        raise StackError(f'{len(found)} VMMs have {word} among their arguments, not 1')
    return int(found[0])


class Vm:
    """A VM that runs in L1: its memory is a range of the virtual memory of its VMM."""

    def __init__(self, stack):
        """Its VMM has been started with the arguments MONITOR, by which it is found."""
        self._l1 = stack.l1
        self.pid = vmm_with(self._l1, f'tcp:127.0.0.1:{MONITOR_PORT},')
        self.memory = Range(0, stack.layout.l2_memory)      # gPA, without a gap
        self._at = self._find_memory()
        # Its CPU never rests: L1's own commands come first.
        self._l1.run(f'renice 10 $(ls /proc/{self.pid}/task)')

    def _find_memory(self):
        """Where the VMM has it: mappings without a gap between that are just as large."""
        # Not all: a console of orders has room for 4 KiB of output.
        text = self._l1.run(f'grep " rw-p 00000000 00:00 0" /proc/{self.pid}/maps')
        ends = {int(start, 16): int(end, 16) for start, end in MAPPING.findall(text)}
        for start in ends:
            at = start
            while at in ends and at < start + self.memory.bytes:
                at = ends[at]
            if start % ALIGNMENT == 0 and at == start + self.memory.bytes:
                return start
        raise StackError(f'process {self.pid} has no mapping of the size of L2\'s memory:\n'
                         f'{text}')

    def hva(self, part):
        """Where the VMM has a range of gPA."""
        return part.moved(self._at)

    def count(self, ranges, options='', timeout=240):
        """What has become of ranges of gPA in L1: present, swapped, merged (pages)."""
        return count_pages(self._l1, [self.hva(part) for part in ranges],
                           f'--pid {self.pid} {options}', timeout)

    def stopped(self):
        """It does not run inside the with statement."""
        return stopped(self._l1, self.pid)

    def qmp(self, command, **arguments):
        """A command of its VMM's monitor."""
        lines = [json.dumps({'execute': 'qmp_capabilities'}),
                 json.dumps({'execute': command, 'arguments': arguments, 'id': 1})]
        # QEMU drops what it has not answered when we hang up.
        self._l1.run(
            f'>{REPLY}; {{ printf "%s\\n" {shlex.join(lines)}; '
            f'for i in $(seq {REPLY_SECONDS * 10}); do grep -q \'"id"\' {REPLY} && break; '
            f'sleep 0.1; done; }} | nc 127.0.0.1 {MONITOR_PORT} >>{REPLY}')
        for answer in map(json.loads, self._l1.run(f'cat {REPLY}').splitlines()):
            if 'error' in answer:
                raise StackError(f'{command}: {answer["error"]["desc"]}')
            if 'id' in answer:
                return answer['return']
        raise StackError(f'{command}: the VMM did not answer in {REPLY_SECONDS} s')
