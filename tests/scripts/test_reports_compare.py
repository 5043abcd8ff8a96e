# SPDX-License-Identifier: GPL-2.0-or-later
"""What compare finds of two runs, and what it writes: changes beyond noise, and nothing else."""

import csv
import json
import math
import random
import re
from statistics import mean
from types import SimpleNamespace

import pytest

from dseg.drawing import plotting
from dseg.experiments.sweep import commands
from dseg.reports import compare, compared, comparefigures, layout, noise, results
from report_folders import SMALL, classes, folder  # pylint: disable=unused-import
from sample_runs import axes_of, sample

pytest.importorskip('matplotlib')
FILES = ('html', 'csv', 'json')


def comparison(folder, left, right):
    first, second = folder('a', **left), folder('b', **right)
    return compare.Comparison(results.read(first)[1], results.read(second)[1])


def verdicts(found, value='walks'):
    return {change.case.name: change.verdict for change in found.changes if change.value == value}


def one_more(axes):
    record = sample(axes)
    if axes['configuration'] == 'dd':
        record['walks'][0]['walks'] += 1
    return record


def test_deterministic_runs_differ_by_a_single_walk(folder):
    found = comparison(folder, {}, {'record': one_more})
    assert not found.lone
    assert {name for name, state in verdicts(found).items() if state == 'changed'} == {
        'gups, configuration dd', 'zstd, configuration dd'}


def test_deterministic_runs_that_are_equal_have_no_change(folder):
    found = comparison(folder, {}, {'qemu': 'another'})
    assert found.changes and {change.verdict for change in found.changes} == {'same'}


def noisy(change, seed):
    rng = random.Random(seed)
    return lambda axes: sample(axes, change * rng.gauss(1, 0.01))


HOST = [axes_of('gups', 'dd', clock='host', repeat=number) for number in range(1, 9)]


def test_noise_is_no_change_and_more_than_noise_is_one(folder):
    left = {'all_axes': HOST, 'record': noisy(1, 1)}
    found = comparison(folder, left, {'all_axes': HOST, 'record': noisy(1.05, 2)})
    assert verdicts(found) == {'gups, configuration dd': 'changed'}
    again = folder('c', all_axes=HOST, record=noisy(1, 3))
    found = compare.Comparison(*(results.read(run)[1] for run in (again.parent / 'a', again)))
    assert verdicts(found) == {'gups, configuration dd': 'same'}


def test_noise_is_taken_for_a_change_as_seldom_as_95_percent_says():
    rng = random.Random(4)
    assert compare.verdict([5, 5], [5], True) == compare.SAME, 'one repeat is missing yet'
    assert compare.verdict([5, 5], [6], True) == compare.CHANGED
    wrong = sum(compare.verdict([rng.gauss(0, 1) for _ in range(5)],
                                [rng.gauss(0, 2) for _ in range(5)], False) == compare.CHANGED
                for _ in range(4000))
    assert 0.03 < wrong / 4000 < 0.06


def test_one_repeat_says_nothing_where_there_is_noise(folder):
    found = comparison(folder, {'all_axes': HOST[:1]}, {'all_axes': HOST[:1]})
    assert verdicts(found) == {'gups, configuration dd': 'one repeat only'}


def test_noise_on_one_side_is_noise(folder):
    """However the other side's clock goes."""
    counted = [axes_of('gups', 'dd', repeat=number) for number in range(1, 9)]
    found = comparison(folder, {'all_axes': counted}, {'all_axes': HOST, 'record': noisy(1, 5)})
    assert found.axes == {'clock': ('instructions', 'host')}
    assert verdicts(found) == {'gups, configuration dd': 'same'}


GENOA = [{**axes, 'tlb': 'genoa.json'} for axes in SMALL]


def test_two_geometries_are_compared_point_by_point_and_said(folder):
    found = comparison(folder, {}, {'all_axes': GENOA})
    assert not found.lone and len(verdicts(found)) == len(SMALL)
    assert ('tlb', 'sandybridge-ep', 'genoa.json') in found.differences
    assert all('tlb' not in change.case.name for change in found.changes)


def test_geometries_that_both_runs_have_are_no_difference_of_the_runs(folder):
    """A has one of them only: the points of the other have no partner."""
    found = comparison(folder, {}, {'all_axes': [*SMALL, *GENOA]})
    assert not found.axes and len(verdicts(found)) == len(SMALL)
    assert len(found.lone) == len(GENOA)
    assert set(found.lone) > {('B', 'gups, configuration dd, tlb genoa.json')}


