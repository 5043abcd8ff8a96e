# SPDX-License-Identifier: GPL-2.0-or-later
"""L2 as L1 sees it: a process of L1, and the monitor of its VMM."""

import json
import re
from contextlib import contextmanager

from ..console import StackError
from ..layout import MiB
from . import Range, count_pages

MAPPING = re.compile(r'^([0-9a-f]+)-([0-9a-f]+) rw-p 00000000 00:00 0 *$', re.M)
ALIGNMENT = 2 * MiB     # of the VMM's for what may be in huge pages
QMP_SECONDS = 60        # L1 has to start Python


class Vm:
    """A VM that runs in L1: its memory is a range of the virtual memory of its VMM."""

    def __init__(self, stack, qmp='/tmp/l2.qmp'):
        """qmp: the socket of its VMM's monitor, which tells it from others"""
        self._l1 = stack.l1
        self._qmp = qmp
        self.pid = int(self._l1.run(
            f'for p in $(pidof qemu-system-x86_64); do grep -q unix:{qmp}, /proc/$p/cmdline '
            '&& echo $p; done; true').split()[0])
        self.memory = Range(0, stack.layout.l2_memory)      # gPA, without a gap
        self._at = self._find_memory()

    def _find_memory(self):
        """Where the VMM has it: mappings without a gap between that are just as large."""
        text = self._l1.run(f'cat /proc/{self.pid}/maps')
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

    @contextmanager
    def stopped(self):
        """It does not run inside the with statement."""
        self._l1.run(f'kill -STOP {self.pid}')
        try:
            yield
        finally:
            self._l1.run(f'kill -CONT {self.pid}')

    def qmp(self, command):
        """A command with its arguments, as QEMU's qmp-shell takes them."""
        reply = self._l1.run(f'echo {command} | debian python3 -m qemu.qmp.qmp_shell '
                             f'{self._qmp} 2>/dev/null', QMP_SECONDS)
        if not (found := re.search(r'\{.*\}', reply)):
            raise StackError(f'{self._qmp}: {command}: no answer:\n{reply}')
        answer = json.loads(found[0])
        if 'error' in answer:
            raise StackError(f'{self._qmp}: {command}: {answer["error"]["desc"]}')
        return answer['return']
