# SPDX-License-Identifier: GPL-2.0-or-later
"""scripts/experiment compare: two runs side by side, with what has changed beyond noise.

Points with a clock that counts instructions are the same each time, so any difference is a change.
Others have noise: a value has changed if the 95 % interval of the difference of the means of the
repeats does not have 0 in it.
"""

from statistics import mean

from . import results, table
from .claims import name_of
from .noise import interval, welch

VALUES = ('walks', 'refs-per-walk', 'checks-per-walk', 'exits', 'overhead', 'measured-overhead')
CHANGED, SAME, UNKNOWN = 'changed', 'same', 'one repeat only'


def verdict(left, right, deterministic):
    """Whether a value has changed: its repeats on both sides."""
    if deterministic:
        return CHANGED if sorted(left) != sorted(right) else SAME
    if min(len(left), len(right)) < 2:
        return UNKNOWN
    change, half = welch(left, right)
    return CHANGED if abs(change) > half else SAME


def cases(run, ignored):
    """The points of each case, which repeats share: by the axes that are not ignored."""
    found = {}
    for point in run.points:
        axes = {name: value for name, value in point.axes.items() if name not in ignored}
        found.setdefault(results.key(axes), []).append(point)
    return found


def whole_difference(left, right):
    """The axes in which each side has one value, and another one: two geometries, say."""
    found = {}
    for axis in results.AXES:
        values = [{point.axes.get(axis) for point in run.points} for run in (left, right)]
        if values[0] != values[1] and max(map(len, values)) == 1:
            found[axis] = tuple(min(each, key=str) for each in values)
    return found


def compare(left, right):
    """(rows, what only one side has): a row is case, value, text of each side, change, verdict."""
    ignored = {'repeat', *whole_difference(left, right)}
    ours, theirs = cases(left, ignored), cases(right, ignored)
    every = [point for run in (left, right) for point in run.points]
    varying = [axis for axis in results.AXES if axis not in ignored
               and (axis in ('workload', 'configuration')
                    or len({str(point.axes.get(axis)) for point in every}) > 1)]
    rows = []
    for case in ours:
        name = name_of(ours[case][0], varying)
        for value in VALUES if case in theirs else ():
            sides = [[number for point in side[case]
                      if (number := run.value(point, value)) is not None]
                     for run, side in ((left, ours), (right, theirs))]
            if all(sides):
                rows.append(row(name, value, *sides, ours[case][0].axes['clock'] == 'instructions'))
    lone = [(side, name_of(points[case][0], varying))
            for side, points, others in (('A', ours, theirs), ('B', theirs, ours))
            for case in points if case not in others]
    return rows, lone


def row(name, value, left, right, deterministic):
    """A line of the comparison."""
    base = mean(left)
    change = f'{mean(right) / base - 1:+.2%}' if base else '-'
    return (name, value, say(value, left), say(value, right), change,
            verdict(left, right, deterministic))


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


def differences(left, right):
    """What the provenance of all points of one side has, and the other not."""
    def common(run):
        found = [point.provenance for point in run.points if point.provenance]
        return {name: value for name, value in (found[0] if found else {}).items()
                if all(each.get(name) == value for each in found)}
    ours, theirs = common(left), common(right)
    return [(name, str(ours.get(name, '-')), str(theirs.get(name, '-')))
            for name in dict.fromkeys([*ours, *theirs]) if ours.get(name) != theirs.get(name)]


def main(first, second):
    """Print the comparison of two folders; returns 0."""
    (_, left), (_, right) = results.read(first), results.read(second)
    print(f'A: {first}\nB: {second}')
    about = [(axis, *map(str, pair)) for axis, pair in whole_difference(left, right).items()]
    about += differences(left, right)
    if about:
        print('\n' + table.aligned([('differs', 'A', 'B'), *about], left=3))
    rows, lone = compare(left, right)
    changed = [each for each in rows if each[-1] != SAME]
    if changed:
        header = ('point', 'value', 'A', 'B', 'change', '')
        print('\n' + table.aligned([header, *changed], left=2))
    counted = {state: sum(each[-1] == state for each in rows) for state in (CHANGED, SAME, UNKNOWN)}
    print('\n' + ', '.join(f'{count} {state}' for state, count in counted.items() if count)
          + f' of {len(rows)} values' if rows else '\nThey have no point in common.')
    for side, name in lone:
        print(f'only {side} has {name}')
    return 0
