# SPDX-License-Identifier: GPL-2.0-or-later
"""What can be measured: experiments/workloads.toml, a table for each workload.

A size has what the command line needs, and what it takes: memory of the work area, and about how
many seconds it runs in a nested guest.
"""

import string
from dataclasses import dataclass

from .. import ROOT
from ..base.sizes import parse_size
from .axes import SIZES
from .problems import Problems, be_table, dotted, parse

FILE = ROOT / 'experiments/workloads.toml'
CLASSES = ('big-memory', 'compute')
PRIMARY = ('--primary', 'dseg-run')
WORDS = ('bytes', 'updates', 'seed')        # of the command that stand in {}
ONE_ROUND = '--rounds 1 '                   # in the command of what can make more of them


@dataclass(frozen=True)
class Size:
    """How much of a workload."""
    bytes: str
    updates: int
    memory: int
    seconds: float


@dataclass(frozen=True)
class Workload:
    """A program and how it is called."""
    name: str
    about: str
    kind: str           # of CLASSES
    command: str
    primary: str        # of PRIMARY: how it gets a primary region; None if it can't
    sizes: dict
    programs: bool = False      # it is one of Debian's, and needs their disk

    @property
    def has_rounds(self):
        """Whether it can repeat its work, with markers around each round."""
        return ONE_ROUND in self.command

    def command_line(self, size, seed, guest_segment, rounds=1):
        """What a shell in the guest is given."""
        found = self.sizes[size]
        command = self.command.replace(ONE_ROUND, ONE_ROUND.replace('1', str(rounds)))
        line = command.format(bytes=found.bytes, updates=found.updates, seed=seed)
        if not guest_segment:
            return line
        return f'dseg-run {line}' if self.primary == 'dseg-run' else f'{line} {self.primary}'


def without_region(command):
    """What Workload.command_line() would have been without a guest segment."""
    return command.removeprefix('dseg-run ').removesuffix(' --primary')


def read(file=FILE):
    """Each by its name; raises Failure with all that is wrong."""
    tables, problems = parse(file), Problems()
    found = {name: _workload(tables, problems, name) for name in tables.data}
    problems.refuse()
    return found


def _is_text(value):
    return isinstance(value, str) and value.strip() != ''


def _is_count(value):
    return type(value) is int and value > 0


def _is_seconds(value):
    return type(value) in (int, float) and value > 0


def _is_size(value):
    try:
        return isinstance(value, str) and parse_size(value) > 0
    except ValueError:
        return False


def _is_command(value):
    """Whether what stands in {} is of WORDS."""
    try:
        words = {word for _, word, _, _ in string.Formatter().parse(value) if word is not None}
    except (TypeError, ValueError):
        return False
    return _is_text(value) and words <= set(WORDS)


KEYS = {
    'about': (_is_text, 'a text', None),
    'class': (lambda value: value in CLASSES, ' or '.join(CLASSES), None),
    'command': (_is_command, 'a command line; in {} only ' + ', '.join(WORDS), None),
    'primary': (lambda value: value in PRIMARY, ' or '.join(PRIMARY), False),
    'programs': (lambda value: isinstance(value, bool), 'true or false', False),
}
SIZE_KEYS = {
    'bytes': (_is_size, 'a size such as "512M"', None),
    'updates': (_is_count, 'a whole number from 1 on', None),
    'memory': (_is_size, 'a size such as "512M"', None),
    'seconds': (_is_seconds, 'a number above 0', None),
}


def _check(tables, problems, path, keys, others=()):
    """The table at a path, with what is wrong with its keys; None if anything is."""
    before, table = len(problems), be_table(tables, problems, *path)
    for key in table:
        if key not in keys and key not in others:
            problems.add(tables.place(*path, key), dotted(*path, key),
                         f'is no key of this table: use {", ".join([*keys, *others])}')
    for key, (is_right, what, default) in keys.items():
        if key in table and not is_right(table[key]):
            problems.add(tables.place(*path, key), dotted(*path, key), f'must be {what}')
        elif key not in table and default is None:
            problems.add(tables.place(*path), dotted(*path), f'needs {key}: {what}')
    return table if len(problems) == before else None


def _workload(tables, problems, name):
    table = _check(tables, problems, (name,), KEYS, SIZES)
    if table is None:
        return None
    sizes = {size: _size(tables, problems, name, size) for size in SIZES if size in table}
    if not sizes:
        problems.add(tables.place(name), name, f'needs a size: [{name}.{SIZES[0]}]')
    return Workload(name, table['about'], table['class'], table['command'], table.get('primary'),
                    sizes, table.get('programs', False))


def _size(tables, problems, name, size):
    table = _check(tables, problems, (name, size), SIZE_KEYS)
    return table and Size(table['bytes'], table['updates'], parse_size(table['memory']),
                          table['seconds'])
