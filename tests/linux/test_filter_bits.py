# SPDX-License-Identifier: GPL-2.0-or-later
"""Escape filters of other sizes than the paper's: the monitor, snapshots, and Linux with dseg-vmm."""

import re
import struct
import time

import pytest

from dseg import OUT, patient
from dseg.base.sizes import MiB
from dseg.experiments.measure import measure
from dseg.stack.complaints import complaints
from dseg.stack.stack import Stack
from dseg.stack.workload import Workload
from escapefilter import filter_bits, words_of
from savedstate import load_small, save_small, subsection

SIZES = (64, 128, 256, 512, 1024)
PAGES = [0, 0x1000, 0x12345000, 0xfffffff000]
PAGE = 4096
LONG = 180
PID = '$(pidof qemu-system-x86_64)'


def cpu_of(bits):
    """A model with physical addresses of 40 bits, and a filter of that size."""
    return f'EPYC,+svm,+npt,dseg=on,dseg-filter-bits={bits}'


def info(machine, words):
    return machine.cmd('human-monitor-command', command_line=words)


@pytest.mark.parametrize('bits', SIZES)
def test_monitor_has_the_filter_of_that_size(bare_qemu, bits):
    machine = bare_qemu(cpu_of(bits))
    for number, page in enumerate(PAGES, 1):
        machine.cmd('x86-dseg-escape-add', page=page)
        [cpu] = machine.cmd('query-x86-dseg')
        assert cpu['filter'] == words_of(PAGES[:number], bits)
        assert cpu['registers']['vmm-filter'] == [0] * (bits // 64)
    lines = info(machine, 'info dseg').splitlines()
    [at] = [number for number, line in enumerate(lines) if line.startswith('  filter ')]
    shown = lines[at:at + -(-bits // 256)]
    assert all(len(line) <= 100 and line.startswith(('  filter ', '         ')) for line in shown)
    assert [int(word, 16) for line in shown for word in re.findall('0x[0-9a-f]{16}', line)] \
        == words_of(PAGES, bits)
    assert lines[at + len(shown)] == f'  escapes {" ".join(f"{page:#x}" for page in PAGES)}'
    machine.cmd('x86-dseg-escape-remove', page=PAGES[1])
    [cpu] = machine.cmd('query-x86-dseg')
    assert cpu['filter'] == words_of([PAGES[0], *PAGES[2:]], bits)
    machine.cmd('x86-dseg-escape-clear')
    [cpu] = machine.cmd('query-x86-dseg')
    assert cpu['filter'] == [0] * (bits // 64)


@pytest.mark.parametrize('bits', SIZES)
def test_info_registers_has_a_word_for_each_64_bits(bare_qemu, bits):
    found = re.findall(r'VMM_FILTER(\d+)=0{16}\s', info(bare_qemu(cpu_of(bits)), 'info registers'))
    assert list(map(int, found)) == list(range(bits // 64))


# Snapshots

def saved(bare_qemu, path, bits):
    """The state of a machine with pages in its filter, in a file; and what its filter was."""
    machine = bare_qemu(cpu_of(bits))
    for page in PAGES:
        machine.cmd('x86-dseg-escape-add', page=page)
    save_small(machine, path)
    [cpu] = machine.cmd('query-x86-dseg')
    machine.shutdown()
    return cpu


@pytest.mark.parametrize('bits', SIZES)
def test_state_has_all_words_of_the_filter(bare_qemu, tmp_path, bits):
    cpu = saved(bare_qemu, tmp_path / 'state', bits)
    assert cpu['filter'] == words_of(PAGES, bits)
    machine = bare_qemu(cpu_of(bits), '-incoming', 'defer')
    machine.cmd('migrate-incoming', uri=f'file:{tmp_path / "state"}')
    deadline = time.monotonic() + patient(60)
    while machine.cmd('query-migrate').get('status') != 'completed':
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert machine.cmd('query-x86-dseg') == [cpu]


@pytest.mark.parametrize('bits, other', [(64, 256), (256, 64), (256, 1024), (1024, 256), (512, 1024)])
def test_state_with_a_filter_of_another_size_is_refused(bare_qemu, tmp_path, bits, other):
    saved(bare_qemu, tmp_path / 'state', bits)
    status, log = load_small(bare_qemu, cpu_of(other), tmp_path / 'state')
    assert status == 'failed'
    assert (f"CPU 0: direct segments: the state to load has an escape filter of {bits} bits, but the "
            f"CPU's property 'dseg-filter-bits' is {other}") in log


def test_only_another_size_than_the_default_is_in_the_state(bare_qemu, tmp_path):
    """So older QEMUs load that of the default, and this one loads theirs."""
    for bits in SIZES:
        saved(bare_qemu, tmp_path / 'state', bits)
        assert ((tmp_path / 'state').read_bytes().count(b'\x0fcpu/dseg/filter') == 1) == (bits != 256)


@pytest.mark.parametrize('bits, word', [(64, 4), (64, 15), (512, 8), (512, 15)])
def test_state_with_bits_beyond_the_filter_is_refused(bare_qemu, tmp_path, bits, word):
    """In the registers' filter: of the monitor's the list says what it has."""
    saved(bare_qemu, tmp_path / 'state', bits)
    data = bytearray((tmp_path / 'state').read_bytes())
    at = subsection(data, 'cpu/dseg/filter') + 4
    assert struct.unpack_from('>I', data, at) == (bits,)
    struct.pack_into('>Q', data, at + 4 + 8 * (word - 4), 1)
    (tmp_path / 'state').write_bytes(data)
    status, log = load_small(bare_qemu, cpu_of(bits), tmp_path / 'state')
    assert status == 'failed'
    assert "breaks a rule in the escape filter's MSRs" in log


# Linux

@pytest.fixture(params=[64, 1024])
def host(request):
    """(size of the filter, L1 with a VM that has a segment, GUPS in the VM)"""
    with Stack(cpu_extra=f'dseg=on,dseg-verify=on,dseg-filter-bits={request.param}', holes=False,
               l2_memory='256M', log_dir=OUT / 'log/test-filter-bits') as stack:
        stack.boot_l1(timeout=LONG)
        stack.l1.run('modprobe dseg-vmm')
        stack.l2.clear()
        stack.l1.run('dseg-vm start --memory 256M >/tmp/vm.log 2>&1 &')
        stack.l2.expect('^l2# ', LONG)
        gups = Workload(stack, 'nested', 'gups --bytes 64M --updates 100000')
        yield request.param, stack, gups
        gups.stop()


def filter_in_guest(stack):
    """The words of the MSRs, at a moment when the CPU runs the VM."""
    for _ in range(1000):
        [cpu] = stack.qmp('query-x86-dseg')
        if cpu['guest-mode']:
            return cpu['registers']['vmm-filter']
    pytest.fail('the VM did not run')


def test_linux_loads_and_clears_a_filter_of_any_size(host):
    bits, stack, gups = host
    gups.begin_round()
    pages = [64 * MiB + i * 0x123000 for i in range(20)]
    for page in pages:
        stack.l1.run(f'dseg-vm escape {PID} {page:#x}', timeout=LONG)
    assert filter_in_guest(stack) == words_of(pages, bits)
    result = measure(stack, gups, 'vmm-direct', rounds=1)
    assert result.checksum_ok
    # With 20 pages in it, 28 % of the others pass a filter of 64 bits, and of 1024 bits 0.003 %.
    total = result.walks.total
    assert (total['false-escapes'] > total['filter-lookups'] / 50) == (bits == 64)
    stack.l1.run(f'dseg-vm unescape {PID}', timeout=LONG)
    gups.begin_round()
    assert filter_in_guest(stack) == [0] * (bits // 64)
    assert measure(stack, gups, 'vmm-direct', rounds=1).walks.total['escapes'] == 0
    [cpu] = stack.qmp('query-x86-dseg-walks')
    assert cpu['verified'] > 0 == cpu['mismatches']
    assert complaints(stack.l1) == ''
