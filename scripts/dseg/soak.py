# SPDX-License-Identifier: GPL-2.0-or-later
"""Starts, stops and kills processes and VMs with segments at random, under memory pressure.

Each of them runs GUPS on a primary region, which verifies its data; QEMU compares what each
segment translates with the page tables (verify mode). In the end there must be no wrong byte, no
difference, no warning of a kernel, and as much free memory as before.
"""

import argparse
import random
import re
import sys
import time
from pathlib import Path

from . import run_main
from .progress import Line
from .stack import CommandError, Stack, StackError
from .layout import MiB

PROCESSES = 4           # at the same time, at most
VMS = 3
REGIONS = (8, 16, 32, 64)               # MiB
VM_MEMORY = 192                         # MiB
PAUSE = (0.2, 2.0)                      # seconds between two events, from ... to
FREE_TOLERANCE = 8 * MiB                # what kernels keep of what they have used: slabs, lists
ROUND = re.compile(r'round \d+ .* (ok|BAD) errors \d+\r?$', re.M)
COMPLAINT = r'WARNING:|BUG:|Oops|Call Trace|Bad page|general protection|soft lockup|hung_task'
GUPS = 'gups --primary --updates 100000 --rounds 0'


class Soak:
    """What runs in L1, and what has come of it."""

    def __init__(self, stack, seed):
        self._l1 = stack.l1
        self.random = random.Random(seed)
        self._number = 0
        self.running = {}       # name: kind
        self.counts = {}        # of each event
        self.rounds = 0         # of GUPS, with right data
        self.compared = 0       # translations by segments, with the page tables
        self.lost = 0           # bytes of L1's memory
        self.problems = []

    def step(self):
        """One event, chosen at random."""
        events = [self.start_process] * (PROCESSES - self._how_many('process'))
        events += [self.start_vm] * (VMS - self._how_many('vm'))
        events += [self.end_one] * len(self.running)
        events += [self.detach, self.attach] * self._how_many('vm')
        events += [self.press]
        event = self.random.choice(events)
        event()
        self.counts[event.__name__] = self.counts.get(event.__name__, 0) + 1

    def _how_many(self, kind):
        return sum(k == kind for k in self.running.values())

    def _new(self, kind):
        self._number += 1
        name = f'{kind}{self._number}'
        self.running[name] = kind
        return name

    def _shell(self, command):
        """A command that may fail, as what it is about may just have ended."""
        try:
            return self._l1.run(command, timeout=120)
        except CommandError as error:
            return error.output

    def start_process(self):
        name = self._new('process')
        size = self.random.choice(REGIONS)
        self._l1.run(f'{GUPS} --bytes {size}M >/tmp/{name}.log 2>&1 & echo $! >/tmp/{name}.pid')

    def start_vm(self):
        name = self._new('vm')
        size = self.random.choice(REGIONS[:3])
        run = f'modules=dseg-guest run={GUPS.replace(" ", ",")},--bytes,{size}M'
        self._l1.run(
            f'L2_MEMORY={VM_MEMORY}M L2_CONSOLE=file:/tmp/{name}.log L2_QMP=/tmp/{name}.qmp '
            f'L2_APPEND="{run}" l2 -- -pidfile /tmp/{name}.pid >/tmp/{name}.err 2>&1 &')
        self._shell(f'for i in $(seq 50); do [ -s /tmp/{name}.pid ] || sleep 0.1; done')
        self.attach(name)

    def attach(self, name=None):
        self._with_vm('attach', name)

    def detach(self):
        self._with_vm('detach')

    def _with_vm(self, what, name=None):
        name = name or self.random.choice([n for n, k in self.running.items() if k == 'vm'])
        self._shell(f'dseg-vm {what} $(cat /tmp/{name}.pid)')

    def end_one(self):
        """By a signal that it can handle, or by one that it cannot."""
        name = self.random.choice(sorted(self.running))
        signal = self.random.choice(('TERM', 'KILL'))
        self._shell(f'kill -{signal} $(cat /tmp/{name}.pid)')
        self._finish(name)

    def press(self):
        """Memory pressure: nearly all free memory, for a moment."""
        self._shell('timeout -s KILL 5 fragment --movable --rounds 1 >/dev/null 2>&1')

    def _finish(self, name):
        """Look at what it has printed."""
        del self.running[name]
        log = self._shell(f'cat /tmp/{name}.log; rm -f /tmp/{name}.*')
        outcomes = ROUND.findall(log)
        self.rounds += outcomes.count('ok')
        if 'BAD' in outcomes:
            self.problems.append(f'{name} found wrong data:\n{log}')

    def end_all(self):
        for name in sorted(self.running):
            self._shell(f'kill -TERM $(cat /tmp/{name}.pid)')
        time.sleep(2)
        for name in sorted(self.running):
            self._finish(name)


