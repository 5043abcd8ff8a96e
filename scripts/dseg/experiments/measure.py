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

FIRST_LABEL = 0x100     # of linux/workloads/common.h

# Of X86DsegTally.
FIELDS = ('walks', 'guest-refs', 'nested-refs', 'checks', 'filter-lookups',
          'escapes', 'false-escapes')


@dataclass(frozen=True)
class Walks:
    """The walk counters of all CPUs together, or a part of them."""

    total: Counter      # by field of X86DsegTally
    regimes: Counter    # walks by regime
    refs: Counter       # walks by (guest references, nested references)
    checks: Counter     # walks by base-bound checks

    @classmethod
    def from_reply(cls, cpus, world=None, privilege=None):
        """Adds up the reply to query-x86-dseg-walks.

        world ('native', 'nested') and privilege ('user', 'kernel') say which
        walks; by default all.
        """
        def wanted(item):
            return (world in (None, item['world'])
                    and privilege in (None, item['privilege']))

        total, regimes, refs, checks = (Counter() for _ in range(4))
        for cpu in cpus:
            for tally in cpu['regimes']:
                regime = tally['regime']
                if wanted({**tally, 'world': world_of(regime)}):
                    regimes[regime] += tally['walks']
                    total.update({field: tally[field] for field in FIELDS})
            for bar in filter(wanted, cpu['refs-histogram']):
                refs[bar['guest'], bar['nested']] += bar['walks']
            for bar in filter(wanted, cpu['checks-histogram']):
                checks[bar['checks']] += bar['walks']
        return cls(total, regimes, refs, checks)

    @classmethod
    def none(cls):
        return cls(*(Counter() for _ in range(4)))

    def __add__(self, other):
        return Walks(self.total + other.total, self.regimes + other.regimes,
                     self.refs + other.refs, self.checks + other.checks)

    def __sub__(self, other):
        return Walks(self.total - other.total, self.regimes - other.regimes,
                     self.refs - other.refs, self.checks - other.checks)

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


def world_of(regime):
    """Where walks of a regime are made."""
    return 'native' if regime.startswith('native') else 'nested'


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
    measured, others = [], []
    walks = Walks.none()
    while len(measured) < rounds:
        if len(others) > 1000 * rounds:
            raise RuntimeError('rounds are over before their markers can be looked at: the '
                               'machine is too busy to measure')
        others += workload.rounds_until_now()   # some, where the machine is busy
        latest = workload.next_round()
        cost = marked_walks(stack.qmp('query-x86-dseg-markers'), latest.number,
                            workload)
        if cost:
            walks += cost
            measured.append(latest)
        else:
            others.append(latest)
    return measured, walks, others


def between_rounds(stack, workload, rounds):
    """All of whole rounds: for threads that move between CPUs."""
    stack.qmp('x86-dseg-walks-reset')
    late = workload.rounds_until_now()      # over before the counters began
    measured = [workload.next_round() for _ in range(rounds)]
    reply = stack.qmp('query-x86-dseg-walks')
    return measured, Walks.from_reply(reply, workload.area.world, 'user'), late


def marked_walks(markers, number, workload):
    """The workload's user walks of round @number: see linux/workloads/common.h.

    None if its markers are not there any more: reset, or passed again in a later round.
    """
    snapshots = {marker['label']: marker for marker in markers}
    first = FIRST_LABEL + 4 * (number % 4)
    if any(label not in snapshots for label in range(first, first + 2 * workload.phases)):
        return None     # it began before the counters were reset, which forgets them
    walks = Walks.none()
    for begin in (first, first + 2)[:workload.phases]:
        before, after = (snapshots[label]['walks'] for label in (begin, begin + 1))
        # Counters only grow, so this is the begin of a later round.
        if before['total']['walks'] > after['total']['walks']:
            return None
        # And this one lies between its two phases.
        if before['total']['walks'] < snapshots[first]['walks']['total']['walks']:
            return None
        walks += (Walks.from_reply([after], workload.world, 'user')
                  - Walks.from_reply([before], workload.world, 'user'))
    return walks
