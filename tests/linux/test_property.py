# SPDX-License-Identifier: GPL-2.0-or-later
"""The CPU property dseg: off unless asked for, and refused where it can't work.
"""

import os
import re

import pytest

from dseg.stack.stack import VMLaunchFailure

COMMANDS = {
    'query-x86-dseg': {},
    'query-x86-dseg-walks': {},
    'x86-dseg-walks-reset': {},
    'x86-dseg-set': {'level': 'vmm', 'base': 0, 'size': 4096, 'target': 0,
                     'force': True},
    'x86-dseg-clear': {},
    'x86-dseg-escape-add': {'page': 4096},
    'x86-dseg-escape-remove': {'page': 4096},
    'x86-dseg-escape-clear': {},
    'x86-dseg-scan': {'level': 'vmm'},
    'x86-dseg-translate': {'address': 0},
}
LINES = ('info dseg', 'info dseg-walks', 'dseg_walks_reset',
         'dseg_set -f vmm 0 4K 0', 'dseg_clear', 'dseg_escape add 4K',
         'dseg_escape remove 4K', 'dseg_escape clear', 'dseg_scan vmm',
         'dseg_translate 0', 'info dseg-markers')


@pytest.mark.parametrize('cpu', ['EPYC', 'EPYC,dseg=off'])
def test_without_dseg_every_command_says_so(bare_qemu, cpu):
    qemu = bare_qemu(cpu)
    for command, arguments in COMMANDS.items():
        error = qemu.qmp(command, arguments)['error']['desc']
        assert "'dseg' is off" in error, command
    for line in LINES:
        output = qemu.cmd('human-monitor-command', command_line=line)
        assert output.startswith('Error: CPU 0 has no direct segments'), line
        assert 'dseg=on' in output, line


def test_without_dseg_there_are_no_statistics(bare_qemu):
    qemu = bare_qemu('EPYC')
    stats = qemu.cmd('query-stats', target='vcpu',
                     providers=[{'provider': 'x86-dseg'}])
    assert stats == []


def test_property_is_off_by_default(bare_qemu):
    qemu = bare_qemu('max')
    [cpu] = qemu.cmd('query-cpus-fast')
    assert qemu.cmd('qom-get', path=cpu['qom-path'], property='dseg') is False


def test_new_cpu_has_no_segments_no_escapes_and_no_walks(bare_qemu):
    qemu = bare_qemu('EPYC,dseg=on', '-smp', '2')
    for index, cpu in enumerate(qemu.cmd('query-x86-dseg')):
        assert cpu['cpu'] == index
        assert not cpu['guest-mode'] and 'nested-cr3' not in cpu
        assert 'guest' not in cpu and 'vmm' not in cpu
        assert (cpu['escapes'], cpu['filter']) == ([], [0, 0, 0, 0])
    for cpu in qemu.cmd('query-x86-dseg-walks'):
        assert set(cpu['total'].values()) == {0}
        assert cpu['refs-histogram'] == cpu['regimes'] == []


def refusal(bare_qemu, cpu, *args):
    with pytest.raises(VMLaunchFailure) as failure:
        bare_qemu(cpu, *args)
    return failure.value.output


def test_verify_mode_is_off_by_default_and_needs_dseg(bare_qemu):
    [cpu] = bare_qemu('EPYC,dseg=on').cmd('query-x86-dseg-walks')
    assert cpu['verified'] == cpu['mismatches'] == 0
    assert "'dseg-verify' needs 'dseg'" in refusal(bare_qemu,
                                                   'EPYC,dseg-verify=on')


