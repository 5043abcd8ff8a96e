# SPDX-License-Identifier: GPL-2.0-or-later
"""In which circumstances the points of two runs were measured: what differs, and what does not.

Points of one run may differ, too: it may have gone on on another machine. What points have because
of their axes, such as the command line of the workload, is no circumstance: it is held against that
of the other run's partner.
"""

from collections import Counter

from ..points.point import BOOT, PROGRAMS

INPUTS = 'inputs.'
CIRCUMSTANCES = tuple(f'{INPUTS}{name}' for name in (*BOOT, PROGRAMS))      # of the inputs
AGAIN = 'command'       # it makes just this point again, so that no two points share it
NEEDS_NONE = f'{INPUTS}{PROGRAMS}'      # null where a point needs none
UNKNOWN = '-'
SHOWN = 3               # values of a run


def differences(left, right, cases):
    """(what, of A, of B) for all that is not the same in each point of both Results."""
    found = []
    for name in names_of(left, right):
        points = of_different_partners(name, cases) if is_of_axes(name) else \
            (measured(left), measured(right))
        ours, theirs = (values_of(some, name) for some in points)
        if len({*ours, *theirs}) > 1:
            found.append((name, say(ours), say(theirs)))
    return found


def common(left, right):
    """(what, value) of all that is the same in each point of both."""
    found = []
    for name in names_of(left, right):
        values = {*values_of(measured(left), name), *values_of(measured(right), name)}
        if len(values) == 1:
            found.append((name, min(values)))
    return found


def measured(run):
    """Its points that count."""
    return [point for point in run.points if point.record]


def names_of(left, right):
    """All that is known of a point of either, in order."""
    return [name for name in dict.fromkeys(name for run in (left, right) for point in measured(run)
                                           for name in point.origin) if name != AGAIN]


def is_of_axes(name):
    """Whether points have it because of their axes."""
    return name.startswith(INPUTS) and name not in CIRCUMSTANCES


def values_of(points, name):
    """How many points have each value, as texts."""
    values = [point.origin.get(name) for point in points]
    if name == NEEDS_NONE:
        values = [value for value in values if value is not None]
    return Counter(UNKNOWN if value is None else str(value) for value in values)


def of_different_partners(name, cases):
    """The points of both sides whose partners have another value."""
    found = [], []
    for case in cases:
        if set(values_of(case.left, name)) != set(values_of(case.right, name)):
            found[0].extend(case.left)
            found[1].extend(case.right)
    return found


def say(values):
    """A value, or the most frequent ones with the number of points that have each."""
    if len(values) < 2:
        return min(values, default=UNKNOWN)
    order = sorted(values.items(), key=lambda item: (-item[1], item[0]))
    texts = [f'{value} ({count} point{"s" * (count > 1)})' for value, count in order[:SHOWN]]
    return ', '.join([*texts, *([f'{len(order) - SHOWN} more'] if len(order) > SHOWN else [])])
