# SPDX-License-Identifier: GPL-2.0-or-later
"""[[figure]] of an experiment file: what it may ask for.

overhead-bars   a group of bars for each workload, a bar for each configuration; by the costs of the
                report, or those of the key costs
lines           a value y by an axis x, a line for each configuration, or marks if x has words;
                over: an axis that gives means and intervals instead of lines; scale: log, of both
timeline        walks by time, and what happened meanwhile, where a record has that
steps           what each step of a walk takes, and where its entry is found, where there are caches
"""

from . import costs
from .results import AXES, VALUES
from .rules import Bad, check_keys, check_selection, check_text, check_word

KINDS = ('overhead-bars', 'lines', 'timeline', 'steps')
KEYS = ('kind', 'title', 'where', 'x', 'y', 'over', 'scale', 'costs')
Y = tuple(name for name in VALUES if name != 'slowdown')
OWN = {'lines': ('x', 'y', 'over', 'scale'), 'overhead-bars': ('costs',)}   # keys of a kind alone
NEEDED = {'lines': ('x', 'y')}


def check(wanted, tables, problems):
    """Add all that can not be understood. tables: of the experiment file"""
    for number, figure in enumerate(wanted):
        bad = Bad(problems, tables, 'figure', number)
        check_keys(figure, KEYS, ('kind', 'title'), bad)
        check_text(figure, 'title', bad)
        check_word(figure, 'kind', KINDS, bad)
        check_selection(figure, 'where', bad)
        check_kind(figure, bad)
        for name, known in (('x', AXES), ('y', Y), ('costs', costs.NAMES)):
            check_word(figure, name, known, bad)
        check_over(figure, bad)
        check_scale(figure, bad)


def check_kind(figure, bad):
    """It has the keys of its kind, and none of another one's."""
    if figure.get('kind') not in KINDS:
        return
    for kind, names in OWN.items():
        for name in names:
            if name in figure and kind != figure['kind']:
                bad(name, f'only {kind} may have it')
    for name in NEEDED.get(figure['kind'], ()):
        if name not in figure:
            bad(name, f'{figure["kind"]} needs it')


def check_scale(figure, bad):
    """It is logarithmic, of an axis of numbers above 0."""
    if 'scale' not in figure:
        return
    if figure['scale'] != 'log':
        bad('scale', f'must be "log", not {figure["scale"]!r}')
    if figure.get('x', 'filter-bits') != 'filter-bits':
        bad('scale', 'log is for x = "filter-bits"; other axes have words, or 0')


def check_over(figure, bad):
    """It is an axis that is not drawn otherwise."""
    check_word(figure, 'over', [axis for axis in AXES
                                if axis not in ('configuration', figure.get('x'))], bad)
