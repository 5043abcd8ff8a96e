# SPDX-License-Identifier: GPL-2.0-or-later
"""The scan finds in real page tables what a segment could stand for."""

import re

import pytest

from dseg.base.sizes import KiB, MiB
from dseg.stack.modes import find_cr3
from dseg.stack.stack import MonitorError

PAGE = 4 * KiB
USER_HALF = 1 << 47


@pytest.fixture
def cr3(stack, gups):
    """Of GUPS in L2; no segment is set."""
    found = find_cr3(stack, gups.area)
    stack.qmp('x86-dseg-clear')
    return found


def scan_l2(stack, cr3, **arguments):
    return stack.qmp('x86-dseg-scan', level='guest', world='nested', cr3=cr3,
                     **arguments)


def as_segment(run):
    return {name: run[name] for name in ('base', 'size', 'target')}


def test_work_area_is_the_longest_run_of_the_guest_tables(stack, gups, cr3):
    scan = scan_l2(stack, cr3)
    area = gups.area
    longest = scan['runs'][0]
    assert as_segment(longest) == {'base': area.va, 'size': area.bytes,
                                   'target': area.pa}
    assert longest['pages'] == [{'kind': '4k', 'count': area.bytes // PAGE}]
    assert longest['coverage'] == pytest.approx(area.bytes / scan['mapped'])
    assert area.bytes < scan['suitable'] < scan['mapped']
    assert (scan['cpu'], scan['world'], scan['cr3']) == (0, 'nested', cr3)
    assert (scan['base'], scan['size']) == (0, USER_HALF)
    assert 'next' not in scan


def test_work_area_is_in_one_run_of_the_nested_tables(stack, gups):
    """All of it, once a round is over. How far the run goes beyond it is for L2's kernel, which may
    have used more memory in one piece elsewhere."""
    gups.begin_round()
    scan = stack.qmp('x86-dseg-scan', level='vmm')
    area, longest = gups.area, scan['runs'][0]
    [run] = [run for run in scan['runs'] if run['base'] <= area.pa < run['base'] + run['size']]
    assert run['target'] - run['base'] == stack.layout.hole
    assert area.pa + area.bytes <= run['base'] + run['size']
    assert scan['mapped'] >= scan['suitable'] >= longest['size']
    [cpu] = stack.qmp('query-x86-dseg')
    assert scan['cr3'] == cpu['nested-cr3']
    assert 'nested-cr3' not in scan


def test_runs_are_sorted_and_do_not_overlap(stack, cr3):
    runs = scan_l2(stack, cr3, runs=256)['runs']
    sizes = [run['size'] for run in runs]
    assert len(runs) > 5
    assert sizes == sorted(sizes, reverse=True)
    by_base = sorted(runs, key=lambda run: run['base'])
    for one, other in zip(by_base, by_base[1:]):
        assert one['base'] + one['size'] <= other['base']


@pytest.mark.parametrize('level', ['guest', 'vmm'])
def test_every_run_can_be_set_without_force(stack, gups, cr3, level):
    scope = {'level': level}
    if level == 'guest':
        scope.update(world='nested', cr3=cr3)
    for run in stack.qmp('x86-dseg-scan', **scope)['runs']:
        [check] = stack.qmp('x86-dseg-set', **scope, **as_segment(run))
        assert check['pages'] == check['mapped'] == run['size'] // PAGE
        assert check['differing'] == 0
    stack.qmp('x86-dseg-clear')
    assert gups.begin_round()[-1].errors == 0


def test_native_tables_are_scanned_where_l1_is_meant(stack, native_gups):
    cr3 = find_cr3(stack, native_gups.area)
    scan = stack.qmp('x86-dseg-scan', level='guest', world='native', cr3=cr3)
    area = native_gups.area
    assert as_segment(scan['runs'][0]) == {
        'base': area.va, 'size': area.bytes, 'target': area.pa}
    assert scan['world'] == 'native' and 'nested-cr3' not in scan


def test_range_cuts_a_run(stack, gups, cr3):
    base, size = gups.area.va + 3 * PAGE, 5 * PAGE
    scan = scan_l2(stack, cr3, base=base, size=size)
    [run] = scan['runs']
    assert as_segment(run) == {'base': base, 'size': size,
                               'target': gups.area.pa + 3 * PAGE}
    assert run['coverage'] == 1
    assert scan['mapped'] == scan['suitable'] == scan['size'] == size


def test_only_as_many_and_as_long_runs_as_wanted(stack, cr3):
    whole = scan_l2(stack, cr3, runs=256)
    some = scan_l2(stack, cr3, runs=2)
    long = scan_l2(stack, cr3, **{'min-size': 1 * MiB})
    assert some['runs'] == whole['runs'][:2]
    assert long['runs'] == whole['runs'][:1]
    assert some['mapped'] == long['mapped'] == whole['mapped']


def test_kernel_pages_are_mapped_but_not_suitable(stack, cr3):
    scan = scan_l2(stack, cr3, base=2**64 - 2**47, size=2**47 - PAGE)
    assert scan['mapped'] > 100 * MiB
    assert scan['runs'] == [] and scan['suitable'] == 0


def test_hmp_prints_commands_that_set_the_runs(stack, gups, cr3):
    output = stack.hmp(f'dseg_scan guest 0 {cr3:#x} nested')
    area = gups.area
    found = re.search(r' ([\d.]+)% +(\d+) +0 +0  (dseg_set guest .*)', output)
    assert int(found[2]) == area.bytes // PAGE
    assert stack.hmp(found[3]).startswith('CPU 0: set; of 16384 pages ')
    [cpu] = stack.qmp('query-x86-dseg')
    assert cpu['guest'] == {
        'base': area.va, 'size': area.bytes, 'target': area.pa,
        'world': 'nested', 'cr3': cr3, 'nested-cr3': cpu['nested-cr3']}
    vmm = re.search('dseg_set vmm .*', stack.hmp('dseg_scan vmm'))[0]
    assert 'which 0 differ' in stack.hmp(vmm)


@pytest.mark.parametrize('arguments, message', [
    ({'level': 'vmm', 'base': 1}, r'^base 0x1 must be a multiple of 4 KiB$'),
    ({'level': 'vmm', 'size': 1}, r'^size 0x1 must be a multiple of 4 KiB$'),
    ({'level': 'vmm', 'size': 0}, r'^size 0x0 must not be 0$'),
    ({'level': 'vmm', 'base': 1 << 40}, r'^size must be given where base is '
                                        r'not below 0x10000000000$'),
    ({'level': 'vmm', 'base': 1 << 40, 'size': PAGE},
     r'^base 0x10000000000 .*MAXPHYADDR'),
    ({'level': 'guest', 'world': 'nested', 'base': USER_HALF, 'size': PAGE},
     r'^base 0x800000000000 .*canonical'),
    ({'level': 'guest'}, r'^world must be given, as native or nested'),
    ({'level': 'vmm', 'world': 'nested'}, r'^world is only for level guest'),
    ({'level': 'vmm', 'runs': 0}, r'^runs 0 must be from 1 to 256$'),
    ({'level': 'vmm', 'runs': 257}, r'^runs 257 must be from 1 to 256$'),
    ({'level': 'vmm', 'cpu': 7}, r'^cpu: there is no CPU 7$'),
    ({'level': 'vmm', 'cr3': 1 << 40}, r'^cr3 0x10000000000 .*MAXPHYADDR'),
    ({'level': 'guest', 'world': 'nested', 'nested-cr3': PAGE},
     r'^cr3 must be given'),
], ids=lambda value: ' '.join(value) if isinstance(value, dict) else '')
def test_scan_that_breaks_a_rule_is_refused(stack, arguments, message):
    with pytest.raises(MonitorError) as error:
        stack.qmp('x86-dseg-scan', **arguments)
    assert re.search(message, str(error.value)), str(error.value)


@pytest.mark.parametrize('line, message', [
    ('dseg_scan middle', "level 'middle' must be guest or vmm"),
    ('dseg_scan vmm one', "cpu 'one' must be a number"),
    ('dseg_scan guest 0 any moon', "world 'moon' must be native or nested"),
    ('dseg_scan vmm 0 any any any all', "base 'all' must be a number"),
    ('dseg_scan vmm 0 any any any any any any 0', 'runs 0 must be from 1'),
])
def test_hmp_scan_that_breaks_a_rule_is_refused(stack, line, message):
    assert stack.hmp(line).startswith(f'Error: {message}')


def test_scan_needs_page_tables(bare_qemu):
    """The firmware has none, and no guest has run yet."""
    qemu = bare_qemu('EPYC,dseg=on')
    reply = qemu.qmp('x86-dseg-scan', level='vmm')
    assert reply['error']['desc'] == \
        'cpu: CPU 0 must have run a guest with nested paging'
    reply = qemu.qmp('x86-dseg-scan', level='guest')
    assert reply['error']['desc'].startswith(
        'base: CPU 0 must have page tables in force that translate 64-bit')
