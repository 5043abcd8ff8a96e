# SPDX-License-Identifier: GPL-2.0-or-later
"""Markers are in guests' hands, at any privilege: they can't flood the monitor, and none is lost."""

from collections import Counter

ROUNDS = 20000          # of markers.c
FIRST_LABEL, LABELS = 1000, 300
MOST = 256              # of labels, docs/spec/registers.rst
TIMEOUT = 60.0          # a float: event_wait() takes an int for forever


def test_events_of_a_label_come_once_a_second_and_snapshots_have_all(start):
    machine = start('markers')
    machine.cmd('cont')
    machine.event_wait('STOP', timeout=TIMEOUT)
    markers = {m['label']: m['count'] for m in machine.cmd('query-x86-dseg-markers', cpu=0)}
    first, second = (machine.event_wait('X86_DSEG_MARKER', match={'data': {'label': 1}},
                                        timeout=TIMEOUT) for _ in range(2))
    assert first['data'] == {'cpu': 0, 'label': 1, 'guest-mode': False, 'cpl': 0}

    kept = range(FIRST_LABEL, FIRST_LABEL + MOST - 2)
    assert markers == {1: ROUNDS + 1, 2: ROUNDS, **dict.fromkeys(kept, 1)}
    events = [first, second, *(e for e in machine.get_qmp_events()
                               if e['event'] == 'X86_DSEG_MARKER')]
    by_label = Counter(e['data']['label'] for e in events)
    assert set(by_label) <= set(markers)
    assert all(by_label[label] == 1 for label in kept)
    times = [e['timestamp']['seconds'] for e in events]
    assert max(by_label[1], by_label[2]) <= 2 + max(times) - min(times), by_label
