# SPDX-License-Identifier: GPL-2.0-or-later
"""Closed forms hold for records that obey the specification, and each notices one that does not."""

import re

import pytest

from dseg.points.configurations import CONFIGURATIONS
from dseg.reports.forms import broken, forms, tables
from sample_runs import Walks, axes_of, record_of, sample, walks_of

NESTED_4K = ('4k',) * 5


def kind_of(name):
    """A form's name without where it was looked at, and without the sizes that it names."""
    return re.sub(r' of (4k|2m|1g)\b|\b[1-4]\b(?= = nested)', ' *', re.sub(r' \(.*\)$', '', name))


def kinds(some):
    return {kind_of(form.name) for form in some}


def record_for(name, escapes=0):
    return sample(axes_of('gups', name, escapes=escapes))


@pytest.mark.parametrize('name, escapes', [
    (name, escapes) for name, configuration in CONFIGURATIONS.items()
    for escapes in ((0, 4) if configuration.vmm_segment else (0,))])
def test_a_record_of_the_specification_obeys_every_form(name, escapes):
    configuration = CONFIGURATIONS[name]
    found = forms(record_for(name, escapes), configuration)
    assert len(found) > 50 and not broken(found)


def test_walks_of_every_regime_in_both_privileges_obey_every_form():
    walks = [Walks(number, world, guest, nested, privilege, access, guest_segment, vmm_segment)
             for number, (world, guest, nested, guest_segment, vmm_segment) in enumerate([
                 ('native', '1g', (), True, False), ('native', 'segment', (), True, False),
                 ('nested', '2m', ('2m', '1g', '4k', '2m'), True, True),
                 ('nested', '1g', ('segment',) * 3, True, True),
                 ('nested', '4k', ('segment', '2m', '4k', 'escape', 'segment'), False, True),
                 ('nested', 'segment', ('1g',), True, False),
                 ('nested', 'segment', ('false',), True, True),
                 ('nested', 'segment', ('segment',), True, True), ('native', '2m', (), False, False)
             ], 11) for privilege in ('user', 'kernel') for access in ('load', 'store', 'fetch')]
    assert not broken(forms(record_of({}, walks)))


def rows(record, table, **where):
    """Rows of a table of a record."""
    found = [row for row in record[table]
             if all(row.get(name.replace('_', '-')) == value for name, value in where.items())]
    assert found
    return found


def add(table, key, number=1, **where):
    """What adds to a number of a row."""
    def change(record):
        rows(record, table, **where)[0][key] += number
    return change


def put(table, key, value, **where):
    """What replaces a number of a row, by one that depends on the row."""
    def change(record):
        for row in rows(record, table, **where):
            row[key] = value(row)
    return change


def tlb(table, key='count', number=1, **where):
    """The same of the modelled TLB's counts."""
    def change(record):
        found = record['tlb'][table]
        if isinstance(found, list):
            found = rows(record['tlb'], table, **where)[0]
        found[key] += number
    return change


def swap(**where):
    """What moves a step of one level to another one, so that sums stay."""
    def change(record):
        level = where.pop('to')
        source = rows(record, 'steps', **where)[0]
        source['count'] -= 1
        rows(record, 'steps', **{**where, 'table_level': level})[0]['count'] += 1
    return change


def wrong_data(record):
    record['data'] = 'wrong'


