# SPDX-License-Identifier: GPL-2.0-or-later
"""From the tables of an experiment file to its combinations of values, a dict of axes each.

    experiment = read('experiments/paper.toml', workloads)
    for axes in experiment.combinations: ...
"""

import itertools
from dataclasses import dataclass
from pathlib import Path

from .axes import REQUIRED, all_axes, value_text
from .experimentfile import AXES_IN, KEYS, REPEATS, read as read_tables
from .point import identity
from .problems import Problems, Tables, be_table, be_tables, dotted


@dataclass
class Experiment:
    """What a file asks for."""
    tables: Tables
    combinations: list      # of axes, in the order of the file
    given: dict             # of each axis that the file gives: the path of its key
    size: str               # of all points; None if they differ

    @property
    def file(self):
        return self.tables.file

    @property
    def name(self):
        return self.file.stem + (f'-{self.size}' if self.size else '')

    @property
    def title(self):
        return self.tables.data.get('title', self.file.stem)

    def place(self, axis):
        """Where the axis has its values; the file's name where it has its default."""
        return self.tables.place(*self.given[axis]) if axis in self.given else str(self.file)

    def key(self, axis):
        return dotted(*self.given[axis]) if axis in self.given else axis

    def geometry(self, name):
        """The file of a geometry: its name is relative to the file that has it."""
        return Path(self.place('tlb').rpartition(':')[0]).parent / name


def read(file, workloads, size=None):
    """The Experiment of a file; raises Failure with all that is wrong.

    size: of all points, whatever the file says
    """
    experiment, problems = examine(file, workloads, size)
    problems.refuse()
    return experiment


def examine(file, workloads, size=None):
    """The same, and the Problems that it has: then its combinations are those of what is right."""
    reader = _Reader(read_tables(file), all_axes(workloads), size)
    return reader.experiment(), reader.problems


