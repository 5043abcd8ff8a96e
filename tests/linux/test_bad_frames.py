# SPDX-License-Identifier: GPL-2.0-or-later
"""The device dseg-bad-frames: what the monitor says and does, its registers, and snapshots.

No guest runs: accesses are made by the qtest protocol, as those of a device. What CPUs see is
tested on bare metal (tests/bare-metal/bad-frames.c).
"""

import json
import re
import struct
import time

import pytest

from dseg import ROOT, patient
from dseg.base.sizes import MiB
from dseg.stack.stack import VMLaunchFailure

from qemu.machine.qtest import QEMUQtestProtocol     # where dseg.stack.stack has found QEMU's modules

PAGE = 4096
FRAMES = [48 * MiB, 48 * MiB + 2 * PAGE, 100 * MiB]
TEXT = '48M:0x3002000:100M'
NO_RAM = 0xd0000000
BIOS_ROM = 0xffff0000
MOST = 64
SLOT = 5
BAR = 0xfe000000
QUADWORD = 0x1122334455667788


def registers():
    """The constants of the header for drivers."""
    text = (ROOT / 'linux/include/dseg-bad-frames.h').read_text()
    return {name: int(value, 16 if value.startswith('0x') else 10) for name, value in
            re.findall(r'^#define DSEG_BAD_(\w+)\s+(0x\w+|\d+)', text, re.MULTILINE)}


REG = registers()


def garbage(address):
    """What the quadword there reads as (docs/spec/bad-frames.rst), but for complements."""
    return address // 8 * 0x9e3779b97f4a7c15 % 2**64


class Bus:
    """Reads and writes physical memory and the device's registers."""

    def __init__(self, protocol):
        self._protocol = protocol

    def command(self, *words):
        """The words of the reply."""
        line = ' '.join(hex(w) if isinstance(w, int) else w for w in words)
        status, *values = self._protocol.cmd(line).split()
        assert status == 'OK', (line, status, values)
        return values

    def read(self, address):
        return int(self.command('readq', address)[0], 16)

    def write(self, address, value):
        self.command('writeq', address, value)

    def config(self, offset, value=None):
        """A register of 32 bits in PCI configuration space; writes it if there is a value."""
        self.command('outl', 0xcf8, 1 << 31 | SLOT << 11 | offset)
        if value is not None:
            self.command('outl', 0xcfc, value)
        return int(self.command('inl', 0xcfc)[0], 16)

    def map_registers(self):
        self.config(0x10, BAR)
        self.config(0x04, 0x2)

    def register(self, name):
        return int(self.command('readl', BAR + REG[name])[0], 16)

    def set_register(self, name, value):
        self.command('writel', BAR + REG[name], value)

    def interrupts(self):
        """Whether the device asserts its interrupt."""
        return bool(self.config(0x04) & 1 << 19)


def device(**properties):
    """QEMU's arguments for the device, in JSON syntax."""
    return '-device', json.dumps({'driver': 'dseg-bad-frames', 'addr': hex(SLOT), **properties})


@pytest.fixture
def start(bare_qemu, tmp_path):
    """Starts QEMU with the device; returns it and its bus."""
    started = []

    def run(*more, **properties):
        path = str(tmp_path / f'qtest{len(started)}')
        protocol = QEMUQtestProtocol(path, server=True)
        protocol.settimeout(60)
        started.append(protocol)
        machine = bare_qemu('EPYC', '-qtest', f'unix:{path}', '-qtest-log', 'none',
                            *device(**properties), *more)
        protocol.accept()
        bus = Bus(protocol)
        bus.map_registers()
        return machine, bus

    yield run
    for protocol in started:
        protocol.close()


def bad(machine):
    """The addresses of the bad frames."""
    return sorted(frame['address'] for frame in machine.cmd('query-dseg-bad-frames')['frames'])


def hmp(machine, line):
    return machine.cmd('human-monitor-command', command_line=line)


def error_of(machine, command, **arguments):
    return machine.qmp(command, arguments)['error']['desc']


# The property

@pytest.mark.parametrize('arguments', [
    ('-device', f'dseg-bad-frames,frames={TEXT}'),
    device(frames=FRAMES),
    device(frames=TEXT),
], ids=['text', 'JSON list', 'JSON text'])
def test_property_names_the_frames_in_either_syntax(bare_qemu, arguments):
    machine = bare_qemu('EPYC', *arguments)
    reply = machine.cmd('query-dseg-bad-frames')
    assert bad(machine) == FRAMES
    assert reply['mce'] is False and reply['generation'] == 1
    assert reply['reads'] == reply['writes'] == 0
    assert {(f['reads'], f['writes']) for f in reply['frames']} == {(0, 0)}


