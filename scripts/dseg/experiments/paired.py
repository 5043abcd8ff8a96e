# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs of several configurations, one after the other, so that each can be compared with another.

A machine that others use, too, is faster or slower from hour to hour, but less so within a run.
"""

import statistics
import sys

from ..reports.table import markdown


def run_all(runs, names_of, measure, text):
    """For each run, what was measured of each name.

    names_of: of a run, by its number; measure: a name, returns a dict; text: of an item of that
    """
    done = []
    for number in range(runs):
        names = list(names_of(number))
        # The order rotates, so that none is always first on a machine that warms up.
        turn = number % len(names)
        run = {}
        for name in names[turn:] + names[:turn]:
            run[name] = measure(name)
            print(f'run {number + 1} of {runs}, {name}: '
                  + ', '.join(text(*item) for item in run[name].items()), file=sys.stderr, flush=True)
        done.append(run)
    return done


def table(runs, first, measures, columns, digits):
    """Markdown: medians of the first, and in each column how much longer one takes than another.

    measures: by name whether more is better; columns: heading to the names of both
    """
    rows = []
    for measure, is_speed in measures.items():
        middle = statistics.median(run[first][measure] for run in runs)
        rows.append((measure, f'{middle:.4g}', *(
            spread([(run[other][measure] / run[name][measure]) ** (1 if is_speed else -1)
                    for run in runs if name in run], digits) for name, other in columns.values())))
    return markdown(('', first, *columns), rows)


def spread(ratios, digits):
    """Their median, with the lowest and the highest if there are several."""
    middle = f'{statistics.median(ratios):.{digits}f}'
    return middle if len(ratios) == 1 else (
        f'{middle} ({min(ratios):.{digits}f} to {max(ratios):.{digits}f})')
