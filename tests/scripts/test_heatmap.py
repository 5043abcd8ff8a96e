# SPDX-License-Identifier: GPL-2.0-or-later
"""Heat maps of the steps of walks: each step in its cell, with its cycles and places."""

import pytest

from dseg.points import records
from dseg.points.configurations import CONFIGURATIONS
from dseg.reports import behind, costs, stepcells
from dseg.reports.results import Point, Results
from dseg.reports.stepcells import OWN, cells_of
from dseg.reports.table import share
from sample_runs import CACHES, Walks, axes_of, matrix, record_of, sample, with_caches

pytest.importorskip('matplotlib')
L1, L2, LLC, MEMORY = 4, 12, 30, 200
STEPS = {'kind': 'steps', 'title': 'Steps of walks'}


def step(place, count, level=1, target=None, world='nested', privilege='user'):
    """A row of the steps of caches; target: of a nested one."""
    more = {} if target is None else {'for-level': target}
    return {'world': world, 'privilege': privilege, 'dimension': 'nested' if more else 'guest',
            'table-level': level, 'place': place, 'count': count, **more}


def cells(*steps, world='nested', walks=10):
    return cells_of({'geometry': CACHES, 'steps': list(steps), 'data': []}, world, walks)


def of_walks(walks, world):
    """The Cells of the program's walks of a record."""
    record = with_caches(record_of({}, walks))
    return cells_of(record['caches'], world, sum(some.count for some in walks))


def test_a_walk_of_two_dimensions_with_pages_of_4k_has_24_cells():
    found = of_walks([Walks(10, 'nested', '4k', ('4k',) * 5)], 'nested')
    assert found.columns == (4, 3, 2, 1, 0) and found.rows == (4, 3, 2, 1, OWN)
    assert len(found.cells) == 24 and (OWN, 0) not in found.cells
    assert [entry for column, entry, *_ in found.lines() if column == 'guest 4'] == [
        *(f'nested {level}' for level in (4, 3, 2, 1)), "guest's entry"]


def test_a_native_walk_has_4_cells():
    found = of_walks([Walks(10, 'native', '4k')], 'native')
    assert found.columns == (4, 3, 2, 1) and found.rows == (OWN,)
    assert list(found.cells) == [(OWN, level) for level in (4, 3, 2, 1)]


@pytest.mark.parametrize('name, walk, number', [
    ('nested', Walks(10, 'nested', '4k', ('segment',) * 5, vmm_segment=True), 4),
    ('nested', Walks(10, 'nested', 'segment', ('4k',), guest_segment=True), 4),
    ('nested', Walks(10, 'nested', '2m', ('2m',) * 4), 15)])
def test_a_step_that_no_walk_has_has_no_cell(name, walk, number):
    assert len(of_walks([walk], name).cells) == number


def test_a_cell_has_its_cycles_per_walk_and_the_shares_of_each_place():
    found = cells(step('l2', 6, 1), step('memory', 2, 1), step('spared', 2, 1),
                  step('llc', 10, 1, 0)).cells
    assert found[OWN, 1].cycles == (6 * L2 + 2 * MEMORY) / 10
    assert found[OWN, 1].shares == {'l2': 0.6, 'memory': 0.2, 'spared': 0.2}
    assert found[1, 0].cycles == LLC and found[1, 0].texts == ['LLC 100 %']
    assert found[OWN, 1].texts == ['L2 60 %', 'mem 20 %', 'spared 20 %']


def test_a_share_that_would_be_none_is_not_said():
    assert cells(step('l1', 1000), step('memory', 4)).cells[OWN, 1].texts == ['L1 100 %']


def test_all_cycles_of_a_walk_are_those_of_its_cells():
    found = of_walks([Walks(10, 'nested', '4k', ('4k',) * 5)], 'nested')
    assert found.cycles == pytest.approx(6 * (L1 + L1 + L2 + (LLC + MEMORY) / 2))


