# SPDX-License-Identifier: GPL-2.0-or-later
"""Caches beside the TLB model: what holds for any counts of theirs, in the simulator and in QEMU.

That QEMU's are the simulator's is tested with those of the TLB (test_tlb.py): each geometry with
caches has them on.
"""

import copy
import functools
from collections import Counter

import pytest

from yardstick import (BLIND, FIRST, LABEL_BEGIN, LABEL_END, PROGRAMS, SYNTHETIC, cache_numbers,
                       geometries, markers, measure, simulate, step_numbers)

WITH_CACHES = [entry['name'] for entry in SYNTHETIC if 'caches' in entry['geometry']]
LEVELS = (5, 4, 3, 2)       # of the entries that walk caches hold, as their hits are listed


def latency(caches, place, fetch=False):
    """Cycles of what is found there."""
    if place == 'memory':
        return caches['memory']
    return caches[('l1i' if fetch else 'l1d') if place == 'l1' else place]['latency']


def of_dimension(counts, dimension, spared):
    """Steps of a dimension that were spared, or were not."""
    return sum(step['count'] for step in counts['caches']['steps']
               if step['dimension'] == dimension and (step['place'] == 'spared') == spared)


def accesses(counts, kind):
    """Accesses of a kind as the TLB has counted them."""
    looked_up = sum(row['count'] for name in ('hits', 'misses') for row in counts[name]
                    if (row['level'], row['kind']) == ('l1', kind))
    return looked_up + counts['segment-hits-l1'][kind]


def passed(counts, kind):
    """Data, or fetches, of a kind that have passed."""
    return sum(row['count'] for row in counts['caches']['data'] if row['kind'] == kind)


def check_steps(counts):
    """Steps are the references that a CPU without walk caches would make, and what is spared of
    them in the first dimension is what a hit of its walk cache saves."""
    assert (of_dimension(counts, 'guest', False) + of_dimension(counts, 'guest', True)
            == counts['guest-refs'])
    assert (of_dimension(counts, 'nested', False) + of_dimension(counts, 'nested', True)
            == counts['nested-refs'])
    hits = dict(zip(LEVELS, counts['walk-caches']['guest-hits']))
    spared = Counter()
    for step in counts['caches']['steps']:
        if (step['dimension'], step['place']) == ('guest', 'spared'):
            spared[step['table-level']] += step['count']
    assert (spared[2], spared[3]) == (hits[2], hits[2] + hits[3])
    assert spared[1] == 0
    # Tables of PAE have no level 4.
    assert hits[4] <= spared[4] <= spared[3] + hits[4]


def check_data(counts, caches):
    """Each load and store has passed, and each fetch that is one of the TLB's only if in l1i."""
    for kind in ('load', 'store'):
        assert passed(counts, kind) == accesses(counts, kind)
    if 'l1i' not in caches:
        assert passed(counts, 'fetch') == 0


def check_cycles(counts, caches):
    """Cycles are counts times latencies."""
    found = counts['caches']
    assert sum(row['cycles'] for row in found['walk-cycles']) == sum(
        step['count'] * latency(caches, step['place'])
        for step in found['steps'] if step['place'] != 'spared')
    assert found['data-cycles'] == sum(
        row['count'] * latency(caches, row['place'], row['kind'] == 'fetch')
        for row in found['data'])


def check_uses(counts, caches):
    """No cache has more lines than it has room for, and none is lost where nothing is inclusive."""
    rows = {row['cache']: row for row in counts['caches']['caches']}
    names = [name for name in ('l1d', 'l1i', 'l2', 'llc') if name in caches]
    assert list(rows) == names
    for at, name in enumerate(names):
        row = rows[name]
        assert row['used'] <= caches[name]['size'] // caches.get('line', 64)
        if not any(caches[below].get('inclusive') for below in names[at + 1:]):
            assert row['back-invalidations'] == 0


def check(counts, caches):
    """All identities of what the caches have counted."""
    check_steps(counts)
    check_data(counts, caches)
    check_cycles(counts, caches)
    check_uses(counts, caches)


def test_code_on_many_lines_passes_where_there_is_a_cache_for_it(cached, trace, tmp_path):
    counts = simulate(trace('lines'), cached, tmp_path)
    assert bool(passed(counts, 'fetch')) == ('l1i' in geometries()[cached]['caches'])


@pytest.mark.parametrize('program', PROGRAMS)
def test_the_simulators_caches_obey_the_identities(program, cached, trace, tmp_path):
    check(simulate(trace(program), cached, tmp_path), geometries()[cached]['caches'])


def region(found, steps):
    """Steps of that list between the markers, without their places and those that were spared."""
    total = Counter()
    for label, sign in ((LABEL_BEGIN, -1), (LABEL_END, 1)):
        for step, count in step_numbers(steps(found[label])).items():
            if step[-1] != 'spared':
                total[step[:-1]] += sign * count
    return +total


@pytest.mark.parametrize('program', PROGRAMS)
def test_steps_of_qemus_caches_add_up_to_those_of_its_walks(program, cached, trace, tmp_path):
    trace(program)      # skips what the CPU lacks
    found = markers(program, cached, tmp_path)
    walks = region(found, lambda marker: marker['walks']['steps'])
    assert walks
    assert region(found, lambda marker: marker['tlb']['caches']['steps']) == walks


