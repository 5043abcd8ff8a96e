# SPDX-License-Identifier: GPL-2.0-or-later
"""Whatever is wrong in a file of results is said by file, key and rule, by each command that reads."""

import copy
import json
from types import SimpleNamespace

import pytest

from dseg import Failure
from dseg.experiments.sweep import status
from dseg.points import records
from dseg.points.shape import COUNT, NUMBER, TEXT, Each, Maybe, Null, mistake, whole, word
from dseg.points.store import Store
from dseg.reports import compared, report
from report_folders import classes, folder  # pylint: disable=unused-import
from sample_runs import axes_of, sample

TIMELINE = {'samples': [{'at': 1.5, 'walks': {'base': 3}, 'phase': 'before'}],
            'events': [{'at': 1.0, 'until': 2.0, 'text': 'stands', 'pages': 3}]}
FULL = {'timeline': TIMELINE, 'mapping': {'guest': {'4k': 4096}, 'nested': None}}
OPTIONS = SimpleNamespace(**dict.fromkeys(('html', 'csv', 'json', 'svg', 'pdf', 'costs')))
COMMANDS = {'status': lambda run: status.text(Store(run)), 'report': lambda run: report.main(run, OPTIONS),
            'compare': lambda run: compared.main([run, run], OPTIONS)}


def full_record():
    """One that has all that records may have, but for numbers of walk caches."""
    return {**sample(axes_of('gups', '4k+4k', caches=True)), **copy.deepcopy(FULL)}


@pytest.fixture
def damaged(folder):        # pylint: disable=redefined-outer-name
    """A run of one point whose record is changed; its folder, and the file."""
    def make(change):
        run = folder(all_axes=[axes_of('gups', '4k+4k', caches=True)],
                     record=lambda axes: {**sample(axes), **copy.deepcopy(FULL)})
        file, = run.glob('points/*/record.json')
        record = json.loads(file.read_text())
        change(record)
        file.write_text(json.dumps(record))
        return run, file
    return make


@pytest.mark.parametrize('command', COMMANDS)
@pytest.mark.parametrize('change, told', [
    (lambda record: record['walks'][1].update(walks='7'),
     'walks[1].walks: must be a whole number from 0 on, not "7"'),
    (lambda record: record.update(instructions='many'), 'instructions: must be a whole number'),
    (lambda record: record['walks'][0].update(checks=None), 'walks[0].checks: must be a whole'),
    (lambda record: record['walks'][0].pop('checks'), 'walks[0].checks: this key is missing'),
    (lambda record: record['tlb'].update(hits={}), 'tlb.hits: must be a list, not {}'),
    (lambda record: record['steps'].append(3), ']: must be a table, not 3'),
    (lambda record: record['caches']['data'][0].update(place='l3'),
     'caches.data[0].place: must be one of l1, l2, llc, memory, spared, not "l3"'),
    (lambda record: record.pop('exits'), 'exits: this key is missing'),
    (lambda record: record.update(tlb=None), 'tlb: must be a table, as there are caches'),
    (lambda record: record['caches']['geometry'].pop('llc'), '.place: there is no llc in caches.geom'),
    (lambda record: record['timeline']['samples'][0].update(at='1'),
     'timeline.samples[0].at: must be a number, not "1"'),
    (lambda record: record['contiguity']['guest'].update({'covered-32': '90 %'}),
     'contiguity.guest.covered-32: must be a number, not "90 %"'),
], ids=lambda value: value.partition(':')[0] if isinstance(value, str) else '')
def test_each_command_says_what_is_wrong_in_a_record(damaged, capsys, command, change, told):
    run, file = damaged(change)
    with pytest.raises(Failure) as refused:
        COMMANDS[command](run)
    text = str(refused.value)
    assert text.startswith(f'{file}: ') and told in text
    assert text.endswith('; so the file is damaged: remove it, and scripts/experiment run measures '
                         'that point again')
    assert not capsys.readouterr().out


