# SPDX-License-Identifier: GPL-2.0-or-later
"""A translation is explained as the manual and the specification have it.

What is asked of each step follows from the steps before it: where the entry
lies from the entry above and the address, where that is from the nested walk.
"""

import re
import time

import pytest

from dseg import patient
from dseg.base.sizes import KiB
from dseg.stack.modes import MODES, find_cr3, set_mode
from dseg.stack.stack import MonitorError
from escapefilter import filter_bits

PAGE = 4 * KiB
CODE = 0x401000                 # of GUPS: mapped, and read-only
FREE_VA = 0x7000_0000_0000      # that GUPS does not map
NO_GPA = 0x2_0000_0000          # beyond L2's memory
ADDRESS = (1 << 52) - PAGE      # the address bits of an entry
OFFSET = 0x1238                 # into the work area

NESTED = [name for name, mode in MODES.items() if mode.world == 'nested']


@pytest.fixture(scope='module')
def cr3(session_stack, gups):
    """Of GUPS in L2, which has written to every page."""
    gups.begin_round()
    found = find_cr3(session_stack, gups.area)
    session_stack.qmp('x86-dseg-clear')
    return found


def translate(stack, address, cr3=None, world='nested', **arguments):
    """What is said while the CPU runs that address space, in user mode."""
    end = time.monotonic() + patient(30)
    while time.monotonic() < end:
        reply = stack.qmp('x86-dseg-translate', address=address, **arguments)
        if (reply['world'], reply['cpl']) == (world, 3) and \
                cr3 in (None, reply['cr3']):
            return reply
    pytest.fail('the CPU did not run GUPS in time')


def stop_in(stack, cr3):
    """Stops the machine in that address space, in user mode."""
    end = time.monotonic() + patient(30)
    while time.monotonic() < end:
        stack.qmp('stop')
        [cpu] = stack.qmp('query-x86-dseg')
        if cpu['guest-mode'] and cpu['cpl'] == 3 and cpu['cr3'] == cr3:
            return
        stack.qmp('cont')
    pytest.fail('the CPU did not run GUPS in time')


@pytest.fixture
def stopped(stack, cr3):
    """The machine, stopped in GUPS in L2."""
    stop_in(stack, cr3)
    yield stack
    stack.qmp('cont')


def references(reply, dimension=None):
    return [step for step in reply['steps'] if step['kind'] == 'reference'
            and dimension in (None, step['dimension'])]


def index_of(address, level):
    """Where in a page table of that level the entry for an address is."""
    return 8 * (address >> (12 + 9 * (level - 1)) & 511)


def assert_nested_walk(steps, gpa, nested_cr3, for_level):
    """Four levels, each found by the one above; returns the hPA."""
    table = nested_cr3
    assert [s['table-level'] for s in steps] == [4, 3, 2, 1]
    for step in steps:
        level = step['table-level']
        assert (step['for-level'], step['gpa']) == (for_level, gpa)
        assert step['address'] == step['hpa'] == table + index_of(gpa, level)
        assert ('page-size' in step) == (level == 1)
        table = step['entry'] & ADDRESS
    return table + gpa % PAGE


def test_24_references_each_follow_from_those_before(stack, gups, cr3):
    address = gups.area.va + OFFSET
    reply = translate(stack, address, cr3)
    refs = references(reply)
    assert [r['number'] for r in refs] == list(range(1, 25))
    assert len(refs) == len(reply['steps'])
    table = cr3
    for i, level in enumerate((4, 3, 2, 1)):
        *nested, guest = refs[5 * i:5 * i + 5]
        gpa = table + index_of(address, level)
        hpa = assert_nested_walk(nested, gpa, reply['nested-cr3'], level)
        assert guest['dimension'] == 'guest'
        assert guest['table-level'] == level
        assert (guest['address'], guest['hpa']) == (gpa, hpa)
        assert ('page-size' in guest) == (level == 1)
        table = guest['entry'] & ADDRESS
    gpa = table + address % PAGE
    hpa = assert_nested_walk(refs[20:], gpa, reply['nested-cr3'], 0)
    assert gpa == gups.area.pa + OFFSET
    assert hpa == stack.layout.hole + gpa
    assert (reply['mapping']['gpa'], reply['mapping']['hpa']) == (gpa, hpa)


