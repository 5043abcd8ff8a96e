# SPDX-License-Identifier: GPL-2.0-or-later
"""Points with modelled caches: what QEMU is told, and what of its markers becomes the record."""

import copy

import pytest

from dseg.experiments import counted
from dseg.experiments.sweep import guests
from dseg.points import point as points
from dseg.points.axes import all_axes
from dseg.points.workloads import Size, Workload
from sample_runs import CACHES, axes_of

WORKLOAD = Workload('gups', '', 'big-memory', 'gups --bytes {bytes}', '--primary',
                    {'small': Size('16M', 10, 16 << 20, 2)})
BUILT = {'qemu': 'q', 'kernel': 'k', 'ramdisk': 'r'}
KINDS = ('load', 'store', 'fetch')


@pytest.mark.parametrize('caches, told', [(False, ''), (True, ',dseg-caches=on')])
def test_mode_and_caches_are_those_of_the_point_where_it_is_measured_and_not_to_boot(
        monkeypatch, tmp_path, caches, told):
    asked = {}
    monkeypatch.setattr(guests, 'Exact', lambda **options: asked.update(options))
    axes = axes_of('gups', 'dd', caches=caches, **{'tlb-mode': 'exact'})
    point = points.make(axes, WORKLOAD, BUILT, None)
    guests.Guests(point, 'genoa', tmp_path, state=tmp_path / 'state')
    cpu = 'dseg=on,dseg-filter-bits=256,dseg-tlb=genoa'
    assert asked['cpu_extra'] == f'{cpu},dseg-tlb-mode=exact{told}'
    guests.Guests(point, 'genoa', tmp_path)
    assert asked['cpu_extra'] == f'{cpu},dseg-tlb-mode=inclusive'


def test_guests_boot_with_the_filter_that_they_are_measured_with(monkeypatch, tmp_path):
    asked = {}
    monkeypatch.setattr(guests, 'Exact', lambda **options: asked.update(options))
    point = points.make(axes_of('gups', 'dd', escapes=1, **{'filter-bits': 64}), WORKLOAD, BUILT, None)
    for more in {}, {'state': tmp_path / 'state'}:
        guests.Guests(point, 'genoa', tmp_path, **more)
        assert ',dseg-filter-bits=64,' in asked['cpu_extra']


@pytest.mark.parametrize('word, value', [('true', True), ('false', False), ('1', None)])
def test_caches_are_there_or_not_and_nothing_in_between(word, value):
    assert all_axes(['gups'])['caches'].parse(word) is value


def marker(**passed):
    """A marker as QEMU shows it; passed: of "caches"."""
    return {'walks': {'regimes': [], 'refs-histogram': [], 'checks-histogram': [], 'steps': [],
                      'pages': [], 'exits': [], 'faults': {}},
            'tlb': {'geometry': {'arrays': [], 'caches': CACHES}, 'hits': [], 'misses': [],
                    **{name: dict.fromkeys(KINDS, 0)
                       for name in ('walks', 'segment-hits', 'segment-hits-l1')},
                    'caches': {'data': [], 'swept': dict.fromkeys(KINDS, 0), 'steps': [],
                               'walk-cycles': [], 'data-cycles': 0, **passed}}}


STEP = {'world': 'nested', 'privilege': 'user', 'dimension': 'nested', 'for-level': 0,
        'table-level': 1, 'place': 'llc', 'count': 5}
OWN = {'world': 'nested', 'privilege': 'user', 'dimension': 'guest', 'table-level': 1,
       'place': 'l2', 'count': 3}
BEGIN = marker(data=[{'kind': 'load', 'place': 'l1', 'count': 10}], steps=[STEP],
               **{'data-cycles': 40, 'walk-cycles': [
                   {'regime': 'base', 'access': 'load', 'privilege': 'user', 'cycles': 150}]})
END = marker(data=[{'kind': 'load', 'place': 'l1', 'count': 10},
                   {'kind': 'load', 'place': 'memory', 'count': 2}],
             swept={'load': 64, 'store': 0, 'fetch': 0},
             steps=[{**STEP, 'count': 7}, {**STEP, 'place': 'spared', 'count': 4}, OWN],
             **{'data-cycles': 440, 'walk-cycles': [
                 {'regime': 'base', 'access': 'load', 'privilege': 'user', 'cycles': 246}]})


def test_a_record_has_what_caches_have_grown_by_and_what_they_are():
    assert counted.counts([(BEGIN, END)])['caches'] == {
        'geometry': CACHES, 'data': [{'kind': 'load', 'place': 'memory', 'count': 2}],
        'swept': {'load': 64, 'store': 0, 'fetch': 0},
        'steps': [OWN, {**STEP, 'count': 2}, {**STEP, 'place': 'spared', 'count': 4}],
        'walk-cycles': [{'regime': 'base', 'access': 'load', 'privilege': 'user', 'cycles': 96}],
        'data-cycles': 400}


def test_several_parts_of_a_run_add_up():
    once, twice = (counted.counts([(BEGIN, END)] * times)['caches'] for times in (1, 2))
    assert twice['data-cycles'] == 2 * once['data-cycles']
    for name in ('data', 'steps'):
        assert twice[name] == [{**row, 'count': 2 * row['count']} for row in once[name]]


def test_a_record_of_a_machine_without_caches_has_none():
    bare = copy.deepcopy((BEGIN, END))
    for each in bare:
        del each['tlb']['caches']
    assert counted.counts([bare])['caches'] is None
