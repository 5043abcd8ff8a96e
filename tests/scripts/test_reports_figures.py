# SPDX-License-Identifier: GPL-2.0-or-later
"""Figures show the numbers that they are asked for, and no others."""

import pytest

from dseg.points.configurations import CONFIGURATIONS
from dseg.reports import behind, figures, noise, results
from checked import problems_of_figure
from report_folders import BARS, LINES, classes, folder     # pylint: disable=unused-import
from sample_runs import MISSES, axes_of, matrix, sample

pytest.importorskip('matplotlib')


@pytest.mark.parametrize('change, key, rule', [
    ({'kind': 'pie'}, 'kind', 'none of: overhead-bars, lines, timeline'),
    ({'colour': 'red'}, 'colour', 'no such key'),
    ({'where': {'color': 1}}, 'where', 'no axis color'),
    ({'title': 3}, 'title', 'must be a text, not 3'), ({'title': ' '}, 'title', 'must be a text'),
    ({'kind': ['lines']}, 'kind', "['lines'] is none of"),
    ({'where': {'seed': '1'}}, 'where', "'1' is no value of seed: use a whole number"),
    ({'where': {'caches': [True, 1]}}, 'where', '1 is no value of caches: use false, true'),
    ({'x': 'seed'}, 'x', 'only lines may have it'),
    ({'kind': 'lines', 'y': 'walks'}, 'x', 'lines needs it'),
    ({**LINES, 'x': 'time'}, 'x', 'none of: workload'),
    ({**LINES, 'y': 'slowdown'}, 'y', 'none of: overhead'),
    ({'over': 'seed'}, 'over', 'only lines may have it'),
    ({**LINES, 'over': 'workload'}, 'over', 'none of: tlb, '),
    ({'scale': 'log'}, 'scale', 'only lines may have it'),
    ({**LINES, 'x': 'filter-bits', 'scale': 'square'}, 'scale', 'must be "log", not \'square\''),
    ({**LINES, 'x': 'escapes', 'scale': 'log'}, 'scale', 'log is for x = "filter-bits"')])
def test_a_figure_that_can_not_be_is_refused(change, key, rule):
    line, = problems_of_figure({**BARS, **change})
    assert line.startswith(f'x.toml:3: figure.1.{key}: ') and rule in line


def test_all_mistakes_of_a_figure_are_named_at_once():
    found = problems_of_figure({'kind': 'lines', 'x': 'time', 'over': 3, 'costs': 'free', 'where': 1})
    assert [line.split(': ')[1] for line in found] == [
        f'figure.1.{key}' for key in ('title', 'where', 'costs', 'y', 'x', 'costs', 'over')]


def bar_heights(figure, colour):
    """Of the bars of a colour."""
    from matplotlib.colors import to_hex
    return [patch.get_height() for axes in figure.axes for patch in axes.patches
            if to_hex(patch.get_facecolor()) == colour]


def test_bars_have_the_parts_of_the_overhead(folder):
    _, found = results.read(folder())
    figure = figures.make(BARS, found)
    for part, _, colour in figures.PARTS:
        shares = [found.parts(point).share(part) for point in found.points]
        assert sorted(bar_heights(figure, colour)) == pytest.approx(sorted(shares))
    figures.pyplot.close(figure)


def test_repeats_share_a_bar_of_their_mean(folder):
    axes = [axes_of('gups', 'dd', repeat=number) for number in (1, 2)]
    run = folder(all_axes=axes, record=lambda axes: sample(axes, axes['repeat']))
    _, found = results.read(run)
    figure = figures.make(BARS, found)
    mean = sum(found.parts(point).share('checks') for point in found.points) / 2
    assert bar_heights(figure, figures.CHECKS) == pytest.approx([mean])
    figures.pyplot.close(figure)


def test_lines_go_through_the_values(folder):
    axes = [axes_of('gups', 'dd', escapes=number) for number in (0, 16, 4)]
    _, found = results.read(folder(all_axes=axes))
    figure = figures.make({**LINES, 'x': 'escapes'}, found)
    line = figure.axes[0].lines[0]
    values = {point.axes['escapes']: found.value(point, 'refs-per-walk') for point in found.points}
    assert list(line.get_xdata()) == [0, 4, 16]
    assert list(line.get_ydata()) == [values[number] for number in (0, 4, 16)]
    figures.pyplot.close(figure)


def test_a_value_that_is_not_known_has_no_point_and_a_dash_in_the_table(folder):
    def record(axes):
        found = sample(axes)
        found['contiguity']['guest']['runs-90'] = None if axes['escapes'] else 30
        return found
    axes = [axes_of('gups', 'dd', escapes=number) for number in (0, 4)]
    _, found = results.read(folder(all_axes=axes, record=record))
    asked = {**LINES, 'x': 'escapes', 'y': 'runs-90'}
    figure = figures.make(asked, found)
    assert list(figure.axes[0].lines[0].get_ydata()) == [30]
    figures.pyplot.close(figure)
    assert [row[-1] for row in behind.table(asked, found)[1]] == ['30', '-']


