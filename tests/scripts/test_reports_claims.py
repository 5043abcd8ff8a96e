# SPDX-License-Identifier: GPL-2.0-or-later
"""Claims are met, not met or not measured by their numbers; and one that can't be is refused."""

import tomllib

import pytest

from dseg import ROOT
from dseg.points.configurations import CONFIGURATIONS
from dseg.points.experimentfile import read
from dseg.reports import claims
from dseg.reports.claims import MET, NOT_MEASURED, NOT_MET, judge
from dseg.reports.results import Point, Results
from checked import problems_of, problems_of_file
from sample_runs import CLASSES, Walks, axes_of, record_of

TEXT = 'text = "t"\nsource = "ours"\n'
NATIVE = 50             # cycles of a native walk, by the preset 'direct'


def native(workload, walks, name='native-4k', instructions=10000, **more):
    """A point whose program has made so many native walks."""
    axes = axes_of(workload, name, **more)
    record = walks is not None and record_of(axes, [Walks(walks, 'native', '4k')], instructions, 0)
    return Point(f'{workload} {name} {more}', axes, record or None)


def outcome(claim, points):
    found, = judge([tomllib.loads(TEXT + claim)], Results(points, CONFIGURATIONS, classes=CLASSES))
    return found


def state(claim, points):
    return outcome(claim, points).state


# Overheads of 10 %, 40 % and 20 %.
THREE = [native('gups', 20), native('bfs', 80), native('zstd', 40)]


@pytest.mark.parametrize('claim, wanted', [
    ('below = 0.401', MET), ('below = 0.4', NOT_MET),
    ('above = 0.099', MET), ('above = 0.1', NOT_MET),
    ('average = "mean"\nbelow = 0.234', MET), ('average = "mean"\nbelow = 0.233', NOT_MET),
    ('average = "geometric"\nequals = 0.2271\ntolerance = 0.0001', MET),      # 1.848 ** (1 / 3)
    ('average = "geometric"\nequals = 0.2275\ntolerance = 0.0001', NOT_MET),
    ('average = "each"\nequals = 0.25\ntolerance = 0.151', MET),
    ('average = "each"\nequals = 0.25\ntolerance = 0.149', NOT_MET)])
def test_a_bound_is_held_against_each_number_or_an_average(claim, wanted):
    assert state(f'value = "overhead"\nof = {{}}\n{claim}', THREE) == wanted


def test_the_numbers_that_do_not_meet_a_claim_are_named():
    found = outcome('value = "overhead"\nof = {}\nbelow = 0.15', THREE)
    assert found.found == '10.00% to 40.00% in 3 points; not for bfs (40.00%), zstd (20.00%)'
    assert found.rows == [('gups', pytest.approx(0.1)), ('bfs', pytest.approx(0.4)),
                          ('zstd', pytest.approx(0.2))]


@pytest.mark.parametrize('of, wanted', [
    ('{ workload = "bfs", escapes = 0 }', 0.4), ('{ class = "compute" }', 0.2),
    ('{ workload = ["gups", "bfs"] }', 0.25), ('{ class = "big-memory", workload = "gups" }', 0.1)])
def test_a_selection_is_by_axes_and_by_the_class_of_the_workload(of, wanted):
    assert state(f'value = "overhead"\nof = {of}\naverage = "mean"\nequals = {wanted}\n'
                 'tolerance = 1e-9', THREE) == MET


@pytest.mark.parametrize('value, walk, wanted', [
    ('walks', Walks(7, 'nested', '4k', ('4k',) * 5), 7),
    ('refs-per-walk', Walks(7, 'nested', '4k', ('4k',) * 5), 24),
    ('checks-per-walk', Walks(7, 'nested', '4k', ('segment',) * 5, guest_segment=True,
                              vmm_segment=True), 6),
    ('exits', Walks(7, 'nested', '4k', ('4k',) * 5), 100)])
def test_each_value_is_what_it_is_called(value, walk, wanted):
    point = Point('x', axes_of('gups', '4k+4k'), record_of({}, [walk, Walks(9, 'native', '2m')]))
    assert state(f'value = "{value}"\nof = {{}}\nequals = {wanted}\ntolerance = 0', [point]) == MET


PAIRS = [native('gups', 20), native('bfs', 80), native('gups', 31, 'native-2m'),
         native('bfs', 94, 'native-2m', instructions=11000)]


@pytest.mark.parametrize('value, gups, bfs', [
    ('overhead', 1.155 / 1.1 - 1, (1 + 4700 / 11000) / 1.4 - 1),
    ('slowdown', 11550 / 11000 - 1, 15700 / 14000 - 1), ('walks', 31 / 20 - 1, 94 / 80 - 1)])
