# SPDX-License-Identifier: GPL-2.0-or-later
"""Starts, stops and kills processes and VMs with segments at random, under memory pressure.

Each of them runs GUPS on a primary region, which verifies its data; QEMU compares what each
segment translates with the page tables (verify mode). In the end there must be no wrong byte, no
difference, no warning of a kernel, and as much free memory as before.
"""

import random
import re
import sys
import time

from .. import positive_number, run_main
from ..base import options
from ..base.progress import Line
from ..base.sizes import MiB
from ..stack.complaints import COMPLAINT
from ..stack.memory import Memory
from ..stack.stack import CommandError, Stack, StackError

PROCESSES = 3           # at the same time, at most
VMS = 2
REGIONS = (8, 16, 32, 64)               # MiB
L1_MEMORY = '1536M'
VM_MEMORY = 192                         # MiB
SWAP = 512                              # MiB, on compressed memory
MORE_THAN_FREE = 64                     # MiB that a process takes to have others swapped out
PAUSE = (0.2, 2.0)                      # seconds between two events, from ... to
LONG = 300                              # seconds for one command, on a busy machine
READY = 120                             # seconds until all memory is taken, at most
WORKS = 240                             # seconds until a VM has verified its data once, at most
FREE_TOLERANCE = 8 * MiB                # what kernels keep of what they have used: slabs, lists
UNACCOUNTED_TOLERANCE = MiB             # a region or a VM has 8 of them and more
ROUND = re.compile(r'round \d+ .* (ok|BAD) errors \d+\r?$', re.M)
TROUBLE = f'{COMPLAINT}|Call Trace|Killed process'
# There is no room for it, or the module is just being loaded anew.
REFUSED = re.compile(r'gups: --primary: (no region of |/dev/dseg-guest: No such)')
GUPS = 'gups --primary --updates 100000 --rounds 0'
MODULES = ('dseg-guest', 'dseg-vmm')

BEGIN = (f'modprobe zram && echo {SWAP}M >/sys/block/zram0/disksize && '
         'mkswap /dev/zram0 >/dev/null && swapon /dev/zram0 && '
         f'modprobe -a {" ".join(MODULES)}')
END = (f'rmmod {" ".join(MODULES)} && swapoff /dev/zram0 && echo 1 >/sys/block/zram0/reset && '
       'rmmod zram')

# All memory that can be had, and a little more, so that the kernel swaps out what is not pinned.
AVAILABLE = "$(awk '/^MemAvailable/ { print int($2 / 1024) }' /proc/meminfo)"
PRESS = f'triad --rounds 0 --bytes $(({AVAILABLE} + {MORE_THAN_FREE}))M'
FRAGMENT = 'fragment --movable'
# These two may be killed for it, as the first ones; the kernel's report of that is no complaint.
EXPENDABLE = 'echo 1000 >/proc/self/oom_score_adj && exec'
WITHOUT_EXPENDED = ("awk '/invoked oom-killer/ { report = 1 } "
                    "/Killed process/ { report = 0; if (/[(](triad|fragment)[)]/) next } "
                    "!report'")

# It is in use for moments, while a process that starts has the device open.
RELOAD = 'until rmmod %s 2>/dev/null; do sleep 0.1; done; modprobe %s'