def test_whoever_looks_at_registers_meanwhile_changes_no_count(tmp_path):
    alone, watched = (markers('staircase', FIRST, tmp_path, meanwhile=command)
                      for command in (None, 'info registers -a'))
    assert alone.keys() == watched.keys()
    for label, marker in alone.items():
        assert watched[label]['tlb']['caches'] == marker['tlb']['caches']


@pytest.fixture(scope='module')
def simulated(trace, tmp_path_factory):
    """What the caches count in a program with a geometry."""
    folder = tmp_path_factory.mktemp('caches')

    @functools.cache
    def of(program, geometry):
        return simulate(trace(program), geometry, folder)['caches']
    return of


@pytest.mark.parametrize('geometry', WITH_CACHES)
def test_geometries_have_each_cache_evict(geometry, simulated):
    """In one program or another."""
    for cache in set(geometries()[geometry]['caches']) & {'l1d', 'l1i', 'l2', 'llc'}:
        assert any(row['evictions'] for program in PROGRAMS
                   for row in simulated(program, geometry)['caches'] if row['cache'] == cache)


@pytest.mark.parametrize('program', PROGRAMS)
def test_in_mode_inclusive_misses_of_l1_pass_and_lines_of_sweeps(program, trace, tmp_path):
    """And some program has sweeps by loads, and by stores."""
    counts = simulate(trace(program), f'{FIRST}{BLIND}fifo', tmp_path, mode='inclusive')
    swept = counts['caches']['swept']
    for kind, lines in swept.items():
        misses = sum(row['count'] for row in counts['misses']
                     if (row['level'], row['kind']) == ('l1', kind))
        assert passed(counts, kind) == misses + lines
    assert program != 'sweeps' or min(swept.values()) > 1000


def beyond_l1(counts, caches):
    """What loads and stores have taken more than if they were all found in L1."""
    return sum(row['count'] * (latency(caches, row['place']) - latency(caches, 'l1'))
               for row in counts['data'] if row['kind'] != 'fetch')


def test_modes_agree_where_random_updates_follow_ascending_stores(tmp_path):
    """Without sweeps data would be in memory, for a cache that has all of it: five times as far."""
    caches = geometries()[FIRST]['caches']
    walks, data = {}, {}
    for mode in ('exact', 'inclusive'):
        begin, end = (counts['caches'] for counts in measure('table', FIRST, tmp_path, mode=mode))
        walks[mode], data[mode] = (
            value(end) - value(begin)
            for value in (lambda counts: sum(row['cycles'] for row in counts['walk-cycles']),
                          lambda counts: beyond_l1(counts, caches)))
    assert walks['exact'] > 100000 and data['exact'] > 100000
    assert walks['inclusive'] == pytest.approx(walks['exact'], rel=0.02)
    assert data['inclusive'] == pytest.approx(data['exact'], rel=0.05)


@pytest.mark.parametrize('geometry, lose', [
    ('small-plru-random', {'l1d', 'l1i'}), ('small-fifo-split', {'l1d'}),
    ('tiny-caches', {'l1d', 'l1i', 'l2'}), ('large-caches', {'l1d', 'l1i', 'l2'}),
    ('l1-and-walk-caches', set()), ('l1d-alone', set()),
])
def test_inclusive_caches_take_lines_from_those_above(geometry, lose, simulated):
    rows = simulated('vms', geometry)['caches']
    assert {row['cache'] for row in rows if row['back-invalidations']} == lose


def test_walks_and_data_find_what_they_need_in_each_place(simulated):
    found = simulated('vms', 'small-plru-random')
    places = {'l1', 'l2', 'llc', 'memory'}
    for kind in ('load', 'store', 'fetch'):
        assert {row['place'] for row in found['data'] if row['kind'] == kind} == places
    for dimension in ('guest', 'nested'):
        assert {step['place'] for step in found['steps']
                if step['dimension'] == dimension} == places


def test_walk_caches_and_the_nested_tlb_spare_steps_of_both_dimensions(simulated):
    for name in ('l1-and-walk-caches', 'tiny-caches'):
        assert {step['dimension'] for step in simulated('vms', name)['steps']
                if step['place'] == 'spared'} == {'guest', 'nested'}


def test_steps_are_of_the_guests_two_privileges(simulated):
    found = simulated('user', 'small-plru-random')
    assert {(step['world'], step['privilege']) for step in found['steps']} == {
        ('native', 'kernel'), ('nested', 'kernel'), ('nested', 'user')}
    assert {row['privilege'] for row in found['walk-cycles']
            if row['regime'] == 'base'} == {'kernel', 'user'}


@pytest.mark.parametrize('member, number', [
    ('data', 'count'), ('steps', 'count'), ('walk-cycles', 'cycles'), ('data-cycles', None),
    ('caches', 'evictions'), ('caches', 'back-invalidations'),
])
def test_one_count_more_is_a_difference(member, number, simulated):
    """So that the comparison with QEMU (yardstick.py) looks at each."""
    found = simulated('user', 'tiny-caches')
    for at in range(len(found[member]) if number else 1):
        other = copy.deepcopy(found)
        if number:
            other[member][at][number] += 1
        else:
            other[member] += 1
        assert sum((cache_numbers(other) - cache_numbers(found)).values()) == 1
