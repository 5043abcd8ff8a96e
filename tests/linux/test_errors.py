# SPDX-License-Identifier: GPL-2.0-or-later
"""A monitor command that breaks a rule names it, and changes nothing.

Each case is tried by QMP and, where the human monitor can say it, by HMP.
"""

import re

import pytest

from dseg.base.sizes import GiB, MiB
from dseg.stack.modes import guest_segment, set_mode, vmm_segment
from dseg.stack.stack import MonitorError

PAGE = 4096
FREE_VA = 0x7000_0000_0000      # that GUPS does not map
NO_RAM = 3 * GiB                # between L1's memory and its devices
PHYS_END = 1 << 40              # MAXPHYADDR of QEMU's EPYC is 40
GUEST_END = 1 << 47             # of the lower canonical half


def state(stack):
    """What a refused command must leave as it is."""
    return [{k: v for k, v in cpu.items()
             if k in ('guest', 'vmm', 'escapes', 'filter')}
            for cpu in stack.qmp('query-x86-dseg')]


def hmp_line(command, arguments):
    """The HMP line that means the same as a QMP command."""
    a = {key.replace('_', '-'): value for key, value in arguments.items()}
    if command == 'x86-dseg-set':
        words = ['dseg_set', *(['-f'] if a.get('force') else []), a['level'],
                 a['base'], a['size'], a['target'], a.get('cpu', 'all'),
                 a.get('cr3', 'any'), a.get('world'), a.get('nested-cr3')]
    elif command == 'x86-dseg-clear':
        words = ['dseg_clear', a.get('level', 'all'), a.get('cpu', 'all')]
    elif command.startswith('x86-dseg-escape-'):
        words = ['dseg_escape', command.rsplit('-', 1)[1],
                 a.get('page', 'all'), a.get('cpu', 'all')]
    else:
        name = {'query-x86-dseg': 'info dseg',
                'query-x86-dseg-walks': 'info dseg-walks',
                'x86-dseg-walks-reset': 'dseg_walks_reset'}[command]
        words = [name, a.get('cpu', 'all')]
    return ' '.join(hex(w) if isinstance(w, int) else w
                    for w in words if w is not None)


def refusal(stack, monitor, command, arguments):
    """The error of a command that must be refused."""
    if monitor == 'qmp':
        with pytest.raises(MonitorError) as error:
            stack.qmp(command, **arguments)
        return str(error.value)
    output = stack.hmp(hmp_line(command, arguments))
    assert output.startswith('Error: '), output
    return output.removeprefix('Error: ').rstrip()


@pytest.fixture(params=['qmp', 'hmp'])
def refused(request, stack, gups):
    """Checks that a command is refused with a message, and changes nothing.

    Segments and an escape are there, so that it could.
    """
    cr3 = set_mode(stack, 'dual-direct', gups.area)
    stack.qmp('x86-dseg-escape-add', page=gups.area.pa)
    before = state(stack)

    def check(message, command, **arguments):
        found = refusal(stack, request.param, command, arguments)
        assert re.search(message, found), found
        assert state(stack) == before

    check.cr3 = cr3
    check.monitor = request.param
    return check


@pytest.mark.parametrize('change, message', [
    ({'base': 1 * MiB + 1}, r'^base 0x100001 .*multiple of 4 KiB'),
    ({'size': 1 * MiB + 512}, r'^size 0x100200 .*multiple of 4 KiB'),
    ({'target': 1 * GiB + 8}, r'^target 0x40000008 .*multiple of 4 KiB'),
    ({'size': 0}, r'^size 0x0 .*not be 0'),
    ({'base': 2**64 - PAGE}, r'^base 0xfffffffffffff000 .*2\^64'),
    ({'target': 2**64 - PAGE}, r'^target 0xfffffffffffff000 .*2\^64'),
    ({'base': PHYS_END}, r'^base 0x10000000000 .*MAXPHYADDR'),
    ({'base': PHYS_END - PAGE}, r'^base 0xfffffff000 .*MAXPHYADDR'),
    ({'target': PHYS_END}, r'^target 0x10000000000 .*MAXPHYADDR'),
    ({'target': NO_RAM}, r'^target must be RAM: CPU 0 has none at '
                         r'0xc0000000$'),
    ({'cr3': PHYS_END}, r'^cr3 0x10000000000 .*MAXPHYADDR'),
    ({'cpu': 7}, r'^cpu: there is no CPU 7$'),
    ({'world': 'nested'}, r'^world is only for level guest'),
], ids=lambda value: ' '.join(value) if isinstance(value, dict) else '')
def test_vmm_segment_that_breaks_a_rule_is_refused(refused, stack, change,
                                                   message):
    segment = {**vmm_segment(stack.layout), 'size': 2 * MiB, **change}
    refused(message, 'x86-dseg-set', **segment)