class Soak:
    """What runs in L1, and what has come of it."""

    def __init__(self, stack, seed):
        self._l1 = stack.l1
        self.random = random.Random(seed)
        self._number = 0
        self.running = {}       # name: kind
        self.counts = {}        # of each event
        self.rounds = {}        # with right data, of each kind of program
        self.regions = 0        # of processes in L1
        self.segments = 0       # of VMs
        self.compared = 0       # translations by segments, with the page tables
        self.lost = self.unaccounted = 0        # bytes of L1's memory
        self.problems = []

    def first(self):
        """The events to begin with, so that there is something that could be damaged."""
        return self.start_process, self.start_vm, self.attach

    def step(self):
        """One event, chosen at random."""
        events = self._quick_events()
        events += [self.start_vm] * 2 * (VMS - self._how_many('vm'))
        events += [self.press, self.fragment, self.reload]
        self.do(self.random.choice(events))

    def _quick_events(self):
        events = [self.start_process] * 2 * (PROCESSES - self._how_many('process'))
        events += [self.end_one] * len(self.running)
        events += [self.detach, self.attach] * self._how_many('vm')
        return events

    def do(self, event):
        event()
        self.counts[event.__name__] = self.counts.get(event.__name__, 0) + 1

    def _how_many(self, kind):
        return sum(k == kind for k in self.running.values())

    def _new(self, kind):
        self._number += 1
        name = f'{kind}{self._number}'
        self.running[name] = kind
        return name

    def _shell(self, command, timeout=LONG):
        """A command that may fail, as what it is about may just have ended."""
        try:
            return self._l1.run(command, timeout=timeout)
        except CommandError as error:
            return error.output

    def start_process(self):
        name = self._new('process')
        size = self.random.choice(REGIONS)
        self._start(name, f'{GUPS} --bytes {size}M')
        # VMs have more to do until they verify anything.
        self._l1.run(f'renice -n 5 -p $(cat /tmp/{name}.pid) || true')

    def _start(self, name, command):
        self._l1.run(f'{command} >/tmp/{name}.log 2>&1 & echo $! >/tmp/{name}.pid')

    def start_vm(self):
        """With a segment from the beginning, or without one.

        Some, but not the first, may be ended as they boot.
        """
        name = self._new('vm')
        size = self.random.choice(REGIONS[:3])
        program = self.random.choice((f'dseg-vm start --memory {VM_MEMORY}M --fallback base', 'l2'))
        wait = self.random.random() < 0.75 or not self.counts.get('start_vm')
        run = f'modules=dseg-guest run={GUPS.replace(" ", ",")},--bytes,{size}M'
        self._l1.run(
            f'L2_MEMORY={VM_MEMORY}M L2_CONSOLE=file:/tmp/{name}.log L2_QMP=/tmp/{name}.qmp '
            f'L2_APPEND="{run}" {program} -- -pidfile /tmp/{name}.pid >/tmp/{name}.err 2>&1 &')
        self._shell(f'for i in $(seq 600); do [ -s /tmp/{name}.pid ] || sleep 0.1; done')
        if wait and 'yes' not in self._shell(
                f'for i in $(seq {WORKS}); do grep -qs "round 1" /tmp/{name}.log && '
                '{ echo yes; break; }; sleep 1; done', timeout=3 * WORKS):
            self.problems.append(f'{name} has not verified its data once in {WORKS} s')

    def attach(self):
        self._with_vm('attach')

    def detach(self):
        self._with_vm('detach')

    def _with_vm(self, what):
        name = self.random.choice([n for n, k in self.running.items() if k == 'vm'])
        output = self._shell(f'dseg-vm {what} $(cat /tmp/{name}.pid)')
        self.segments += ': segment of ' in output

    def end_one(self):
        """By a signal that it can handle, or by one that it cannot."""
        name = self.random.choice(sorted(self.running))
        self._finish(name, self._kill(name, self.random.choice(('TERM', 'KILL'))))

    def _kill(self, name, signal):
        """Returns whether it was there."""
        return not self._shell(f'kill -{signal} $(cat /tmp/{name}.pid)')

    def press(self):
        """Another event while there is no free memory."""
        self._meanwhile(PRESS, 'KILL')          # it would not look for a signal for long

    def fragment(self):
        """Another event while all free memory is in fragments."""
        self._meanwhile(FRAGMENT, 'TERM')       # it undoes settings of the kernel then

    def _meanwhile(self, command, signal):
        self._start('other', f'( {EXPENDABLE} {command} )')
        self._shell(f'for i in $(seq {READY}); do grep -qs ready /tmp/other.log && break; '
                    'kill -0 $(cat /tmp/other.pid) || break; sleep 1; done')
        self.do(self.random.choice(self._quick_events()))
        self._kill('other', signal)
        self._shell('wait $(cat /tmp/other.pid)')
        self._look('other', command.split()[0])

    def reload(self):
        """Segments end; those whose they were go on."""
        name = self.random.choice(MODULES)
        self._shell(RELOAD % (name, name))

    def _finish(self, name, ran):
        """ran: until we ended it, as it should, unless it could not get a region"""
        log = self._look(name, self.running.pop(name))
        if not ran and not REFUSED.search(log):
            self.problems.append(f'{name} has ended by itself:\n{log}')

    def _look(self, name, kind):
        """At what it has printed, and return that."""
        log = self._shell(f'cat /tmp/{name}.log /tmp/{name}.err 2>/dev/null; rm -f /tmp/{name}.*')
        outcomes = ROUND.findall(log)
        self.rounds[kind] = self.rounds.get(kind, 0) + outcomes.count('ok')
        self.regions += kind == 'process' and 'ready va=' in log
        self.segments += log.count(': segment of ')
        if 'BAD' in outcomes:
            self.problems.append(f'{name} found wrong data:\n{log}')
        if re.search(TROUBLE, log):
            self.problems.append(f'the kernel of {name} complains:\n{log}')
        return log

    def end_all(self):
        ran = {name: self._kill(name, 'TERM') for name in sorted(self.running)}
        self._shell('wait')
        for name in ran:
            self._finish(name, ran[name])
        self._shell('rm -f /tmp/vm* /tmp/process*')     # of those that went on for a moment