def test_entries_are_what_is_in_memory(stopped, gups):
    reply = stopped.qmp('x86-dseg-translate', address=gups.area.va)
    for step in references(reply):
        line = stopped.hmp(f'xp /1gx {step["hpa"]:#x}')
        assert int(line.split(':')[1], 16) == step['entry']


@pytest.mark.parametrize('mode', NESTED)
def test_each_mode_costs_what_the_poster_says(stack, gups, cr3, mode):
    set_mode(stack, mode, gups.area, cr3)
    reply = translate(stack, gups.area.va + OFFSET, cr3, access='store')
    cost, mapping = reply['cost'], reply['mapping']
    assert reply['regime'] == mode
    assert cost['walks'] == 1
    assert cost['guest-refs'] + cost['nested-refs'] == MODES[mode].refs
    assert cost['checks'] == MODES[mode].checks
    assert cost['guest-refs'] == len(references(reply, 'guest'))
    assert cost['nested-refs'] == len(references(reply, 'nested'))
    assert cost['checks'] == sum(s['kind'] == 'check' and s['counted']
                                 for s in reply['steps'])
    assert cost['filter-lookups'] == sum(s['kind'] == 'filter'
                                         for s in reply['steps'])
    assert mapping['gpa'] == gups.area.pa + OFFSET
    assert mapping['hpa'] == stack.layout.hole + mapping['gpa']
    assert mapping['page-size'] == PAGE
    assert mapping['readable'] and mapping['writable']
    assert not mapping['executable']
    by = 'segment' if MODES[mode].guest else '4k'
    assert mapping['guest-page'] == by
    assert mapping['nested-page'] == 'segment' if MODES[mode].vmm else '4k'


def test_native_walk_has_four_references(stack, native_gups):
    area = native_gups.area
    cr3 = find_cr3(stack, area)
    direct = translate(stack, area.va + OFFSET, cr3, 'native')
    stack.qmp('x86-dseg-clear')
    walked = translate(stack, area.va + OFFSET, cr3, 'native')
    assert (direct['regime'], walked['regime']) == ('native-direct', 'native')
    assert references(direct) == []
    assert [r['table-level'] for r in references(walked)] == [4, 3, 2, 1]
    table = cr3
    for ref in references(walked):
        assert ref['address'] == ref['hpa'] == \
            table + index_of(area.va + OFFSET, ref['table-level'])
        table = ref['entry'] & ADDRESS
    for reply in direct, walked:
        assert reply['mapping']['hpa'] == area.pa + OFFSET
        assert 'gpa' not in reply['mapping'] and 'nested-cr3' not in reply
        assert reply['mapping']['nested-page'] == 'none'


def test_checks_name_the_segments(stack, gups, cr3):
    set_mode(stack, 'dual-direct', gups.area, cr3)
    area, layout = gups.area, stack.layout
    reply = translate(stack, area.va + OFFSET, cr3)
    guest, vmm, lookup = reply['steps']
    gpa = area.pa + OFFSET
    assert guest == {
        'kind': 'check', 'dimension': 'guest', 'base': area.va,
        'limit': area.va + area.bytes, 'target': area.pa, 'result': 'hit',
        'to': gpa, 'counted': True}
    assert vmm == {
        'kind': 'check', 'dimension': 'nested', 'for-level': 0, 'gpa': gpa,
        'base': layout.vmm_base, 'limit': layout.vmm_base + layout.vmm_size,
        'target': layout.vmm_target, 'result': 'hit',
        'to': layout.hole + gpa, 'counted': False}
    assert (lookup['kind'], lookup['gpa']) == ('filter', gpa)
    assert (lookup['passes'], lookup['outcome']) == (False, 'segment')