@pytest.mark.parametrize('cpu, words', [
    ('EPYC,dseg-tlb=sandybridge-ep', "'dseg-tlb' needs 'dseg'"),
    ('EPYC,dseg=on,dseg-tlb-mode=exact', "'dseg-tlb-mode' needs 'dseg-tlb'"),
    ('EPYC,dseg=on,dseg-tlb=sandybridge-ep,dseg-tlb-mode=fast',
     "'dseg-tlb-mode' must be inclusive or exact, not 'fast'"),
    ('EPYC,dseg=on,dseg-tlb=sandybrige', "there is no preset 'sandybrige'; there are: off, "
     'sandybridge-ep'),
    ('EPYC,dseg=on,dseg-tlb=/nowhere.json',
     "file '/nowhere.json': could not be opened: No such file"),
    ('EPYC,dseg-caches=on', "'dseg-caches' needs 'dseg'"),
    ('EPYC,dseg=on,dseg-caches=on', "'dseg-caches' needs 'dseg-tlb'"),
    ('EPYC,dseg=on,dseg-tlb=sandybridge-ep,dseg-caches=maybe', "'on' or 'off'"),
])
def test_wrong_words_about_the_tlb_are_refused_by_name(bare_qemu, cpu, words):
    assert words in refusal(bare_qemu, cpu)


@pytest.mark.parametrize('cpu, words', [
    ('EPYC,dseg-filter-bits=64', "'dseg-filter-bits' needs 'dseg'"),
    *((f'EPYC,dseg=on,dseg-filter-bits={bits}', "'dseg-filter-bits' must be 64, 128, 256, 512 or "
       f'1024, not {bits}') for bits in (0, 1, 4, 32, 63, 65, 192, 2048, 2**31, 2**32 - 1)),
    ('EPYC,dseg=on,dseg-filter-bits=many', 'dseg-filter-bits'),
    ('EPYC,dseg=on,dseg-filter-bits=4294967552', 'dseg-filter-bits'),       # 2^32 + 256
])
def test_a_filter_of_another_size_is_refused_by_name(bare_qemu, cpu, words):
    assert words in refusal(bare_qemu, cpu)


L1I = '{"level": "l1i", "pages": ["4k"], "entries": 64, "ways": 4}'


@pytest.mark.parametrize('text, words', [
    ('', 'Expecting a JSON value'),
    ('{', 'JSON'),
    ('{}', "'arrays' is missing"),
    ('{"arrays": [{"level": "l3", "pages": ["4k"], "entries": 64, "ways": 4}]}', "'l3'"),
    ('{"arrays": [{"level": "l1d", "pages": ["8k"], "entries": 64, "ways": 4}]}', "'8k'"),
    ('{"arrays": [], "seeds": 1}', "'seeds' is unexpected"),
    ('{"arrays": []}', 'one of level l1d must have 4k pages'),
    (f'{{"arrays": [{L1I}, {{"level": "l1d", "pages": ["4k"], "entries": 64, "ways": 5}}]}}',
     'arrays[1].ways: must divide entries (64)'),
    (f'{{"arrays": [{", ".join([L1I] * 17)}]}}', 'arrays: must be at most 16'),
])
def test_a_file_with_a_wrong_geometry_is_refused_by_field(bare_qemu, tmp_path, text, words):
    file = tmp_path / 'tlb.json'
    file.write_text(text)
    output = refusal(bare_qemu, f'EPYC,dseg=on,dseg-tlb={file}')
    assert words in output and str(file) in output


ARRAYS = f'"arrays": [{L1I}, {L1I.replace("l1i", "l1d")}]'
L1D = '"l1d": {"size": 32768, "ways": 8, "latency": 4}'


