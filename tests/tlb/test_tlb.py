# SPDX-License-Identifier: GPL-2.0-or-later
"""The TLB model counts what a simulator counts that knows docs/spec/tlb.rst alone, and so do its
caches, of docs/spec/caches.rst.

Each program of programs/ runs in QEMU with the plugin that traces it, and the simulator reads the
trace; then it runs with each geometry in QEMU's own model. The counts of the region between the
markers 1 and 2 have to be equal: all of them in exact mode, and all but hits of L1 in inclusive
mode, if these do not change what is evicted.
"""

from collections import Counter

import pytest

from yardstick import (FIRST, ICOUNT, PROGRAMS, differences, measure, record, simulate, total, used)


@pytest.mark.parametrize('program', PROGRAMS)
def test_exact_mode_counts_as_the_simulator(program, name, trace, tmp_path):
    expected = simulate(trace(program), name, tmp_path)
    begin, end = measure(program, name, tmp_path)
    assert not differences(expected, begin, end), 'what the simulator says, and what QEMU'
    assert used(expected) == used(end)


@pytest.mark.parametrize('program', PROGRAMS)
def test_inclusive_mode_counts_all_but_hits_of_l1_as_the_simulator(program, blind, trace, tmp_path):
    expected = simulate(trace(program), blind, tmp_path, mode='inclusive')
    begin, end = measure(program, blind, tmp_path, mode='inclusive')
    different = {key: both for key, both in differences(expected, begin, end).items()
                 if key[:2] != ('hits', 'l1')}
    assert not different, 'what the simulator says, and what QEMU'
    assert used(expected) == used(end)


@pytest.mark.parametrize('program', PROGRAMS)
def test_exact_mode_repeats_itself_under_icount(program, trace, tmp_path):
    trace(program)      # skips what the CPU lacks
    first, second = (measure(program, FIRST, tmp_path, ICOUNT) for _ in range(2))
    assert first == second


@pytest.mark.parametrize('program', PROGRAMS)
def test_the_simulator_repeats_itself_with_and_without_icount(program, trace, tmp_path):
    expected = simulate(trace(program), FIRST, tmp_path)
    for _ in range(2):
        file = record(program, tmp_path / 'icount.trace', ICOUNT)
        assert simulate(file, FIRST, tmp_path) == expected
        file.unlink()


@pytest.mark.parametrize('program', PROGRAMS)
def test_the_simulator_obeys_the_identities(program, name, trace, tmp_path):
    counts = simulate(trace(program), name, tmp_path)
    walks = sum(counts['walks'].values())
    assert walks == total(counts, 'misses', 'l2') - sum(counts['segment-hits'].values())
    assert (total(counts, 'hits', 'l2') + total(counts, 'misses', 'l2')
            == total(counts, 'misses', 'l1')), 'L2 lookups = L1 misses'
    assert walks > 0


@pytest.fixture(scope='module')
def sandybridge(trace, tmp_path_factory):
    """What the simulator counts of a program with that preset."""
    folder = tmp_path_factory.mktemp(FIRST)
    return lambda program: simulate(trace(program), FIRST, folder)


@pytest.mark.parametrize('program, what', [
    ('spaces', {'mov-cr3', 'cr4'}), ('invlpg', {'invlpg'}), ('native-segment', {'guest-segment'}),
    ('pcid', {'mov-cr3', 'cr4', 'invpcid-address', 'invpcid-context', 'invpcid-all',
              'invpcid-all-nonglobal'}),
    ('invlpga', {'invlpga'}), ('vm-segments', {'vmm-segment', 'guest-segment', 'tlb-control'}),
    ('vms', {'tlb-control', 'mov-cr3', 'invlpg', 'cr4'}),
])
def test_programs_meet_the_invalidations_that_they_are_about(program, what, sandybridge):
    causes = {row['cause']: row for row in sandybridge(program)['invalidations']}
    assert what <= set(causes)
    assert all(causes[cause]['entries'] > 0 for cause in what), 'and they remove entries'


def test_invlpg_removes_more_pieces_of_a_page_than_a_whole_page_has_entries(sandybridge):
    """A page that is not in pieces has one in each of L1D, L1I and L2."""
    row, = (row for row in sandybridge('vms')['invalidations'] if row['cause'] == 'invlpg')
    assert row['entries'] > 3 * row['count']


@pytest.mark.parametrize('program, level, kind, pages', [
    ('stride', 'l2', 'load', '4k'), ('random', 'l2', 'store', '4k'), ('chase', 'l1', 'load', '2m'),
    ('sizes', 'l1', 'load', '1g'), ('sizes', 'l2', 'store', '2m'), ('code', 'l2', 'fetch', '4k'),
    ('code', 'l1', 'fetch', '2m'), ('unpaged', 'l2', 'load', '2m'), ('vms', 'l1', 'load', '2m'),
])
def test_programs_miss_as_they_are_meant_to(program, level, kind, pages, sandybridge):
    assert any((row['level'], row['kind'], row['pages']) == (level, kind, pages)
               for row in sandybridge(program)['misses'])


def test_code_is_fetched_where_it_is_called_and_not_where_it_was_translated(sandybridge):
    """The pages of code.c are frames with several virtual addresses, of 4K and 2M."""
    calls, thirds, fifths = 25000, 8334, 5000
    counts = sandybridge('code')
    lookups = Counter()
    for row in [*counts['hits'], *counts['misses']]:
        if (row['level'], row['kind']) == ('l1', 'fetch'):
            lookups[row['pages']] += row['count']
    # A call and a return each, and one more page for what straddles two.
    assert lookups == {'4k': calls + 2 * thirds, '2m': calls + thirds + fifths + 2 * fifths}


@pytest.mark.parametrize('program', ['native-segment', 'vm-segments'])
def test_segments_hit(program, sandybridge):
    assert sum(sandybridge(program)['segment-hits'].values()) > 100


def test_stores_to_clean_pages_miss(sandybridge):
    assert sandybridge('dirty')['dirty-misses']['l1'] > 100
