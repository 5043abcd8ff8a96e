# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs of several configurations, one after the other, so that each can be compared with another.

A machine that others use, too, is faster or slower from hour to hour, but less so within a run.
"""

import statistics
import sys


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


def spread(ratios, digits):
    """Their median, with the lowest and the highest if there are several."""
    middle = f'{statistics.median(ratios):.{digits}f}'
    return middle if len(ratios) == 1 else (
        f'{middle} ({min(ratios):.{digits}f} to {max(ratios):.{digits}f})')
