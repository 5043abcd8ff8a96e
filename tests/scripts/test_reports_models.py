# SPDX-License-Identifier: GPL-2.0-or-later
"""Overheads: direct costs by hand, and the linear models by hand and by what must hold of them."""

import itertools
import random

import pytest

from dseg import Failure
from dseg.points.configurations import CONFIGURATIONS
from dseg.reports import costs, models
from dseg.reports.models import Run, disagree, overheads, predict
from dseg.reports.results import Point, Results
from sample_runs import Walks, axes_of, matrix, record_of, sample

DIRECT = costs.preset('direct')
# Cycles of the preset, as its table says them.
L1, L2, LLC = 4, 12, 30
NATIVE = L1 + L1 + L2 + LLC                 # a native walk of 4 KiB
FINAL = L1 + L1 + L2 + LLC                  # a nested walk to the final address
TO_TABLE = L1 + L1 + L1 + L2                # one to a guest's table


def direct(name, walks, hits=0, instructions=1000, preset=DIRECT, everything=False):
    record = record_of({}, walks, instructions, hits)
    return models.direct(record, CONFIGURATIONS[name], preset, everything)


def test_each_step_of_a_native_walk_costs_what_its_level_does():
    parts = direct('native-4k', [Walks(10, 'native', '4k')])
    assert (parts.guest, parts.nested, parts.checks) == (10 * NATIVE, 0, 0)
    assert parts.overhead == 10 * NATIVE / 1000 and parts.total == 1000 + 10 * NATIVE


def test_each_of_the_24_steps_of_a_nested_walk_costs_what_its_level_does():
    parts = direct('4k+4k', [Walks(10, 'nested', '4k', ('4k',) * 5)])
    assert (parts.guest, parts.nested) == (10 * NATIVE, 10 * (4 * TO_TABLE + FINAL))


def test_larger_pages_spare_the_last_steps():
    parts = direct('2m+1g', [Walks(1, 'nested', '2m', ('1g',) * 4)])
    assert (parts.guest, parts.nested) == (L1 + L1 + L2, 4 * (L1 + L1))


@pytest.mark.parametrize('name, walk, cycles', [
    ('native-ds', Walks(10, 'native', 'segment', guest_segment=True), 10),
    ('dd', Walks(10, 'nested', 'segment', ('segment',), guest_segment=True, vmm_segment=True), 10),
    ('4k+gd', Walks(10, 'nested', 'segment', ('4k',), guest_segment=True), 10),
    ('4k+vd', Walks(10, 'nested', '4k', ('segment',) * 5, vmm_segment=True), 50),
    ('4k+vd', Walks(10, 'nested', '4k', ('segment',) * 4 + ('escape',), vmm_segment=True), 50),
    # A segment that was in force and missed.
    ('native-ds', Walks(10, 'native', '4k', guest_segment=True), 10),
    ('4k+gd', Walks(10, 'nested', '4k', ('4k',) * 5, guest_segment=True), 10)])
def test_checks_cost_1_cycle_a_walk_and_5_under_the_vmm_segment(name, walk, cycles):
    assert direct(name, [walk]).checks == cycles


def test_a_hit_of_the_l2_tlb_costs_7_cycles():
    parts = direct('native-4k', [Walks(10, 'native', '4k')], hits=100)
    assert parts.hits == 700 and parts.translation == parts.walks + 700


def test_the_walks_of_kernels_are_left_out_unless_they_are_asked_for():
    walks = [Walks(10, 'nested', '4k', ('4k',) * 5), Walks(3, 'native', '4k', privilege='kernel'),
             Walks(4, 'nested', '4k', ('4k',) * 5, privilege='kernel'), Walks(5, 'native', '4k')]
    assert direct('4k+4k', walks).guest == 10 * NATIVE
    assert direct('4k+4k', walks, everything=True).guest == 22 * NATIVE


def test_the_band_is_half_and_twice_the_cycles_of_all_steps():
    record = record_of({}, [Walks(10, 'nested', '4k', ('segment',) * 5, vmm_segment=True)], 1000, 2)
    rest = 10 * 5 + 2 * 7
    low, high = models.band(record, CONFIGURATIONS['4k+vd'], DIRECT)
    assert low == pytest.approx((5 * NATIVE + rest) / 1000)
    assert high == pytest.approx((20 * NATIVE + rest) / 1000)


@pytest.mark.parametrize('name, pwc, l1, l2, llc', [('dmt', 1, 4, 14, 54), ('emt', 1, 2, 16, 56)])
def test_other_presets_have_published_latencies_and_walk_caches(name, pwc, l1, l2, llc):
    preset = costs.preset(name)
    assert preset.latencies['L1'] == l1
    parts = direct('4k+4k', [Walks(1, 'nested', '4k', ('4k',) * 5)], preset=preset)
    assert parts.guest == pwc + pwc + l2 + llc
    assert parts.nested == 4 * (3 * pwc + l2) + pwc + pwc + l2 + llc


def test_every_place_of_every_preset_has_a_latency_and_a_reason():
    for preset in costs.PRESETS.values():
        assert preset.source and preset.about
        for place in itertools.product(('guest', 'final', 'table'), (1, 2, 3, 4)):
            where, why = preset.placement[place]
            assert preset.latencies[where] > 0 and why
        assert preset.step('guest', 5) == preset.step('guest', 4)