@pytest.mark.parametrize('caches, words', [
    ('{"memory": 200}', "'caches.l1d' is missing"),
    (f'{{{L1D}}}', "'caches.memory' is missing"),
    (f'{{{L1D}, "memory": 0}}', 'caches.memory: must be 1 to 65535'),
    (f'{{{L1D}, "memory": 3}}', 'caches.memory: must be at least the latency of l1d (4)'),
    (f'{{{L1D}, "memory": 200, "line": 48}}', 'caches.line: must be a power of two from 16 to 4096'),
    ('{"l1d": {"size": 1000, "ways": 8, "latency": 4}, "memory": 200}',
     'caches.l1d.size: must be a multiple of ways (8) times line (64)'),
    (f'{{{L1D}, "memory": 200, "l2": {{"size": 0, "ways": 8, "latency": 12}}}}',
     'caches.l2.size: must be at least 1 line'),
    (f'{{{L1D}, "memory": 200, "llc": {{"size": 65536, "ways": 8, "latency": 30, "policy": "fifo"}}}}',
     'caches.llc.policy: must be lru, plru or random'),
    (f'{{{L1D}, "memory": 200, "l3": {{}}}}', "'caches.l3' is unexpected"),
])
def test_a_file_with_wrong_caches_is_refused_by_field_if_they_are_on_or_not(bare_qemu, tmp_path,
                                                                            caches, words):
    file = tmp_path / 'caches.json'
    file.write_text(f'{{{ARRAYS}, "caches": {caches}}}')
    for more in '', ',dseg-caches=on':
        output = refusal(bare_qemu, f'EPYC,dseg=on,dseg-tlb={file}{more}')
        assert words in output and str(file) in output


def test_caches_need_a_geometry_that_has_some(bare_qemu, tmp_path):
    file = tmp_path / 'tlb.json'
    file.write_text(f'{{{ARRAYS}}}')
    assert f"'dseg-caches' needs a geometry with caches: file '{file}' has none" in refusal(
        bare_qemu, f'EPYC,dseg=on,dseg-tlb={file},dseg-caches=on')


@pytest.mark.parametrize('kind, words', [
    ('/dev/zero', 'must be a regular file'),
    ('folder', 'must be a regular file'),
    ('fifo', 'must be a regular file'),
    ('large', 'must have at most 65536 bytes'),
])
def test_what_is_no_file_of_a_geometry_is_refused_at_once(bare_qemu, tmp_path, kind, words):
    file = tmp_path / f'{kind}.json' if '/' not in kind else kind
    if kind == 'folder':
        file.mkdir()
    elif kind == 'fifo':
        os.mkfifo(file)
    elif kind == 'large':
        file.write_text(' ' * 65537)
    output = refusal(bare_qemu, f'EPYC,dseg=on,dseg-tlb={file}')
    assert f"file '{file}': {words}" in output


TLB = 'dseg-tlb=sandybridge-ep'
# The first CPU's properties, the second one's, and what is said.
MIXED = [
    ('dseg=on', 'dseg=off', "'dseg' must be the same for all CPUs, as they share translated code: "
     "it is 'off', but 'on' for CPU 0"),
    ('dseg=off', 'dseg=on', "'dseg' .* it is 'on', but 'off' for CPU 0"),
    (f'dseg=on,{TLB}', 'dseg=on,dseg-tlb=off', "'dseg-tlb' .* 'off', but 'sandybridge-ep' for CPU 0"),
    ('dseg=on', f'dseg=on,{TLB}', "'dseg-tlb' .* 'sandybridge-ep', but 'off' for CPU 0"),
    (f'dseg=on,{TLB}', f'dseg=on,{TLB},dseg-tlb-mode=exact',
     "'dseg-tlb-mode' .* 'exact', but 'inclusive' for CPU 0"),
    (f'dseg=on,{TLB}', f'dseg=on,{TLB},dseg-caches=on', "'dseg-caches' .* 'on', but 'off' for CPU 0"),
    ('dseg=on,dseg-filter-bits=64', 'dseg=on,dseg-filter-bits=256',
     "'dseg-filter-bits' must be the same for all CPUs, as software asks one of them: it is 256, but 64 "
     'for CPU 0'),
    ('dseg=on', 'dseg=on,dseg-filter-bits=1024', "'dseg-filter-bits' .* 1024, but 256 for CPU 0"),
]
# The socket of the second CPU; -cpu is for the first one only.
SECOND = 'socket-id=1,core-id=0,thread-id=0'
TWO = ('-smp', '1,maxcpus=2,sockets=2')