def test_what_a_value_is_relative_to_is_paired_by_the_other_axes(value, gups, bfs):
    found = outcome(f'value = "{value}"\nof = {{ configuration = "native-2m" }}\n'
                    'relative-to = { configuration = "native-4k" }\nbelow = 1', PAIRS)
    assert [number for _, number in found.rows] == [pytest.approx(gups), pytest.approx(bfs)]


def test_escapes_are_no_matter_to_a_baseline_that_has_no_filter():
    axes = axes_of('gups', 'dd', escapes=4)
    nested = Walks(40, 'nested', '4k', ('4k',) * 5)
    points = [native('gups', 20), Point('x', axes, record_of(axes, [nested]))]
    assert state('value = "walks"\nof = { configuration = "dd" }\nabove = 0.9\n'
                 'relative-to = { configuration = "native-4k" }', points) == MET


def test_other_axes_of_a_baseline_must_be_equal():
    points = [native('gups', 20, seed=2), native('gups', 40, 'native-2m')]
    found = outcome('value = "walks"\nof = { configuration = "native-2m" }\nabove = 0\n'
                    'relative-to = { configuration = "native-4k" }', points)
    assert found.state == NOT_MEASURED


ORDER = 'value = "walks"\norder = ["native-2m", "native-4k"]\n'


@pytest.mark.parametrize('large, small, wanted', [
    ((1, 2), (3, 4), MET), ((1, 4), (3, 4), NOT_MET), ((5, 2), (3, 4), NOT_MET)])
def test_an_order_is_ascending_for_each_workload(large, small, wanted):
    points = [native(name, walks, configuration)
              for configuration, both in (('native-2m', large), ('native-4k', small))
              for name, walks in zip(('gups', 'bfs'), both)]
    assert state(ORDER, points) == wanted


def test_an_order_of_averages_lets_single_ones_be_otherwise():
    points = [native('gups', 5, 'native-2m'), native('gups', 4), native('bfs', 1, 'native-2m'),
              native('bfs', 9)]
    assert state(ORDER, points) == NOT_MET
    assert state(ORDER + 'average = "mean"', points) == MET


def test_an_order_says_where_it_is_otherwise():
    points = [native('gups', 5, 'native-2m'), native('gups', 4), native('bfs', 1, 'native-2m'),
              native('bfs', 9)]
    assert outcome(ORDER, points).found == \
        'ascending in 1 of 2; gups: native-2m 5 then native-4k 4'


@pytest.mark.parametrize('claim', [
    'value = "walks"\nof = {}\nbelow = 99',
    'value = "walks"\nof = {}\naverage = "mean"\nbelow = 99',
    ORDER])
def test_a_claim_is_not_measured_while_a_point_is_missing(claim):
    points = [native('gups', 1, 'native-2m'), native('gups', 2), native('bfs', 1, 'native-2m'),
              native('bfs', None)]
    found = outcome(claim, points)
    assert found.state == NOT_MEASURED and 'bfs' in found.found
    points[-1] = native('bfs', 2)
    assert state(claim, points) == MET


def test_a_claim_about_no_point_is_not_measured():
    for claim in 'of = { workload = "cg" }\nbelow = 1', 'order = ["dd", "4k+4k"]':
        assert state(f'value = "walks"\n{claim}', THREE) == NOT_MEASURED


def test_an_overhead_without_instructions_is_not_measured():
    point = native('gups', 20, instructions=None)
    assert state('value = "overhead"\nof = {}\nbelow = 1', [point]) == NOT_MEASURED


GOOD = 'value = "walks"\nof = { configuration = "dd" }\nbelow = 1\n'
THEORY = 'value = "false-escape-share"\nof = {}\ntheory = 4\n'


