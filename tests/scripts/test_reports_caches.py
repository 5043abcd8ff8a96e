# SPDX-License-Identifier: GPL-2.0-or-later
"""Reports of points with modelled caches: closed forms, costs measured, and what is shown."""

import csv
import re
from types import SimpleNamespace

import pytest

from dseg import Failure
from dseg.points import records, workloads
from dseg.points.configurations import CONFIGURATIONS
from dseg.reports import (cached, claims, compare, costs, models, report, results, table)
from dseg.reports.forms import broken, forms
from dseg.reports.results import Point, Results
from checked import problems_of_figure
from sample_runs import (CLASSES, Walks, axes_of, make_folder, matrix, record_of, sample,
                         with_caches)

EXACT = {'caches': True, 'tlb-mode': 'exact'}
L1, L2, LLC, MEMORY = 4, 12, 30, 200
L2_HIT = 7
# By sample_runs.FOUND, of an even number of walks: half of the entries of level 1 are in memory.
LAST = (LLC + MEMORY) / 2
WALK = L1 + L1 + L2 + LAST
NESTED = ('4k',) * 5


@pytest.fixture(autouse=True)
def classes(monkeypatch):
    """The workloads of the samples are not those that ship."""
    monkeypatch.setattr(workloads, 'read', lambda: {
        name: SimpleNamespace(kind=kind) for name, kind in CLASSES.items()})


def record_for(name, **axes):
    return sample(axes_of('gups', name, **{**EXACT, **axes}))


def names(some):
    return {re.sub(r' \(.*\)$', '', form.name) for form in some}


# Closed forms

@pytest.mark.parametrize('name', CONFIGURATIONS)
def test_a_record_of_the_specification_obeys_every_form_of_caches(name):
    record, configuration = record_for(name), CONFIGURATIONS[name]
    found, without = forms(record, configuration), forms({**record, 'caches': None}, configuration)
    assert not broken(found)
    assert names(found) - names(without) == {
        'steps = those that were found', 'cycles of walks = their steps by latency',
        'cycles of data = what has passed by latency', 'data that has passed = accesses of the TLB'}


def add(table_name, key='count', number=1, at=0):
    def change(record):
        record['caches'][table_name][at][key] += number
    return change


def add_data_cycles(record):
    record['caches']['data-cycles'] += 1


def add_spared(record):
    steps = record['caches']['steps']
    steps.append({**steps[0], 'place': 'spared', 'count': 99})


def spare(record):
    """A step that was read is called spared."""
    step = record['caches']['steps'][0]
    step['count'] -= 1
    record['caches']['steps'].append({**step, 'place': 'spared', 'count': 1})


@pytest.mark.parametrize('change, noticed', [
    (add('steps'), 'steps = those that were found'), (spare, 'steps = those that were found'),
    (add('walk-cycles', 'cycles'), 'cycles of walks = their steps by latency'),
    (add_data_cycles, 'cycles of data = what has passed by latency'),
    (add('data'), 'data that has passed = accesses of the TLB')])
def test_a_form_of_caches_notices_what_breaks_it(change, noticed):
    record = record_for('4k+4k')
    change(record)
    assert noticed in names(broken(forms(record, CONFIGURATIONS['4k+4k'])))


def test_loads_are_not_taken_for_stores():
    record = record_for('native-4k')
    record['caches']['data'].append({'kind': 'store', 'place': 'l1', 'count': 1})
    next(row for row in record['caches']['data'] if row['kind'] == 'load')['count'] -= 1
    wrong = broken(forms(record, CONFIGURATIONS['native-4k']))
    assert [form.name for form in wrong] == [
        f'data that has passed = accesses of the TLB ({kind})' for kind in ('load', 'store')]


def test_a_step_that_was_spared_was_not_read():
    record = record_for('native-4k')
    add_spared(record)
    assert not broken(forms(record, CONFIGURATIONS['native-4k']))


