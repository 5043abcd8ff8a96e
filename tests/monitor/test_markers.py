# SPDX-License-Identifier: GPL-2.0-or-later
"""Markers are in guests' hands, at any privilege: they can't flood the monitor, and none is lost."""

from collections import Counter

import pytest

from dseg.stack.stack import ExecuteError

ROUNDS = 20000          # of markers.c
FIRST_LABEL, LABELS = 1000, 300
MOST = 256              # of labels, docs/spec/registers.rst
TIMEOUT = 60.0          # a float: event_wait() takes an int for forever


def stop_at(machine, *labels, **options):
    machine.cmd('x86-dseg-stop-at', labels=list(labels), **options)


def counts(machine):
    return {m['label']: m['count'] for m in machine.cmd('query-x86-dseg-markers')}


def go_on(machine):
    machine.cmd('cont')
    assert machine.event_wait('STOP', timeout=TIMEOUT)


def test_machine_stops_right_behind_each_marker_with_that_label(start):
    machine = start('markers')
    stop_at(machine, 2)
    for number in (1, 2, 3):
        go_on(machine)
        assert machine.cmd('query-status')['status'] == 'paused'
        assert counts(machine) == {1: number, 2: number}
    stop_at(machine, 1, FIRST_LABEL + 5)
    go_on(machine)
    assert counts(machine) == {1: 4, 2: 3}
    stop_at(machine, FIRST_LABEL + 5)
    go_on(machine)
    assert counts(machine) == {1: ROUNDS, 2: ROUNDS,
                               **dict.fromkeys(range(FIRST_LABEL, FIRST_LABEL + 6), 1)}
    stop_at(machine)
    go_on(machine)
    assert counts(machine)[1] == ROUNDS + 1         # the guest has ended


def test_labels_that_can_not_be_change_nothing(start):
    machine = start('markers')
    stop_at(machine, 1)
    for labels, words in (([1 << 24], 'labels: 0x1000000 is no label'),
                          ([*range(17)], 'labels: there must be at most 16')):
        with pytest.raises(ExecuteError, match=words):
            stop_at(machine, *labels)
    with pytest.raises(ExecuteError, match='cpu'):
        stop_at(machine, 2, cpu=7)
    go_on(machine)
    assert counts(machine) == {1: 1}


def test_instructions_are_there_where_they_are_counted(start):
    machine = start('markers')
    stop_at(machine, 2)
    go_on(machine)
    assert all('instructions' not in m for m in machine.cmd('query-x86-dseg-markers'))


def test_each_round_has_as_many_instructions(start):
    machine = start('markers', '-icount', 'shift=1,sleep=off')
    stop_at(machine, 2)
    seen = []
    for _ in range(4):
        go_on(machine)
        seen.append({m['label']: m['instructions']
                     for m in machine.cmd('query-x86-dseg-markers')})
    rounds = [b[2] - a[2] for a, b in zip(seen, seen[1:])]
    assert len(set(rounds)) == 1 and 2 <= rounds[0] <= 8      # the two markers, and a loop
    assert all(s[2] - s[1] == 1 for s in seen)                # one behind the other


def test_human_monitor_stops_at_a_label_or_none(start):
    machine = start('markers')

    def hmp(line):
        return machine.cmd('human-monitor-command', command_line=line).strip()

    assert hmp('dseg_stop_at 2') == ''
    go_on(machine)
    assert counts(machine) == {1: 1, 2: 1}
    assert 'label' in hmp('dseg_stop_at x')
    assert 'no label' in hmp('dseg_stop_at 0x1000000')
    go_on(machine)
    assert counts(machine) == {1: 2, 2: 2}
    assert hmp('dseg_stop_at none') == ''
    go_on(machine)
    assert counts(machine)[1] == ROUNDS + 1


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
