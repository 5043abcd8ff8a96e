# SPDX-License-Identifier: GPL-2.0-or-later
"""What is done about fragments, and what L1 is told for it and for events."""

import json
import re
import shutil
import subprocess
from types import SimpleNamespace

import pytest

from dseg.base.sizes import MiB
from dseg.experiments.sweep.events import EVENTS, qmp
from dseg.experiments.sweep.remedies import REMEDIES
from dseg.points import axes

L2 = 512 * MiB


class Guests:
    """Stands in for guests: notes what they are told."""

    def __init__(self, work):
        self.work, self.told = work, []
        layout = SimpleNamespace(l2_memory=L2)
        self.stack = SimpleNamespace(layout=layout, run=lambda guest, order, timeout=60:
                                     self.told.append((guest, order)))

    def run(self, order, timeout):
        self.told.append(('program', order))
        return '500000\n'


def commands(orders):
    """The commands of QMP in them, with arguments."""
    found = [json.loads(text) for _, order in orders
             for text in re.findall(r"qmp '(\{.*?\})'", order)]
    return {command['execute']: command['arguments'] for command in found if 'arguments' in command}


def test_there_is_a_way_to_do_each_remedy_and_event_that_a_file_may_ask_for():
    assert tuple(REMEDIES) == axes.REMEDIES and ('none', *EVENTS) == axes.EVENTS


@pytest.mark.parametrize('work, size', [(16 * MiB, 128 * MiB), (128 * MiB, 128 * MiB),
                                        (129 * MiB, 256 * MiB)])
def test_the_balloon_takes_what_the_new_memory_has_which_is_enough_for_the_work_area(work, size):
    guests = Guests(work)
    REMEDIES['self-balloon'](guests)
    told = commands(guests.told)
    assert list(told) == ['balloon', 'object-add', 'device_add']
    assert told['balloon']['value'] == L2 - size and told['object-add']['size'] == size
    assert told['device_add']['memdev'] == told['object-add']['id']
    assert guests.told[-1] == ('program', guests.told[-1][1]) and '500000' in guests.told[-1][1]


def test_each_order_is_one_that_a_shell_understands():
    guests = Guests(16 * MiB)
    REMEDIES['self-balloon'](guests)
    orders = [order for _, order in guests.told]
    for name in 'ksm', 'balloon', 'migration':
        happening = EVENTS[name](guests)
        orders += [order for _, order in (*happening.lose(), *happening.restore())]
    for order in orders:
        done = subprocess.run([shutil.which('busybox'), 'sh', '-n', '-c', order], check=False,
                              stderr=subprocess.PIPE, text=True)
        assert (done.returncode, done.stderr) == (0, ''), order
        assert len(order) < 4096            # of linux/workloads/orders.c


def test_a_command_of_the_monitor_is_waited_for_until_the_reply_says_so(tmp_path):
    """nc takes the place of the VMM: its third reply is what is waited for."""
    (tmp_path / 'nc').write_text('#!/bin/sh\ncat >>asked\necho . >>count\n'
                                 '[ $(wc -l <count) -lt 3 ] || echo \'"actual": 7\'\n')
    (tmp_path / 'nc').chmod(0o755)
    order = qmp('{"execute":"balloon","arguments":{"value":7}}',
                ('{"execute":"query-balloon"}', '"actual": 7'))
    subprocess.run(['sh', '-c', order], cwd=tmp_path, check=True, timeout=60,
                   env={'PATH': f'{tmp_path}:/usr/bin:/bin'})
    asked = [json.loads(line)['execute'] for line in (tmp_path / 'asked').read_text().splitlines()]
    assert asked == ['qmp_capabilities', 'balloon', 'qmp_capabilities', 'query-balloon'] + \
        ['qmp_capabilities', 'query-balloon']