def test_where_segments_are_beside_l1_their_hits_pass_too():
    record = record_for('dd')
    record['tlb']['segment-hits-l1'] = {'load': 5, 'store': 0, 'fetch': 0}
    wrong = [form for form in broken(forms(record, CONFIGURATIONS['dd'])) if 'passed' in form.name]
    assert [(form.right - form.left) for form in wrong] == [5]


def test_in_mode_inclusive_what_misses_l1_of_the_tlb_passes_and_no_more():
    record = record_for('native-4k', **{'tlb-mode': 'inclusive'})
    name = 'what has passed = misses of L1 of the TLB + lines of sweeps'
    assert name in names(broken(forms(record)))
    found = record['caches']
    for kind in ('load', 'store', 'fetch'):
        misses = sum(row['count'] for row in record['tlb']['misses']
                     if (row['level'], row['kind']) == ('l1', kind))
        found['data'] = [row for row in found['data'] if row['kind'] != kind]
        found['data'].append({'kind': kind, 'place': 'llc', 'count': misses})
    found['data-cycles'] = sum(row['count'] * LLC for row in found['data'])
    assert name in names(forms(record)) and not broken(forms(record))
    del found['swept']      # as in records from before there were sweeps
    assert not broken(forms(record))
    found['swept'] = {'load': 0, 'store': 0, 'fetch': 0}
    found['swept']['load'] += 64
    assert [form.name for form in broken(forms(record))] == [f'{name} (load)']
    next(row for row in found['data'] if row['kind'] == 'load')['count'] += 64
    found['data-cycles'] += 64 * LLC
    assert not broken(forms(record))


# Costs

def parts(name, walks, hits=0, instructions=1000, factor=1.0):
    record = with_caches(record_of(axes_of('gups', name, **EXACT), walks, instructions, hits))
    return record, models.parts_of(record, CONFIGURATIONS[name], costs.MEASURED.times(factor))


def test_each_step_costs_what_the_cache_took_in_which_it_was_found():
    _, found = parts('native-4k', [Walks(10, 'native', '4k')])
    assert (found.guest, found.nested, found.checks) == (10 * WALK, 0, 0)
    _, found = parts('4k+4k', [Walks(10, 'nested', '4k', NESTED)])
    assert (found.guest, found.nested) == (10 * WALK, 5 * 10 * WALK)


def test_checks_and_hits_of_the_l2_tlb_cost_what_they_do_by_costs_direct():
    record, found = parts('4k+vd', [Walks(10, 'nested', '4k', ('segment',) * 5, vmm_segment=True)],
                          hits=100)
    direct = models.direct(record, CONFIGURATIONS['4k+vd'], costs.preset('direct'))
    assert (found.checks, found.hits) == (direct.checks, direct.hits) == (50, 100 * L2_HIT)


def test_the_walks_of_kernels_are_left_out():
    walks = [Walks(10, 'nested', '4k', NESTED), Walks(6, 'native', '4k'),
             Walks(4, 'nested', '4k', NESTED, privilege='kernel')]
    assert parts('4k+4k', walks)[1].guest == 10 * WALK


def test_a_step_that_was_spared_costs_nothing():
    record, found = parts('native-4k', [Walks(10, 'native', '4k')])
    add_spared(record)
    assert models.parts_of(record, CONFIGURATIONS['native-4k'], costs.MEASURED) == found


def test_the_ideal_time_has_what_data_takes_beyond_a_hit_of_l1():
    record, found = parts('native-4k', [Walks(10, 'native', '4k')], hits=3)
    # 30 loads hit L1 of the TLB and L1; 13 loads, of which 3 hit L2 of the TLB, are found in LLC.
    assert found.ideal == 1000 + 13 * (LLC - L1)
    record['caches']['data'].append({'kind': 'fetch', 'place': 'l2', 'count': 2})
    again = models.parts_of(record, CONFIGURATIONS['native-4k'], costs.MEASURED)
    assert again.ideal == found.ideal + 2 * (L2 - 5)      # L1I takes 5