def test_without_the_property_no_frame_is_bad(bare_qemu):
    machine = bare_qemu('EPYC', '-device', 'dseg-bad-frames,mce=on')
    assert machine.cmd('query-dseg-bad-frames') == {
        'frames': [], 'reads': 0, 'writes': 0, 'generation': 0, 'mce': True}


def refusal(bare_qemu, *arguments):
    with pytest.raises(VMLaunchFailure) as failure:
        bare_qemu('EPYC', *arguments)
    return failure.value.output


WRONG = [
    ([48 * MiB + 8], r'^frames: 0x3000008 is not a multiple of 4 KiB$'),
    ([2**64 - 1], r'^frames: 0xffffffffffffffff is not a multiple of 4 KiB$'),
    ([NO_RAM], r'^frames: 0xd0000000 is not RAM$'),
    ([BIOS_ROM], r'^frames: 0xffff0000 is not RAM$'),
    ([2**64 - PAGE], r'^frames: 0xfffffffffffff000 is not RAM$'),
    ([64 * MiB, 65 * MiB, 64 * MiB], r'^frames: 0x4000000 is given twice$'),
    ([64 * MiB + i * PAGE for i in range(MOST + 1)], r'^frames: .* at most 64 frames can be bad'),
]


@pytest.mark.parametrize('frames,message', WRONG + [
    ('48M:much', r"^frames: 'much' is not a number: 0x..., or decimal"),
    ('48M:', r"^frames: '' is not a number"),
])
def test_property_that_breaks_a_rule_is_refused(bare_qemu, frames, message):
    output = refusal(bare_qemu, *device(frames=frames))
    assert re.search(message.lstrip('^'), output, re.MULTILINE), output


def test_there_is_one_device_at_most(bare_qemu):
    assert 'there can be only one device dseg-bad-frames' in refusal(
        bare_qemu, '-device', 'dseg-bad-frames', '-device', 'dseg-bad-frames')


def test_device_is_not_plugged_or_unplugged_at_run_time(bare_qemu):
    machine = bare_qemu('EPYC', '-device', 'dseg-bad-frames,id=bad')
    assert 'does not support hotplugging' in error_of(machine, 'device_del', id='bad')
    machine = bare_qemu('EPYC')
    assert 'does not support hotplugging' in error_of(machine, 'device_add',
                                                      driver='dseg-bad-frames')


# The commands

def test_without_the_device_every_command_says_so(bare_qemu):
    machine = bare_qemu('EPYC')
    for command, arguments in (('query-dseg-bad-frames', {}), ('dseg-bad-frames-reset', {}),
                               ('dseg-bad-frames-add', {'frames': [48 * MiB]}),
                               ('dseg-bad-frames-remove', {'frames': [48 * MiB]})):
        assert 'there is no device dseg-bad-frames' in error_of(machine, command, **arguments)
    for line in ('info dseg-bad-frames', 'dseg_bad_frames add 48M', 'dseg_bad_frames reset',
                 'dseg_bad_frames remove 48M'):
        assert hmp(machine, line).startswith('Error: there is no device dseg-bad-frames'), line


@pytest.mark.parametrize('command,frames,message', [
    *(('add', frames, message) for frames, message in WRONG),
    ('add', [64 * MiB, FRAMES[1]], r'^frames: 0x3002000 is bad already$'),
    ('remove', [FRAMES[0], 64 * MiB], r'^frames: 0x4000000 is not bad$'),
    ('remove', [FRAMES[0], 2**64 - 1], r'^frames: 0xffffffffffffffff is not bad$'),
    ('remove', [FRAMES[0], FRAMES[0]], r'^frames: 0x3000000 is given twice$'),
])
def test_command_that_breaks_a_rule_changes_nothing(start, command, frames, message):
    machine, bus = start(frames=FRAMES)
    bus.set_register('INTERRUPT', REG['CHANGED'])
    before = machine.cmd('query-dseg-bad-frames')
    assert re.search(message, error_of(machine, f'dseg-bad-frames-{command}', frames=frames))
    text = ':'.join(map(hex, frames))
    answer = hmp(machine, f'dseg_bad_frames {command} {text}')
    assert re.search(message.replace('^', '^Error: '), answer.rstrip()), answer
    assert machine.cmd('query-dseg-bad-frames') == before
    assert not bus.interrupts()


