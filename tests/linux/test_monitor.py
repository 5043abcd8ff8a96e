# SPDX-License-Identifier: GPL-2.0-or-later
"""The human monitor and the statistics say the same as QMP."""

import re

import pytest

from dseg.experiments.measure import Walks
from dseg.stack.modes import guest_segment, set_mode, vmm_segment


def test_hmp_sets_what_qmp_shows_with_suffixes_and_hexadecimal(stack):
    segment = vmm_segment(stack.layout)
    output = stack.hmp(f'dseg_set vmm 1M 511M {segment["target"]:#x}')
    assert re.match(r'CPU 0: set; of 130816 pages the page tables map \d+, '
                    r'of which 0 differ\n', output)
    [cpu] = stack.qmp('query-x86-dseg')
    del segment['level']
    assert cpu['vmm'] == {**segment, 'world': 'nested'}


def test_hmp_sets_a_guest_segment_with_all_its_arguments(stack, gups):
    cr3 = set_mode(stack, 'guest-direct', gups.area)
    [cpu] = stack.qmp('query-x86-dseg')
    stack.qmp('x86-dseg-clear')
    area = gups.area
    output = stack.hmp(f'dseg_set guest {area.va:#x} 64M {area.pa // 1024}K '
                       f'0 {cr3:#x} nested {cpu["nested-cr3"]:#x}')
    assert 'map 16384, of which 0 differ' in output
    segment = guest_segment(area, cr3)
    del segment['level']
    [now] = stack.qmp('query-x86-dseg')
    assert now['guest'] == {**segment, 'nested-cr3': cpu['nested-cr3']}


def test_hmp_shows_segments_and_escapes(stack, gups):
    cr3 = set_mode(stack, 'dual-direct', gups.area)
    stack.hmp('dseg_escape add 256M')
    [cpu] = stack.qmp('query-x86-dseg')
    output = stack.hmp('info dseg')
    area, layout = gups.area, stack.layout
    assert re.search(rf'guest  {area.va:#x}-{area.va + area.bytes - 1:#x} -> '
                     rf'{area.pa:#x}-.*65536 KiB.*nested, CR3 {cr3:#x}',
                     output)
    assert re.search(rf'vmm    0x100000-0x1fffffff -> {layout.vmm_target:#x}-',
                     output)
    assert '\n  escapes 0x10000000\n' in output
    words = ' '.join(f'{word:#018x}' for word in cpu['filter'])
    assert f'\n  filter {words}\n' in output


def test_hmp_clears_one_level_or_all(stack, gups):
    set_mode(stack, 'dual-direct', gups.area)
    assert stack.hmp('dseg_clear guest') == ''
    [cpu] = stack.qmp('query-x86-dseg')
    assert 'guest' not in cpu and 'vmm' in cpu
    assert stack.hmp('dseg_clear') == ''
    [cpu] = stack.qmp('query-x86-dseg')
    assert 'vmm' not in cpu


def test_hmp_changes_the_escape_filter(stack):
    def escapes():
        return stack.qmp('query-x86-dseg')[0]['escapes']

    for line in ('dseg_escape add 0x2000', 'dseg_escape add 8M',
                 'dseg_escape add 16K 0'):
        assert stack.hmp(line) == ''
    assert sorted(escapes()) == [0x2000, 0x4000, 0x800000]
    assert stack.hmp('dseg_escape remove 0x2000') == ''
    assert sorted(escapes()) == [0x4000, 0x800000]
    assert stack.hmp('dseg_escape clear') == ''
    assert escapes() == []


@pytest.fixture
def stopped(stack, gups):
    """Counters that stand still, of a mode with many kinds of walks."""
    set_mode(stack, 'vmm-direct')
    stack.qmp('x86-dseg-walks-reset')
    gups.begin_round()
    stack.qmp('stop')
    yield stack
    stack.qmp('cont')


