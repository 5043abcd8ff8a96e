# SPDX-License-Identifier: GPL-2.0-or-later
"""A program that runs in a guest as it boots, between two markers, with nobody typing.

    with MarkedRun('gups --bytes 16M --rounds 1', cpu_extra='dseg=on') as run:
        run.wait()
        print(run.cpu_seconds, run.tlb_counts())

Two runs of Linux are never the same, as disks and timers interrupt whenever they like.  But QEMU can
record one and replay it, on a machine that the guest cannot tell from the first.
"""

from ..stack.stack import Stack

# linux/workloads/marked.c
BEGIN, END = 0x200, 0x201
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
        self.cpu_seconds = {}   # that QEMU has taken for: boot, program

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self._stack.close()

    def wait(self, timeout):
        """Till the program has ended."""
        self._stack.launch()
        last = 0
        for stage, mark in (('boot', 'begin'), ('program', 'end')):
            self._stack.l1.expect(SAYS[mark], timeout, f'a marked program\'s {mark}')
            now = self._cpu_time()
            self.cpu_seconds[stage] = now - last
            last = now
        if self._pauses:
            self._stack.event('STOP', timeout)

    def _cpu_time(self):
        """Seconds that QEMU has spent on CPUs: other programs on the machine do not matter."""
        with open(f'/proc/{self._stack.pid}/stat', encoding='ascii') as file:
            fields = file.read().rpartition(')')[2].split()
        return (int(fields[11]) + int(fields[12])) / CLOCK_TICKS

    def tlb_counts(self):
        """Stage to the counts of the modelled TLB: boot, and program."""
        markers = {marker['label']: marker['tlb']
                   for marker in self._stack.qmp('query-x86-dseg-markers')}
        boot, both = (summary(markers[label]) for label in (BEGIN, END))
        return {'boot': boot, 'program': {name: both[name] - boot[name] for name in both}}


def summary(tlb):
    """The counts of one query-x86-dseg-tlb, by what they are of."""
    counts = {'walks': sum(tlb['walks'].values()),
              'segment hits': sum(tlb['segment-hits'].values())}
    for row in tlb['misses']:
        name = f'{row["level"]} {"fetch" if row["kind"] == "fetch" else "data"} misses'
        counts[name] = counts.get(name, 0) + row['count']
    if 'caches' in tlb:
        counts['walk cycles'] = sum(row['cycles'] for row in tlb['caches']['walk-cycles'])
    return {name: counts.get(name, 0)
            for name in ('walks', 'segment hits', 'l1 data misses', 'l1 fetch misses',
                         'walk cycles')}

