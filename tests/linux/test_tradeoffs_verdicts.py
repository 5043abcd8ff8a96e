# SPDX-License-Identifier: GPL-2.0-or-later
"""What the trade-off experiments conclude from what they count."""

import pytest

from dseg.experiments.tradeoffs import Counts, Outcome, Range
from dseg.experiments.tradeoffs.table import COLUMNS, FREEDOMS, POSTER, Table

ALL, NOTHING, STRAY, NO_PAGES = (Counts(1000, 1000), Counts(1000, 0), Counts(1000, 3),
                                 Counts(0, 0))


@pytest.mark.parametrize('inside, outside, data_right, kept, verdict', [
    (ALL, ALL, True, True, 'unrestricted'),
    (NOTHING, ALL, True, True, 'limited'),
    (STRAY, ALL, True, True, 'limited'),
    (NO_PAGES, ALL, True, True, 'limited'),         # nothing shows that it works inside
    (ALL, ALL, True, False, 'limited'),             # at the price of the segment
    (ALL, NO_PAGES, True, True, 'unrestricted'),
    (NOTHING, NO_PAGES, True, True, 'limited'),
    (NOTHING, NOTHING, True, True, 'none'),
    (ALL, NOTHING, True, True, 'none'),
    (ALL, ALL, False, True, 'none'),                # it has cost data
])
def test_a_verdict_follows_from_both_sides_of_the_segment(inside, outside, data_right, kept,
                                                          verdict):
    assert Outcome(inside, outside, data_right, kept).verdict == verdict


@pytest.mark.parametrize('inner, left', [
    (Range(4, 2), [Range(0, 4), Range(6, 4)]),
    (Range(0, 4), [Range(4, 6)]),
    (Range(6, 4), [Range(0, 6)]),
    (Range(0, 10), []),
    (Range(5, 0), [Range(0, 5), Range(5, 5)]),
])
def test_what_is_outside_a_range_is_all_the_rest(inner, left):
    assert Range(0, 10).without(inner) == left


def test_an_outcome_says_its_verdict_and_why_as_json():
    assert Outcome(NOTHING, ALL, True).to_json() == {
        'inside': {'attempted': 1000, 'done': 0}, 'outside': {'attempted': 1000, 'done': 1000},
        'data_right': True, 'segment_kept': True, 'verdict': 'limited',
        'reason': '0 of 1000 pages inside, 1000 of 1000 pages outside'}


def poster_table():
    """What the table is if everything is as the poster says."""
    table = Table()
    for name, row in POSTER.items():
        evidence = Outcome(ALL, ALL, True).to_json() if name in FREEDOMS else {'reason': 'counted'}
        for mode, value in zip(COLUMNS, row):
            table.set(name, mode, value, evidence)
    return table


def test_a_table_like_the_posters_has_no_problem():
    table = poster_table()
    assert table.problems() == []
    assert all(row['matches_poster'] for row in table.to_json()['rows'])


def test_a_cell_that_differs_is_named_with_its_reason():
    table = poster_table()
    outcome = Outcome(NOTHING, ALL, True, segment_kept=False)
    table.set('Ballooning', 'base', outcome.verdict, outcome.to_json())
    assert table.problems() == [
        'Ballooning, base: the poster says unrestricted, found limited: 0 of 1000 pages inside, '
        '1000 of 1000 pages outside, the segment has ended']
    assert [row['property'] for row in table.to_json()['rows'] if not row['matches_poster']] == [
        'Ballooning']


def test_what_was_never_attempted_is_a_problem_though_the_cell_matches():
    table = poster_table()
    outcome = Outcome(NO_PAGES, ALL, True)
    table.set('Page sharing', 'vmm-direct', outcome.verdict, outcome.to_json())
    assert table.matches('Page sharing')
    assert table.problems() == [
        'Page sharing, vmm-direct: there was nothing to attempt it with inside']


def test_wrong_data_is_a_problem():
    table = poster_table()
    table.wrong_data.append('base: VMM swapping')
    assert table.problems() == ['wrong data in base: VMM swapping']
