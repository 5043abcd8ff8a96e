# SPDX-License-Identifier: GPL-2.0-or-later
"""A program that runs in a guest as it boots, between two markers, with nobody typing.

    with MarkedRun('gups --bytes 16M --rounds 1', cpu_extra='dseg=on') as run:
        run.wait()
        print(run.cpu_seconds, run.tlb_counts())

Two runs of Linux are never the same, as disks and timers interrupt whenever they like.  But QEMU can
record one and replay it, on a machine that the guest cannot tell from the first.
"""

import time

from ..reports.counts import lookups
from ..stack.stack import Stack
from .counted import PROGRAM, counts

SAYS = {'begin': r'marked: begin', 'end': r'marked: end'}   # perhaps behind the shell's prompt

CLOCK_TICKS = 100               # a second, in /proc/PID/stat


class MarkedRun:
    """QEMU, from its start to the end of one program in L1, or in L2."""

    def __init__(self, program, *, nested=False, extra_args=(), **options):
        """options: of Stack"""
        words = program.replace(' ', ',')
        marked = 'marked'
        # A recording has to end where the guest does, not where somebody asks what it has counted.
        self._pauses = 'record' in options or 'replay' in options
        if self._pauses:
            marked += ',--poweroff'
            extra_args = [*extra_args, '-action', 'shutdown=pause']
        run = f'{marked},{words}'
        if nested:
            run = f'{marked},l2 l2.append=run=marked,--nested,--poweroff,{words}'
        self._nested = nested
        self._stack = Stack(append=f'nokaslr run={run}', extra_args=extra_args, **options)
        self.seconds = {}       # that have passed for: boot, program
        self.cpu_seconds = {}   # that QEMU has taken for them, on all CPUs

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self._stack.close()

    def wait(self, timeout):
        """Till the program has ended."""
        self._stack.launch()
        last, cpu_last = time.monotonic(), 0
        for stage, mark in (('boot', 'begin'), ('program', 'end')):
            self._stack.l1.expect(SAYS[mark], timeout, f'a marked program\'s {mark}')
            now, cpu_now = time.monotonic(), self._cpu_time()
            self.seconds[stage], self.cpu_seconds[stage] = now - last, cpu_now - cpu_last
            last, cpu_last = now, cpu_now
        if self._pauses:
            self._stack.event('STOP', timeout)

    def _cpu_time(self):
        """Seconds that QEMU has spent on CPUs: other programs on the machine do not matter."""
        with open(f'/proc/{self._stack.pid}/stat', encoding='ascii') as file:
            fields = file.read().rpartition(')')[2].split()
        return (int(fields[11]) + int(fields[12])) / CLOCK_TICKS

    def tlb_counts(self):
        """Stage to the counts of the modelled TLB: boot, and program."""
        markers = self._stack.markers()
        begin, end = (markers[label] for label in PROGRAM)
        return {'boot': summary(counts([(None, begin)])), 'program': summary(counts([(begin, end)]))}


def summary(record):
    """The counts of a record, by what they are of."""
    cycles = record['caches']['walk-cycles'] if record['caches'] else ()
    return {'walks': sum(record['tlb']['walks'].values()),
            'segment hits': sum(record['tlb']['segment-hits'].values()),
            'l1 data misses': sum(lookups(record, 'misses', 'l1', kind) for kind in ('load', 'store')),
            'l1 fetch misses': lookups(record, 'misses', 'l1', 'fetch'),
            'walk cycles': sum(row['cycles'] for row in cycles)}