def test_guest_segment_that_misses_is_a_check_more(stack, gups, cr3):
    set_mode(stack, 'guest-direct', gups.area, cr3)
    reply = translate(stack, CODE, cr3)
    assert reply['steps'][0]['result'] == 'miss'
    assert (reply['regime'], reply['cost']['checks']) == ('base', 1)
    assert len(references(reply)) == 24


def test_escape_is_walked_and_its_hash_is_the_specified_one(stack, gups, cr3):
    set_mode(stack, 'dual-direct', gups.area, cr3)
    gpa = gups.area.pa + OFFSET
    stack.qmp('x86-dseg-escape-add', page=gpa - gpa % PAGE)
    reply = translate(stack, gups.area.va + OFFSET, cr3)
    lookup = reply['steps'][2]
    assert lookup['bits'] == filter_bits(gpa)
    assert (lookup['passes'], lookup['outcome']) == (True, 'escape')
    assert_nested_walk(references(reply), gpa, reply['nested-cr3'], 0)
    assert reply['regime'] == 'guest-direct'
    assert (reply['cost']['escapes'], reply['cost']['false-escapes']) == (1, 0)
    beside = translate(stack, gups.area.va + OFFSET + PAGE, cr3)
    assert beside['steps'][2]['outcome'] == 'segment'


def test_false_escape_is_called_one(stack, gups, cr3):
    """Four other pages set the four bits of this one."""
    set_mode(stack, 'dual-direct', gups.area, cr3)
    gpa = gups.area.pa + OFFSET
    bits = filter_bits(gpa)
    for i in range(4):
        page = next(p for p in range(PAGE, 4096 * PAGE, PAGE)
                    if filter_bits(p)[i] == bits[i])
        stack.qmp('x86-dseg-escape-add', page=page)
    reply = translate(stack, gups.area.va + OFFSET, cr3)
    assert reply['steps'][2]['outcome'] == 'false-escape'
    assert (reply['cost']['escapes'], reply['cost']['false-escapes']) == (1, 1)
    assert reply['mapping']['hpa'] == stack.layout.hole + gpa


def test_escaped_page_table_costs_its_own_nested_walk(stack, gups, cr3):
    walked = translate(stack, gups.area.va, cr3)
    table = references(walked, 'guest')[2]
    set_mode(stack, 'vmm-direct')
    stack.qmp('x86-dseg-escape-add', page=table['address'] & ADDRESS)
    reply = translate(stack, gups.area.va, cr3)
    assert reply['regime'] == 'mixed'
    assert [(r['dimension'], r['table-level']) for r in references(reply)] == [
        ('guest', 4), ('guest', 3), ('nested', 4), ('nested', 3),
        ('nested', 2), ('nested', 1), ('guest', 2), ('guest', 1)]
    assert {s['for-level'] for s in references(reply, 'nested')} == {2}
    assert reply['cost']['checks'] == 5


# Error codes of #PF, and EXITINFO1: docs/spec/translation.rst.
P, W, U, I_D = 1 << 0, 1 << 1, 1 << 2, 1 << 4
FINAL = 1 << 32


def assert_fault(reply, exception, code, address):
    assert reply['fault'] == {'exception': exception, 'code': code,
                              'address': address}
    assert 'mapping' not in reply and 'regime' not in reply
    assert reply['cost']['walks'] == 0


@pytest.mark.parametrize('address, access, code, refs', [
    (CODE, 'store', P | W | U, 20),         # all entries have been read
    (FREE_VA, 'load', U, 5),                # the first is not present
    (FREE_VA, 'store', W | U, 5),
    (FREE_VA, 'fetch', U | I_D, 5),
])
def test_page_fault_has_its_error_code_and_cost(stack, cr3, address, access,
                                                code, refs):
    reply = translate(stack, address, cr3, access=access)
    assert_fault(reply, 'page-fault', code, address)
    assert len(references(reply)) == refs
    assert reply['cost']['guest-refs'] + reply['cost']['nested-refs'] == refs


