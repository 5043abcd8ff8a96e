# SPDX-License-Identifier: GPL-2.0-or-later
"""No room of scripts/dseg imports one behind it."""

import ast

import pytest

from dseg import ROOT

SCRIPTS = ROOT / 'scripts/dseg'
ROOMS = ('base', 'drawing', 'source', 'guests', 'stack', 'testing', 'experiments')


def imported(file):
    """What a module imports of ours, as names without dots at the beginning: base.locks."""
    package = file.relative_to(SCRIPTS).parent.parts
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = '.'.join([*package[:len(package) - node.level + 1],
                             *(node.module or '').split('.')]).strip('.')
            yield from (f'{base}.{name.name}'.strip('.') for name in node.names)


def wrong_imports(room):
    for file in sorted((SCRIPTS / room).rglob('*.py')):
        for name in imported(file):
            other = name.partition('.')[0]
            if other in ROOMS and ROOMS.index(other) > ROOMS.index(room):
                yield f'{file.relative_to(SCRIPTS)} imports {name}: {room} must not know {other}'


@pytest.mark.parametrize('room', ROOMS)
def test_room_imports_only_rooms_before_it(room):
    assert list((SCRIPTS / room).glob('*.py'))
    assert not list(wrong_imports(room))


def test_every_module_is_in_a_room():
    assert {path.name for path in SCRIPTS.iterdir()} - {'__pycache__'} == {*ROOMS, '__init__.py'}