# By kind of form: configuration, and the one change that it has to notice.
BREAKS = {
    'the data is': ('native-4k', wrong_data),
    'walks = walks of the histogram': ('native-4k', add('refs', 'walks')),
    'guest refs = those of the histogram': ('native-4k', add('walks', 'guest-refs')),
    'nested refs = those of the histogram': ('4k+4k', add('walks', 'nested-refs')),
    'guest refs = steps': ('native-4k', add('steps', 'count', dimension='guest')),
    'nested refs = steps': ('4k+4k', add('steps', 'count', dimension='nested')),
    'walks of segments alone = walks without a reference':
        ('dd', add('refs', 'walks', world='nested', guest=0, nested=0)),
    'walks whose number of references can not be': ('4k+4k', put(
        'refs', 'nested', lambda row: 21, world='nested', privilege='user')),
    'walks = L2 misses - segment hits': ('dd', tlb('walks', 'load')),
    'L2 lookups = L1 misses': ('4k+4k', tlb('hits', level='l2')),
    'walks counted = those of the TLB + segment hits': ('4k+4k', tlb('walks', 'store')),
    'walks of segments alone = segment hits': ('native-ds', tlb('segment-hits', 'load')),
    'guest refs = 0': ('dd', add('walks', 'guest-refs', regime='dual-direct')),
    'checks = walks': ('dd', add('walks', 'checks', regime='dual-direct')),
    'nested refs = 0': ('4k+vd', add('walks', 'nested-refs', regime='vmm-direct')),
    'checks at most 1 a walk':
        ('native-4k', put('walks', 'checks', lambda row: row['walks'] + 1, regime='native')),
    'false escapes at most escapes':
        ('4k+vd', put('walks', 'false-escapes', lambda row: row['escapes'] + 1, regime='mixed')),
    'escapes at most lookups':
        ('4k+vd', put('walks', 'escapes', lambda row: row['filter-lookups'] + 1, regime='mixed')),
    'escapes = 0': ('4k+vd', add('walks', 'escapes', regime='vmm-direct')),
    'guest refs 2 to 4 a walk':
        ('4k+4k', put('walks', 'guest-refs', lambda row: 4 * row['walks'] + 1, regime='base')),
    'nested refs 2 to 4 a gPA':
        ('4k+4k', put('walks', 'nested-refs', lambda row: 20 * row['walks'] + 1, regime='base',
                      access='store')),
    'checks at most g + 2 a walk':
        ('4k+4k', put('walks', 'checks', lambda row: 6 * row['walks'] + 1, regime='base',
                      access='store')),
    'nested refs 2 to 4 a walk':
        ('4k+gd', put('walks', 'nested-refs', lambda row: 2 * row['walks'] - 1,
                      regime='guest-direct')),
    'nested refs of 1 to g gPAs a walk':
        ('4k+vd', put('walks', 'nested-refs', lambda row: 2 * row['walks'] - 1, regime='mixed')),
    'lookups = g + 1 a walk': ('4k+vd', add('walks', 'filter-lookups', regime='vmm-direct')),
    'checks g + 1 to g + 2 a walk': ('4k+vd', add('walks', 'checks', -1, regime='vmm-direct')),
    'lookups = walks': ('dd', add('walks', 'filter-lookups', regime='dual-direct')),
    'walks that end in guest pages * = their last steps':
        ('4k+4k', add('pages', 'guest', kind='2m')),
    'walks that end in nested pages * = their last steps':
        ('4k+4k', add('pages', 'nested', kind='1g')),
    'guest refs = those of the pages found': ('2m+2m', add('pages', 'guest', kind='4k')),
    'walks by guest tables = steps of the root': ('4k+4k', swap(
        dimension='guest', world='nested', privilege='user', table_level=4, to=3)),
    'gPAs by nested tables = steps of the nested root': ('4k+4k', swap(
        dimension='nested', world='nested', for_level=0, table_level=4, to=3)),
    'guest entries of level  * = nested walks to them': ('4k+4k', swap(
        dimension='nested', world='nested', for_level=3, table_level=4, to=3)),
    'walks by segments = 0, as there are none':
        ('4k+4k', put('walks', 'regime', lambda row: 'mixed', regime='base')),
    'checks = 0, as there are no segments': ('native-4k', add('walks', 'checks')),
    'filter lookups = 0, as there are no segments': ('4k+4k', add('walks', 'filter-lookups')),
}