def test_marks_of_files_have_short_names_that_do_not_overlap(folder):
    names = ['genoa', *(f'geometries/walk-caches-and-nested-tlb-{number}.json'
                        for number in range(7))]
    _, found = results.read(folder(all_axes=[axes_of('gups', 'dd', tlb=name) for name in names]))
    figure = figures.make({**LINES, 'x': 'tlb'}, found)
    figure.canvas.draw()
    marks = figure.axes[0].get_xticklabels()
    assert [mark.get_text().replace('\n', '') for mark in marks] == [
        'genoa', *(f'walk-caches-and-nested-tlb-{number}' for number in range(7))]
    boxes = [mark.get_window_extent() for mark in marks]
    assert all(left.x1 < right.x0 for left, right in zip(boxes, boxes[1:]))
    assert all(box.y0 > 0 for box in boxes)
    figures.pyplot.close(figure)


def test_words_have_marks_side_by_side_and_no_line_between_them(folder):
    _, found = results.read(folder(all_axes=matrix(['gups', 'zstd'], ['native-4k', '4k+4k', 'dd'])))
    figure = figures.make({**LINES, 'x': 'configuration', 'y': 'overhead'}, found)
    marks = [each.lines[0] for each in figure.axes[0].containers]
    assert [each.get_label() for each in figure.axes[0].containers] == ['gups', 'zstd']
    assert all(each.get_linestyle() == 'None' for each in marks)
    assert [[round(at) for at in each.get_xdata()] for each in marks] == [[0, 1, 2]] * 2
    assert all(left < right for left, right in zip(*(each.get_xdata() for each in marks)))
    for each, workload in zip(marks, ('gups', 'zstd')):
        assert list(each.get_ydata()) == [found.value(point, 'overhead') for point in found.points
                                          if point.axes['workload'] == workload]
    figures.pyplot.close(figure)


@pytest.mark.parametrize('axes, x, names', [
    (matrix(['gups']), 'configuration', [one.label for one in CONFIGURATIONS.values()]),
    (matrix(['gups'], ['dd', '4k+4k']), 'configuration', ['DD', '4K+4K']),
    (matrix(list(MISSES), ['dd']), 'workload', list(MISSES)),
    ([axes_of('gups', 'dd', caches=on) for on in (False, True)], 'caches', ['false', 'true'])],
    ids=['configurations', 'two', 'workloads', 'caches'])
def test_words_below_marks_neither_overlap_nor_are_cut_off(folder, axes, x, names):
    _, found = results.read(folder(all_axes=axes))
    figure = figures.make({**LINES, 'x': x}, found)
    figure.canvas.draw()
    texts = figure.axes[0].get_xticklabels()
    assert [text.get_text() for text in texts] == names
    if x != 'configuration':
        assert [row[2] for row in behind.table({**LINES, 'x': x}, found)[1]] == names
    boxes = [text.get_window_extent() for text in texts]
    assert all(left.x1 < right.x0 for left, right in zip(boxes, boxes[1:]))
    below = figure.axes[0].xaxis.label.get_window_extent()
    assert below.y0 > 0 and all(box.y0 > below.y1 for box in boxes)
    figures.pyplot.close(figure)


def test_a_figure_by_configuration_over_workloads_needs_no_legend(folder):
    _, found = results.read(folder(all_axes=matrix(['gups', 'zstd'], ['4k+4k', 'dd'])))
    figure = figures.make({**LINES, 'x': 'configuration', 'over': 'workload'}, found)
    assert not figure.legends and len(figure.axes[0].containers) == 1
    figures.pyplot.close(figure)


def test_repeats_that_differ_have_an_interval(folder):
    axes = [axes_of('gups', 'dd', repeat=number) for number in (1, 2, 3)]
    run = folder(all_axes=axes, record=lambda axes: sample(axes, axes['repeat']))
    _, found = results.read(run)
    overheads = [found.value(point, 'overhead') for point in found.points]
    for asked in BARS, {**LINES, 'y': 'overhead'}:
        figure = figures.make(asked, found)
        whisker, = [each for each in figure.axes[0].collections if each.get_segments()]
        (_, low), (_, high) = whisker.get_segments()[0]
        middle, half = noise.interval(overheads)
        assert (low, high) == (pytest.approx(middle - half), pytest.approx(middle + half))
        figures.pyplot.close(figure)


