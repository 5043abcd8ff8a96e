# SPDX-License-Identifier: GPL-2.0-or-later
"""A workload that runs in a guest: linux/workloads, by what it prints."""

from dataclasses import dataclass

from .console import TimeOut
from .modes import WorkArea

READY = r'^\w+: ready va=(0x[0-9a-f]+) pa=(\w+) bytes=(\d+)\n'
ROUND = (r'^\w+: round (\d+) updates (\d+) seconds ([\d.]+) .* '
         r'checksum ([0-9a-f]+) (ok|BAD) errors (\d+)\n')
ROUND_TIMEOUT = 300

# On each CPU of L1 a process that wakes up now and then. L1 alone would so seldom switch
# address spaces that QEMU's TLB, which grows as needed, would soon hold the whole work area,
# and there would be no walks to count.
COMPANIONS = ('mkfifo /tmp/silent; for cpu in $(seq 0 $(($(nproc) - 1))); do '
              'taskset $((1 << cpu)) sh -c '
              '"exec 3<>/tmp/silent; while ! read -t 0.01 -u 3; do :; done" & '
              'echo $! >>/tmp/companions; done')
END_COMPANIONS = 'kill $(cat /tmp/companions); rm /tmp/companions /tmp/silent'


@dataclass(frozen=True)
class Round:
    """One line that a workload has printed."""
    number: int
    updates: int
    seconds: float
    checksum: str
    errors: int

    @property
    def updates_per_s(self):
        return self.updates / self.seconds


class Workload:
    """One of linux/workloads, running in L1 or L2 until it is stopped."""

    def __init__(self, stack, world, command, *, primary=False, companions=True, timeout=120):
        """Starts it, on the work area of the stack's layout if there is one.

        world: 'nested' for L2, 'native' for L1
        command: name and options
        primary: whether it works on a primary region, from dseg-guest; only without a layout's
            work areas
        companions: have other processes in L1 wake up now and then; not needed with a modelled TLB
        """
        layout = stack.layout
        self.world = world
        self.phases = 2 if command.split()[0] == 'gups' else 1  # pairs of markers in a round
        self.primary = primary
        self._console = stack.l2 if world == 'nested' else stack.l1
        self._companions = companions and world == 'native'
        if self._companions:
            self._console.run(COMPANIONS)
        where = '--primary' if primary else ''
        if layout.holes:
            pa = layout.l2_work_gpa if world == 'nested' else layout.l1_work_hpa
            where = f'--phys {pa:#x}'
        self._console.start(f'{command} --rounds 0 {where} --at {layout.gva:#x}')
        ready = self._console.expect(READY, timeout)
        self.area = WorkArea(world, int(ready[1], 16),
                             int(ready[2], 16) if ready[2].startswith('0x') else None,
                             int(ready[3]))

    def next_round(self, timeout=ROUND_TIMEOUT):
        """Waits until a round ends; returns what it printed."""
        found = self._console.expect(ROUND, timeout)
        return Round(int(found[1]), int(found[2]), float(found[3]), found[4],
                     int(found[6]))

    def rounds_until_now(self):
        """What has been printed and not been asked for yet."""
        rounds = []
        try:
            while True:
                rounds.append(self.next_round(timeout=0))
        except TimeOut:
            return rounds

    def begin_round(self):
        """Waits for a round to begin; returns those that ended till then."""
        return self.rounds_until_now() + [self.next_round()]

    def stop(self):
        self._console.interrupt()
        if self._companions:
            self._console.run(END_COMPANIONS)
