# SPDX-License-Identifier: GPL-2.0-or-later
"""TOML files with the place of each key, and all that is wrong with one at once."""

import os
import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

from .. import Failure
from .positions import lines_of


class Problems(list):
    """Lines for people, each with file, line and key."""

    def add(self, place, key, text):
        """Once only, however often it is found."""
        line = f'{place}: {key}: {text}' if key else f'{place}: {text}'
        if line not in self:
            self.append(line)

    def refuse(self):
        """Raise the Failure that has all of them, if there are any."""
        if self:
            raise Failure('\n'.join(self))


@dataclass
class Tables:
    """What a TOML file has, and where."""
    file: Path
    data: dict
    places: dict = field(default_factory=dict)      # path of a key: 'FILE:LINE'

    def place(self, *path):
        """Where a key is; if it is nowhere, where what it would be in is."""
        while path not in self.places and path:
            path = path[:-1]
        return self.places.get(path, str(self.file))


def dotted(*path):
    """A path as people write it."""
    return '.'.join(str(part + 1) if isinstance(part, int) else part for part in path)


def parse(file):
    """The Tables of a file."""
    file = Path(os.path.normpath(file))
    try:
        text = file.read_bytes().decode()
    except FileNotFoundError as error:
        raise Failure(f'there is no file {file}') from error
    except IsADirectoryError as error:
        raise Failure(f'{file} is a folder; a file is needed') from error
    except UnicodeDecodeError as error:
        raise Failure(f'{file}: is no text in UTF-8: save it as such') from error
    text = text.replace('\r\n', '\n')
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.fullmatch(r'(.*) \(at line (\d+), column (\d+)\)', str(error), re.S)
        where, what = (f'{file}:{found[2]}', f'{found[1]} (column {found[3]})') if found else \
            (f'{file}:{text.count(chr(10)) + 1}', str(error))
        raise Failure(f'{where}: is no TOML: {what}') from error
    return Tables(file, data, {path: f'{file}:{line}' for path, line in lines_of(text).items()})


def be_table(tables, problems, *path):
    """The table at a path, {} if there is none or something else."""
    found = tables.data
    for part in path:
        found = found.get(part, {}) if isinstance(found, dict) else found[part]
    if isinstance(found, dict):
        return found
    problems.add(tables.place(*path), dotted(*path), f'must be a table: [{dotted(*path)}]')
    return {}


def be_tables(tables, problems, name):
    """The array of tables of a name, [] if there is none or something else."""
    found = tables.data.get(name, [])
    if isinstance(found, list) and all(isinstance(table, dict) for table in found):
        return found
    problems.add(tables.place(name), name, f'must be tables: [[{name}]]')
    return []