def test_costs_that_there_are_not_are_named():
    with pytest.raises(Failure, match="no costs 'free'; there are: direct, dmt, emt, measured$"):
        costs.preset('free')


def test_without_a_count_of_instructions_there_is_no_overhead():
    record = record_of({}, [Walks(10, 'native', '4k')])
    record['instructions'] = None
    parts = models.direct(record, CONFIGURATIONS['native-4k'], DIRECT)
    assert parts.overhead is None and parts.total is None and parts.guest == 10 * NATIVE
    assert models.run_of(record, parts, CONFIGURATIONS['native-4k']) is None


# R4k = 1000 of which 400 are walks, R2m = 700 of which 80 are.
FOUR, TWO = Run(1000, 400, 100, 50), Run(700, 80, 20, 10)
RUN = Run(None, 200, 60, 30)


@pytest.mark.parametrize('name, time', [
    ('basu', 4 * 60 + 600),                 # C4k / M4k = 4
    ('gandhi', 4 * 60 + 620),
    ('alam', 200 + 620),
    ('pham', 7 * 30 + 200 + (600 - 7 * 50)),
    ('yaniv', 0.9375 * 200 + (1000 - 0.9375 * 400)),    # A = 300 / 320
])
def test_a_linear_model_by_hand(name, time):
    assert predict(name, RUN, FOUR, TWO) == pytest.approx(time)


def random_runs(count=200):
    rng = random.Random(5)
    for _ in range(count):
        runs = [Run(rng.uniform(5e3, 9e3), rng.uniform(10, 4e3), rng.randrange(1, 900),
                    rng.randrange(900)) for _ in range(3)]
        if abs(runs[1].c - runs[2].c) > 1:
            yield runs


@pytest.mark.parametrize('name', ['basu', 'pham', 'yaniv'])
def test_these_models_give_the_time_of_the_4k_run_back(name):
    for _, four, two in random_runs():
        assert predict(name, four, four, two) == pytest.approx(four.r)


@pytest.mark.parametrize('name', ['alam', 'yaniv'])
def test_these_models_give_the_time_of_the_2m_run_back(name):
    for _, four, two in random_runs():
        assert predict(name, two, four, two) == pytest.approx(two.r)


def test_gandhi_is_basu_with_the_ideal_time_of_the_2m_run():
    for run, four, two in random_runs():
        shift = (two.r - two.c) - (four.r - four.c)
        assert predict('gandhi', run, four, two) == pytest.approx(predict('basu', run, four, two)
                                                                  + shift)


def test_a_model_without_coefficients_says_nothing():
    assert predict('basu', RUN, FOUR._replace(m=0), TWO) is None
    assert predict('yaniv', RUN, FOUR, TWO._replace(c=400)) is None
    found = overheads(RUN, FOUR._replace(m=0), TWO, 600)
    assert found['basu'] is None and found['alam'] == pytest.approx((200 + 620) / 600 - 1)
    assert overheads(RUN, None, TWO, 600) == dict.fromkeys(models.MODELS)


def test_each_model_has_a_formula_and_a_source():
    assert list(models.MODELS) == ['basu', 'gandhi', 'alam', 'pham', 'yaniv']
    assert all('R = ' in model.formula and 'Mosmodel' in model.source
               for model in models.MODELS.values())


def results(all_axes):
    return Results([Point(str(number), axes, sample(axes)) for number, axes in enumerate(all_axes)],
                   CONFIGURATIONS)


@pytest.mark.parametrize('four, two', [('native-4k', 'native-2m'), ('4k+4k', '2m+2m'),
                                       ('shadow-4k', 'shadow-2m')])
def test_the_linear_models_of_a_world_rest_on_its_own_4k_and_2m_runs(four, two):
    run = results(matrix(['gups', 'bfs']))
    for workload in 'gups', 'bfs':
        first, second = (run.select({'workload': workload, 'configuration': name})[0]
                         for name in (four, two))
        ideal = run.parts(second).ideal
        found = run.models(first)
        for name in 'basu', 'pham', 'yaniv':
            assert found[name] == pytest.approx(run.parts(first).total / ideal - 1)
        for name in 'alam', 'yaniv':
            # All but the hits of the L2 TLB, which are not in C, is in R2m - C2m.
            assert run.models(second)[name] == pytest.approx(run.parts(second).overhead)


def test_a_point_without_its_baselines_has_no_linear_models():
    run = results([axes_of('gups', 'dd'), axes_of('gups', '4k+4k'), axes_of('bfs', '2m+2m')])
    assert run.models(run.points[0]) == dict.fromkeys(models.MODELS)
    assert run.parts(run.points[0]).overhead > 0


def test_pham_is_the_direct_model_where_the_ideal_times_are_equal():
    """Of one count of instructions: both add walk cycles and 7 for each hit to the same time."""
    run = results(matrix(['gups'], ['native-4k', 'native-2m', 'native-1g', 'native-ds']))
    for point in run.points:
        assert run.models(point)['pham'] == pytest.approx(run.parts(point).overhead)


@pytest.mark.parametrize('found, answer', [
    ([0.10, 0.12], False), ([0.10, 0.13], True), ([-0.01, 0.01], True), ([0.0, 0.0], False),
    ([0.0, 0.01], True), ([None, 0.1], False), ([], False), ([-0.2, -0.1], True)])
def test_models_disagree_by_sign_or_by_a_quarter(found, answer):
    assert disagree(found) is answer