def every_kind():
    """Of the forms of all configurations, but for those about the pages that were asked for."""
    found = set()
    for name, configuration in CONFIGURATIONS.items():
        found |= kinds(forms(record_for(name, 4 * configuration.vmm_segment), configuration))
    return {kind for kind in found if not kind.startswith('program\'s')}


def test_there_is_a_change_for_every_kind_of_form():
    missing = every_kind() ^ {kind_of(kind) if '*' not in kind else kind for kind in BREAKS}
    assert not missing


@pytest.mark.parametrize('kind', BREAKS)
def test_a_form_notices_what_breaks_it(kind):
    name, change = BREAKS[kind]
    configuration = CONFIGURATIONS[name]
    record = record_for(name, 4 * configuration.vmm_segment)
    assert not broken(forms(record, configuration))
    change(record)
    assert kind in kinds(broken(forms(record, configuration)))


@pytest.mark.parametrize('wanted, real, dimension', [
    ('native-2m', 'native-4k', 'guest'), ('native-1g', 'native-2m', 'guest'),
    ('4k+2m', '4k+4k', 'nested'), ('2m+1g', '2m+2m', 'nested'), ('2m+1g', '4k+1g', 'guest'),
    ('4k+vd', '4k+4k', 'nested'), ('4k+gd', '4k+4k', 'guest'), ('dd', '4k+vd', 'guest'),
    ('native-ds', 'native-4k', 'guest'), ('4k+gd', '2m+gd', 'nested'), ('dd', '4k+gd', 'nested'),
    ('native-thp', 'native-1g', 'guest'), ('shadow-2m', 'shadow-4k', 'guest')])
def test_pages_that_were_not_asked_for_are_noticed(wanted, real, dimension):
    found = broken(forms(record_for(real), CONFIGURATIONS[wanted]))
    assert any(form.name.startswith('program\'s walks') and f' in {dimension} ' in form.name
               for form in found)


def test_the_share_of_pages_asked_for_is_a_threshold():
    configuration = CONFIGURATIONS['native-2m']

    def is_right(others, share=0.99):
        walks = [Walks(99000, 'native', '2m'), Walks(others, 'native', '4k')]
        return not broken(forms(record_of({}, walks), configuration, share))
    assert is_right(1000) and not is_right(1001) and is_right(1001, share=0.98)


def test_of_few_walks_no_share_is_asked_for():
    walks = [Walks(100, 'native', '2m'), Walks(100, 'native', '4k')]
    assert not broken(forms(record_of({}, walks), CONFIGURATIONS['native-2m']))


def mapped(guest, nested):
    return {**record_for('4k+4k'), 'mapping': {'guest': guest, 'nested': nested}}


@pytest.mark.parametrize('name, guest, nested, dimensions', [
    ('4k+4k', {'4k': 1000}, {'4k': 1000}, []), ('4k+4k', {'4k': 999, '2m': 1}, {'4k': 1000}, ['guest']),
    ('4k+4k', {'4k': 1000}, {'4k': 999, '2m': 1}, ['nested']),
    ('4k+2m', {'4k': 1000}, {'4k': 10, '2m': 990}, []),
    ('4k+2m', {'4k': 1000}, {'4k': 11, '2m': 989}, ['nested']),
    ('2m+1g', {'4k': 1000}, {'2m': 1000}, ['guest', 'nested']),
    ('thp+thp', {'2m': 600, '4k': 400}, {'4k': 1000}, []),
    ('4k+vd', {'2m': 1000}, {'4k': 1000}, ['guest']), ('4k+vd', {'4k': 1000}, {'2m': 1000}, []),
    ('4k+gd', {'2m': 1000}, {'4k': 1000}, []), ('dd', {'2m': 1000}, {'2m': 1000}, [])])