@pytest.mark.parametrize('line,message', [
    ('add', 'frames must be given'), ('remove', 'frames must be given'),
    ('reset 48M', 'frames must be left out'), ('add 48X', "frames: '48X' is not a number"),
    ('mend 48M', "action 'mend' must be add, remove or reset"),
])
def test_hmp_line_that_breaks_a_rule_says_which(start, line, message):
    machine, _ = start(frames=FRAMES)
    assert hmp(machine, f'dseg_bad_frames {line}').startswith(f'Error: {message}')
    assert bad(machine) == FRAMES


def test_64_frames_can_be_bad_and_no_more(start):
    machine, bus = start(frames=FRAMES)
    more = [64 * MiB + i * PAGE for i in range(MOST - len(FRAMES))]
    machine.cmd('dseg-bad-frames-add', frames=more)
    assert bad(machine) == sorted(FRAMES + more)
    assert bus.register('COUNT') == bus.register('CAPACITY') == MOST
    assert 'at most 64' in error_of(machine, 'dseg-bad-frames-add', frames=[128 * MiB])
    machine.cmd('dseg-bad-frames-remove', frames=more[7:9])
    machine.cmd('dseg-bad-frames-add', frames=[128 * MiB])
    assert bad(machine) == sorted(FRAMES + more[:7] + more[9:] + [128 * MiB])


def test_hmp_adds_removes_and_shows(start):
    machine, bus = start()
    assert hmp(machine, f'dseg_bad_frames add {TEXT}') == ''
    bus.read(FRAMES[1])
    bus.write(FRAMES[1], 0)
    assert hmp(machine, 'dseg_bad_frames remove 100M') == ''
    assert hmp(machine, 'info dseg-bad-frames').split('\r\n') == [
        'machine checks: off', 'generation: 2', 'all: reads 1, writes 1',
        '0x3000000: reads 0, writes 0', '0x3002000: reads 1, writes 1', '']
    assert hmp(machine, 'dseg_bad_frames reset') == ''
    assert 'all: reads 0, writes 0' in hmp(machine, 'info dseg-bad-frames')
    assert bad(machine) == FRAMES[:2]


# The memory

def test_frame_that_is_made_good_has_what_it_had(start):
    machine, bus = start()
    bus.write(FRAMES[0], QUADWORD)
    machine.cmd('dseg-bad-frames-add', frames=FRAMES)
    assert bus.read(FRAMES[0]) == garbage(FRAMES[0])
    bus.write(FRAMES[0], 0x9999999999999999)
    assert bus.read(FRAMES[0]) == garbage(FRAMES[0])
    machine.cmd('dseg-bad-frames-remove', frames=[FRAMES[0]])
    assert bus.read(FRAMES[0]) == QUADWORD
    assert bus.read(FRAMES[1] + 8) != 0


def test_no_byte_reads_as_it_was_before_the_frame_went_bad(start):
    machine, bus = start()
    bus.write(FRAMES[0], garbage(FRAMES[0]))
    machine.cmd('dseg-bad-frames-add', frames=FRAMES)
    assert bus.read(FRAMES[0]) == garbage(FRAMES[0]) ^ (2**64 - 1)


def test_counts_are_of_each_frame_and_of_all_also_of_those_made_good(start):
    machine, bus = start(frames=FRAMES)
    for reads, frame in enumerate(FRAMES):
        for _ in range(reads):
            bus.read(frame)
        bus.write(frame, 0)
    machine.cmd('dseg-bad-frames-remove', frames=[FRAMES[2]])
    reply = machine.cmd('query-dseg-bad-frames')
    assert [(f['reads'], f['writes']) for f in reply['frames']] == [(0, 1), (1, 1)]
    assert (reply['reads'], reply['writes']) == (3, 3)
    machine.cmd('dseg-bad-frames-add', frames=[FRAMES[2]])
    [again] = [f for f in machine.cmd('query-dseg-bad-frames')['frames']
               if f['address'] == FRAMES[2]]
    assert (again['reads'], again['writes']) == (0, 0)
    machine.cmd('dseg-bad-frames-reset')
    reply = machine.cmd('query-dseg-bad-frames')
    assert {(f['reads'], f['writes']) for f in reply['frames']} == {(0, 0)}
    assert (reply['reads'], reply['writes']) == (0, 0)
    assert bad(machine) == FRAMES


# The registers