def free_memory(console):
    """Bytes that are free in L1 once everything is dropped that can be."""
    text = console.run('for i in 1 2 3; do echo 3 >/proc/sys/vm/drop_caches; sleep 0.3; done; '
                       'grep MemFree /proc/meminfo', timeout=120)
    return int(re.search(r'MemFree:\s+(\d+) kB', text)[1]) << 10


def complaints(console):
    return console.run(f'dmesg | grep -E -A20 "{COMPLAINT}" || true')


def verified(stack):
    """Hits of segments that verify mode has compared, and how many of them differ."""
    cpus = stack.qmp('query-x86-dseg-walks')
    return sum(cpu['verified'] for cpu in cpus), sum(cpu['mismatches'] for cpu in cpus)


def soak(stack, args):
    """Returns the Soak, after args.minutes, with all its problems."""
    l1 = stack.l1
    l1.run('modprobe dseg-guest && modprobe dseg-vmm && dmesg -c >/dev/null')
    work = Soak(stack, args.seed)
    work.start_process()
    work.start_vm()
    work.end_all()              # so that the kernels have what they allocate once
    before = free_memory(l1)
    line = Line('Soak')
    end = time.monotonic() + 60 * args.minutes
    while time.monotonic() < end and not work.problems:
        work.step()
        line.show(f'{sum(work.counts.values())} events, {work.rounds} rounds, '
                  f'{len(work.running)} running')
        time.sleep(work.random.uniform(*PAUSE))
    work.end_all()
    line.end('done')
    l1.run('rmmod dseg-guest dseg-vmm')
    work.lost = before - free_memory(l1)
    if work.lost > FREE_TOLERANCE:
        work.problems.append(f'{work.lost / MiB:.1f} MiB of L1\'s memory have not come back')
    if text := complaints(l1):
        work.problems.append(f'L1\'s kernel complains:\n{text}')
    work.compared, wrong = verified(stack)
    if wrong:
        work.problems.append(f'{wrong} of {work.compared} translations by segments differ from '
                             'the page tables')
    return work


def main(arguments):
    parser = argparse.ArgumentParser(prog='scripts/soak', add_help=False)
    parser.add_argument('--minutes', type=float, default=2)
    parser.add_argument('--seed', type=int, default=int(time.time()))
    parser.add_argument('--logs', type=Path)
    args = parser.parse_args(arguments)
    print(f'seed {args.seed}', flush=True)
    with Stack(cpu_extra='dseg=on,dseg-verify=on', l1_cpus=2, holes=False,
               log_dir=args.logs) as stack:
        stack.boot_l1()
        try:
            work = soak(stack, args)
        except StackError as error:
            print(f'soak: {error}', file=sys.stderr)
            return 1
    events = ', '.join(f'{name.replace("_", " ")} {n}' for name, n in sorted(work.counts.items()))
    print(f'{sum(work.counts.values())} events: {events}\n'
          f'{work.rounds} rounds of GUPS with right data; {work.compared} translations compared '
          f'with the page tables; memory lost {work.lost >> 10} KiB')
    for problem in work.problems:
        print(f'soak: {problem}', file=sys.stderr)
    return 1 if work.problems else 0


if __name__ == '__main__':
    run_main('soak', main)
