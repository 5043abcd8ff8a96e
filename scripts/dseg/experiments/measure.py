# SPDX-License-Identifier: GPL-2.0-or-later
"""What a workload in a guest does, and what its page walks cost.

    workload = Workload(stack, 'nested', 'gups --bytes 64M')
    set_mode(stack, 'vmm-direct', workload.area)
    result = measure(stack, workload, 'vmm-direct', rounds=2)
    workload.stop()

The counters come from the QMP commands query-x86-dseg-walks and
query-x86-dseg-markers; their fields are described in
target-i386-ext/x86-dseg.json.
"""

import statistics
from collections import Counter
from dataclasses import dataclass
from itertools import zip_longest

from ..reports import counts
from .counted import updates_of, walk_counts


@dataclass(frozen=True)
class Walks:
    """The walk counters of all CPUs together, or a part of them."""

    total: Counter      # by field of X86DsegTally
    regimes: Counter    # walks by regime
    refs: Counter       # walks by (guest references, nested references)
    checks: Counter     # walks by base-bound checks

    @classmethod
    def of(cls, parts, world=None, privilege=None):
        """Those between markers, as counted.py has them.

        world ('native', 'nested') and privilege ('user', 'kernel') say which
        walks; by default all.
        """
        record = walk_counts(parts)
        rows = counts.rows(record, world, privilege)
        regimes = Counter()
        for row in rows:
            regimes[row['regime']] += row['walks']
        return cls(counts.tally(rows), regimes, counts.bars(record, world, privilege),
                   counts.checks(record, world, privilege))

    @classmethod
    def from_reply(cls, cpus, world=None, privilege=None, since=()):
        """Adds up the reply to query-x86-dseg-walks, less an earlier one."""
        parts = zip_longest(since, cpus)
        return cls.of([(old and {'walks': old}, {'walks': new}) for old, new in parts], world,
                      privilege)

    @property
    def count(self):
        return self.total['walks']

    @property
    def refs_histogram(self):
        """Walks by references in both dimensions together."""
        histogram = Counter()
        for (guest, nested), walks in self.refs.items():
            histogram[guest + nested] += walks
        return histogram

    @property
    def refs_typical(self):
        return most_frequent(self.refs_histogram)

    @property
    def checks_typical(self):
        return most_frequent(self.checks)

    def mean(self, field):
        """Of one field of X86DsegTally, per walk."""
        return self.total[field] / self.count if self.count else 0.0

    @property
    def refs_mean(self):
        return self.mean('guest-refs') + self.mean('nested-refs')

    def share(self, regime):
        """How much of all walks were of that regime, 0 to 1."""
        return self.regimes[regime] / self.count if self.count else 0.0


def most_frequent(counter):
    """The key with the highest count; None if there is nothing."""
    return max(counter, key=counter.get, default=None)


@dataclass(frozen=True)
class Result:
    """A workload in one mode: what it printed, and what its walks cost."""

    mode: str
    walks: Walks
    rounds: list
    remark: str = ''    # what is special about it
    earlier: tuple = () # other rounds: in which the mode was being set, say

    @property
    def name(self):
        return f'{self.mode} {self.remark}'.rstrip()

    @property
    def checksum_ok(self):
        return not any(r.errors for r in (*self.earlier, *self.rounds))

    @property
    def updates_per_s(self):
        return statistics.median(r.updates_per_s for r in self.rounds)

    @property
    def share(self):
        """How much of all walks were of the mode's own regime."""
        return self.walks.share(self.mode)


def measure(stack, workload, mode, rounds, remark=''):
    """Counts the workload's walks in @rounds whole rounds, in the mode now set.

    They are those made with user privilege in its world, where little else
    runs; the kernels below it make others meanwhile.
    """
    earlier = workload.begin_round()
    if len(stack.qmp('query-cpus-fast')) == 1:
        measured, walks, others = between_markers(stack, workload, rounds)
    else:
        measured, walks, others = between_rounds(stack, workload, rounds)
    return Result(mode, walks, measured, remark, (*earlier, *others))


def between_markers(stack, workload, rounds):
    """Only what the updates cost: between the marker instructions."""
    measured, others, parts = [], [], []
    while len(measured) < rounds:
        if len(others) > 1000 * rounds:
            raise RuntimeError('rounds are over before their markers can be looked at: the '
                               'machine is too busy to measure')
        others += workload.rounds_until_now()   # some, where the machine is busy
        latest = workload.next_round()
        marked = marked_parts(stack.markers(), latest.number, workload.phases)
        parts += marked
        (measured if marked else others).append(latest)
    return measured, Walks.of(parts, workload.world, 'user'), others


def between_rounds(stack, workload, rounds):
    """All of whole rounds: for threads that move between CPUs."""
    stack.qmp('x86-dseg-walks-reset')
    late = workload.rounds_until_now()      # over before the counters began
    measured = [workload.next_round() for _ in range(rounds)]
    reply = stack.qmp('query-x86-dseg-walks')
    return measured, Walks.from_reply(reply, workload.area.world, 'user'), late


def marked_parts(markers, number, phases):
    """The pairs of markers around the updates of round @number: see linux/workloads/common.h.

    None of them if they are not there any more: reset, or passed again in a later round.
    """
    labels = updates_of(number)[:phases]
    if any(label not in markers for pair in labels for label in pair):
        return []       # it began before the counters were reset, which forgets them
    parts = [(markers[begin], markers[end]) for begin, end in labels]
    walked = [marker['walks']['total']['walks'] for part in parts for marker in part]
    # Counters only grow: out of order, some are of a later round.
    return parts if walked == sorted(walked) else []
