# SPDX-License-Identifier: GPL-2.0-or-later
"""The theory of false escapes is that of the filter of docs/spec, and claims are held to it."""

import functools
import math
import operator
import random
import statistics
import tomllib
from fractions import Fraction

import pytest

from dseg.points.configurations import CONFIGURATIONS
from dseg.reports import falseescapes
from dseg.reports.claims import MET, NOT_MEASURED, NOT_MET, judge
from dseg.reports.results import Point, Results
from sample_runs import CLASSES, Walks, axes_of, record_of

MASK = (1 << 64) - 1
KEY_BITS, PARTITIONS = 40, 4
SIZES = 64, 128, 256, 512, 1024
CLAIM = 'text = "t"\nsource = "ours"\nvalue = "false-escape-share"\nof = {}\ntheory = 4\n'


def splitmix64(state):
    """Its outputs, as the specification has it."""
    while True:
        state = (state + 0x9e3779b97f4a7c15) & MASK
        y = ((state ^ (state >> 30)) * 0xbf58476d1ce4e5b9) & MASK
        z = ((y ^ (y >> 27)) * 0x94d049bb133111eb) & MASK
        yield z ^ (z >> 31)


def rows():
    """The constants: the top 8 bits of each output, those left out of which the top 6 are 0."""
    outputs = (number >> 56 for number in splitmix64(0x64736567))
    constants = (number for number in outputs if number >> 2)
    return [[next(constants) for _ in range(KEY_BITS)] for _ in range(PARTITIONS)]


ROWS = rows()


