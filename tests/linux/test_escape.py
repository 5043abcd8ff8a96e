# SPDX-License-Identifier: GPL-2.0-or-later
"""The escape filter sends single pages back to the nested page tables.

GUPS works on a table of one page, so that every walk that the guest segment
begins is of that page: its cost is seen exactly, whatever else runs.
"""

import random

import pytest

from dseg.experiments.measure import measure
from dseg.reports.counts import FIELDS
from dseg.stack.modes import set_mode

PAGE = 4096
ROUNDS_MAX = 50


def segment_walks(walks):
    """Walks that the guest segment began, by nested references."""
    return {nested: n for (guest, nested), n in walks.refs.items()
            if guest == 0}


def tally(stack, regime, privilege):
    """The counts of one regime and privilege, of all accesses."""
    [cpu] = stack.qmp('query-x86-dseg-walks')
    entries = [t for t in cpu['regimes']
               if (t['regime'], t['privilege']) == (regime, privilege)]
    return {field: sum(t[field] for t in entries) for field in FIELDS}


@pytest.fixture
def dual_direct(stack, one_page):
    set_mode(stack, 'dual-direct', one_page.area)
    return stack


def count(stack, workload):
    """The walks of a round in which GUPS's page had some.

    There is one after each flush of the TLB: on a fast machine a round can
    end before the first.
    """
    workload.begin_round()      # the line of an earlier one may be on its way only
    for _ in range(ROUNDS_MAX):
        result = measure(stack, workload, 'dual-direct', rounds=1)
        assert result.checksum_ok
        if segment_walks(result.walks):
            break
    return result.walks


def test_escaped_page_costs_exactly_one_nested_walk(dual_direct, one_page):
    dual_direct.qmp('x86-dseg-escape-add', page=one_page.area.pa)
    walks = count(dual_direct, one_page)
    assert set(segment_walks(walks)) == {4}
    assert walks.total['escapes'] == walks.refs[0, 4] > 0
    assert walks.total['false-escapes'] == 0


def test_page_beside_the_escaped_one_costs_nothing(dual_direct, one_page):
    for page in one_page.area.pa - PAGE, one_page.area.pa + PAGE:
        dual_direct.qmp('x86-dseg-escape-add', page=page)
    walks = count(dual_direct, one_page)
    assert set(segment_walks(walks)) == {0}
    assert walks.refs[0, 0] > 0
    assert walks.total['escapes'] == 0


@pytest.mark.parametrize('undo', [('x86-dseg-escape-remove', True),
                                  ('x86-dseg-escape-clear', False)])
def test_removal_restores_the_segment(dual_direct, one_page, undo):
    command, by_page = undo
    page = {'page': one_page.area.pa}
    dual_direct.qmp('x86-dseg-escape-add', **page)
    assert count(dual_direct, one_page).total['escapes'] > 0
    dual_direct.qmp(command, **page if by_page else {})
    [cpu] = dual_direct.qmp('query-x86-dseg')
    assert (cpu['escapes'], cpu['filter']) == ([], [0, 0, 0, 0])
    walks = count(dual_direct, one_page)
    assert set(segment_walks(walks)) == {0}
    assert walks.total['escapes'] == 0


def test_removal_keeps_the_other_pages_escaped(dual_direct, one_page):
    other = one_page.area.pa + 16 * PAGE
    dual_direct.qmp('x86-dseg-escape-add', page=one_page.area.pa)
    dual_direct.qmp('x86-dseg-escape-add', page=other)
    dual_direct.qmp('x86-dseg-escape-remove', page=other)
    [cpu] = dual_direct.qmp('query-x86-dseg')
    assert cpu['escapes'] == [one_page.area.pa]
    assert set(segment_walks(count(dual_direct, one_page))) == {4}


def test_escape_in_vmm_direct_adds_one_nested_walk(stack, one_page):
    """4 guest references, and 4 for the final page; its tables hit."""
    set_mode(stack, 'vmm-direct')
    stack.qmp('x86-dseg-escape-add', page=one_page.area.pa)
    one_page.begin_round()
    stack.qmp('x86-dseg-walks-reset')
    for _ in range(ROUNDS_MAX):
        one_page.begin_round()
        mixed = tally(stack, 'mixed', 'user')
        if mixed['walks']:
            break
    escapes = mixed['escapes']
    assert escapes > 0
    assert mixed == {'walks': escapes, 'guest-refs': 4 * escapes,
                     'nested-refs': 4 * escapes, 'checks': 5 * escapes,
                     'filter-lookups': 5 * escapes, 'escapes': escapes,
                     'false-escapes': 0}


def test_escape_without_a_vmm_segment_changes_nothing(stack, one_page):
    set_mode(stack, 'guest-direct', one_page.area)
    stack.qmp('x86-dseg-escape-add', page=one_page.area.pa)
    walks = count(stack, one_page)
    assert set(segment_walks(walks)) == {4}
    assert walks.total['filter-lookups'] == walks.total['escapes'] == 0


def hash_rows(stack):
    """What each bit of a page number contributes to the four hashes.

    H3 is linear, so adding a page with one bit set shows the row of that bit.
    """
    rows = []
    for bit in range(40 - 12):
        stack.qmp('x86-dseg-escape-add', page=PAGE << bit)
        [cpu] = stack.qmp('query-x86-dseg')
        rows.append([word.bit_length() - 1 for word in cpu['filter']])
        stack.qmp('x86-dseg-escape-clear')
    return rows


def hashes(rows, page):
    result = [0] * 4
    for bit, row in enumerate(rows):
        if page // PAGE >> bit & 1:
            result = [a ^ b for a, b in zip(result, row)]
    return result


def passes(filters, bits):
    return all(word >> bit & 1 for word, bit in zip(filters, bits))


def fill_until_false_escape(stack, rows, page):
    """Adds pages that each share one hash with @page, till all four do."""
    generator = random.Random(1)
    wanted = hashes(rows, page)
    for i in range(4):
        while True:
            other = generator.randrange(1 << 28) * PAGE
            found = hashes(rows, other)
            if found[i] == wanted[i] and found != wanted:
                break
        stack.qmp('x86-dseg-escape-add', page=other)
        [cpu] = stack.qmp('query-x86-dseg')
        yield passes(cpu['filter'], wanted)


def test_false_escapes_are_where_the_filter_says(dual_direct, one_page):
    """Predicted from the filter's words, counted apart, and harmless."""
    rows = hash_rows(dual_direct)
    for predicted in fill_until_false_escape(dual_direct, rows,
                                             one_page.area.pa):
        dual_direct.qmp('x86-dseg-walks-reset')
        walks = count(dual_direct, one_page)
        assert set(segment_walks(walks)) == ({4} if predicted else {0})
        # With the guest segment, without the VMM's: only the escaped page.
        found = tally(dual_direct, 'guest-direct', 'user')
        assert found['false-escapes'] == found['escapes'] == found['walks']
        assert (found['walks'] > 0) == predicted
    assert predicted
