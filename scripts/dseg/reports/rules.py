# SPDX-License-Identifier: GPL-2.0-or-later
"""What [[claim]] and [[figure]] of an experiment file may have in common: keys, words, selections.

    bad = Bad(problems, tables, 'figure', number)
    check_words(figure, 'kind', KINDS, bad)
"""

from ..points.axes import all_axes
from ..points.configurations import CONFIGURATIONS
from ..points.problems import dotted
from ..points.workloads import CLASSES

ALL_AXES = all_axes(())         # of these, workloads may be any
NAMES = {'configuration': tuple(CONFIGURATIONS), 'class': CLASSES}
SELECTABLE = (*ALL_AXES, 'class')


class Bad:
    """Notes what is wrong with one of the tables."""

    def __init__(self, problems, tables, name, number):
        """problems, tables: points.problems.Problems and Tables"""
        self._problems, self._tables, self._path = problems, tables, (name, number)

    def __call__(self, key, rule):
        path = (*self._path, key)
        self._problems.add(self._tables.place(*path), dotted(*path), rule)


def check_keys(table, known, needed, bad):
    """Every key is known, and those that are needed are there."""
    for name in table:
        if name not in known:
            bad(name, 'there is no such key; there are: ' + ', '.join(known))
    for name in needed:
        if name not in table:
            bad(name, 'this key is needed')


def check_text(table, name, bad):
    """It is for people."""
    if name in table and not (isinstance(table[name], str) and table[name].strip()):
        bad(name, f'must be a text, not {table[name]!r}')


def check_word(table, name, known, bad):
    """It is one of these."""
    if name in table and table[name] not in list(known):
        bad(name, f'{table[name]!r} is none of: ' + ', '.join(known))


def check_selection(table, name, bad):
    """It is a table of axes, with values that points may have."""
    where = table.get(name, {})
    if not isinstance(where, dict):
        bad(name, 'must be a table such as { configuration = "dd" }')
        return
    for axis, values in where.items():
        if axis not in SELECTABLE:
            bad(name, f'there is no axis {axis}; there are: ' + ', '.join(SELECTABLE))
            continue
        for value in values if isinstance(values, list) else [values]:
            check_value(axis, value, name, bad)


def check_value(axis, value, name, bad):
    """The axis can have it."""
    if axis in NAMES:
        if value not in NAMES[axis]:
            bad(name, f'there is no {axis} {value!r}; there are: ' + ', '.join(NAMES[axis]))
    elif axis != 'workload' and ALL_AXES[axis].check(value) is None:
        bad(name, f'{value!r} is no value of {axis}: use {ALL_AXES[axis].values}')