@pytest.mark.parametrize('access, privilege, code', [
    ('fetch', 'user', P | U | I_D),
    ('fetch', 'kernel', P | I_D),
    ('load', 'kernel', P),                  # SMAP
    ('store', 'kernel', P | W),
])
def test_guest_segment_denies_what_the_specification_says(stack, gups, cr3,
                                                          access, privilege,
                                                          code):
    set_mode(stack, 'guest-direct', gups.area, cr3)
    reply = translate(stack, gups.area.va, cr3, access=access,
                      privilege=privilege)
    assert_fault(reply, 'page-fault', code, gups.area.va)
    assert references(reply) == []
    assert reply['steps'][0]['result'] == 'hit'


def test_address_that_is_not_canonical_is_no_walk(stack, cr3):
    reply = translate(stack, 1 << 47, cr3)
    assert_fault(reply, 'general-protection', 0, 1 << 47)
    assert reply['steps'] == []


def test_level_vmm_explains_a_nested_walk(stopped, gups):
    gpa = gups.area.pa + OFFSET
    ask = {'address': gpa, 'level': 'vmm'}
    reply = stopped.qmp('x86-dseg-translate', **ask, access='store')
    hpa = assert_nested_walk(reply['steps'], gpa, reply['nested-cr3'], 0)
    assert hpa == stopped.layout.hole + gpa == reply['mapping']['hpa']
    assert reply['cost']['nested-refs'] == 4
    set_mode(stopped, 'vmm-direct')
    reply = stopped.qmp('x86-dseg-translate', **ask, access='fetch')
    assert [s['kind'] for s in reply['steps']] == ['check', 'filter']
    assert reply['mapping']['hpa'] == hpa
    assert reply['mapping']['executable']
    assert (reply['cost']['nested-refs'], reply['cost']['checks']) == (0, 1)


def test_nested_page_fault_has_its_exit_information(stopped):
    reply = stopped.qmp('x86-dseg-translate', address=NO_GPA, level='vmm',
                        access='store')
    assert_fault(reply, 'nested-page-fault', FINAL | U | W, NO_GPA)
    assert references(reply)[-1]['entry'] & P == 0
    assert reply['cost']['nested-refs'] == 0    # that walk's own do not count


def test_level_vmm_needs_a_nested_guest(stack, native_gups):
    """Most of the time, L1 runs another program now."""
    for _ in range(1000):
        try:
            stack.qmp('x86-dseg-translate', address=0, level='vmm')
        except MonitorError as error:
            assert str(error).startswith('level vmm needs a CPU that is in a')
            return
    pytest.fail('CPU 0 was always in L2')


def test_explaining_changes_nothing(stopped, gups):
    def state():
        reply = stopped.qmp('x86-dseg-translate', address=gups.area.va)
        return (stopped.qmp('query-x86-dseg-walks'),
                stopped.hmp('info registers'),
                [s['entry'] for s in references(reply)])

    before = state()
    for address in gups.area.va, CODE, FREE_VA, gups.area.va + OFFSET:
        for access in 'load', 'store', 'fetch':
            for privilege in 'user', 'kernel':
                stopped.qmp('x86-dseg-translate', address=address,
                            access=access, privilege=privilege)
    assert state() == before


def test_data_stay_right_while_it_explains(stack, gups, cr3):
    for mode in NESTED:
        set_mode(stack, mode, gups.area, cr3)
        for i in range(200):
            stack.qmp('x86-dseg-translate', address=gups.area.va + i * PAGE,
                      access='store')
    assert [r for r in gups.begin_round() if r.errors] == []


