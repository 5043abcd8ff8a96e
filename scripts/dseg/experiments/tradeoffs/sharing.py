# SPDX-License-Identifier: GPL-2.0-or-later
"""Page sharing: L1's kernel merges pages of L2 with equal ones of a second VM (KSM)."""

import shlex
import time
from contextlib import contextmanager

from ...stack.console import StackError
from . import Counts, Outcome
from .vm import vmm_with

KSM = '/sys/kernel/mm/ksm'
SCAN = f'cd {KSM} && echo 10000 >pages_to_scan && echo 0 >sleep_millisecs && echo 1 >run'
SCANS = 2               # whole ones: the first sees what does not change, the second merges that
SCAN_SECONDS = 400
BOOT_SECONDS = 300
POLL = 1                # seconds
TWIN = '/tmp/twin'      # what the second VM prints, and the socket of its VMM's monitor


class Twin:
    """A second VM that has the same program in memory; it stands still unless told to run."""

    def __init__(self, stack, command):
        """command: a workload and its options, whose data is the same in every VM"""
        self._l1 = stack.l1
        words = f'run={command.replace(" ", ",")},--rounds,0'
        append = shlex.quote(f'{stack.layout.l2_append()} {words}')
        self._l1.run(f'L2_APPEND={append} L2_CONSOLE=file:{TWIN}.text L2_QMP={TWIN}.qmp '
                     f'l2 >{TWIN}.log 2>&1 &')
        self._wait_for_rounds(1)
        self._pid = vmm_with(self._l1, f'unix:{TWIN}.qmp,')
        self._l1.run(f'kill -STOP {self._pid}')

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self._l1.run(f'kill -KILL {self._pid}; while kill -0 {self._pid}; do sleep 0.1; done '
                     '2>/dev/null; true')

    def _rounds(self, outcome=''):
        return int(self._l1.run(f'cat {TWIN}.text 2>/dev/null | grep -c " round .*{outcome}"; '
                                'true'))

    def _wait_for_rounds(self, number):
        end = time.monotonic() + BOOT_SECONDS
        while self._rounds() < number:
            if time.monotonic() > end:
                raise StackError('the second VM does not run its program:\n' + self._l1.run(
                    f'tail -5 {TWIN}.log {TWIN}.text; true'))
            time.sleep(POLL)

    def is_right(self):
        """Whether all rounds were right, till one that begins now has ended."""
        self._l1.run(f'kill -CONT {self._pid}')
        self._wait_for_rounds(self._rounds() + 2)
        self._l1.run(f'kill -STOP {self._pid}')
        return self._rounds(' BAD ') == 0


def attempt(console, vm, twin, inside, work, segment_kept=lambda: True):
    """Let KSM run in L1 while L2 and its twin have the same program in memory.

    inside: a range of L2's gPA: what the VMM segment covers, or in modes without one any part
    work: the program in L2
    """
    areas = [[inside], vm.memory.without(inside)]
    present = [vm.count(ranges).get('present', 0) for ranges in areas]
    with ksm(console, vm):
        right = work.is_right() and twin.is_right()
        merged = [vm.count(ranges).get('merged', 0) for ranges in areas]
    counts = [Counts(*pair) for pair in zip(present, merged)]
    return Outcome(*counts, right, segment_kept())


@contextmanager
def ksm(console, vm):
    """KSM has merged what it can, and goes on; afterwards all pages are separate again."""
    try:
        with vm.stopped():              # for the CPU's time
            console.run(SCAN)
            end = time.monotonic() + SCAN_SECONDS
            while int(console.run(f'cat {KSM}/full_scans')) < SCANS:
                if time.monotonic() > end:
                    raise StackError(f'KSM has not looked at all memory in {SCAN_SECONDS} s')
                time.sleep(POLL)
            console.run(f'echo 100 >{KSM}/pages_to_scan; echo 20 >{KSM}/sleep_millisecs')
        yield
    finally:
        console.run(f'echo 2 >{KSM}/run', timeout=240)