def test_page_tables_must_have_the_pages_asked_for_where_no_segment_translates(
        name, guest, nested, dimensions):
    found = [form.name for form in broken(tables(mapped(guest, nested), CONFIGURATIONS[name]))]
    assert len(found) == len(dimensions)
    assert all(f' in {dimension} pages ' in text for dimension, text in zip(dimensions, found))


def of_programs(name, segment, pages):
    """A record of programs of Debian's: so many walks by the guest segment, and so many by pages."""
    configuration = CONFIGURATIONS[name]
    nested = {'dd': 'segment', '2m+gd': '2m', '4k+gd': '4k'}.get(name)
    walks = [Walks(count, configuration.world, leaf, (nested,) * of_walk if nested else (),
                   guest_segment=True, vmm_segment=configuration.vmm_segment)
             for leaf, of_walk, count in (('segment', 1, segment), *(
                 (kind, 5 if kind == '4k' else 4, count) for kind, count in pages.items())) if count]
    return {**record_of({}, walks), 'inputs': {'programs': 'hash'}}


@pytest.mark.parametrize('name', ['native-ds', '4k+gd', '2m+gd', 'dd'])
def test_a_program_of_debian_s_is_in_its_segment_in_part_and_else_in_pages_of_4k(name):
    def wrong(*numbers):
        return [form.name for form in broken(forms(of_programs(name, *numbers), CONFIGURATIONS[name]))]
    assert not wrong(1, {'4k': 99999}) and not wrong(99000, {'2m': 1000})
    assert wrong(0, {'4k': 99999}) == ['program\'s walks by its segment missing to one']
    assert wrong(98000, {'2m': 1500, '4k': 500}) == [
        'program\'s walks missing to 99% in a guest segment or pages of 4k']


def test_of_other_programs_all_of_the_area_is_to_be_in_the_segment():
    record = of_programs('dd', 1, {'4k': 99999})
    record['inputs']['programs'] = None
    assert [form.name for form in broken(forms(record, CONFIGURATIONS['dd']))] == [
        'program\'s walks missing to 99% in guest a segment']


@pytest.mark.parametrize('name, others, is_right', [
    ('4k+1g', 5000, True), ('4k+1g', 5001, False), ('4k+2m', 1000, True), ('4k+2m', 1001, False)])
def test_a_program_of_debian_s_may_read_the_time_from_a_page_that_is_not_of_1_gib(
        name, others, is_right):
    leaf = CONFIGURATIONS[name].host
    walks = [Walks(100000 - others, 'nested', '4k', (leaf,) * 5),
             Walks(others, 'nested', '4k', (leaf,) * 4 + ('4k',))]
    record = {**record_of({}, walks), 'inputs': {'programs': 'hash'}}
    assert bool(broken(forms(record, CONFIGURATIONS[name]))) != is_right
    record['inputs']['programs'] = None
    assert bool(broken(forms(record, CONFIGURATIONS[name]))) == (others > 1000)


def test_a_page_that_escapes_is_no_page_that_was_not_asked_for():
    walks = walks_of('4k+vd', 1000, escaped=300)
    assert not broken(forms(record_of({}, walks), CONFIGURATIONS['4k+vd']))


def test_a_kernel_may_have_other_pages_than_the_program():
    walks = walks_of('native-4k', 1000) + [Walks(10 ** 6, 'native', '1g', privilege='kernel')]
    assert not broken(forms(record_of({}, walks), CONFIGURATIONS['native-4k']))


def with_caches(record):
    """As a geometry with walk caches counts: steps of upper levels of the program are saved."""
    record['tlb']['walk-caches'] = {'guest-lookups': 1}
    saved = {'guest': 0, 'nested': 0}
    for step in record['steps']:
        if step['table-level'] > 2 and step['privilege'] == 'user':
            saved[step['dimension']] += step['count']
            step['count'] = 0
    bars = [bar for bar in record['refs'] if bar['privilege'] == 'user']
    for bar in bars:
        bar['nested'] -= 2 * (bar['guest'] + 1) if bar['nested'] else 0
        bar['guest'] -= 2
    left = dict(saved)
    for row in rows(record, 'walks', privilege='user'):
        for dimension, of_walk in (('guest', 2), ('nested', 10 if saved['nested'] else 0)):
            row[f'{dimension}-refs'] -= of_walk * row['walks']
            left[dimension] -= of_walk * row['walks']
    assert left == {'guest': 0, 'nested': 0}
    return record


