# SPDX-License-Identifier: GPL-2.0-or-later
"""What the trade-off experiments conclude from what they count."""

import pytest

from dseg.tradeoffs import Counts, Outcome, Range

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


def test_an_outcome_says_its_verdict_and_all_counts_as_json():
    assert Outcome(NOTHING, ALL, True).to_json() == {
        'inside': {'attempted': 1000, 'done': 0}, 'outside': {'attempted': 1000, 'done': 1000},
        'data_right': True, 'segment_kept': True, 'verdict': 'limited'}
