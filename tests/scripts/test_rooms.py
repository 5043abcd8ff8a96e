# SPDX-License-Identifier: GPL-2.0-or-later
"""No room of scripts/dseg imports one behind it; and the pictures of the rooms are of today."""

from xml.etree import ElementTree

import pytest

from dseg import ROOT
from dseg.drawing import rooms

ROOMS = list(rooms.OF_SCRIPTS)
NAMES = ('rooms.svg', 'rooms-of-scripts.svg')


def wrong_imports(room):
    for file in sorted((rooms.SCRIPTS / room).rglob('*.py')):
        for name in rooms.imported(file):
            other = name.partition('.')[0]
            if other in ROOMS and ROOMS.index(other) > ROOMS.index(room):
                yield f'{file.relative_to(rooms.SCRIPTS)} imports {name}: {room} must not know {other}'


@pytest.mark.parametrize('room', ROOMS)
def test_room_imports_only_rooms_before_it(room):
    assert list((rooms.SCRIPTS / room).glob('*.py'))
    assert not list(wrong_imports(room))


def test_every_module_is_in_a_room():
    names = {path.name for path in rooms.SCRIPTS.iterdir()} - {'__pycache__'}
    assert names == {*ROOMS, '__init__.py'}


def test_an_import_of_each_form_is_seen(tmp_path, monkeypatch):
    monkeypatch.setattr(rooms, 'SCRIPTS', tmp_path)
    file = tmp_path / 'stack/inner/module.py'
    file.parent.mkdir(parents=True)
    file.write_text('from ... import Failure\nfrom ...testing import build as b\n'
                    'from ...base.locks import alone\nfrom .. import console\nfrom . import x\n'
                    'def late():\n    from ...experiments import demo\nimport os\n')
    assert list(rooms.imported(file)) == [
        'Failure', 'testing.build', 'base.locks.alone', 'stack.console', 'stack.inner.x',
        'experiments.demo']


def texts(file):
    return [element.text for element in ElementTree.parse(file).iter() if element.tag.endswith('}text')]


def test_pictures_in_the_documents_are_of_today(tmp_path):
    pytest.importorskip('matplotlib')
    rooms.main([str(tmp_path)])
    for name in NAMES:
        drawn = texts(tmp_path / name)
        assert drawn == texts(ROOT / 'docs' / name), f'draw it again: {rooms.__doc__}'
        assert any('An arrow leads' in text for text in drawn) and len(drawn) > 20