def test_two_walkers_that_overlap_fully_halve_steps_and_nothing_else():
    walks = [Walks(10, 'nested', '4k', ('segment',) * 5, vmm_segment=True)]
    record, whole = parts('4k+vd', walks, hits=2)
    _, half = parts('4k+vd', walks, hits=2, factor=0.5)
    assert half.guest == whole.guest / 2
    assert (half.checks, half.hits, half.ideal) == (whole.checks, whole.hits, whole.ideal)
    assert models.band(record, CONFIGURATIONS['4k+vd'], costs.MEASURED)[0] == half.overhead


def test_without_a_count_of_instructions_there_is_no_measured_overhead():
    record, _ = parts('native-4k', [Walks(10, 'native', '4k')])
    record['instructions'] = None
    assert models.parts_of(record, CONFIGURATIONS['native-4k'], costs.MEASURED).overhead is None


# Reports

ALL = matrix(['gups', 'zstd'], ['native-4k', 'native-2m', '4k+4k', '2m+2m', 'dd'], **EXACT)
CLAIM = {'text': 'by caches', 'value': 'measured-overhead', 'average': 'each', 'source': 'ours',
         'order': ['dd', 'native-4k', '4k+4k']}
STEPS = {'kind': 'steps', 'title': 'Steps of walks'}
BARS = {'kind': 'overhead-bars', 'title': 'By caches', 'costs': 'measured'}


@pytest.fixture
def run(tmp_path):
    """Makes the folder of a run, and its report; returns where that is."""
    def make(all_axes=None, file=None, code=0, **more):
        folder = tmp_path / 'run'
        if not folder.exists():
            folder.mkdir()
            make_folder(folder, all_axes or ALL, {'claim': [CLAIM], **(file or {})})
        nothing = dict.fromkeys(('html', 'csv', 'json', 'svg', 'pdf'))
        assert report.main(folder, SimpleNamespace(**{**nothing, **more})) == code
        return folder
    return make


def of(all_axes):
    return Results([Point(str(number), axes, sample(axes)) for number, axes in enumerate(all_axes)],
                   CONFIGURATIONS)


def test_measured_overhead_is_a_value_of_points_with_caches_only():
    one, other = (of([axes_of('gups', 'dd', caches=caches)]) for caches in (True, False))
    assert one.value(one.points[0], 'measured-overhead') == pytest.approx(
        one.parts(one.points[0], costs.MEASURED).overhead)
    assert other.value(other.points[0], 'measured-overhead') is None
    assert (one.has_caches, other.has_caches) == (True, False)


def test_measured_overheads_are_compared_as_times_are():
    found = of([axes_of('gups', name, **EXACT) for name in ('native-4k', '4k+4k')])
    native, nested = (found.value(point, 'measured-overhead') for point in found.points)
    assert found.against(found.points[1], found.points[0], 'measured-overhead') == pytest.approx(
        (1 + nested) / (1 + native) - 1)


def test_a_comparison_has_measured_overheads_where_both_sides_have_them():
    with_them, without = (of([axes_of('gups', 'dd', caches=caches)]) for caches in (True, False))
    for other, number in (with_them, 1), (without, 0):
        values = [change.value for change in compare.Comparison(with_them, other).changes]
        assert values.count('measured-overhead') == number and len(values) > 4


def test_a_claim_may_be_of_measured_overheads(run, capsys):
    run()
    assert '  met           by caches (ours)' in capsys.readouterr().out
    without = matrix(['gups'], ['dd', 'native-4k', '4k+4k'])
    [outcome] = claims.judge([CLAIM], of(without))
    assert outcome.state == claims.NOT_MEASURED


def test_costs_measured_may_be_asked_for_and_are_the_overhead_then(run, tmp_path, capsys):
    run(csv=tmp_path / 'measured.csv', costs='measured')
    run(csv=tmp_path / 'direct.csv')
    rows, direct = (list(csv.DictReader((tmp_path / name).read_text().splitlines()))
                    for name in ('measured.csv', 'direct.csv'))
    for row, other in zip(rows, direct):
        assert row['overhead'] == row['overhead-measured'] == other['overhead-measured'] != ''
        assert other['overhead'] == other['overhead-direct'] == row['overhead-direct']
        assert float(row['measured-from-direct']) == pytest.approx(
            float(row['overhead-measured']) - float(row['overhead-direct']))