def test_hmp_shows_the_walks_that_qmp_counts(stopped):
    reply = stopped.qmp('query-x86-dseg-walks')
    walks = Walks.from_reply(reply)
    output = stopped.hmp('info dseg-walks')
    assert f'CPU 0: {walks.count} walks\n' in output
    for regime, count in walks.regimes.items():
        assert re.search(rf'^  {regime} +{count} ', output, re.M)
    for bar in reply[0]['refs-histogram']:
        guest, nested = bar['guest'], bar['nested']
        assert re.search(rf'^  {guest + nested} +{bar["walks"]} +{guest} '
                         rf'+{nested}  {bar["world"]} {bar["privilege"]}$',
                         output, re.M)


def test_hmp_shows_the_snapshots_of_markers(stopped):
    """The fixture has reset them; then GUPS has begun a round."""
    markers = stopped.qmp('query-x86-dseg-markers')
    output = stopped.hmp('info dseg-markers')
    assert markers and output.count('\n') == 1 + len(markers)
    for marker in markers:
        total = marker['walks']['total']
        assert re.search(rf'^  0  {marker["label"]:#08x} +{marker["count"]} '
                         rf'+{total["walks"]} +{total["guest-refs"]} '
                         rf'+{total["nested-refs"]} +{total["checks"]}$',
                         output, re.M), output


def test_reset_sets_every_counter_to_zero(stopped):
    for reset in (lambda: stopped.hmp('dseg_walks_reset') == '',
                  lambda: stopped.qmp('x86-dseg-walks-reset', cpu=0) == {}):
        assert reset()
        [cpu] = stopped.qmp('query-x86-dseg-walks')
        assert set(cpu['total'].values()) == {0}
        assert set(cpu['faults'].values()) == {0}
        assert cpu['regimes'] == cpu['refs-histogram'] == []
        assert cpu['softmmu-nested-fills'] == 0


def test_statistics_are_those_of_the_schema_and_of_the_counters(stopped):
    [schema] = stopped.qmp('query-stats-schemas', provider='x86-dseg')
    assert (schema['provider'], schema['target']) == ('x86-dseg', 'vcpu')
    [vcpu] = stopped.qmp('query-stats', target='vcpu',
                         providers=[{'provider': 'x86-dseg'}])
    assert [s['name'] for s in vcpu['stats']] == \
        [s['name'] for s in schema['stats']]

    found = {s['name']: s['value'] for s in vcpu['stats']}
    reply = stopped.qmp('query-x86-dseg-walks')
    walks = Walks.from_reply(reply)
    for field, value in walks.total.items():
        assert found[field] == value, field
    for regime, count in walks.regimes.items():
        assert found[f'{regime}-walks'] == count, regime
    for i, count in enumerate(found['refs-histogram']):
        assert count == walks.refs_histogram[i]
    for i, count in enumerate(found['checks-histogram']):
        assert count == walks.checks[i]
    assert found['faults'] == sum(
        reply[0]['faults'][kind] for kind in (
            'not-present', 'protection', 'reserved', 'nested-final',
            'nested-table'))


def test_statistics_can_be_asked_for_by_name(stopped):
    [vcpu] = stopped.qmp('query-stats', target='vcpu', providers=[
        {'provider': 'x86-dseg', 'names': ['walks', 'base-walks']}])
    assert [s['name'] for s in vcpu['stats']] == ['walks', 'base-walks']


def test_info_stats_shows_the_counters(stopped):
    walks = Walks.from_reply(stopped.qmp('query-x86-dseg-walks'))
    output = stopped.hmp('info stats vcpu')
    assert 'provider: x86-dseg' in output
    assert re.search(rf'^ *walks.*: {walks.count}$', output, re.M), output


def test_every_command_has_help(stack):
    for command in ('dseg_set', 'dseg_clear', 'dseg_escape',
                    'dseg_walks_reset', 'dseg_scan', 'dseg_translate',
                    'info dseg', 'info dseg-walks', 'info dseg-markers'):
        output = stack.hmp(f'help {command}')
        assert output.startswith(command), output