def test_an_axis_may_give_means_and_intervals_instead_of_lines(folder):
    axes = [axes_of('gups', 'dd', escapes=number, seed=seed) for number in (2, 4)
            for seed in (1, 2, 3)]
    run = folder(all_axes=axes, record=lambda axes: sample(axes, axes['seed']))
    _, found = results.read(run)
    asked = {**LINES, 'x': 'escapes', 'y': 'walks'}
    values = [[found.value(point, 'walks') for point in found.points
               if point.axes['escapes'] == number] for number in (2, 4)]
    figure = figures.make({**asked, 'over': 'seed'}, found)
    assert len(figure.axes[0].containers) == 1
    assert list(figure.axes[0].lines[0].get_ydata()) == pytest.approx([sum(three) / 3
                                                                       for three in values])
    figures.pyplot.close(figure)
    figure = figures.make(asked, found)
    assert len(figure.axes[0].containers) == 3
    figures.pyplot.close(figure)


def test_false_escapes_have_a_line_of_theory_beside_them(folder):
    axes = [axes_of('gups', 'dd', escapes=number) for number in (1, 16)]
    _, found = results.read(folder(all_axes=axes))
    figure = figures.make({**LINES, 'x': 'escapes', 'y': 'false-escape-share'}, found)
    _, theory = figure.axes[0].containers
    assert theory.get_label() == 'theory'
    assert list(theory.lines[0].get_ydata()) == pytest.approx([64 ** -4, 0.00246123], rel=1e-5)
    figures.pyplot.close(figure)


def test_by_the_size_of_the_filter_there_is_a_line_of_theory_for_each_number_of_escapes(folder):
    axes = [axes_of('gups', 'dd', escapes=number, **{'filter-bits': bits})
            for number in (8, 16) for bits in (64, 1024)]
    _, found = results.read(folder(all_axes=axes))
    asked = {**LINES, 'x': 'filter-bits', 'y': 'false-escape-share', 'scale': 'log'}
    figure = figures.make(asked, found)
    theory = {each.get_label(): list(each.lines[0].get_ydata())
              for each in figure.axes[0].containers[2:]}
    assert theory == {
        'theory, escapes 8': pytest.approx([(1 - (15 / 16) ** 8) ** 4, (1 - (255 / 256) ** 8) ** 4]),
        'theory, escapes 16': pytest.approx([(1 - (15 / 16) ** 16) ** 4,
                                             (1 - (255 / 256) ** 16) ** 4])}
    assert figure.axes[0].get_xscale() == figure.axes[0].get_yscale() == 'log'
    assert [tick.get_text() for tick in figure.axes[0].get_xticklabels()] == ['64', '1024']
    # Nothing beside the plot is cut off.
    figure.canvas.draw()
    assert figure.axes[0].yaxis.label.get_window_extent().x0 >= 0
    assert figure.axes[0].get_ylim()[0] == pytest.approx((1 - (255 / 256) ** 8) ** 4 / 2)
    figures.pyplot.close(figure)


def test_a_folder_from_before_there_was_an_axis_has_its_default(folder):
    axes = [{name: value for name, value in axes_of('gups', 'dd', escapes=number).items()
             if name != 'filter-bits'} for number in (0, 16)]
    _, found = results.read(folder(all_axes=axes))
    assert [point.axes['filter-bits'] for point in found.points] == [256, 256]
    assert all(point.record for point in found.points)


def test_a_timeline_has_the_events_of_each_point_that_has_one(folder):
    timeline = {'samples': [{'at': at, 'walks': {'base': at, 'dual-direct': 9 - at}}
                            for at in range(9)],
                'events': [{'at': 4, 'text': 'the segment is lost'}]}

    def record(axes):
        return {**sample(axes), **({'timeline': timeline} if axes['workload'] == 'gups' else {})}
    _, found = results.read(folder(all_axes=matrix(['gups', 'zstd'], ['dd']), record=record))
    figure = figures.make({'kind': 'timeline', 'title': 'x'}, found)
    assert len(figure.axes) == 1
    assert 'the segment is lost' in [text.get_text() for text in figure.axes[0].texts]
    figures.pyplot.close(figure)


def test_a_timeline_has_no_walks_where_an_event_lets_none_be(folder):
    samples = [{'at': at, 'walks': {'base': 5}} for at in (1, 2, 6, 7)]
    found = {'samples': samples, 'events': [
        {'at': 2, 'until': 5, 'text': 'stands'}, {'at': 5.5, 'until': 6.5, 'text': 'runs'}]}
    assert [(sample['at'], sample['walks'].get('base', 0))
            for sample in figures.with_pauses(found)] == [(1, 5), (2, 5), (5, 0), (6, 5), (7, 5)]


def test_colours_of_the_parts_are_told_apart_in_grey():
    """By their luminance, as of print without colours, and by who sees no red or green."""
    def luminance(colour):
        red, green, blue = (int(colour[at:at + 2], 16) / 255 for at in (1, 3, 5))
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue
    guest, nested = (luminance(colour) for _, _, colour in figures.PARTS[:2])
    assert abs(guest - nested) > 0.2


def test_every_configuration_has_a_bar_of_its_own_name():
    labels = [configuration.label for configuration in CONFIGURATIONS.values()]
    assert len(set(labels)) == len(labels) == 20
