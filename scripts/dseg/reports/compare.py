# SPDX-License-Identifier: GPL-2.0-or-later
"""What has changed from one run to another, beyond noise.

Points with a clock that counts instructions are the same each time, so any difference is a change.
Others have noise: a value has changed if the 95 % interval of the difference of the means of the
repeats does not have 0 in it.
"""

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from statistics import mean

from ..points.axes import value_text
from . import origins, results
from .claims import name_of
from .noise import interval, welch

VALUES = ('walks', 'refs-per-walk', 'checks-per-walk', 'exits', 'overhead', 'measured-overhead')
CHANGED, SAME, UNKNOWN = 'changed', 'same', 'one repeat only'
HEADER = ('point', 'value', 'A', 'B', 'change', '')


@dataclass(frozen=True)
class Change:
    """A value of a case, in both runs."""
    case: 'Case'
    value: str          # of VALUES
    left: list          # of each repeat
    right: list
    verdict: str

    @property
    def share(self):
        """How far the mean is above that of the first run, as a share of it; None if that is 0."""
        base = mean(self.left)
        return mean(self.right) / base - 1 if base else None

    @property
    def line(self):
        """As texts, below HEADER."""
        return (self.case.name, self.value, say(self.value, self.left), say(self.value, self.right),
                '-' if self.share is None else f'{self.share:+.2%}', self.verdict)


@dataclass(frozen=True)
class Case:
    """The points of both runs that are repeats of each other; of one side there may be none."""
    name: str
    axes: dict          # that all of them share
    left: list
    right: list


class Comparison:
    """Two runs, point by point."""

    def __init__(self, left, right):
        """left, right: Results"""
        self.left, self.right = left, right
        self.axes = whole_difference(left, right)       # in which they differ: by axis, of both
        self._ignored = {'repeat', *self.axes}
        self.varying = self._varying_axes()             # those that cases differ in
        found = self._find_cases()
        self.cases = [case for case in found if case.left and case.right]
        self.lone = [('A' if case.left else 'B', case.name) for case in found
                     if not (case.left and case.right)]

    def _varying_axes(self):
        points = [*self.left.points, *self.right.points]
        return [axis for axis in results.AXES if axis not in self._ignored
                and (axis in ('workload', 'configuration')
                     or len({str(point.axes.get(axis)) for point in points}) > 1)]

    def _find_cases(self):
        """Of all points that are measured."""
        found = {}
        for side, run in enumerate((self.left, self.right)):
            for point in run.points:
                axes = {name: value for name, value in point.axes.items()
                        if name not in self._ignored}
                if point.record:
                    found.setdefault(results.key(axes), (axes, [], []))[1 + side].append(point)
        return [Case(name_of((left or right)[0], self.varying) or 'the only one', axes, left, right)
                for axes, left, right in found.values()]

    @cached_property
    def changes(self):
        """All values that both runs have."""
        found = []
        for case in self.cases:
            for value in VALUES:
                left, right = self.numbers(case, value)
                if left and right:
                    found.append(Change(case, value, left, right,
                                        verdict(left, right, is_deterministic(case))))
        return found

    def numbers(self, case, value):
        """Of each repeat on both sides, as far as it is known."""
        return [[number for point in points if (number := run.value(point, value)) is not None]
                for run, points in ((self.left, case.left), (self.right, case.right))]

    @cached_property
    def differences(self):
        """(what, of A, of B): axes in which the runs differ; provenance in which any points do."""
        axes = [(axis, *map(value_text, pair)) for axis, pair in self.axes.items()]
        return axes + origins.differences(self.left, self.right, self.cases)

    @property
    def common(self):
        """(what, of both): provenance that all points of both runs share."""
        return origins.common(self.left, self.right)

    @property
    def counts(self):
        """In words, how many values have each verdict."""
        found = Counter(change.verdict for change in self.changes)
        return ', '.join(f'{found[state]} {state}' for state in (CHANGED, SAME, UNKNOWN) if found[state])


def whole_difference(left, right):
    """The axes in which each side has one value, and another one: two geometries, say."""
    found = {}
    for axis in results.AXES:
        values = [{point.axes.get(axis) for point in run.points} for run in (left, right)]
        if values[0] != values[1] and max(map(len, values)) == 1:
            found[axis] = tuple(min(each, key=str) for each in values)
    return found


def is_deterministic(case):
    """Whether its points count the same each time."""
    return all(point.axes['clock'] == 'instructions' for point in (*case.left, *case.right))


def verdict(left, right, deterministic):
    """Whether a value has changed: its repeats on both sides."""
    if deterministic:
        return CHANGED if set(left) != set(right) else SAME
    if min(len(left), len(right)) < 2:
        return UNKNOWN
    change, half = welch(left, right)
    return CHANGED if abs(change) > half else SAME


def say(value, numbers):
    """The mean, and its interval where there is one."""
    def text(number):
        if value in results.SHARES:
            return f'{number:.3%}'
        return f'{number:.0f}' if value in ('walks', 'exits') else f'{number:.4f}'
    if len(numbers) < 2 or min(numbers) == max(numbers):
        return text(mean(numbers))
    middle, half = interval(numbers)
    return f'{text(middle)} ± {text(half)}'