def test_two_qemus_are_told_apart_by_hash_and_version(folder):
    found = comparison(folder, {}, {'qemu': '5678', 'version': '10.2.2'})
    assert sorted(found.differences) == [('inputs.qemu', '1234', '5678'),
                                         ('versions.qemu', '10.0.13', '10.2.2')]
    assert ('versions.kernel', '6.1.0-56-cloud-amd64') in found.common
    # What each point has of its own is of neither.
    assert not [name for name, *_ in (*found.differences, *found.common) if name == 'command']


def rows_of(found, name):
    return [row for row in found.differences if row[0] == name]


@pytest.mark.parametrize('ours, theirs, row', [
    ('abaaaaaaaa', 'aaaaaaaaaa', ('a (9 points), b (1 point)', 'a')),
    ('aaaaabbbbb', 'aaaaabbbbb', ('a (5 points), b (5 points)',) * 2),
    ('abcdefghij', 'bbbbbbbbbb', ('a (1 point), b (1 point), c (1 point), 7 more', 'b')),
    ('aaaaaaaaa-', 'aaaaaaaaaa', ('a (9 points), - (1 point)', 'a')),
    ('aaaaaaaaaa', 'aaaaaaaaaa', None)])
def test_what_differs_inside_of_a_run_is_said_with_how_many_points_it_is_of(folder, ours, theirs, row):
    left, right = ({'origin': lambda number, hosts=hosts: {
        'host': None if hosts[number] == '-' else hosts[number]}} for hosts in (ours, theirs))
    found = comparison(folder, left, right)
    assert rows_of(found, 'host') == ([] if row is None else [('host', *row)])
    assert (('host', 'a') in found.common) == (row is None)


def test_what_points_have_because_of_their_axes_differs_only_from_a_partner_s(folder):
    def commands_of(change):
        return {'origin': lambda number: {'inputs': {
            'command': f'{SMALL[number]["workload"]}{change(number)}', 'work': number,
            'programs': number % 2 and 'd' or None}}}
    found = comparison(folder, commands_of(lambda number: ''), commands_of(lambda number: ''))
    assert not found.differences and ('inputs.programs', 'd') in found.common
    again = folder('c', **commands_of(lambda number: ' -x' * (number in (1, 7))))
    found = compare.Comparison(found.left, results.read(again)[1])
    assert found.differences == [('inputs.command', 'gups (1 point), zstd (1 point)',
                                  'gups -x (1 point), zstd -x (1 point)')]


def test_circumstances_of_points_that_are_not_measured_do_not_count(folder):
    found = comparison(folder, {'skip': (0,), 'origin': lambda number: {'host': f'{number > 0}'}},
                       {'origin': lambda number: {'host': 'True'}})
    assert not found.differences and ('host', 'True') in found.common


def test_points_of_one_side_only_are_named(folder):
    found = comparison(folder, {}, {'all_axes': SMALL[:-1], 'skip': (0,)})
    assert sorted(found.lone) == [('A', 'gups, configuration native-4k'), ('A', 'zstd, configuration dd')]
    assert 'gups, configuration native-4k' not in verdicts(found)


def test_runs_without_a_common_point_have_nothing_to_compare(folder, tmp_path, capsys):
    found = run(folder, tmp_path, {'all_axes': SMALL[:2]}, {'all_axes': SMALL[3:5]})
    said = capsys.readouterr().out
    assert 'They have no point in common.' in said and said.count('only A has') == 2
    assert found['csv'].count('\n') == 1 and json.loads(found['json'])['values'] == []
    assert found['html'].count('Nothing that this figure shows is measured') == 2


def options(**some):
    return SimpleNamespace(**{**dict.fromkeys((*FILES, 'svg', 'pdf', 'costs')), **some})


def run(folder, tmp_path, left, right, **some):
    """The texts of what is written for two runs."""
    files = {name: tmp_path / f'x.{name}' for name in FILES}
    names = [folder('a', **left), folder('b', **right)]
    assert compared.main(names, options(**files, **some)) == 0
    return {name: file.read_text() for name, file in files.items()}


def test_what_has_changed_is_printed_and_what_has_not_is_counted(folder, tmp_path, capsys):
    run(folder, tmp_path, {}, {'record': one_more, 'qemu': '5678'})
    lines = capsys.readouterr().out.splitlines()
    assert any(re.fullmatch(r'inputs.qemu +1234 +5678', line) for line in lines)
    changed = [line for line in lines if line.endswith(' changed')]
    assert changed and all(', configuration dd ' in line for line in changed)
    counts = re.match(r'(\d+) changed, (\d+) same of (\d+) values', lines[-1])
    assert int(counts[1]) == len(changed) and int(counts[1]) + int(counts[2]) == int(counts[3])


