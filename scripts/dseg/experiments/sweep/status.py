# SPDX-License-Identifier: GPL-2.0-or-later
"""What there is of an experiment: how many points are done, which have failed, and why."""

from collections import Counter


def state(store, point):
    """'done', 'failed' or 'to do'; raises Failure for a damaged record."""
    if store.record(point):
        return 'done'
    return 'to do' if store.error(point) is None else 'failed'


def text(store):
    """For people: a line for each configuration, and each point that has failed."""
    states = {point.id: state(store, point) for point in store.points}
    counts = Counter(states.values())
    lines = [f'{store.folder}: {store.experiment["title"]}',
             f'{len(states)} points: ' + _counts(counts), '']
    by_configuration = {}
    for point in store.points:
        by_configuration.setdefault(point.axes['configuration'], Counter())[states[point.id]] += 1
    width = max(map(len, by_configuration))
    lines += [f'{name:{width}}  {_counts(found)}' for name, found in by_configuration.items()]
    for point in store.points:
        if states[point.id] == 'failed':
            why = store.error(point).splitlines()
            lines += ['', f'{point} has failed:', *(f'  {line}' for line in why[-5:]),
                      f'  all of it: {store.place(point) / "error.txt"}']
    return '\n'.join(lines)


def _counts(counts):
    return ', '.join(f'{counts[name]} {name}' for name in ('done', 'failed', 'to do')
                     if counts[name])