def test_a_record_of_an_event_has_a_timeline():
    record = full_record()
    record['axes']['event'] = 'ksm'
    assert records.mistake_in(record) is None
    assert records.mistake_in({**record, 'timeline': None}).startswith('timeline: must be a table')


def leaves(value, path=()):
    """The paths of all that has no parts."""
    parts = value.items() if isinstance(value, dict) else enumerate(value) \
        if isinstance(value, list) else ()
    for key, part in parts:
        yield from leaves(part, (*path, key))
    if not isinstance(value, (dict, list)):
        yield path


def changed(record, path, value):
    """A copy with another value there."""
    found = copy.deepcopy(record)
    place = found
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return found


# What reports show as it is, or do not read at all; and keys of caches that are no latency.
UNREAD = ('schema', 'axes', 'faults', 'forms', 'name', 'code', 'line', 'page')


def test_a_list_where_a_text_or_a_number_belongs_is_a_mistake_wherever_it_is():
    record = full_record()
    assert records.mistake_in(record) is None
    paths = [path for path in leaves(record) if not set(path) & set(UNREAD)]
    assert len(paths) > 200
    for path in paths:
        if path[-1] in ('nested', 'both') and 'walks' not in path and len(path) == 2:
            continue            # null: nothing of that dimension is known
        found = records.mistake_in(changed(record, path, ['x']))
        key = ''.join(f'[{part}]' if isinstance(part, int) else f'.{part}' for part in path)[1:]
        assert found and found.startswith(f'{key}: must be '), (path, found)


@pytest.mark.parametrize('value, shape, told', [
    (3, COUNT, None), (0, COUNT, None), (-1, COUNT, ' whole number from 0 on, not -1'),
    (True, COUNT, ', not true'), (3.0, COUNT, ', not 3.0'), (7, whole(1, 5), ' from 1 to 5, not 7'),
    (0.5, NUMBER, None), (float('nan'), NUMBER, ', not NaN'), (float('inf'), NUMBER, 'a number'),
    (True, NUMBER, ', not true'), ('', TEXT, None), (None, TEXT, ', not null'),
    ('b', word('a', 'b'), None), (['b'], word('a', 'b'), 'one of a, b'),
    (None, Null(COUNT), None), ('x', Null(COUNT), 'a whole number'),
    ({}, {'key': Null(COUNT)}, 'key: this key is missing'), ({}, {'key': Maybe(COUNT)}, None),
    ({'key': None}, {'key': Maybe(COUNT)}, None), ({'more': 1}, {}, None), ([], {}, 'a table, not []'),
    ({'a': 1, 'b': 'x'}, Each(COUNT), 'b: must be'), ([1, 'x'], [COUNT], '[1]: must be'),
    ([[0, 'x' * 99]], [COUNT], ' ...')])
def test_a_value_has_its_shape_or_the_key_and_the_rule_are_said(value, shape, told):
    found = mistake(value, shape)
    assert found is None if told is None else told in found


@pytest.mark.parametrize('command', COMMANDS)
@pytest.mark.parametrize('text, told', [
    ('{"host": ', ' is damaged, it is no JSON: remove '), ('[]', ' is damaged, it has no keys: '),
    ('{"host": 3}', ': host: must be a text, not 3; so the file is damaged: remove '),
    ('{"versions": "10"}', ': versions: must be a table, not "10"; so')])
def test_each_command_says_what_is_wrong_in_a_provenance(damaged, capsys, command, text, told):
    run, file = damaged(lambda record: None)
    place = file.with_name('provenance.json')
    place.write_text(text)
    with pytest.raises(Failure) as refused:
        COMMANDS[command](run)
    assert str(refused.value).startswith(f'{place}{told}')
    assert str(refused.value).endswith(
        f'remove {place.parent}, and scripts/experiment run measures that point again')
    assert not capsys.readouterr().out


def test_results_without_provenance_can_be_read(damaged):
    run, file = damaged(lambda record: None)
    file.with_name('provenance.json').unlink()
    for read in COMMANDS.values():
        read(run)
