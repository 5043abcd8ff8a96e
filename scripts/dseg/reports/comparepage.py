# SPDX-License-Identifier: GPL-2.0-or-later
"""The page of a comparison: what differs, figures of both runs, what has changed, all values."""

from html import escape

from .compare import CHANGED, HEADER
from .page import details, make_table, picture, whole


def page(names, comparison, drawn):
    """The text of the file.

    names: (folder, title) of each run
    drawn: (title, caption, SVG or None) of each figure
    """
    parts = [('differs', 'What differs', differs_part(comparison)),
             ('figures', 'Figures', figures_part(drawn)),
             ('changed', 'What has changed', changed_part(comparison)),
             ('lone', 'Points of one run only', lone_part(comparison))]
    runs = ''.join(f'<p>{side}: {escape(title)}, <code>{escape(str(folder))}</code></p>\n'
                   for side, (folder, title) in zip('AB', names))
    return whole('Two runs compared', runs + summary(comparison), parts)


def summary(comparison):
    """The state of all in a line."""
    return (f'<p>Of {len(comparison.changes)} values of {len(comparison.cases)} points: '
            f'{comparison.counts or "none"}. Overheads are by costs '
            f'<code>{escape(comparison.left.costs.name)}</code>.</p>\n')


def differs_part(comparison):
    """The axes and the provenance that are not the same; a click shows what is."""
    found = comparison.differences
    text = make_table(('', 'A', 'B'), found, texts=(1, 2)) if found else \
        '<p>Nothing that is known of the two runs.</p>\n'
    return text + details('What both have', make_table(('', 'of both'), comparison.common, texts=(1,)))


def figures_part(drawn):
    """Each figure; the values behind them are below."""
    return ''.join(picture(number, title, svg, caption)
                   for number, (title, caption, svg) in enumerate(drawn, 1))


def changed_part(comparison):
    """What is beyond noise; a click shows all values."""
    rows = [change.line for change in comparison.changes if change.verdict == CHANGED]
    text = make_table(HEADER, rows) if rows else '<p>No value.</p>\n'
    return ('<p>Points with a clock of instructions count the same each time, so each difference is a '
            'change. Of others the 95 % interval of the difference of the means does not have 0 in '
            'it.</p>\n' + text + details('All values', make_table(
                HEADER, [change.line for change in comparison.changes])))


def lone_part(comparison):
    """Those that have no partner."""
    if not comparison.lone:
        return '<p>None.</p>\n'
    return make_table(('run', 'point'), comparison.lone)
