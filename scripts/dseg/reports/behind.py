# SPDX-License-Identifier: GPL-2.0-or-later
"""The table behind each figure: a header, and rows of texts."""

from ..points.axes import value_text
from . import figures, models, stepcells
from .results import SHARES
from .table import share, special


def table(wanted, results):
    """(header, rows) of a [[figure]]."""
    points = [point for point in results.select(wanted.get('where', {})) if point.record]
    kinds = {'overhead-bars': bars, 'lines': lines, 'timeline': timeline, 'steps': steps}
    return kinds[wanted['kind']](wanted, results, points)


def bars(wanted, results, points):
    """The parts of each overhead, and its band."""
    header = ('workload', 'configuration', *(about for _, about, _ in figures.PARTS), 'overhead',
              'steps x0.5', 'steps x2')
    rows = []
    points, chosen = figures.with_overhead(wanted, results, points)
    for point in points:
        parts = results.parts(point, chosen)
        low, high = models.band(point.record, results.configuration(point), chosen)
        rows.append((point.axes['workload'], special(results, point),
                     *(share(parts.share(part)) for part, *_ in figures.PARTS),
                     share(parts.overhead), share(low), share(high)))
    return header, rows


def lines(wanted, results, points):
    """Each value."""
    rows = []
    for point in points:
        value = results.value(point, wanted['y'])
        text = '-' if value is None else share(value) if wanted['y'] in SHARES else f'{value:g}'
        rows.append((point.axes['workload'], special(results, point), value_text(point.axes[wanted['x']]),
                     text))
    return ('workload', 'configuration', wanted['x'], wanted['y']), rows


def timeline(_, results, points):
    """The samples of each point, and its events."""
    rows = []
    for point in points:
        found = point.record.get('timeline') or {}
        name = f'{point.axes["workload"]}, {special(results, point)}'
        timed = [(sample['at'], ', '.join(f'{regime} {count}' for regime, count
                                          in sorted(sample['walks'].items()) if count))
                 for sample in found.get('samples', [])]
        timed += [(event['at'], event['text']) for event in found.get('events', [])]
        rows += [(name, f'{at:g}', text) for at, text in sorted(timed)]
    return ('point', 'second', 'walks, or what happened'), rows


def steps(_, results, points):
    """The cycles of each step per walk, and the share of it that was found in each place."""
    rows = []
    for point in points:
        found = stepcells.of_point(results, point)
        rows += [(point.axes['workload'], special(results, point), *line)
                 for line in (found.lines() if found else ())]
    return ('workload', 'configuration', *stepcells.HEADER), rows