class _Reader:
    def __init__(self, tables, axes, size):
        self._tables, self._axes, self._size = tables, axes, size
        self.problems = Problems()
        self._wrong_values = 0          # how many problems are of values that points would have
        self._given = {}

    def experiment(self):
        """What of it is right."""
        self._top()
        factors = [*self._fixed(), *self._product(), *self._zips()]
        excluded = self._excluded()
        self._required()
        # Whatever else is wrong, other points may be meant than these.
        only_values = len(self.problems) == self._wrong_values
        combinations = self._multiply(factors, excluded) if only_values else []
        sizes = {axes['size'] for axes in combinations}
        return Experiment(self._tables, combinations, self._given,
                          sizes.pop() if len(sizes) == 1 else None)

    def _wrong(self, path, text):
        self.problems.add(self._tables.place(*path), dotted(*path), text)

    def _top(self):
        data = self._tables.data
        for key in data:
            if key not in KEYS:
                self._wrong((key,), f'is no key of an experiment: use {", ".join(KEYS)}')
        if 'title' in data and not isinstance(data['title'], str):
            self._wrong(('title',), 'must be a text')
        for name in ('claim', 'figure'):        # what is in them is the reports' to know
            be_tables(self._tables, self.problems, name)

    def _axis(self, path):
        """The axis that the last part of the path names; None if there is none."""
        name = path[-1]
        if name in self._axes and name != 'repeat':
            return self._axes[name]
        self._wrong(path, f'say {REPEATS} = N under [fixed] instead' if name == 'repeat' else
                    f'is no axis: use {", ".join(axis for axis in self._axes if axis != "repeat")}')
        return None

    def _take(self, path, name=None):
        """Note that an axis has its values there; False if it has others already."""
        name = name or path[-1]
        if name in self._given:
            other = self._given[name]
            self._wrong(path, f'{name} has its values in {dotted(*other)} '
                        f'({self._tables.place(*other)}) already: leave one of these out')
            return False
        if name == 'size' and self._size:
            if path[0] != 'fixed':
                self._wrong(path, '--size can\'t be given, as size is an axis of this file')
            return False
        self._given[name] = path
        return True

    def _values(self, axis, path, values):
        """The values as points have them; None for one that can't be."""
        found, before = [], len(self.problems)
        for number, value in enumerate(values):
            right = axis.check(value)
            if right is None:
                self.problems.add(self._tables.place(*path, number), dotted(*path),
                                   f'{_shown(value)} is no value of {axis.name}: use {axis.values}')
            found.append(right)
        if path[0] != 'exclude':
            self._wrong_values += len(self.problems) - before
        return found

    def _list(self, axis, path, values):
        if not isinstance(values, list) or not values:
            self._wrong(path, 'must be a list of values, as ["a", "b"]; one value is for [fixed]')
            return []
        return self._values(axis, path, values)

    def _fixed(self):
        """Each axis with one value, as lists of dicts."""
        for name, value in be_table(self._tables, self.problems, 'fixed').items():
            path = ('fixed', name)
            if name == REPEATS:
                if self._axes['repeat'].check(value) is None:
                    self._wrong(path, f'must be {self._axes["repeat"].values}')
                elif self._take(path, 'repeat'):
                    yield [{'repeat': number} for number in range(1, value + 1)]
            elif axis := self._axis(path):
                if isinstance(value, list):
                    self._wrong(path, 'must be one value; a list is for [product]')
                elif self._take(path):
                    yield _right([name], self._values(axis, path, [value]))

    def _product(self):
        for name, values in be_table(self._tables, self.problems, 'product').items():
            path = ('product', name)
            if (axis := self._axis(path)) and self._take(path):
                found = self._list(axis, path, values)
                for number, value in enumerate(found):
                    if value is not None and value in found[:number]:
                        self.problems.add(self._tables.place(*path, number), dotted(*path),
                                           f'has {_shown(value)} twice: leave one out')
                yield _right([name], found)

    def _zips(self):
        for number, table in enumerate(be_tables(self._tables, self.problems, 'zip')):
            columns = {}
            for name, values in table.items():
                path = ('zip', number, name)
                if (axis := self._axis(path)) and self._take(path):
                    columns[name] = self._list(axis, path, values)
            lengths = {name: len(values) for name, values in columns.items()}
            if len(set(lengths.values())) > 1:
                self._wrong(('zip', number), 'its lists must be of the same length, but they have '
                            + ', '.join(f'{name} {length}' for name, length in lengths.items()))
            yield _right(columns, *columns.values())

    def _excluded(self):
        """Dicts of the values, any of which leave a point out if all of the keys do."""
        found = []
        for number, table in enumerate(be_tables(self._tables, self.problems, 'exclude')):
            keys = {}
            for name, value in table.items():
                path = ('exclude', number, name)
                if name == 'repeat' or self._axis(path):
                    values = value if isinstance(value, list) else [value]
                    keys[name] = self._values(self._axes[name], path, values)
            if not table:
                self._wrong(('exclude', number), 'needs an axis: without one it has every point')
            found.append(keys)
        return found

    def _required(self):
        missing = [axis.name for axis in self._axes.values()
                   if axis.default is REQUIRED and axis.name not in self._given]
        for name in missing:
            self.problems.add(self._tables.file, name, 'has no value: give it one in '
                               f'{" or ".join(f"[{table}]" for table in AXES_IN)} or [[zip]]')

    def _multiply(self, factors, excluded):
        defaults = {axis.name: axis.default for axis in self._axes.values()}
        if self._size:
            defaults['size'] = self._size
        found, known = [], set()
        for parts in itertools.product(*factors):
            axes = dict(defaults)
            for part in parts:
                axes.update(part)
            if (name := identity(axes)) in known:
                self.problems.add(self._tables.place('zip'), 'zip',
                                   'has a row twice: leave one out')
            known.add(name)
            if not any(all(axes[name] in values for name, values in keys.items())
                       for keys in excluded):
                found.append(axes)
        if not found and not self.problems:
            self.problems.add(self._tables.file, '', 'has no point: [[exclude]] leaves all of '
                               'them out')
        return found


def _right(names, *columns):
    """Rows of values, as dicts, but for those with one that can't be."""
    return [dict(zip(names, row)) for row in zip(*columns) if None not in row]


def _shown(value):
    return f'"{value}"' if isinstance(value, str) else value_text(value)
