# SPDX-License-Identifier: GPL-2.0-or-later
"""scripts/experiment compare: two runs side by side, as text, a page with figures, CSV and JSON."""

import json
from statistics import mean

from ..base.atomically import write_text
from . import costs, results, table
from .compare import HEADER, SAME, Comparison
from .noise import interval

SCHEMA = 1
AXES = [axis for axis in results.AXES if axis != 'repeat']      # that a case has
COLUMNS = (*AXES, 'value', 'a', 'a-half-interval', 'b', 'b-half-interval', 'change', 'verdict')


def main(folders, options):
    """Print and write the comparison of two folders; returns 0.

    options: html, csv, json (files), svg, pdf (folders), costs (a preset)
    """
    chosen = costs.preset(options.costs or costs.DEFAULT)
    (first, left), (second, right) = (results.read(folder, chosen) for folder in folders)
    comparison = Comparison(left, right)
    names = [(folder, run['title']) for folder, run in zip(folders, (first, second))]
    write(names, comparison, options)
    print(to_text(names, comparison))
    return 0


def write(names, comparison, options):
    """The files that were asked for."""
    if options.csv:
        write_text(options.csv, table.to_csv(COLUMNS, map(row, comparison.changes)))
    if options.json:
        write_text(options.json, to_json(names, comparison))
    if not (options.html or options.svg or options.pdf):
        return
    # pylint: disable=import-outside-toplevel  (matplotlib)
    from . import comparefigures, comparepage, pictures
    drawn = [(title, caption, pictures.keep(number, title, figure, options))
             for number, (title, caption, figure) in enumerate(comparefigures.draw(comparison), 1)]
    if options.html:
        write_text(options.html, comparepage.page(names, comparison, drawn))


def to_text(names, comparison):
    """For people: what differs, and what has changed."""
    parts = ['\n'.join(f'{side}: {folder}' for side, (folder, _) in zip('AB', names))]
    if comparison.differences:
        parts.append(table.aligned([('differs', 'A', 'B'), *comparison.differences], left=3))
    rows = [change.line for change in comparison.changes if change.verdict != SAME]
    if rows:
        parts.append(table.aligned([HEADER, *rows], left=2))
    last = [f'{comparison.counts} of {len(comparison.changes)} values' if comparison.changes else
            'They have no point in common.']
    last += [f'only {side} has {name}' for side, name in comparison.lone]
    return '\n\n'.join([*parts, '\n'.join(last)])


def row(change):
    """A value by COLUMNS, with exact numbers; an axis in which the runs differ is left out."""
    found = {axis: change.case.axes.get(axis) for axis in AXES}
    for side, numbers in (('a', change.left), ('b', change.right)):
        found[side] = mean(numbers)
        found[f'{side}-half-interval'] = interval(numbers)[1] if len(numbers) > 1 else None
    return {**found, 'value': change.value, 'change': change.share, 'verdict': change.verdict}


def to_json(names, comparison):
    """The text of a JSON file: the same, each repeat, what differs, and points of one run only."""
    found = {
        'schema': SCHEMA, 'costs': comparison.left.costs.name,
        **{side: {'folder': str(folder), 'title': title}
           for side, (folder, title) in zip('ab', names)},
        'differs': [dict(zip(('what', 'a', 'b'), each)) for each in comparison.differences],
        'values': [{**row(change), 'a-repeats': change.left, 'b-repeats': change.right}
                   for change in comparison.changes],
        'lone': [{'run': side.lower(), 'point': name} for side, name in comparison.lone]}
    return json.dumps(found, indent=1, ensure_ascii=False) + '\n'
