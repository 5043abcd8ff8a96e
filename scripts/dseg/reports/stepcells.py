# SPDX-License-Identifier: GPL-2.0-or-later
"""The steps of a walk as cells: what each takes, and where its entry is found.

A column is an entry of the guest's tables, or the final address; a row an entry of the nested
tables on the way to it, or the guest's entry itself. There are 24 cells of walks with pages of 4
KiB in both dimensions, and 4 of native ones.
"""

from collections import Counter
from dataclasses import dataclass

from ..points import records
from . import cached
from .table import share

LEVELS = 4
OWN = 'entry'           # the row of the guest's entries
LEAST = 0.005           # of a share that is said
HEADER = ('of', 'entry', 'cycles per walk', *records.PLACES)
SHORT = {'l1': 'L1', 'l2': 'L2', 'llc': 'LLC', 'memory': 'mem', records.SPARED: 'spared'}


@dataclass(frozen=True)
class Cell:
    """A step."""
    cycles: float       # of it, per walk
    shares: dict        # place to the share of these steps

    @property
    def texts(self):
        """The places, most of them first: "LLC 62 %"."""
        order = sorted(self.shares, key=lambda place: (-self.shares[place], place))
        return [f'{SHORT[place]} {100 * self.shares[place]:.0f} %' for place in order
                if self.shares[place] >= LEAST]


@dataclass(frozen=True)
class Cells:
    """Those of a program."""
    walks: int
    columns: tuple      # levels of the guest's entries, the root's first; 0: the final address
    rows: tuple         # levels of nested entries, the root's first, and OWN
    cells: dict         # by (row, column); one that no walk has is left out

    def lines(self):
        """As texts, below HEADER, in the order in which the hardware makes the steps."""
        return [(column_name(column), row_name(row), f'{found.cycles:.2f}',
                 *(share(found.shares.get(place, 0)) for place in records.PLACES))
                for column in self.columns for row in self.rows
                if (found := self.cells.get((row, column)))]

    @property
    def cycles(self):
        """Of all steps of a walk."""
        return sum(cell.cycles for cell in self.cells.values())


def column_name(column):
    """For people."""
    return 'final address' if column == records.FINAL else f'guest {column}'


def row_name(row):
    """For people."""
    return 'guest\'s entry' if row == OWN else f'nested {row}'


def cells_of(found, world, walks):
    """The Cells of the program's walks in a world. found: what a record has as "caches" """
    by_cell = {}
    for step in cached.steps(found, world, 'user'):
        at = ((OWN, step['table-level']) if step['dimension'] == 'guest' else
              (step['table-level'], step['for-level']))
        by_cell.setdefault(at, Counter())[step['place']] += step['count']
    highest = max([LEVELS, *(number for at in by_cell for number in at if number != OWN)])
    levels = tuple(range(highest, 0, -1))
    nested = world == 'nested'
    cells = {at: cell(found, places, walks) for at, places in by_cell.items() if places.total()}
    return Cells(walks, (*levels, records.FINAL) if nested else levels,
                 (*levels, OWN) if nested else (OWN,), cells)


def cell(found, places, walks):
    """The Cell of so many steps by place."""
    cycles = sum(count * cached.latency(found, place) for place, count in places.items())
    return Cell(cycles / walks if walks else 0.0,
                {place: count / places.total() for place, count in places.items()})


def of_point(results, point):
    """The Cells of a point; None without modelled caches."""
    found = point.record.get('caches')
    if not found:
        return None
    return cells_of(found, results.configuration(point).walk_world, results.program(point)['walks'])
