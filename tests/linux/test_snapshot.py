# SPDX-License-Identifier: GPL-2.0-or-later
"""Snapshots and migration in the middle of an L2 guest, with segments on."""

import struct
import time
from contextlib import contextmanager

import pytest

from dseg import OUT, patient
from dseg.experiments.measure import measure
from dseg.stack.console import TimeOut
from dseg.stack.modes import set_mode
from dseg.stack.stack import Stack, qemu_binary
from dseg.stack.workload import Workload
from savedstate import load_small, save_small, subsection

GUPS = 'gups --bytes 64M --updates 200000'
PAGE = 4096


def wait_for_job(stack, command, timeout=120, **arguments):
    """Runs a QMP command that makes a job, to the end of it."""
    stack.qmp(command, job_id='job', **arguments)
    deadline = time.monotonic() + patient(timeout)
    while time.monotonic() < deadline:
        [job] = stack.qmp('query-jobs')
        if job['status'] == 'concluded':
            stack.qmp('job-dismiss', id='job')
            assert 'error' not in job, job['error']
            return
        time.sleep(0.1)
    pytest.fail(f'{command} took more than {timeout} s')


def add_snapshot_disk(stack, path):
    """A qcow2 image that can hold snapshots, as the block node "disk"."""
    path.touch()
    stack.qmp('blockdev-add', driver='file', node_name='file',
              filename=str(path))
    wait_for_job(stack, 'blockdev-create',
                 options={'driver': 'qcow2', 'file': 'file', 'size': 1 << 20})
    stack.qmp('blockdev-add', driver='qcow2', node_name='disk', file='file')


def state(stack):
    """All that a CPU has of direct segments."""
    return stack.qmp('query-x86-dseg'), stack.qmp('query-x86-dseg-walks')


@pytest.fixture
def busy(stack, gups):
    """GUPS in L2 with both segments and an escaped page, stopped in L2."""
    set_mode(stack, 'dual-direct', gups.area)
    stack.qmp('x86-dseg-escape-add', page=gups.area.pa + 7 * PAGE)
    gups.begin_round()
    for _ in range(1000):
        stack.qmp('stop')
        [cpu] = stack.qmp('query-x86-dseg')
        if cpu['guest-mode']:
            return stack
        stack.qmp('cont')
    pytest.fail('L2 did not run')


def assert_goes_on(stack, gups):
    """GUPS does, with right data and at the cost of its mode."""
    stack.qmp('cont')
    result = measure(stack, gups, 'dual-direct', rounds=2)
    assert result.checksum_ok
    assert result.share >= 0.9, result.walks.regimes


def test_loadvm_restores_segments_counters_and_data_in_l2(busy, gups,
                                                          tmp_path):
    add_snapshot_disk(busy, tmp_path / 'disk.qcow2')
    try:
        saved = state(busy)
        assert saved[0][0]['escapes'] == [gups.area.pa + 7 * PAGE]
        wait_for_job(busy, 'snapshot-save', tag='one', vmstate='disk',
                     devices=['disk'])
        assert_goes_on(busy, gups)
        busy.qmp('x86-dseg-clear')
        busy.qmp('x86-dseg-escape-clear')
        busy.qmp('x86-dseg-walks-reset')
        busy.qmp('stop')
        assert state(busy) != saved
        wait_for_job(busy, 'snapshot-load', tag='one', vmstate='disk',
                     devices=['disk'])
        assert state(busy) == saved
        assert_goes_on(busy, gups)
    finally:
        busy.qmp('blockdev-del', node_name='disk')
        busy.qmp('blockdev-del', node_name='file')


def wait_for_migration(stack, timeout=120):
    deadline = time.monotonic() + patient(timeout)
    while time.monotonic() < deadline:
        info = stack.qmp('query-migrate')
        if info.get('status') in ('completed', 'failed'):
            assert info['status'] == 'completed', info
            return
        time.sleep(0.1)
    pytest.fail('the migration takes too long')


def migrate_to_file(stack, path):
    # Enough for a slow disk to take what GUPS writes all the time.
    stack.qmp('migrate-set-parameters', max_bandwidth=1 << 34, downtime_limit=2000)
    stack.qmp('migrate', uri=f'file:{path}')
    wait_for_migration(stack)


@pytest.fixture(scope='module')
def own_stack():
    """One that is thrown away: its L1 goes on in another QEMU."""
    with Stack(cpu_extra='dseg=on', log_dir=OUT / 'log/test-migrate') as stack:
        stack.boot_l1()
        stack.boot_l2()
        yield stack


def adopt(stack, workload):
    """The workload, which goes on in @stack."""
    # pylint: disable=protected-access
    stack.l2._command = workload._console._command
    stack.l2._count = workload._console._count
    workload._console = stack.l2
    return workload


@contextmanager
def incoming(path, cpu_extra='', timeout=120):
    """Another QEMU, that has loaded that state and stands still."""
    with Stack(cpu_extra=cpu_extra, log_dir=OUT / 'log/test-incoming',
               extra_args=['-S', '-incoming', f'file:{path}']) as stack:
        stack.launch()
        deadline = time.monotonic() + patient(timeout)
        while stack.qmp('query-status')['status'] == 'inmigrate':
            assert time.monotonic() < deadline, 'the migration takes too long'
            time.sleep(0.1)
        yield stack


