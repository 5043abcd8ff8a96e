# SPDX-License-Identifier: GPL-2.0-or-later
"""The numbers of all points as a table: text for people, CSV and JSON for programs.

None of the columns is a time of this machine, so that points that count alike give files alike.
"""

import csv
import io
import json

from ..points import records
from ..points.axes import value_text
from . import costs, counts, models
from .results import AXES

SCHEMA = 1
SHOWN = ('workload', 'configuration', 'walks', 'refs per walk', 'checks per walk', 'exits',
         'overhead', 'x0.5', 'x2')
BY_CACHES = ('measured', 'from direct')     # where a point has modelled caches
CONTIGUITY = ('mapped', 'covered-32', 'covered-128', 'runs-80', 'runs-90', 'runs-99')


def row(results, point):
    """A point by columns, with exact numbers; None is not known or not measured."""
    found = {'id': point.id, **{axis: point.axes.get(axis) for axis in AXES},
             'label': results.configuration(point).label,
             'state': 'measured' if point.record else 'failed' if point.error else 'missing'}
    found.update(dict.fromkeys(NUMBERS))
    if point.record:
        found.update(numbers(results, point))
    return found


def numbers(results, point):
    """All columns of a record."""
    record, configuration = point.record, results.configuration(point)
    program, everything = results.program(point), counts.tally(record['walks'])
    parts = results.parts(point)
    found = {'instructions': record['instructions'], 'checksum': record.get('checksum'),
             **{f'program-{field}': program[field] for field in records.FIELDS},
             'all-walks': everything['walks'],
             'all-refs': everything['guest-refs'] + everything['nested-refs'],
             'refs-per-walk': results.value(point, 'refs-per-walk'),
             'checks-per-walk': results.value(point, 'checks-per-walk'),
             'exits': counts.exits(record),
             'guest-cycles': parts.guest, 'nested-cycles': parts.nested,
             'check-cycles': parts.checks, 'l2-hit-cycles': parts.hits, 'ideal-cycles': parts.ideal,
             'overhead': parts.overhead}
    if record['tlb']:
        found.update({f'tlb-{level}-{what}': counts.lookups(record, what, level)
                      for level in ('l1', 'l2') for what in ('hits', 'misses')})
    found['overhead-x0.5'], found['overhead-x2'] = models.band(record, configuration, results.costs)
    for name in costs.PRESETS:
        found[f'overhead-{name}'] = results.parts(point, costs.preset(name)).overhead
    found['overhead-measured'] = results.value(point, 'measured-overhead')
    found['measured-from-direct'] = results.measured_from_direct(point)
    found.update({f'overhead-{name}': value for name, value in results.models(point).items()})
    faults = record.get('page-faults') or {}
    found.update({f'page-faults-{kind}': faults.get(kind) for kind in ('minor', 'major')})
    for dimension in ('guest', 'nested', 'both'):
        runs = (record.get('contiguity') or {}).get(dimension) or {}
        found.update({f'contiguity-{dimension}-{name}': runs.get(name) for name in CONTIGUITY})
    return found


NUMBERS = (
    'instructions', 'checksum', *(f'program-{field}' for field in records.FIELDS), 'all-walks',
    'all-refs', 'refs-per-walk', 'checks-per-walk',
    *(f'tlb-{level}-{what}' for level in ('l1', 'l2') for what in ('hits', 'misses')),
    'exits', 'page-faults-minor', 'page-faults-major',
    'guest-cycles', 'nested-cycles', 'check-cycles', 'l2-hit-cycles', 'ideal-cycles',
    'overhead', 'overhead-x0.5', 'overhead-x2', *(f'overhead-{name}' for name in costs.PRESETS),
    'overhead-measured', 'measured-from-direct', *(f'overhead-{name}' for name in models.MODELS),
    *(f'contiguity-{dimension}-{name}' for dimension in ('guest', 'nested', 'both')
      for name in CONTIGUITY))
COLUMNS = ('id', *AXES, 'label', 'state', *NUMBERS)


def rows(results):
    """All points, in the order of the experiment."""
    return [row(results, point) for point in results.points]


def to_csv(columns, lines):
    """The text of a CSV file; a line is a dict."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator='\n')
    writer.writeheader()
    writer.writerows(lines)
    return text.getvalue()


def to_json(results, outcomes=()):
    """The text of a JSON file: the same columns, the claims, and where all that comes from."""
    found = {'schema': SCHEMA, 'costs': results.costs.name, 'points': rows(results),
             'claims': [{'text': each.claim['text'], 'state': each.state, 'found': each.found,
                         'source': each.claim['source'], 'numbers': dict(each.rows)}
                        for each in outcomes]}
    return json.dumps(found, indent=1, ensure_ascii=False) + '\n'


def share(number):
    """A share in percent, for people."""
    return '-' if number is None else f'{number:.1%}' if abs(number) < 9.995 else f'{number:.0%}'


def header(results):
    """What people are shown of a point, the linear models last."""
    return (*SHOWN, *(BY_CACHES if results.has_caches else ()),
            *(model.name for model in models.MODELS.values()))


def shown(results, point):
    """A point by header(), as texts."""
    found = row(results, point)
    per_walk = [f'{found[name]:.2f}' if found[name] is not None else '-'
                for name in ('refs-per-walk', 'checks-per-walk')]
    plain = [str(found[name]) if found[name] is not None else '-'
             for name in ('program-walks', 'exits')]
    shares = [share(found[name]) for name in (
        'overhead', 'overhead-x0.5', 'overhead-x2',
        *(('overhead-measured', 'measured-from-direct') if results.has_caches else ()),
        *(f'overhead-{name}' for name in models.MODELS))]
    walks = plain[0] if point.record else found['state']
    return (found['workload'], special(results, point), walks, *per_walk, plain[1], *shares)


def special(results, point):
    """Its configuration, and the axes in which points of the run differ."""
    words = [results.label(point.axes['configuration'])]
    words += [f'{axis} {value_text(point.axes[axis])}' for axis in differing(results)]
    return ', '.join(words)


def differing(results):
    """The axes that the points of a run differ in, but for workload and configuration."""
    return [axis for axis in AXES[2:]
            if len({str(point.axes.get(axis)) for point in results.points}) > 1]


def to_text(results):
    """The table for people."""
    return aligned([header(results), *(shown(results, point) for point in results.points)], left=2)


def markdown(header, rows=()):
    """A table as documents have it."""
    return '\n'.join(map(line, (header, ['---'] * len(header), *rows)))


def line(cells):
    """A line of it."""
    return '| ' + ' | '.join(cells).lstrip() + ' |'


def aligned(lines, left=1):
    """Columns side by side: the first ones to the left, the others, numbers, to the right."""
    widths = [max(map(len, column)) for column in zip(*lines)]
    return '\n'.join('  '.join(
        f'{cell:<{width}}' if place < left else f'{cell:>{width}}'
        for place, (cell, width) in enumerate(zip(line, widths))).rstrip() for line in lines)
