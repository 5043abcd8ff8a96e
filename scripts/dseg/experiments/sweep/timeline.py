# SPDX-License-Identifier: GPL-2.0-or-later
"""A run in whose middle the VMM segment is lost and restored: the walks round by round.

The program does many rounds. The machine stops where the updates of a round end, and there the
walks of these are taken. Behind the first third of the rounds the event begins, and behind the
second one it is undone: L1 is told so by orders, typed while the machine is stopped.
"""

import re

from ...points.axes import EVENT_ROUNDS
from ...reports.counts import rows
from ...stack.console import StackError
from ..counted import ROUNDS, updates_of, walk_counts
from .events import EVENTS, give_way

SHOWN = 12                      # of the rounds, one in so many at least is of each phase
SECONDS = 2e-9                  # of an instruction, by the guests' clock (-icount shift=1)
ORDER_SECONDS = 600
ROUND = re.compile(r'round (\d+) .* checksum ([0-9a-f]+) (ok|BAD) errors (\d+)$', re.M)


ENDS = tuple(updates_of(number)[0][1] for number in range(ROUNDS))


class Timeline:
    """What happens in a run, as it goes on."""

    def __init__(self, guests, event, rounds=EVENT_ROUNDS):
        self._guests, self._rounds = guests, rounds
        give_way(guests.stack)
        self._happening = EVENTS[event](guests)
        self._plan = [(rounds // 3, self._happening.lose, 'between'),
                      (2 * rounds // 3, self._happening.restore, 'after')]
        self._phase, self._since, self._busy = 'before', 0, False
        self._start = None      # of the first updates, in instructions
        self.parts, self.samples, self.events = [], [], []

    @property
    def at(self):
        """For Exact.run()."""
        return ENDS, self.take

    def take(self, marker):
        """A round's updates have ended: note its walks, and do what is to be done now."""
        number = len(self.samples) + 1
        begin_label, end_label = updates_of(number)[0]
        if marker['label'] != end_label:
            raise StackError(f'round {number} has not ended with marker {end_label:#x}, but with '
                             f'{marker["label"]:#x}')
        begin = self._guests.stack.markers()[begin_label]
        if self._start is None:
            self._start = begin['instructions']
        self._sample(begin, marker)
        if self._plan and number >= self._plan[0][0] and self._is_shown():
            self._do(*self._plan.pop(0)[1:])

    def _is_shown(self):
        """Whether enough rounds were of the phase that it is now."""
        rounds = sum(sample['phase'] == self._phase for sample in self.samples)
        return not self._busy and rounds >= self._rounds // SHOWN

    def _sample(self, begin, end):
        whole = not self._busy and begin['instructions'] > self._since
        self.parts.append((begin, end))
        self.samples.append({'from': self._time(begin), 'at': self._time(end),
                             'phase': self._phase if whole else 'during',
                             'walks': walks_of(begin, end)})

    def _do(self, steps, phase):
        """Have L1 do the steps, while the program goes on as far as they let it."""
        self._busy = True
        for text, order in steps():
            begin = self._now()
            said = self._guests.stack.run('l1', order, ORDER_SECONDS, at=self.at).split()
            if not said or said[-1] == '0':
                raise StackError(f'nothing has come of it that {text.format("some")}:\n{order}')
            amount = {'pages': int(said[-1])} if '{} pages' in text else {}
            self.events.append({'at': begin, 'until': self._now(), 'text': text.format(said[-1]),
                                **amount})
        self._busy, self._phase = False, phase
        self._since = self._last()['instructions']

    def _last(self):
        """The marker that has stopped the machine."""
        return max(self._guests.stack.markers().values(),
                   key=lambda marker: marker['instructions'])

    def _now(self):
        return self._time(self._last())

    def _time(self, marker):
        """Seconds of the guests' clock since the first updates began."""
        return round((marker['instructions'] - self._start) * SECONDS, 6)

    def check(self, output):
        """Whether all data was right, and its sum; raises StackError if not all has happened."""
        found = ROUND.findall(output)
        if len(found) != self._rounds or len(self.samples) != self._rounds:
            raise StackError(f'{len(found)} rounds of {self._rounds} have ended, and '
                             f'{len(self.samples)} were seen:\n{output}')
        if self._plan:
            raise StackError('the program has ended before the segment was restored: '
                             f'{self.events[-1]["text"] if self.events else "nothing"} came last')
        right = all((state, errors) == ('ok', '0') for _, _, state, errors in found)
        return right, found[-1][1]

    def as_record(self):
        return {'samples': self.samples, 'events': self.events}


def walks_of(begin, end):
    """The program's walks between two markers, by regime."""
    found = {}
    for row in rows(walk_counts([(begin, end)]), 'nested', 'user'):
        found[row['regime']] = found.get(row['regime'], 0) + row['walks']
    return found