def test_csv_and_json_have_each_value_of_both_runs(folder, tmp_path, capsys):
    found = run(folder, tmp_path, {'all_axes': HOST, 'record': noisy(1, 1)},
                {'all_axes': HOST, 'record': noisy(1.05, 2)})
    (line,) = [line for line in csv.DictReader(found['csv'].splitlines()) if line['value'] == 'walks']
    document = json.loads(found['json'])
    (value,) = [value for value in document['values'] if value['value'] == 'walks']
    assert len(value['a-repeats']) == len(value['b-repeats']) == 8
    assert mean(value['a-repeats']) == value['a'] == float(line['a'])
    assert float(line['b-half-interval']) == pytest.approx(noise.interval(value['b-repeats'])[1])
    assert value['change'] == pytest.approx(value['b'] / value['a'] - 1) == float(line['change'])
    assert (line['workload'], line['configuration'], line['verdict']) == ('gups', 'dd', 'changed')
    assert tuple(line) == compared.COLUMNS and 'repeat' not in line
    assert (document['schema'], document['costs'], document['differs']) == (1, 'direct', [])


def test_what_differs_is_in_the_json_and_in_no_line_of_an_axis(folder, tmp_path, capsys):
    found = run(folder, tmp_path, {}, {'all_axes': GENOA[:-1]})
    document = json.loads(found['json'])
    assert document['differs'][0] == {'what': 'tlb', 'a': 'sandybridge-ep', 'b': 'genoa.json'}
    assert document['lone'] == [{'run': 'a', 'point': 'zstd, configuration dd'}]
    assert {line['tlb'] for line in csv.DictReader(found['csv'].splitlines())} == {''}


def test_the_page_has_what_differs_what_has_changed_and_all_values(folder, tmp_path, capsys):
    page = run(folder, tmp_path, {'file': {'title': 'One & <two>'}},
               {'record': one_more, 'qemu': '5678'})['html']
    assert 'A: One &amp; &lt;two&gt;' in page and '<script' not in page
    begin, end = page.index('id="changed"'), page.index('All values')
    changed = page[begin:end]
    assert 'gups, configuration dd' in changed and 'native-4k' not in changed
    assert 'native-4k' in page[end:]
    assert '>inputs.qemu<' in page[page.index('id="differs"'):page.index('What both have')]
    names = re.findall(r'\bid="([^"]*)"', page)
    assert len(names) == len(set(names)) > 50
    addresses = set(re.findall(r'https?://[^"\s<]+', page))
    assert addresses <= {'http://www.w3.org/2000/svg', 'http://www.w3.org/1999/xlink'}


def test_the_same_runs_give_the_same_files_byte_for_byte(folder, tmp_path, capsys):
    first, second = folder('a'), folder('b', record=one_more)
    made = []
    for name in 'one', 'two':
        into = tmp_path / name
        into.mkdir()
        compared.main([first, second], options(**{each: into / f'x.{each}' for each in FILES},
                                               svg=into / 'svg', pdf=into / 'pdf'))
        made.append({str(file.relative_to(into)): file.read_bytes() for file in into.rglob('*.*')})
    assert made[0] == made[1]
    assert sorted(made[0]) == [
        'pdf/1-overheads-of-a-and-b.pdf', 'pdf/2-walks-of-a-and-b.pdf', 'svg/1-overheads-of-a-and-b.svg',
        'svg/2-walks-of-a-and-b.svg', 'x.csv', 'x.html', 'x.json']


def test_the_command_line_leads_to_the_files_and_to_the_costs(folder, tmp_path, capsys):
    first, second = folder('a'), folder('b', record=one_more)
    assert commands.main(['compare', str(first), str(second), '--json', f'{tmp_path}/x.json',
                          '--csv', f'{tmp_path}/x.csv', '--costs', 'dmt']) == 0
    assert json.loads((tmp_path / 'x.json').read_text())['costs'] == 'dmt'
    assert len((tmp_path / 'x.csv').read_text().splitlines()) == 1 + 5 * len(SMALL)
    with pytest.raises(SystemExit):
        commands.main(['compare', str(first), str(second), '--retry'])
    assert 'compare has no option --retry' in capsys.readouterr().err


def drawn(found, number):
    figure = comparefigures.draw(found)[number][-1]
    bars = {}
    for axes in figure.axes:
        for patch in axes.patches:
            middle = patch.get_x() + patch.get_width() / 2
            key = (round(middle), 'left' if middle < round(middle) else 'right')
            bars[key] = bars.get(key, 0) + patch.get_height()
            assert (patch.get_alpha() or 1) == (comparefigures.PALE if key[1] == 'left' else 1)
    texts = [text.get_text() for axes in figure.axes for text in axes.texts]
    plotting.pyplot.close(figure)
    return bars, texts