def test_walk_caches_may_save_references():
    for name in 'native-4k', '4k+4k':
        record = with_caches(record_for(name))
        assert not broken(forms(record, CONFIGURATIONS[name]))
        del record['tlb']['walk-caches']
        assert broken(forms(record, CONFIGURATIONS[name]))


def test_pages_of_4k_are_told_from_others_with_walk_caches_too():
    for wanted, real in (('native-2m', 'native-4k'), ('4k+2m', '4k+4k')):
        assert broken(forms(with_caches(record_for(real)), CONFIGURATIONS[wanted]))


def with_nested_tlb(record):
    """As a geometry with one counts if it has all gPAs: no entry of nested tables is read."""
    record['tlb']['walk-caches'] = {'gpa-lookups': 5000, 'gpa-hits': 5000}
    record['steps'] = [step for step in record['steps'] if step['dimension'] == 'guest']
    for bar in record['refs']:
        bar['nested'] = 0
    for row in record['walks']:
        row['nested-refs'] = 0
    return record


def test_a_nested_tlb_may_save_the_last_step_too():
    record = with_nested_tlb(record_for('4k+4k'))
    assert not broken(forms(record, CONFIGURATIONS['4k+4k']))
    del record['tlb']['walk-caches']['gpa-lookups']
    assert broken(forms(record, CONFIGURATIONS['4k+4k']))


def test_pages_of_4k_are_told_from_others_with_a_nested_tlb_too():
    for wanted, real in (('4k+2m', '4k+4k'), ('4k+4k', '4k+2m')):
        assert broken(forms(with_nested_tlb(record_for(real)), CONFIGURATIONS[wanted]))


def test_a_program_without_room_for_its_region_has_the_forms_of_page_tables():
    for wanted, real in (('dd', '4k+vd'), ('4k+gd', '4k+4k'), ('native-ds', 'native-4k')):
        record = record_for(real)
        assert broken(forms(record, CONFIGURATIONS[wanted]))
        record['no-region'] = 'no region of 16777216 bytes: Cannot allocate memory'
        assert not broken(forms(record, CONFIGURATIONS[wanted]))
        assert broken(forms({**record_for(wanted), 'no-region': 'x'}, CONFIGURATIONS[wanted]))


def test_a_run_in_whose_middle_the_segment_is_lost_has_other_pages_too():
    record = record_for('4k+4k')
    assert broken(forms(record, CONFIGURATIONS['dd']))
    record['timeline'] = {'samples': [], 'events': []}
    assert not broken(forms(record, CONFIGURATIONS['dd']))
    record['walks'][0]['walks'] += 1
    assert broken(forms(record, CONFIGURATIONS['dd']))


def test_segments_beside_l1_count_apart():
    record = record_for('dd')
    found = record['tlb']
    found['segment-hits-l1'] = found['segment-hits']
    found['segment-hits'] = {'load': 0, 'store': 0, 'fetch': 0}
    for kind, count in found['segment-hits-l1'].items():
        for level in ('l1', 'l2'):
            for miss in found['misses']:
                if (miss['level'], miss['kind'], miss['page']) == (level, kind, '4k'):
                    miss['count'] -= count
    assert not broken(forms(record, CONFIGURATIONS['dd']))


def test_a_record_without_a_modelled_tlb_has_forms_too():
    record = record_for('4k+4k')
    record['tlb'] = None
    found = forms(record, CONFIGURATIONS['4k+4k'])
    assert len(found) > 40 and not broken(found)
