# SPDX-License-Identifier: GPL-2.0-or-later
"""[[figure]] of an experiment file: what it may ask for.

overhead-bars   a group of bars for each workload, a bar for each configuration; by the costs of the
                report, or those of the key costs
lines           a value y by an axis x, a line for each configuration; over: an axis that gives
                means and intervals instead of lines; scale: log, of both
timeline        walks by time, and what happened meanwhile, where a record has that
steps           what each step of a walk takes, and where its entry is found, where there are caches
"""

from . import costs
from .claims import Bad, check_keys, check_selection
from .results import AXES, VALUES

KINDS = ('overhead-bars', 'lines', 'timeline', 'steps')
KEYS = ('kind', 'title', 'where', 'x', 'y', 'over', 'scale', 'costs')


def check(wanted, place):
    """Raise Failure for the first table that can not be understood; place as of claims.check()."""
    for number, figure in enumerate(wanted):
        bad = Bad(place, 'figure', number)
        check_keys(figure, KEYS, ('kind', 'title'), bad)
        if figure['kind'] not in KINDS:
            raise bad('kind', f'{figure["kind"]!r} is none of: ' + ', '.join(KINDS))
        check_selection(figure.get('where', {}), 'where', bad)
        for name, known in (('x', AXES), ('y', [name for name in VALUES if name != 'slowdown'])):
            if (name in figure) != (figure['kind'] == 'lines'):
                raise bad(name, 'lines needs it, and no other kind has it')
            if name in figure and figure[name] not in known:
                raise bad(name, f'{figure[name]!r} is none of: ' + ', '.join(known))
        check_over(figure, bad)
        check_scale(figure, bad)
        if 'costs' in figure and figure['kind'] != 'overhead-bars':
            raise bad('costs', 'only overhead-bars may have it')
        if figure.get('costs', costs.DEFAULT) not in costs.NAMES:
            raise bad('costs', f'{figure["costs"]!r} is none of: ' + ', '.join(costs.NAMES))


def check_scale(figure, bad):
    """It is logarithmic, of an axis of numbers above 0."""
    if 'scale' not in figure:
        return
    if figure['kind'] != 'lines':
        raise bad('scale', 'only lines may have it')
    if figure['scale'] != 'log':
        raise bad('scale', f'must be "log", not {figure["scale"]!r}')
    if figure['x'] != 'filter-bits':
        raise bad('scale', 'log is for x = "filter-bits"; other axes have words, or 0')


def check_over(figure, bad):
    """It is an axis that is not drawn otherwise."""
    over = figure.get('over')
    if over is None:
        return
    if figure['kind'] != 'lines':
        raise bad('over', 'only lines may have it')
    known = [axis for axis in AXES if axis not in ('configuration', figure['x'])]
    if over not in known:
        raise bad('over', f'{over!r} is none of: ' + ', '.join(known))