def test_the_figure_has_both_overheads_of_each_point_and_how_far_they_are_apart(folder):
    def half(axes):
        return sample(axes, 0.5 if axes['configuration'] == '4k+4k' else 1)
    names = ['native-4k', '4k+4k', 'dd']
    every = [axes_of('gups', name) for name in names]
    found = comparison(folder, {'all_axes': every}, {'all_axes': every, 'record': half})
    bars, texts = drawn(found, 0)
    for at, (left, right) in enumerate(zip(found.left.points, found.right.points)):
        assert bars[at, 'left'] == pytest.approx(found.left.value(left, 'overhead'))
        assert bars[at, 'right'] == pytest.approx(found.right.value(right, 'overhead'))
    change = found.right.value(found.right.points[1], 'overhead') / \
        found.left.value(found.left.points[1], 'overhead') - 1
    assert texts == ['gups', '=', f'{change:+.1%}', '=']


def test_the_figure_of_walks_has_a_scale_for_each_workload_and_needs_no_instructions(folder):
    every = [axes_of(workload, name, clock='host', repeat=repeat) for workload in ('gups', 'zstd')
             for name in ('native-4k', '4k+4k') for repeat in (1, 2)]
    found = comparison(folder, {'all_axes': every, 'record': noisy(1, 1)},
                       {'all_axes': every, 'record': noisy(2, 2)})
    assert comparefigures.draw(found)[0][-1] is None
    bars, texts = drawn(found, 1)
    assert [round(max(height for (at, _), height in bars.items() if at in places), 1)
            for places in ((0, 1), (3, 4))] == [1.0, 1.0]
    for at, point in ((0, 0), (4, 6)):
        ratio = mean(found.right.value(each, 'walks') for each in found.right.points[point:point + 2]) / \
            mean(found.left.value(each, 'walks') for each in found.left.points[point:point + 2])
        assert bars[at, 'right'] / bars[at, 'left'] == pytest.approx(ratio)
    assert texts.count('gups') == texts.count('zstd') == 1 and len(texts) == 6


@pytest.mark.parametrize('left, right, state, text', [
    ([4], [4], 'same', '='), ([4], [5], 'changed', '+25.0%'), ([4], [3], 'changed', '-25.0%'),
    ([4], [80], 'changed', 'x20'), ([0], [3], 'changed', 'new'), ([4], [5], 'one repeat only', '+25.0%?')])
def test_a_change_is_said_in_few_letters(left, right, state, text):
    assert comparefigures.label(compare.Change(None, 'walks', left, right, state)) == text


def test_two_configurations_can_be_compared_and_the_figure_has_both_names(folder):
    found = comparison(folder, {'all_axes': [axes_of('gups', '4k+4k')]},
                       {'all_axes': [axes_of('gups', 'dd')]})
    assert ('configuration', '4k+4k', 'dd') in found.differences and not found.lone
    assert comparefigures.names_of(found, found.cases[0]) == ('gups', '4K+4K / DD')


def test_two_single_points_can_be_compared_whatever_they_are(folder):
    found = comparison(folder, {'all_axes': [axes_of('gups', '4k+4k', seed=3)]},
                       {'all_axes': [axes_of('bfs', 'dd')]})
    assert {name for name, *_ in found.differences} >= {'workload', 'configuration', 'seed'}
    assert {change.case.name for change in found.changes} == {'the only one'}
    assert comparefigures.names_of(found, found.cases[0]) == ('gups / bfs', '4K+4K / DD')


def test_many_pairs_are_in_several_rows(folder):
    every = [axes_of('gups', 'dd', seed=seed) for seed in range(30)]
    every += [axes_of('zstd', 'dd', seed=seed) for seed in range(30)]
    found = comparison(folder, {'all_axes': every}, {'all_axes': every})
    figure = comparefigures.draw(found)[0][-1]
    assert len(figure.axes) == 2 and layout.WIDTH == figure.get_figwidth()
    for made in comparefigures.draw(found):
        plotting.pyplot.close(made[-1])


def test_quantiles_are_those_of_students_distribution():
    """By the integral of its density, in small steps."""
    for freedom, quantile in enumerate(noise.QUANTILES, 1):
        scale = math.exp(math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2)) \
            / math.sqrt(freedom * math.pi)
        steps = 2000
        width = quantile / steps
        inside = sum(scale * (1 + ((number + 0.5) * width) ** 2 / freedom) ** (-(freedom + 1) / 2)
                     for number in range(steps)) * width
        assert 0.5 + inside == pytest.approx(0.975, abs=5e-5)


def test_an_interval_by_hand():
    # Standard deviation 1, so 4.303 / sqrt(3).
    assert noise.interval([9, 10, 11]) == (10, pytest.approx(2.4843, abs=1e-3))