@pytest.mark.parametrize('claim, key, line, rule', [
    (TEXT + GOOD + 'bellow = 1', 'bellow', 8, 'no such key; there are: text, value'),
    (TEXT.replace('"t"', '3') + GOOD, 'text', 3, 'must be a text, not 3'),
    (TEXT + GOOD.replace('"walks"', '["walks"]'), 'value', 5, "['walks'] is none of: overhead"),
    (TEXT + GOOD.replace('1', 'nan'), 'below', 7, 'must be a number, not nan'),
    (TEXT + GOOD.replace('configuration = "dd"', 'seed = [1, "2"]'), 'of', 6,
     "'2' is no value of seed: use a whole number"),
    (TEXT + THEORY.replace('of = {}\n', ''), 'of', 2, 'is needed'),
    (TEXT + 'value = "walks"\nof = 3\norder = ["dd", "4k+4k"]', 'of', 6, 'must be a table'),
    (GOOD + 'text = "t"', 'source', 2, 'is needed'),
    (TEXT + GOOD.replace('walks', 'wallks'), 'value', 5, "'wallks' is none of: overhead"),
    (TEXT.replace('ours', 'yours') + GOOD, 'source', 4, 'none of: poster, recalled'),
    (TEXT + GOOD + 'average = "median"', 'average', 8, 'none of: each, geometric, mean'),
    (TEXT + GOOD + 'above = 3', 'above', 8, 'one of these is needed, and no more'),
    (TEXT + 'value = "walks"\nof = {}', 'below', 2, 'one of these is needed'),
    (TEXT + GOOD + 'tolerance = 3', 'tolerance', 8, 'equals needs it'),
    (TEXT + 'value = "walks"\nof = {}\nequals = 3', 'tolerance', 2, 'equals needs it'),
    (TEXT + GOOD.replace('1', '"1"'), 'below', 7, "must be a number, not '1'"),
    (TEXT + GOOD.replace('1', 'true'), 'below', 7, 'must be a number, not True'),
    (TEXT + GOOD.replace('configuration', 'config'), 'of', 6, 'no axis config; there are: work'),
    (TEXT + GOOD.replace('{ configuration = "dd" }', '"dd"'), 'of', 6, 'must be a table'),
    (TEXT + 'value = "walks"\nbelow = 1', 'of', 2, 'is needed'),
    (TEXT + GOOD.replace('walks', 'slowdown'), 'relative-to', 2, 'needs what it is relative to'),
    (TEXT + 'value = "walks"\norder = ["dd"]', 'order', 6, 'two or more'),
    (TEXT + GOOD.replace('dd', 'ddd'), 'of', 6, "no configuration 'ddd'; there are: native-4k"),
    (TEXT + GOOD.replace('configuration = "dd"', 'class = ["big"]'), 'of', 6, "no class 'big'"),
    (TEXT + ORDER.replace('native-2m', 'native-2M'), 'order', 6, "no configuration 'native-2M'"),
    (TEXT + ORDER + 'of = { configuration = "dd" }', 'of', 7, 'order names the configurations'),
    (TEXT + GOOD.replace('below', 'theory'), 'value', 5, 'a theory of false-escape-share only'),
    (TEXT + THEORY + 'average = "mean"', 'average', 8, 'of the value itself, so this may not be'),
    (TEXT + THEORY.replace('4', '"4"'), 'theory', 7, "must be a number, not '4'"),
])
def test_a_claim_that_can_not_be_is_refused_by_file_line_and_key(tmp_path, claim, key, line, rule):
    file = tmp_path / 'x.toml'
    file.write_text(f'title = "x"\n[[claim]]\n{claim}\n')
    text, = problems_of_file(file)
    assert text.partition(f': claim.1.{key}: ')[2].count(rule) == 1, text
    assert text.startswith(f'{file}:{line}: ')


def test_all_mistakes_of_all_claims_are_named_at_once(tmp_path):
    file = tmp_path / 'x.toml'
    file.write_text(f'[[claim]]\n{GOOD}colour = 1\n[[claim]]\n{TEXT}value = "w"\nof = {{ a = 1 }}\n')
    assert [line.split(': ')[:2] for line in problems_of_file(file)] == [
        [f'{file}:{number}', f'claim.{claim}.{key}'] for number, claim, key in (
            (5, 1, 'colour'), (1, 1, 'text'), (1, 1, 'source'), (9, 2, 'value'), (6, 2, 'below'),
            (10, 2, 'of'))]


def test_the_claims_of_the_experiments_that_ship_are_understood():
    files = sorted((ROOT / 'experiments').glob('*.toml'))
    found = [read(file) for file in files if file.name != 'workloads.toml']
    assert found
    assert not any(map(problems_of, found))


@pytest.mark.parametrize('claim, wanted', [
    ('of = {}\nbelow = 0.03\nvalue = "overhead"', 'below 3.00%'),
    ('of = {}\nequals = 24\ntolerance = 0.5\nvalue = "walks"', '24 ± 0.500'),
    (THEORY, 'theory ± 4 standard errors'), (ORDER, 'native-2m < native-4k')])
def test_a_bound_is_said_in_words(claim, wanted):
    assert claims.bound(tomllib.loads(claim)) == wanted