def trouble(console):
    return console.run(f'dmesg | {WITHOUT_EXPENDED} | grep -E -A20 "{TROUBLE}" || true')


def verified(stack):
    """Hits of segments that verify mode has compared, and how many of them differ."""
    cpus = stack.qmp('query-x86-dseg-walks')
    return sum(cpu['verified'] for cpu in cpus), sum(cpu['mismatches'] for cpu in cpus)


def soak(stack, seed, minutes):
    """Returns the Soak, after so many minutes, with all its problems."""
    l1 = stack.l1
    l1.run('dmesg -c >/dev/null')
    warm_up = Soak(stack, seed)     # so that the kernel has what it allocates once
    l1.run(BEGIN)
    for event in (*warm_up.first(), warm_up.press, warm_up.fragment, warm_up.reload):
        warm_up.do(event)
    warm_up.end_all()
    l1.run(END)
    before = Memory.of(l1)

    l1.run(BEGIN)
    work = Soak(stack, seed)
    work.problems += warm_up.problems
    line = Line('Soak')
    end = time.monotonic() + 60 * minutes
    for event in work.first():
        work.do(event)
    while time.monotonic() < end and not work.problems:
        work.step()
        line.show(f'{sum(work.counts.values())} events, {sum(work.rounds.values())} rounds, '
                  f'{len(work.running)} running')
        time.sleep(work.random.uniform(*PAUSE))
    work.end_all()
    line.end('done')
    l1.run(END)
    judge(work, stack, before)
    return work


def judge(work, stack, before):
    """Add what is wrong now that all has ended."""
    work.lost, work.unaccounted = Memory.of(stack.l1).lost_since(before)
    if work.lost > FREE_TOLERANCE or work.unaccounted > UNACCOUNTED_TOLERANCE:
        work.problems.append(f'{work.lost >> 10} KiB of L1\'s memory have not come back, '
                             f'{work.unaccounted >> 10} KiB of it are nobody\'s')
    if text := trouble(stack.l1):
        work.problems.append(f'L1\'s kernel complains:\n{text}')
    work.compared, wrong = verified(stack)
    if wrong:
        work.problems.append(f'{wrong} of {work.compared} translations by segments differ from '
                             'the page tables')


def machine(log_dir=None):
    """What soak() needs."""
    return Stack(cpu_extra='dseg=on,dseg-verify=on', l1_cpus=2, l1_memory=L1_MEMORY, holes=False,
                 log_dir=log_dir)


def report(work):
    """What has been done, for people."""
    events = ', '.join(f'{name.replace("_", " ")} {n}' for name, n in sorted(work.counts.items()))
    rounds = ', '.join(f'{kind} {n}' for kind, n in work.rounds.items())
    return (f'{sum(work.counts.values())} events: {events}\n'
            f'{work.regions} primary regions in L1, {work.segments} VMM segments attached\n'
            f'rounds with right data: {rounds}\n'
            f'{work.compared} translations compared with the page tables\n'
            f'memory lost {work.lost >> 10} KiB, unaccounted for {work.unaccounted >> 10} KiB')


def parse_arguments(arguments):
    parser = options.Parser('scripts/soak')
    parser.add_argument('--minutes', type=positive_number, default=2)
    parser.add_argument('--seed', type=int, default=int(time.time()))
    parser.add_argument('--logs', type=options.new_folder)
    return parser.parse_args(arguments)


def main(arguments):
    args = parse_arguments(arguments)
    print(f'seed {args.seed}', flush=True)
    with machine(args.logs) as stack:
        stack.boot_l1()
        try:
            work = soak(stack, args.seed, args.minutes)
        except StackError as error:
            print(f'soak: {error}', file=sys.stderr)
            return 1
    print(report(work))
    for problem in work.problems:
        print(f'soak: {problem}', file=sys.stderr)
    return 1 if work.problems else 0


if __name__ == '__main__':
    run_main('soak', main)