def test_costs_measured_of_a_point_without_caches_are_refused_by_its_name(run, tmp_path):
    with pytest.raises(Failure, match=r'points/(\w+)/record.json: caches: point gups dd \(\1\) was '
                       'measured without modelled caches.*caches = true'):
        run([axes_of('gups', 'native-4k', **EXACT), axes_of('gups', 'dd')], {'claim': []},
            csv=tmp_path / 'x.csv', costs='measured')
    assert not (tmp_path / 'x.csv').exists()


def test_the_text_has_columns_of_caches_only_where_there_are_any():
    assert table.BY_CACHES == ('measured', 'from direct')
    found = of([axes_of('gups', 'dd', **EXACT)])
    heads, line = table.to_text(found).splitlines()
    assert 'measured  from direct' in heads
    assert table.share(found.value(found.points[0], 'measured-overhead')) in line
    assert 'measured' not in table.to_text(of([axes_of('gups', 'dd')]))


def test_the_page_has_caches_beside_the_models(run, tmp_path, capsys):
    folder = run(html=tmp_path / 'x.html')
    page = (tmp_path / 'x.html').read_text()
    _, found = results.read(folder)
    part = page[page.index('id="models"'):page.index('id="points"')]
    assert '>from direct<' in part and '>Measured<' in part
    for point in found.points:
        assert f'>{table.share(found.value(point, "measured-overhead"))}<' in part
        assert f'>{table.share(found.measured_from_direct(point))}<' in part


@pytest.mark.parametrize('mode', ['inclusive', 'exact'])
def test_what_does_not_pass_in_mode_inclusive_is_said_there_and_only_there(run, tmp_path, capsys,
                                                                          mode):
    run([axes_of('gups', 'native-4k', caches=True, **{'tlb-mode': mode})], {'claim': []},
        html=tmp_path / 'x.html', code=1 if mode == 'inclusive' else 0)     # samples are of exact
    told = 'In mode inclusive data that hits L1 of the TLB passes the caches only in sweeps of pages'
    assert (told in capsys.readouterr().out) == (mode == 'inclusive')
    assert (told in (tmp_path / 'x.html').read_text()) == (mode == 'inclusive')


def test_results_from_before_there_were_caches_have_a_report_and_are_compared(tmp_path):
    (tmp_path / 'old').mkdir()
    all_axes = [{name: value for name, value in axes_of('gups', 'dd').items() if name != 'caches'}]
    make_folder(tmp_path / 'old', all_axes,
                record=lambda axes: sample({**axes, 'caches': False}))
    nothing = dict.fromkeys(('csv', 'json', 'svg', 'pdf'))
    page = tmp_path / 'x.html'
    assert report.main(tmp_path / 'old', SimpleNamespace(html=page, **nothing)) == 0
    assert 'from direct' not in page.read_text()
    (tmp_path / 'new').mkdir()
    make_folder(tmp_path / 'new', [axes_of('gups', 'dd')])
    found = compare.Comparison(*(results.read(tmp_path / name)[1] for name in ('old', 'new')))
    assert [change.verdict for change in found.changes] == [compare.SAME] * 5


@pytest.mark.parametrize('change, key, rule', [
    ({'costs': 'free'}, 'costs', 'none of: direct, dmt, emt, measured'),
    ({**STEPS, 'costs': 'measured'}, 'costs', 'only overhead-bars may have it')])
def test_costs_that_a_figure_can_not_have_are_refused(change, key, rule):
    line, = problems_of_figure({**BARS, **change})
    assert line.startswith(f'x.toml:3: figure.1.{key}: ') and rule in line


def test_latencies_are_those_of_the_place_and_of_the_kind_of_access():
    found = record_for('native-4k')['caches']
    assert [cached.latency(found, place) for place in records.PLACES] == [L1, L2, LLC, MEMORY, 0]
    assert cached.latency(found, 'l1', 'fetch') == 5