def hashes(page, size):
    """Of a page number, one for each partition of a filter of that size."""
    found = [0] * PARTITIONS
    for bit in range(page.bit_length()):
        if page >> bit & 1:
            found = [hash ^ row[bit] for hash, row in zip(found, ROWS)]
    return [hash * size // 1024 for hash in found]


def by_hash(pages, size):
    """By partition and hash: which of the pages have it, as bits of a number."""
    found = [[0] * (size // PARTITIONS) for _ in range(PARTITIONS)]
    for number, page in enumerate(pages):
        for masks, hash in zip(found, hashes(page, size)):
            masks[hash] |= 1 << number
    return found


def passing(masks, escapes, size):
    """How many of the pages, as by_hash() has them, pass a filter with those escapes."""
    words = [0] * PARTITIONS
    for page in escapes:
        words = [word | masks[hash] for word, masks, hash
                 in zip(words, masks, hashes(page, size))]
    return functools.reduce(operator.and_, words).bit_count()


def test_hashes_of_the_specification_are_those_of_the_model():
    """The first two constants as target-i386-ext/model/filter.c has them, and their sum."""
    assert [row[0] for row in ROWS] == [193, 53, 148, 106] and [row[1] for row in ROWS] == [
        192, 128, 87, 153]
    assert hashes(3, 1024) == [193 ^ 192, 53 ^ 128, 148 ^ 87, 106 ^ 153]
    assert hashes(1, 256) == [48, 13, 37, 26] and hashes(1, 64) == [12, 3, 9, 6]


@pytest.mark.parametrize('size', SIZES)
@pytest.mark.parametrize('escapes', [0, 1, 2, 3, 8, 16])
def test_the_share_is_exactly_that_of_uniform_independent_hashes(escapes, size):
    """By how many bits of a partition are set, step by step, without any formula for it."""
    occupied, bits_of_partition = {0: Fraction(1)}, size // PARTITIONS
    for _ in range(escapes):
        after = {}
        for bits, chance in occupied.items():
            share = Fraction(bits, bits_of_partition)
            after[bits] = after.get(bits, 0) + chance * share
            after[bits + 1] = after.get(bits + 1, 0) + chance * (1 - share)
        occupied = after
    wanted = sum(chance * Fraction(bits, bits_of_partition)
                 for bits, chance in occupied.items()) ** PARTITIONS
    assert falseescapes.share(escapes, size) == pytest.approx(float(wanted), rel=1e-12)


@pytest.mark.parametrize('escapes, size, sets', [
    (8, 256, 800), (16, 256, 400), (32, 256, 200), (4, 64, 400), (16, 64, 200), (16, 128, 200),
    (32, 512, 400), (64, 1024, 400)])
def test_mean_and_deviation_are_those_of_the_filter_of_the_specification(escapes, size, sets):
    """Of random sets, for a work area of 4 MiB in one piece."""
    rng = random.Random(escapes)
    pages = range(0x8000, 0x8400)
    masks = by_hash(pages, size)
    found = [passing(masks, rng.sample(range(0x10000, 0x80000), escapes), size) / len(pages)
             for _ in range(sets)]
    deviation = falseescapes.deviation(escapes, size, 1 / len(pages))
    assert abs(statistics.mean(found) - falseescapes.share(escapes, size)) < \
        4 * deviation / math.sqrt(sets)
    assert statistics.stdev(found) == pytest.approx(deviation, rel=0.25)


def test_lookups_of_page_tables_are_concentrated_on_few_pages():
    # 16 MiB are 4096 pages in 8 tables, with one table of each of the three levels above.
    assert falseescapes.concentration_of(16 << 20, True) == 1 / 4096
    assert falseescapes.concentration_of(16 << 20, False) == pytest.approx(
        (1 / 4096 + 1 / 8 + 3) / 25)


def point(seed, false, escapes=16, lookups=100000, true=0, **more):
    """A run in Dual Direct with so many lookups, of which so many pass by mistake."""
    axes = axes_of('gups', 'dd', escapes=escapes, seed=seed, **more)
    some = [(lookups - false - true, 'segment'), (false, 'false'), (true, 'escape')]
    record = record_of(axes, [Walks(count, 'nested', 'segment', (last,), guest_segment=True,
                                    vmm_segment=True) for count, last in some if count])
    return Point(str(seed), axes, {**record, 'inputs': {'work': 1 << 28}})


def outcome(points, claim=CLAIM):
    found, = judge([tomllib.loads(claim)], Results(points, CONFIGURATIONS, classes=CLASSES))
    return found


def test_true_escapes_are_no_lookups_that_could_have_been_false():
    results = Results([point(1, 20, true=60000)], CONFIGURATIONS, classes=CLASSES)
    assert results.value(results.points[0], 'false-escape-share') == 20 / 40000


def test_a_share_is_that_of_theory_to_so_many_standard_errors_of_the_mean():
    """0.24612 % by theory; the standard error of 2 sets of 65536 pages is 0.052 %."""
    assert outcome([point(1, 200), point(2, 300)]).state == MET
    assert outcome([point(1, 500), point(2, 500)]).state == NOT_MET
    assert outcome([point(1, 0), point(2, 0)]).state == NOT_MET
    narrow = CLAIM.replace('theory = 4', 'theory = 0.01')
    assert outcome([point(1, 200), point(2, 300)], narrow).state == NOT_MET
    text = outcome([point(1, 500), point(2, 500)]).found
    assert text.startswith('within in 0 of 1; gups: 0.5000%, by theory 0.2461% ± 0.')


def test_more_random_sets_make_a_narrower_bound():
    few, many = ([point(seed, 330) for seed in range(number)] for number in (4, 400))
    assert outcome(few).state == MET and outcome(many).state == NOT_MET


def test_each_number_of_escapes_is_held_against_its_own_theory():
    points = [point(1, 246), point(2, 0, escapes=2), point(3, 0, escapes=0)]
    assert outcome(points).state == MET
    points[1] = point(2, 246, escapes=2)
    found = outcome(points)
    assert found.state == NOT_MET and 'within in 2 of 3; gups, escapes 2: 0.2460%' in found.found


def test_each_size_of_the_filter_is_held_against_its_own_theory():
    """By theory 16 pages of 64 bits have 17.2 % pass, of 256 bits 0.246 %."""
    points = [point(1, 17200, **{'filter-bits': 64}), point(2, 246)]
    assert outcome(points).state == MET
    points = [point(seed, 246, **{'filter-bits': 64}) for seed in range(30)] + [point(2, 246)]
    found = outcome(points)
    assert found.state == NOT_MET
    assert 'within in 1 of 2; gups, filter-bits 64: 0.2460%, by theory 17.1' in found.found


def test_without_escapes_there_is_one_baseline_for_filters_of_each_size():
    points = [point(1, 17200, **{'filter-bits': 64}), point(2, 0, escapes=0)]
    points[1].axes['seed'] = 1
    results = Results(points, CONFIGURATIONS, classes=CLASSES)
    assert results.other(points[0], {'escapes': 0}) is points[1]


def test_a_missing_set_is_not_measured():
    points = [point(1, 246), Point('x', axes_of('gups', 'dd', escapes=16, seed=2))]
    assert outcome(points).state == NOT_MEASURED