def test_steps_of_kernels_and_of_the_other_world_are_left_out():
    found = cells(step('l2', 1), step('l2', 1, privilege='kernel'), step('l2', 1, world='native'))
    assert found.cycles == L2 / 10


def test_tables_of_five_levels_have_a_row_and_a_column_more():
    found = cells(step('l1', 1, 5), step('l1', 1, 5, 5))
    assert found.columns == (5, 4, 3, 2, 1, 0) and found.rows == (5, 4, 3, 2, 1, OWN)


def results_of(all_axes):
    return Results([Point(str(number), axes, sample(axes)) for number, axes in enumerate(all_axes)],
                   CONFIGURATIONS)


WITH = matrix(['gups'], ['native-4k', '4k+4k', 'dd'], caches=True)


def test_the_figure_has_a_map_for_each_point_with_caches_and_a_text_in_each_cell():
    from dseg.reports import figures
    found = results_of([*WITH, axes_of('bfs', 'dd')])
    figure = figures.make(STEPS, found)
    # of dd: the walks to the program's stack, whose pages are of 4 KiB, have entries of the guest's
    assert [len(axes.texts) for axes in figure.axes] == [4, 24, 4]
    assert [len(axes.patches) for axes in figure.axes] == [4, 25, 25]
    titles = [axes.get_title(loc='left') for axes in figure.axes]
    cycles = [stepcells.of_point(found, point).cycles for point in found.points[:3]]
    assert [title.split(':')[0] for title in titles] == ['gups, 4K, caches true', 'gups, 4K+4K, '
                                                         'caches true', 'gups, DD, caches true']
    assert [title.split(': ')[1].split()[0] for title in titles] == [
        f'{number:.1f}' for number in cycles]
    figures.pyplot.close(figure)


def test_the_more_cycles_the_darker_in_all_maps_alike():
    from dseg.reports import figures
    figure = figures.make(STEPS, results_of(WITH))
    lights = {}
    for axes in figure.axes:
        for patch in axes.patches:
            across, down = patch.get_xy()
            inside = [text for text in axes.texts
                      if text.get_position() == (across + 0.5, down + 0.5)]
            for text in inside:
                red, green, blue, _ = patch.get_facecolor()
                cycles = float(text.get_text().splitlines()[0])
                lights[cycles] = 0.2 * red + 0.7 * green + 0.1 * blue
    order = [lights[cycles] for cycles in sorted(lights)]
    assert len(order) > 4 and order == sorted(order, reverse=True) and order[-1] < order[0]
    figures.pyplot.close(figure)


BARS = {'kind': 'overhead-bars', 'title': 'By caches', 'costs': 'measured'}


def test_bars_by_costs_of_their_own_are_of_points_that_have_these():
    from dseg.reports import figures
    found = results_of([*WITH, axes_of('bfs', 'dd')])
    figure = figures.make(BARS, found)
    shares = [found.parts(point, costs.MEASURED).share(part) for point in found.points[:3]
              for part, *_ in figures.PARTS]
    heights = [patch.get_height() for axes in figure.axes for patch in axes.patches]
    assert sorted(heights) == pytest.approx(sorted(shares))
    figures.pyplot.close(figure)
    _, rows = behind.table(BARS, found)
    assert [row[-3] for row in rows] == [share(found.value(point, 'measured-overhead'))
                                         for point in found.points[:3]]


def test_without_caches_there_is_nothing_to_draw():
    from dseg.reports import figures
    assert figures.make(STEPS, results_of([axes_of('gups', 'dd')])) is None


def test_the_table_behind_it_has_each_cell():
    found = results_of(WITH)
    header, rows = behind.table(STEPS, found)
    assert header[-5:] == records.PLACES and len(rows) == 4 + 24 + 4
    own = stepcells.of_point(found, found.points[1]).cells[OWN, 1]
    line, = [row for row in rows if row[1].startswith('4K+4K') and row[2:4] == ('guest 1',
                                                                             'guest\'s entry')]
    assert line[4] == f'{own.cycles:.2f}' and line[5:] == ('0.0%', '0.0%', '50.0%', '50.0%', '0.0%')
