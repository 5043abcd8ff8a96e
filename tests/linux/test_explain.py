# SPDX-License-Identifier: GPL-2.0-or-later
"""scripts/explain draws what x86-dseg-translate says."""

import json
import subprocess
from xml.etree import ElementTree

import pytest

from dseg import ROOT, patient
from dseg.stack.modes import set_mode


def explain(*arguments):
    return subprocess.run([ROOT / 'scripts/explain', *map(str, arguments)], timeout=patient(120),
                          text=True, capture_output=True, check=False)


@pytest.mark.parametrize('mode', ['base', 'dual-direct', 'fault'])
def test_a_saved_reply_is_drawn(stack, gups, tmp_path, mode):
    address = 0 if mode == 'fault' else gups.area.va
    if mode != 'fault':
        set_mode(stack, mode, gups.area)
    reply = stack.qmp('x86-dseg-translate', address=address)
    file, picture = tmp_path / 'reply.json', tmp_path / 'new' / 'picture.svg'
    file.write_text(json.dumps({'return': reply}))
    done = explain('--json', file, '--out', picture)
    assert done.returncode == 0, done.stderr
    assert ElementTree.parse(picture).getroot().tag.endswith('svg')


@pytest.mark.parametrize('arguments, message', [
    (['--json', '/dev/null', '--out', 'x.svg'], '/dev/null can\'t be read as JSON'),
    (['--json', '/dev/null', '--out', 'x.gif'], '--out: the picture must end in'),
    (['--qmp', '/nowhere', '--out', 'x.svg'], '--qmp and --address: both are needed'),
    (['--qmp', '/nowhere', '--address', '0', '--out', 'x.svg'], '/nowhere: '),
])
def test_what_can_not_be_drawn_is_said(arguments, message):
    done = explain(*arguments)
    assert done.returncode != 0
    assert message in done.stderr