@pytest.mark.parametrize('change, message', [
    ({'base': FREE_VA + 1}, r'^base 0x700000000001 .*multiple of 4 KiB'),
    ({'size': PAGE + 1}, r'^size 0x1001 .*multiple of 4 KiB'),
    ({'target': 1}, r'^target 0x1 .*multiple of 4 KiB'),
    ({'size': 0}, r'^size 0x0 .*not be 0'),
    ({'base': 2**64 - PAGE}, r'^base 0xfffffffffffff000 .*2\^64'),
    ({'base': GUEST_END}, r'^base 0x800000000000 .*canonical'),
    ({'base': GUEST_END - PAGE}, r'^base 0x7ffffffff000 .*canonical'),
    ({'target': PHYS_END}, r'^target 0x10000000000 .*MAXPHYADDR'),
    ({'cr3': PHYS_END}, r'^cr3 0x10000000000 .*MAXPHYADDR'),
    ({'nested_cr3': PHYS_END}, r'^nested-cr3 0x10000000000 .*MAXPHYADDR'),
    ({'world': 'native', 'nested_cr3': PAGE},
     r'^world must be nested where nested-cr3 is given'),
    ({'world': 'native', 'target': NO_RAM},
     r'^target must be RAM: CPU 0 has none at 0xc0000000$'),
    ({'cpu': 7}, r'^cpu: there is no CPU 7$'),
], ids=lambda value: ' '.join(value) if isinstance(value, dict) else '')
def test_guest_segment_that_breaks_a_rule_is_refused(refused, gups, change,
                                                     message):
    segment = {**guest_segment(gups.area, refused.cr3), 'base': FREE_VA,
               'size': 2 * PAGE, **change}
    refused(message, 'x86-dseg-set', **segment)


def test_nested_cr3_of_a_vmm_segment_is_refused(stack):
    segment = vmm_segment(stack.layout)
    message = refusal(stack, 'qmp', 'x86-dseg-set',
                      {**segment, 'nested-cr3': PAGE})
    assert re.match(r'nested-cr3 is only for level guest', message)
    assert 'vmm' not in state(stack)[0]


def test_disagreement_with_nested_page_tables_names_the_first_page(refused,
                                                                   stack):
    layout = stack.layout
    refused(rf'^target: .*CPU 0 map page {layout.l2_work_gpa:#x} to '
            rf'{layout.l2_work_hpa:#x}, not to '
            rf'{layout.l2_work_hpa + PAGE:#x}, the first of ',
            'x86-dseg-set', level='vmm', base=layout.l2_work_gpa,
            size=16 * PAGE, target=layout.l2_work_hpa + PAGE)


def test_disagreement_with_guest_page_tables_names_the_first_page(refused,
                                                                  gups):
    area = gups.area
    segment = guest_segment(area, refused.cr3)
    segment.update(base=area.va + PAGE, size=2 * PAGE)
    refused(rf'^target: .*CPU 0 map page {area.va + PAGE:#x} to '
            rf'{area.pa + PAGE:#x}, not to {area.pa:#x}, the first of 2 such ',
            'x86-dseg-set', **segment)


def test_missing_permission_names_the_page(refused, stack, gups):
    """GUPS's own code is mapped, but read-only."""
    code = 0x401000
    segment = {**guest_segment(gups.area, refused.cr3), 'base': code,
               'size': PAGE, 'target': 0x1000_0000}
    with pytest.raises(MonitorError) as error:
        stack.qmp('x86-dseg-set', **segment)
    target = int(re.search(r'to (0x[0-9a-f]+),', str(error.value))[1], 16)
    refused(rf'^base: .*CPU 0 do not let page {code:#x} be written in user '
            'mode',
            'x86-dseg-set', **{**segment, 'target': target})


def test_nothing_mapped_is_refused(refused, gups):
    segment = {**guest_segment(gups.area, refused.cr3), 'base': FREE_VA}
    refused(r'^base: .*map none', 'x86-dseg-set', **segment)