def test_migration_to_a_file_and_back_in_l2(own_stack, tmp_path):
    gups = Workload(own_stack, 'nested', GUPS)
    set_mode(own_stack, 'dual-direct', gups.area)
    gups.begin_round()
    own_stack.qmp('stop')
    saved = state(own_stack)
    migrate_to_file(own_stack, tmp_path / 'state')
    with incoming(tmp_path / 'state', 'dseg=on') as other:
        assert state(other) == saved
        assert_goes_on(other, adopt(other, gups))


def go_on_right(stack, gups):
    """Three rounds, with right data; False if there are none."""
    adopt(stack, gups)
    stack.qmp('cont')
    try:
        rounds = [gups.next_round(timeout=60) for _ in range(3)]
    except TimeOut:
        return False
    assert [r for r in rounds if r.errors] == []
    return True


def test_stock_qemu_migrates_to_this_one_with_dseg_off(tmp_path):
    """In the middle of L2, and the data stays right.

    Stock QEMU gives L2 an interrupt twice if it is stopped as VMRUN has injected it (patch 0001).
    L2 can hang then: but in stock QEMU, too.
    """
    for _ in range(3):
        with Stack(qemu_binary(stock=True), log_dir=OUT / 'log/test-stock') as stock:
            stock.boot_l1()
            stock.boot_l2()
            gups = Workload(stock, 'nested', GUPS)
            gups.begin_round()
            migrate_to_file(stock, tmp_path / 'state')
            with incoming(tmp_path / 'state') as other:
                if go_on_right(other, gups):
                    return
            assert not go_on_right(stock, gups), 'stock QEMU goes on where this one does not'
    pytest.fail('stock QEMU has hung three times')


@pytest.fixture
def saved(bare_qemu, tmp_path):
    """The state of a machine with a monitor-owned VMM segment."""
    path = tmp_path / 'state'
    machine = bare_qemu('EPYC,dseg=on')
    machine.cmd('x86-dseg-set', level='vmm', base=0x1000, size=0x2000,
                target=0x3000, force=True)
    machine.cmd('x86-dseg-escape-add', page=0x2000)
    save_small(machine, path)
    machine.shutdown()
    return path


def test_state_that_is_whole_is_loaded(bare_qemu, saved):
    assert load_small(bare_qemu, 'EPYC,dseg=on', saved)[0] == 'completed'


def test_state_of_another_version_is_refused(bare_qemu, saved):
    data = bytearray(saved.read_bytes())
    at = subsection(data, 'cpu/dseg')
    assert struct.unpack_from('>I', data, at) == (1,)
    struct.pack_into('>I', data, at, 2)
    saved.write_bytes(data)
    status, log = load_small(bare_qemu, 'EPYC,dseg=on', saved)
    assert status == 'failed' and 'cpu/dseg' in log


# The fields are in the order of target-i386-ext/cpu/vmstate.c, each a big-endian
# quadword up to the count of the pages: 4 of CR9 to CR12, 3 of the VMM segment.
@pytest.mark.parametrize('quadword,value,part', [
    (0, 0x123, 'CR9 to CR12'),
    (1, 1 << 50, 'CR9 to CR12'),
    (3, 0x18, 'CR9 to CR12'),
    (4, 1 << 60, "the VMM segment's MSRs"),
])
def test_damaged_registers_are_refused(bare_qemu, saved, quadword, value,
                                       part):
    data = bytearray(saved.read_bytes())
    at = subsection(data, 'cpu/dseg') + 4 + 8 * quadword
    assert struct.unpack_from('>Q', data, at) == (0,)
    struct.pack_into('>Q', data, at, value)
    saved.write_bytes(data)
    status, log = load_small(bare_qemu, 'EPYC,dseg=on', saved)
    assert status == 'failed'
    assert f'breaks a rule in {part}' in log


@pytest.mark.parametrize('old,new,part', [
    # base of the monitor's segment; its page in the filter
    (struct.pack('>QQQ', 0x1000, 0x3000, 0x2000),
     struct.pack('>QQQ', 0x1800, 0x3000, 0x2000), "the monitor's VMM segment"),
    (struct.pack('>IQQ', 1, 0x2000, 0), struct.pack('>IQQ', 1, 0x5000, 0),
     "the monitor's escape filter"),
    (struct.pack('>IQQ', 1, 0x2000, 0), struct.pack('>IQQ', 9999, 0x2000, 0),
     "the monitor's escape filter"),
])
def test_damaged_monitor_state_is_refused(bare_qemu, saved, old, new, part):
    data = saved.read_bytes()
    at = subsection(data, 'cpu/dseg')
    assert data[at:].count(old) == 1
    saved.write_bytes(data[:at] + data[at:].replace(old, new))
    status, log = load_small(bare_qemu, 'EPYC,dseg=on', saved)
    assert status == 'failed'
    assert f'breaks a rule in {part}' in log


def test_state_with_segments_needs_a_cpu_with_segments(bare_qemu, saved):
    status, log = load_small(bare_qemu, 'EPYC', saved)
    assert status == 'failed'
    assert "property 'dseg' is off" in log


def test_state_without_segments_is_loaded_with_dseg_on(bare_qemu, tmp_path):
    machine = bare_qemu('EPYC')
    save_small(machine, tmp_path / 'state')
    machine.shutdown()
    assert load_small(bare_qemu, 'EPYC,dseg=on',
                      tmp_path / 'state')[0] == 'completed'
