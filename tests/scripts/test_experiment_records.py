# SPDX-License-Identifier: GPL-2.0-or-later
"""What a record has of a run: what its program has printed, and what has been counted between markers."""

import copy

import pytest

from dseg.experiments.sweep import machine
from dseg.stack.console import StackError

FAULTS = 'marked: page faults minor 7 major 1\n'
ROUND = 'zstd: round 1 updates 3 checksum 00ab ok errors 0\n'
EMPTY = {
    'instructions': 100,
    'walks': {'regimes': [], 'refs-histogram': [], 'checks-histogram': [], 'steps': [], 'pages': [],
              'exits': [], 'faults': {'protection': 2}},
    'tlb': {'hits': [], 'misses': [], 'walks': {'load': 5}, 'segment-hits': {'load': 1},
            'segment-hits-l1': {'load': 0}},
}
BEGIN, END = machine.UPDATES[0]
AGAIN = machine.UPDATES[1]


def hits(level, kind, count):
    return {'level': level, 'kind': kind, 'pages': '4k', 'count': count}


def marker(*some, instructions=100):
    found = copy.deepcopy(EMPTY)
    found['tlb']['hits'] += some
    return {**found, 'instructions': instructions}


def test_what_has_grown_between_the_markers_is_counted_and_nothing_else():
    first, last = marker(hits('l2', 'load', 3)), marker(hits('l2', 'load', 10), hits('l1', 'store', 4),
                                                       instructions=150)
    found = machine.record(ROUND + FAULTS, {BEGIN: first, END: last, AGAIN[0]: last})
    assert found['instructions'] == 50 and found['faults'] == {'protection': 0}
    assert found['tlb']['hits'] == [hits('l1', 'store', 4), hits('l2', 'load', 7)]
    assert (found['data'], found['checksum']) == ('right', '00ab')
    assert found['page-faults'] == {'minor': 7, 'major': 1}


def test_a_fetch_that_hits_the_first_level_is_in_no_record():
    last = marker(hits('l1', 'fetch', 9), hits('l2', 'fetch', 2))
    found = machine.record(ROUND + FAULTS, {BEGIN: marker(), END: last})
    assert found['tlb']['hits'] == [hits('l2', 'fetch', 2)]


@pytest.mark.parametrize('wrong', ['BAD errors 1', 'BAD errors 0', 'ok errors 1'])
def test_a_wrong_result_is_no_right_data(wrong):
    output = ROUND.replace('ok errors 0', wrong) + FAULTS
    assert machine.record(output, {BEGIN: marker(), END: marker()})['data'] == 'wrong'


@pytest.mark.parametrize('output, labels, told', [
    (FAULTS, (BEGIN, END), 'has not printed what it should'),
    (ROUND, (BEGIN, END), 'has not printed its page faults'),
    (ROUND + FAULTS, (BEGIN,), 'has executed no markers'),
    (ROUND + FAULTS, (END,), 'has executed no markers'),
    (ROUND + FAULTS, (BEGIN, AGAIN[1]), 'has executed no markers')])
def test_a_run_without_a_result_or_its_markers_has_no_record(output, labels, told):
    with pytest.raises(StackError, match=told):
        machine.record(output, {label: marker() for label in labels})