@pytest.mark.parametrize('first, second, words', MIXED)
def test_second_cpu_with_other_settings_is_refused_by_name(bare_qemu, first, second, words):
    output = refusal(bare_qemu, f'EPYC,{first}', *TWO,
                     '-device', f'EPYC-x86_64-cpu,{second},{SECOND}')
    assert re.search(words, output), output


@pytest.mark.parametrize('first, second, words', MIXED)
def test_cpu_with_other_settings_can_not_be_plugged_in(bare_qemu, first, second, words):
    """And nothing is left of it."""
    def plug(properties):
        return machine.cmd('human-monitor-command',
                           command_line=f'device_add EPYC-x86_64-cpu,{properties},{SECOND}')

    machine = bare_qemu(f'EPYC,{first}', *TWO)
    assert re.search(words, plug(second))
    machine.cmd('cont')
    assert len(machine.cmd('query-cpus-fast')) == 1
    plug(first)
    assert len(machine.cmd('query-cpus-fast')) == 2


def test_cpu_that_can_not_have_segments_leaves_nothing_behind(bare_qemu):
    machine = bare_qemu('EPYC,dseg=on', *TWO)
    output = machine.cmd('human-monitor-command',
                         command_line=f'device_add EPYC-x86_64-cpu,lm=off,{SECOND}')
    assert "needs a CPU with long mode" in output
    machine.cmd('cont')
    assert [cpu['cpu'] for cpu in machine.cmd('query-x86-dseg')] == [0]


def test_cpus_may_differ_in_verify_mode(bare_qemu):
    """It does not change what is translated."""
    machine = bare_qemu('EPYC,dseg=on', *TWO,
                        '-device', f'EPYC-x86_64-cpu,dseg-verify=on,{SECOND}')
    assert len(machine.cmd('query-x86-dseg')) == 2


def test_monitor_shows_a_modelled_tlb(bare_qemu):
    machine = bare_qemu('EPYC,dseg=on,dseg-tlb=sandybridge-ep')
    [tlb] = machine.cmd('query-x86-dseg-tlb')
    assert tlb['mode'] == 'inclusive' and len(tlb['geometry']['arrays']) == 6
    text = machine.cmd('human-monitor-command', command_line='info dseg-tlb')
    assert 'CPU 0: mode inclusive' in text and 'l1d 4k' in text


@pytest.mark.parametrize('preset', ['sandybridge-ep', 'sapphire-rapids', 'genoa'])
def test_monitor_shows_modelled_caches_only_if_they_are_on(bare_qemu, preset):
    machine = bare_qemu(f'EPYC,dseg=on,dseg-tlb={preset},dseg-caches=on')
    [tlb] = machine.cmd('query-x86-dseg-tlb')
    presets = {entry['name']: entry['geometry']
               for entry in machine.cmd('query-x86-dseg-tlb-presets')}
    assert tlb['geometry']['caches'] == presets[preset]['caches']
    assert [use['cache'] for use in tlb['caches']['caches']] == ['l1d', 'l1i', 'l2', 'llc']
    text = machine.cmd('human-monitor-command', command_line='info dseg-tlb')
    assert tlb['caches']['swept'] == {'load': 0, 'store': 0, 'fetch': 0}
    assert 'of these data of sweeps: 0 loads, 0 stores' in text
    assert 'cycles of walks: 0, of data: 0' in text and 'llc: 0 lines used' in text
    [tlb] = bare_qemu(f'EPYC,dseg=on,dseg-tlb={preset}').cmd('query-x86-dseg-tlb')
    assert 'caches' not in tlb and 'caches' not in tlb['geometry']


def test_cpu_without_long_mode_is_refused(bare_qemu):
    assert "'dseg' needs a CPU with long mode" in refusal(
        bare_qemu, 'EPYC,lm=off,dseg=on')


def test_kvm_is_refused(bare_qemu):
    try:
        os.close(os.open('/dev/kvm', os.O_RDWR))
    except OSError as error:
        pytest.skip(f'this machine has no KVM: {error}')
    output = refusal(bare_qemu, 'EPYC,dseg=on', '-accel', 'kvm')
    assert 'dseg' in output