def test_hmp_lists_what_qmp_says(stopped, gups):
    reply = stopped.qmp('x86-dseg-translate', address=gups.area.va + OFFSET)
    output = stopped.hmp(f'dseg_translate {gups.area.va + OFFSET:#x}')
    found = re.findall(r'^( +)(\d+)  (g|n)L(\d)  hPA (\S+)  entry (\S+)',
                       output, re.M)
    assert [(int(n), d, int(level), int(hpa, 16), int(entry, 16))
            for _, n, d, level, hpa, entry in found] == [
        (s['number'], s['dimension'][0], s['table-level'], s['hpa'],
         s['entry']) for s in references(reply)]
    indents = {d: {len(i + n) for i, n, d2, *_ in found if d2 == d}
               for d in 'gn'}
    assert max(indents['g']) < min(indents['n'])
    for level in 4, 3, 2, 1:
        assert f'\n  gL{level} entry at gPA ' in output
    assert f'\n  final gPA {gups.area.pa + OFFSET:#x}\n' in output
    assert f'  gPA {gups.area.pa + OFFSET:#x}  hPA ' \
           f'{stopped.layout.hole + gups.area.pa + OFFSET:#x}  rw-' in output
    assert 'base: 4 guest + 20 nested refs; checks 0, lookups 0' in output


def test_hmp_shows_checks_escapes_and_faults(stack, gups, cr3):
    set_mode(stack, 'dual-direct', gups.area, cr3)
    stack.qmp('x86-dseg-escape-add', page=gups.area.pa)
    stop_in(stack, cr3)
    try:
        output = stack.hmp(f'dseg_translate {gups.area.va:#x} store user')
        denied = stack.hmp(f'dseg_translate {gups.area.va:#x} fetch user')
        nested = stack.hmp(f'dseg_translate {NO_GPA:#x} any any any vmm')
        odd = stack.hmp('dseg_translate 0x800000000000')
    finally:
        stack.qmp('cont')
    bits = '.'.join(map(str, filter_bits(gups.area.pa)))
    assert re.search(r'guest segment .*: hit, gPA 0x8000000\n', output)
    assert re.search(r'VMM segment .*: hit, hPA .* \(tested with', output)
    assert f'escape filter, bits {bits}: passes, an escape\n' in output
    assert f'#PF error code 0x15 CR2 {gups.area.va:#x}\n' in denied
    assert f'#NPF EXITINFO1 0x100000004 EXITINFO2 {NO_GPA:#x}\n' in nested
    assert '#GP: the address is not canonical\n' in odd


@pytest.mark.parametrize('arguments, message', [
    ({'address': 0, 'cpu': 7}, r'^cpu: there is no CPU 7$'),
    ({'address': 1 << 40, 'level': 'vmm'},
     r'^address 0x10000000000 must not be beyond MAXPHYADDR \(40 bits\)$'),
])
def test_translation_that_breaks_a_rule_is_refused(stack, arguments, message):
    with pytest.raises(MonitorError) as error:
        stack.qmp('x86-dseg-translate', **arguments)
    assert re.search(message, str(error.value)), str(error.value)


@pytest.mark.parametrize('line, message', [
    ('dseg_translate 0 read', "access 'read' must be load, store or fetch"),
    ('dseg_translate 0 load root', "privilege 'root' must be user or kernel"),
    ('dseg_translate 0 load user one', "cpu 'one' must be a number"),
    ('dseg_translate 0 load user 0 host', "level 'host' must be guest or vmm"),
])
def test_hmp_translation_that_breaks_a_rule_is_refused(stack, line, message):
    assert stack.hmp(line).startswith(f'Error: {message}')


def test_without_paging_nothing_is_walked(bare_qemu):
    qemu = bare_qemu('EPYC,dseg=on')
    reply = qemu.cmd('x86-dseg-translate', address=0xfffff000)
    assert reply['steps'] == [] and reply['cost']['walks'] == 0
    assert reply['mapping']['hpa'] == 0xfffff000
    assert 'regime' not in reply
    assert reply['mapping']['guest-page'] == 'none'