def test_change_is_an_interrupt_until_it_is_acknowledged(start):
    machine, bus = start(frames=FRAMES)
    assert bus.config(0x00) == REG['DEVICE_ID'] << 16 | REG['VENDOR_ID']
    assert bus.register('ID') == REG['ID_VALUE']
    machine.cmd('dseg-bad-frames-add', frames=[64 * MiB])
    assert bus.register('STATUS') == REG['CHANGED']
    assert not bus.interrupts()
    bus.set_register('INTERRUPT', REG['CHANGED'])
    assert bus.interrupts()
    bus.set_register('STATUS', REG['CHANGED'])
    assert not bus.interrupts() and bus.register('STATUS') == 0
    machine.cmd('dseg-bad-frames-remove', frames=[64 * MiB])
    assert bus.interrupts()
    assert (bus.register('GENERATION'), bus.register('COUNT')) == (3, 3)
    machine.cmd('dseg-bad-frames-reset')
    assert bus.register('GENERATION') == 3
    bus.set_register('INTERRUPT', 0)
    assert not bus.interrupts()


def test_reset_heals_nothing(start):
    machine, bus = start(frames=FRAMES)
    machine.cmd('dseg-bad-frames-add', frames=[64 * MiB])
    bus.set_register('INTERRUPT', REG['CHANGED'])
    bus.write(FRAMES[0], QUADWORD)
    before = machine.cmd('query-dseg-bad-frames')
    machine.cmd('system_reset')
    machine.events_wait([('RESET', {})], timeout=patient(30))
    assert machine.cmd('query-dseg-bad-frames') == before
    assert not bus.interrupts()
    bus.map_registers()
    assert bus.register('STATUS') == bus.register('INTERRUPT') == 0
    assert bus.read(FRAMES[0]) == garbage(FRAMES[0])


# Snapshots

def wait_for_migration(machine):
    deadline = time.monotonic() + patient(60)
    while True:
        info = machine.cmd('query-migrate')
        if info.get('status') in ('completed', 'failed'):
            return info['status']
        assert time.monotonic() < deadline
        time.sleep(0.05)


def save(machine, path):
    machine.cmd('migrate', uri=f'file:{path}')
    assert wait_for_migration(machine) == 'completed'


def load(machine, path):
    machine.cmd('migrate-incoming', uri=f'file:{path}', exit_on_error=False)
    return wait_for_migration(machine)


@pytest.fixture
def saved(start, tmp_path):
    """The state of a machine with changed frames, and what it knows of them."""
    machine, bus = start(frames=FRAMES)
    machine.cmd('dseg-bad-frames-remove', frames=[FRAMES[1]])
    machine.cmd('dseg-bad-frames-add', frames=[0xabcd000, 0x5555000])
    bus.set_register('INTERRUPT', REG['CHANGED'])
    bus.write(FRAMES[0], garbage(FRAMES[0]))
    bus.write(FRAMES[1], QUADWORD)
    bus.read(FRAMES[0])
    known = machine.cmd('query-dseg-bad-frames')
    assert known['reads'] == known['writes'] == 1 and known['generation'] == 3
    save(machine, tmp_path / 'state')
    return tmp_path / 'state', known


@pytest.mark.parametrize('frames', [[], [FRAMES[1], 200 * MiB]], ids=['none', 'others'])
def test_snapshot_has_the_frames_their_counts_and_the_registers(start, saved, frames):
    path, known = saved
    machine, bus = start('-incoming', 'defer', frames=frames)
    assert load(machine, path) == 'completed'
    assert machine.cmd('query-dseg-bad-frames') == known
    assert bus.interrupts()
    assert bus.register('INTERRUPT') == bus.register('STATUS') == REG['CHANGED']
    assert bus.read(FRAMES[0]) == garbage(FRAMES[0]) ^ (2**64 - 1)
    assert bus.read(0xabcd000 + 8) != 0
    bus.write(200 * MiB, QUADWORD)
    assert bus.read(FRAMES[1]) == bus.read(200 * MiB) == QUADWORD
    assert machine.cmd('query-dseg-bad-frames')['reads'] == known['reads'] + 2


@pytest.mark.parametrize('address', [0xabcd800, NO_RAM, 0x5555000])
def test_state_with_a_frame_that_breaks_a_rule_is_refused(start, saved, address):
    path, _ = saved
    data = path.read_bytes()
    old = struct.pack('>Q', 0xabcd000)
    assert data.count(old) == 1
    path.write_bytes(data.replace(old, struct.pack('>Q', address)))
    machine, _ = start('-incoming', 'defer')
    assert load(machine, path) == 'failed'
    machine.shutdown()
    assert f'bad frame {address:#x} is no frame of RAM' in machine.get_log()