@pytest.mark.parametrize('monitor', ['qmp', 'hmp'])
def test_force_sets_what_the_page_tables_do_not_confirm(stack, gups, monitor):
    """And only that: the other rules hold all the same."""
    segment = {**guest_segment(gups.area, 0x1000), 'base': FREE_VA,
               'force': True}
    if monitor == 'qmp':
        stack.qmp('x86-dseg-set', **segment)
    else:
        assert 'Error' not in stack.hmp(hmp_line('x86-dseg-set', segment))
    [cpu] = stack.qmp('query-x86-dseg')
    assert cpu['guest'] == {'base': FREE_VA, 'size': gups.area.bytes,
                            'target': gups.area.pa, 'world': 'nested',
                            'cr3': 0x1000}
    message = refusal(stack, monitor, 'x86-dseg-set',
                      {**segment, 'base': FREE_VA + 1})
    assert 'multiple of 4 KiB' in message


@pytest.mark.parametrize('command', [
    'x86-dseg-clear', 'x86-dseg-escape-clear', 'x86-dseg-walks-reset',
    'query-x86-dseg', 'query-x86-dseg-walks'])
def test_unknown_cpu_is_refused(refused, command):
    refused(r'^cpu: there is no CPU 9$', command, cpu=9)


@pytest.mark.parametrize('action, page, message', [
    ('add', 0x1001, r'^page 0x1001 .*multiple of 4 KiB'),
    ('add', PHYS_END, r'^page 0x10000000000 .*MAXPHYADDR'),
    ('remove', 0x1001, r'^page 0x1001 .*multiple of 4 KiB'),
    ('remove', 0x1000, r'^page 0x1000 must be in the escape filter'),
])
def test_escape_that_breaks_a_rule_is_refused(refused, action, page, message):
    refused(message, f'x86-dseg-escape-{action}', page=page)


@pytest.mark.parametrize('action', ['add', 'remove'])
def test_escape_on_an_unknown_cpu_is_refused(refused, action):
    refused(r'^cpu: there is no CPU 9$', f'x86-dseg-escape-{action}',
            page=0x1000, cpu=9)


def test_page_that_is_escaped_already_is_refused(refused, gups):
    refused(r'^page 0x[0-9a-f]+ must not be in the escape filter already',
            'x86-dseg-escape-add', page=gups.area.pa)


def test_escape_filter_that_is_full_refuses_more(stack):
    for i in range(256):
        stack.qmp('x86-dseg-escape-add', page=i * PAGE)
    before = state(stack)
    for monitor in 'qmp', 'hmp':
        message = refusal(stack, monitor, 'x86-dseg-escape-add',
                          {'page': 256 * PAGE})
        assert re.search(r'^page 0x100000 .*holds 256 pages at most', message)
        assert state(stack) == before


@pytest.mark.parametrize('line, message', [
    ('dseg_set middle 0 4K 0', "level 'middle' must be guest or vmm"),
    ('dseg_set vmm zero 4K 0', "base 'zero' must be a number"),
    ('dseg_set vmm 0 4Q 0', "size '4Q' must be a number"),
    ('dseg_set vmm 0 4K -4096', "target '-4096' must be a number"),
    ('dseg_set vmm 0 4K 0 one', "cpu 'one' must be a number"),
    ('dseg_set guest 0 4K 0 all root', "cr3 'root' must be a number"),
    ('dseg_set guest 0 4K 0 all any moon', "world 'moon' must be native "),
    ('dseg_clear middle', "level 'middle' must be guest or vmm"),
    ('dseg_escape keep 0x1000', "action 'keep' must be add, remove or clear"),
    ('dseg_escape add', 'page must be given'),
    ('dseg_escape remove', 'page must be given'),
    ('dseg_escape clear 0x1000', 'page must be left out'),
    ('dseg_escape add here', "page 'here' must be a number"),
    ('dseg_walks_reset one', "cpu 'one' must be a number"),
])
def test_hmp_argument_that_means_nothing_is_refused(stack, gups, line,
                                                    message):
    set_mode(stack, 'dual-direct', gups.area)
    before = state(stack)
    assert stack.hmp(line).startswith(f'Error: {message}')
    assert state(stack) == before


def test_segment_needs_a_guest_with_nested_paging(bare_qemu):
    """Before L1 has run a guest there is nothing to compare with."""
    qemu = bare_qemu('EPYC,dseg=on')
    reply = qemu.qmp('x86-dseg-set', level='vmm', base=MiB, size=MiB,
                     target=MiB)
    assert 'map none' in reply['error']['desc']
    [cpu] = qemu.cmd('query-x86-dseg')
    assert 'vmm' not in cpu and 'nested-cr3' not in cpu
