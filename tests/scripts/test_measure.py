# SPDX-License-Identifier: GPL-2.0-or-later
"""What demo, bench, tlb-accuracy and tradeoffs count: between markers, and between two replies."""

import pytest

from dseg.experiments import marked, measure
from dseg.experiments.counted import PROGRAM, counts, updates_of
from dseg.experiments.measure import Walks
from dseg.reports.counts import FIELDS

KINDS = ('load', 'store', 'fetch')


def walked(user, kernel=0, native=0):
    """A CPU's reply to query-x86-dseg-walks: walks of 24 references, and of 4 in L1."""
    rows = [('base', 'user', 4 * user, 20 * user, user), ('base', 'kernel', 4 * kernel, 20 * kernel, kernel),
            ('native', 'user', 4 * native, 0, native)]
    return {
        'total': {'walks': user + kernel + native},
        'regimes': [{**dict.fromkeys(FIELDS, 0), 'regime': regime, 'access': 'load', 'privilege': privilege,
                     'guest-refs': guest, 'nested-refs': nested, 'walks': walks}
                    for regime, privilege, guest, nested, walks in rows],
        'refs-histogram': [{'world': 'native' if regime == 'native' else 'nested', 'privilege': privilege,
                            'guest': 4, 'nested': 0 if regime == 'native' else 20, 'walks': walks}
                           for regime, privilege, _, _, walks in rows],
        'checks-histogram': [{'world': 'native' if regime == 'native' else 'nested', 'checks': 0,
                              'privilege': privilege, 'walks': walks}
                             for regime, privilege, _, _, walks in rows],
        'steps': [], 'pages': [], 'exits': [], 'faults': {}}


def test_a_reply_is_summed_over_its_cpus_by_world_and_privilege():
    cpus = [walked(10, 3, 2), walked(5)]
    every, program = Walks.from_reply(cpus), Walks.from_reply(cpus, 'nested', 'user')
    assert (every.count, program.count) == (20, 15)
    assert program.refs == {(4, 20): 15} and program.checks == {0: 15}
    assert (program.refs_typical, program.refs_mean, program.mean('guest-refs')) == (24, 24, 4)
    assert every.regimes == {'base': 18, 'native': 2} and every.share('native') == 0.1


def test_an_earlier_reply_is_taken_off():
    before, after = [walked(10), walked(1)], [walked(17), walked(1, native=4)]
    found = Walks.from_reply(after, since=before)
    assert found.count == 11 and found.regimes == {'base': 7, 'native': 4}
    assert found.refs == {(4, 20): 7, (4, 0): 4}


def test_where_nothing_was_walked_nothing_is_typical():
    found = Walks.from_reply([walked(0)])
    assert (found.count, found.refs_typical, found.refs_mean, found.share('base')) == (0, None, 0, 0)


def markers_of(number, counted):
    """The markers of a round, as many as there are counts."""
    labels = [label for pair in updates_of(number) for label in pair]
    return {label: {'walks': walked(walks)} for label, walks in zip(labels, counted)}


@pytest.mark.parametrize('phases, expected', [(1, 5), (2, 5 + 8)])
def test_what_lies_between_the_phases_of_a_round_does_not_count(phases, expected):
    parts = measure.marked_parts(markers_of(6, [100, 105, 200, 208]), 6, phases)
    assert len(parts) == phases and Walks.of(parts, 'nested', 'user').count == expected


@pytest.mark.parametrize('counted', [
    [100, 105, 200],                # the last marker was forgotten
    [300, 105, 200, 208],           # a later round has begun,
    [300, 305, 200, 208],           # ended its first part,
    [300, 305, 400, 208]])          # and begun the second
def test_markers_that_are_not_all_of_one_round_have_no_parts(counted):
    assert measure.marked_parts(markers_of(2, counted), 2, 2) == []


def test_each_of_four_rounds_has_labels_of_its_own_as_the_workloads_do():
    """FIRST_LABEL + 4 * (round % 4) + phase: linux/workloads/common.h"""
    assert [updates_of(number) for number in (1, 4, 5)] == [
        ((0x104, 0x105), (0x106, 0x107)), ((0x100, 0x101), (0x102, 0x103)),
        ((0x104, 0x105), (0x106, 0x107))]


def modelled(walks, misses, cycles=None):
    """A marker of a CPU with a modelled TLB; cycles: with caches, too."""
    tlb = {'hits': [], 'misses': [{'level': level, 'kind': kind, 'pages': '4k', 'count': count}
                                  for (level, kind), count in misses.items()],
           'walks': {**dict.fromkeys(KINDS, 0), 'load': walks},
           'segment-hits': {**dict.fromkeys(KINDS, 0), 'store': 3 * walks},
           'segment-hits-l1': dict.fromkeys(KINDS, 0)}
    if cycles is not None:
        tlb['caches'] = {'data': [], 'swept': dict.fromkeys(KINDS, 0), 'steps': [], 'data-cycles': 0, 'walk-cycles': [
            {'regime': 'native', 'access': 'load', 'privilege': 'user', 'cycles': cycles}]}
        tlb['geometry'] = {'caches': {}}
    return {'walks': walked(walks), 'tlb': tlb}


@pytest.mark.parametrize('cycles, expected', [((None, None), (0, 0)), ((50, 170), (50, 120))])
def test_a_marked_program_s_counts_are_told_from_those_of_the_boot(cycles, expected):
    begin = modelled(10, {('l1', 'load'): 4, ('l1', 'store'): 1, ('l1', 'fetch'): 7, ('l2', 'load'): 2},
                     cycles[0])
    end = modelled(30, {('l1', 'load'): 9, ('l1', 'store'): 3, ('l1', 'fetch'): 8, ('l2', 'load'): 99},
                   cycles[1])
    run = marked.MarkedRun('true', cpu_extra='dseg=on')
    run._stack.markers = lambda: dict(zip(PROGRAM, (begin, end)))     # pylint: disable=protected-access
    names = ('walks', 'segment hits', 'l1 data misses', 'l1 fetch misses', 'walk cycles')
    assert run.tlb_counts() == {'boot': dict(zip(names, (10, 30, 5, 7, expected[0]))),
                                'program': dict(zip(names, (20, 60, 7, 1, expected[1])))}


def test_what_has_grown_since_the_counters_were_reset_is_all_of_it():
    end = modelled(30, {('l1', 'load'): 9}, 120)
    found = counts([(None, end)])
    assert found['tlb']['misses'] == end['tlb']['misses'] and found['tlb']['walks']['load'] == 30
    assert found['caches']['walk-cycles'][0]['cycles'] == 120
