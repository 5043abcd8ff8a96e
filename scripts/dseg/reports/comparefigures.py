# SPDX-License-Identifier: GPL-2.0-or-later
"""Two runs side by side: a pair of bars for each point, that of A pale, and how far B is from A."""

from statistics import mean

from ..drawing.plotting import GUEST, SETTINGS, TEXT, pyplot
from ..points.axes import value_text
from . import figures
from .compare import CHANGED, SAME
from .results import AXES

PAIRS = 48              # the most in a row
WIDTH, APART = 0.4, 0.21        # of a bar; of its middle from that of its pair
PALE = 0.45
ABOUT = ('The numbers are how far B is from A, as a share of A. There x20 is 20 times A, = the same, '
         'and ? says that there is one repeat only, so that noise is not known.')
WALKS = (('walks', 'walks of the program', GUEST),)


def draw(comparison):
    """(title, caption, figure or None) of each."""
    value = 'measured-overhead' if comparison.left.costs.is_measured else 'overhead'
    with pyplot.rc_context(SETTINGS):
        return [
            ('Overheads of A and B', 'Time of translation over ideal time. Each row has a scale of '
             f'its own. {ABOUT}', figure_of('Overheads of A (left, pale) and of B (right)', comparison,
                                            value, overheads, 'overhead', figures.PARTS)),
            ('Walks of A and B', 'Walks of the program. The most that a workload has in a '
             f'configuration are 100 %. {ABOUT}', figure_of(
                 'Walks of A (left, pale) and of B (right)', comparison, 'walks', walks, 'walks',
                 WALKS))]


def figure_of(title, comparison, value, bars_of, y, parts):
    """A pair for each case that has the value in both runs; None if there is none."""
    groups = {}
    for change in comparison.changes:
        if change.value == value:
            workload, name = names_of(comparison, change.case)
            groups.setdefault(workload, {})[name] = (*bars_of(comparison, change.case), label(change))
    if not groups:
        return None
    return figures.in_groups(
        title, scaled(groups) if value == 'walks' else groups,
        lambda axes, at, pair, labelled, highest: draw_pair(axes, at, pair, labelled, highest, parts),
        lambda pair: pair[:2], y=y, room=0.42, most=PAIRS)


def overheads(comparison, case):
    """The parts of both, of each repeat."""
    return [[figures.shares_of(run.parts(point)) for point in points]
            for run, points in ((comparison.left, case.left), (comparison.right, case.right))]


def walks(comparison, case):
    """Those of both, of each repeat."""
    return [[[number] for number in side] for side in comparison.numbers(case, 'walks')]


def scaled(groups):
    """The most of each workload are 1."""
    found = {}
    for workload, pairs in groups.items():
        most = max(mean(map(sum, bar)) for pair in pairs.values() for bar in pair[:2]) or 1
        found[workload] = {name: (*([[number / most for number in repeat] for repeat in bar]
                                    for bar in pair[:2]), pair[2]) for name, pair in pairs.items()}
    return found


def names_of(comparison, case):
    """The workload, and what the pair is called: both names where the runs differ in that."""
    left, right = case.left[0], case.right[0]

    def both(text):
        return ' / '.join(dict.fromkeys((text(left), text(right))))
    words = [both(lambda point: comparison.left.label(point.axes['configuration']))]
    words += [f'{axis} {value_text(left.axes[axis])}' for axis in comparison.varying
              if axis in AXES[2:]]
    return both(lambda point: point.axes['workload']), ', '.join(words)


def label(change):
    """How far B is from A, in few letters."""
    if change.verdict == SAME:
        return '='
    share = change.share
    text = 'new' if share is None else f'{share:+.1%}' if abs(share) < 9.995 else f'x{share + 1:.0f}'
    return text if change.verdict == CHANGED else f'{text}?'


def draw_pair(axes, at, pair, labelled, highest, parts):
    """Two bars, and the change above them."""
    left, right, text = pair
    tops = [figures.draw_parts(axes, at - APART, WIDTH, left, False, parts, alpha=PALE)[1],
            figures.draw_parts(axes, at + APART, WIDTH, right, labelled, parts)[1]]
    axes.text(at, max(tops) + 0.02 * highest, text, rotation=90, ha='center', va='bottom',
              fontsize=6.5, color=TEXT)
