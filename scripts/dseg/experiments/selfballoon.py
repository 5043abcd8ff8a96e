# SPDX-License-Identifier: GPL-2.0-or-later
"""Gives a running VM new contiguous memory for fragments of its old memory.

The poster's self-ballooning: the guest's balloon takes pages, which are fragments, and memory
hot-add gives as much back, as one new range of guest physical memory (gPA). The guest's memory
stays the same size. With --io-gap all of it goes above 4 GiB that can, so that the gap for I/O
below 4 GiB no longer divides it.
"""

import argparse
import contextlib
import json
import re
import sys
import time

from .. import OUT, Failure, positive_number, run_main
from ..base.sizes import MiB, parse_size, size_text

sys.path.insert(0, str(OUT / 'qemu-src/python'))
try:
    # pylint: disable=wrong-import-position
    from qemu.qmp import QMPError
    from qemu.qmp.legacy import QEMUMonitorProtocol
except ImportError:
    QEMUMonitorProtocol = None

BLOCK = 128 * MiB       # what Linux on x86 hot-adds is a multiple of that
POLL = 0.2              # seconds between two looks
STATS_SECONDS = 1       # between two times that the guest is asked for its statistics
BALLOON_TYPES = re.compile('child<virtio-balloon')
RAM_ALIAS = re.compile(r'^\s+([0-9a-f]{16})-([0-9a-f]{16}) .*: alias ram-(below|above)-4g @', re.M)
NODE = re.compile(r'^node (\d+) (cpus|size): ?(.*)$', re.M)


class Vm:
    """A running VM, by the QMP of its QEMU."""

    def __init__(self, socket, timeout):
        self._qmp = QEMUMonitorProtocol(socket)
        self._timeout = timeout
        try:
            self._qmp.connect()
            self._qmp.settimeout(timeout)
        except (QMPError, OSError) as error:
            raise Failure(f'{socket}: no QMP there: {error}') from error
        self._balloon = self._find_balloon()
        self.cmd('qom-set', path=self._balloon, property='guest-stats-polling-interval',
                 value=STATS_SECONDS)

    def cmd(self, command, **arguments):
        """Run a QMP command; '_' in the arguments' names stands for '-'."""
        arguments = {name.replace('_', '-'): value for name, value in arguments.items()}
        try:
            return self._qmp.cmd(command, **arguments)
        except (QMPError, OSError) as error:
            raise Failure(f'{command}: {error}') from error

    def hmp(self, line):
        return self.cmd('human-monitor-command', command_line=line).replace('\r\n', '\n')

    def close(self):
        self._qmp.close()

    def _find_balloon(self):
        for folder in '/machine/peripheral', '/machine/peripheral-anon':
            for item in self.cmd('qom-list', path=folder):
                if BALLOON_TYPES.match(item['type']):
                    return f'{folder}/{item["name"]}'
        raise Failure('the VM has no balloon: start QEMU with -device virtio-balloon-pci')

    def stats(self):
        """The next statistics of the guest: total-memory, available-memory and so on, in bytes."""
        first = self._stats()['last-update']
        end = time.monotonic() + self._timeout
        while time.monotonic() < end:
            time.sleep(POLL)
            if self._stats()['last-update'] not in (0, first):
                return self.last_stats()
        raise Failure('the guest does not answer its balloon device: is the module '
                      'virtio_balloon loaded?')

    def last_stats(self):
        """The same, as the guest has told last: some STATS_SECONDS ago."""
        return {name.removeprefix('stat-'): value
                for name, value in self._stats()['stats'].items()}

    def _stats(self):
        return self.cmd('qom-get', path=self._balloon, property='guest-stats')

    def given(self):
        """How much the balloon has taken from the guest, in bytes."""
        return self._memory() - self.cmd('query-balloon')['actual']

    def _memory(self):
        """All memory that the VM has been given, at its start and later."""
        summary = self.cmd('query-memory-size-summary')
        return summary['base-memory'] + summary['plugged-memory']

    def balloon(self, given, progress):
        """Let the balloon take that much in all; ends when it has, or no longer goes on.

        progress: called with what it has taken so far; what it raises ends the waiting
        Returns what it has taken.
        """
        self.cmd('balloon', value=self._memory() - given)
        now = self.given()
        last = time.monotonic()
        while now != given and time.monotonic() < last + self._timeout:
            time.sleep(POLL)
            before, now = now, self.given()
            if now != before:
                last = time.monotonic()
            progress(now)
        return now

    def check_room(self, size):
        """Whether memory of that size can be added."""
        memory = self.cmd('qom-get', path='/machine', property='memory')
        used = len(self.dimms())
        if used >= memory.get('slots', 0):
            raise Failure(f'no slot for more memory, {used} are in use: start QEMU with '
                          '-m SIZE,slots=8,maxmem=LARGER')
        left = memory['max-size'] - self._memory()
        if left < size:
            raise Failure(f'memory can only grow by {size_text(left)}: start QEMU with a larger '
                          'maxmem= in -m')

    def dimms(self):
        return {device['data']['id']: device['data']
                for device in self.cmd('query-memory-devices') if device['type'] == 'dimm'}

    def ram(self):
        """How much RAM from the VM's start is below and above 4 GiB, in bytes."""
        found = {'below': 0, 'above': 0}
        for start, last, where in RAM_ALIAS.findall(self.hmp('info mtree')):
            found[where] = int(last, 16) + 1 - int(start, 16)
        return found

    def nodes(self):
        """The NUMA nodes: for each its CPUs as text, and its size in MiB."""
        found = {}
        for number, what, text in NODE.findall(self.hmp('info numa')):
            found.setdefault(int(number), {})[what] = text
        return [(found[n]['cpus'].strip(), int(found[n]['size'].split()[0]))
                for n in sorted(found)]

    def plug(self, size, backend, node):
        """Hot-add memory; returns its id."""
        number = next(n for n in range(1, 1000) if f'selfballoon{n}' not in self.dimms())
        name = f'selfballoon{number}'
        self.cmd('object-add', **backend, id=f'{name}-memory', size=size)
        where = {} if node is None else {'node': node}
        try:
            self.cmd('device_add', driver='pc-dimm', id=name, memdev=f'{name}-memory', **where)
        except Failure:
            self.cmd('object-del', id=f'{name}-memory')
            raise
        return name

    def unplug(self, name):
        """Take hot-added memory away again; returns whether the guest let go of it."""
        self.cmd('device_del', id=name)
        end = time.monotonic() + self._timeout
        while name in self.dimms():
            if time.monotonic() > end:
                return False
            time.sleep(POLL)
        self.cmd('object-del', id=f'{name}-memory')
        return True


class Narrator:
    """Says on stderr how far it is; silent if there is nobody to read it."""

    def __init__(self):
        self._shown = sys.stderr.isatty()

    def __call__(self, text, end='\n'):
        if self._shown or end == '\n':
            print(f'\r\x1b[K{text}' if self._shown else text, end=end, file=sys.stderr, flush=True)


def low_size(vm, options):
    """How much of the RAM below 4 GiB is to go above it."""
    ram = vm.ram()
    added = sum(dimm['size'] for dimm in vm.dimms().values())
    if ram['above'] + added:
        check_nodes(vm.nodes(), ram['below'])
    wanted = ram['below'] - vm.given() - options.keep
    # What is above may all be free: then so much less is available below.
    can = vm.stats()['available-memory'] - options.reserve - ram['above'] - added
    size = min(wanted, can) // BLOCK * BLOCK
    if size <= 0:
        raise Failure(
            f'nothing to move: {size_text(ram["below"])} of RAM are below 4 GiB, of which '
            f'{size_text(vm.given())} have been moved and {size_text(options.keep)} are to stay '
            f'(--keep); the guest can give {size_text(max(can, 0))}')
    return size


def check_nodes(nodes, low):
    """Whether the guest takes RAM below 4 GiB first for its balloon.

    Linux takes what belongs to the node of the CPU that it runs on; else what is highest.
    """
    if len(nodes) < 2 or nodes[0][1] * MiB > low or any(cpus for cpus, _ in nodes[1:]):
        raise Failure(
            'the VM has RAM above 4 GiB, of which its balloon would take first: start QEMU with '
            f'NUMA nodes, node 0 with all CPUs and {size_text(low)}, the RAM below 4 GiB, and '
            'node 1 with the rest')


def check_guest(stats, size, reserve):
    """Whether the guest can give that much."""
    if stats['available-memory'] < size + reserve:
        raise Failure(f'the guest can give {size_text(stats["available-memory"] - reserve)}, '
                      f'not {size_text(size)} (it has {size_text(stats["available-memory"])}, '
                      f'and keeps --reserve {size_text(reserve)})')


def inflate(vm, size, options, undo, say):
    """Let the guest give memory, step by step."""
    before = vm.given()
    undo.callback(deflate, vm, before, say)
    for step in range(options.step, size + options.step, options.step):
        goal = min(step, size)
        got = vm.balloon(before + goal, lambda now: say(
            f'balloon: {size_text(now - before)} of {size_text(size)}', end='')) - before
        if got != goal:
            raise Failure(f'the guest gave {size_text(got)} of {size_text(size)} and then no more '
                          f'for {options.timeout:g} s')
        if goal < size:
            check_guest(vm.last_stats(), min(options.step, size - goal), options.reserve)
    say(f'balloon: the guest has given {size_text(size)}')


def deflate(vm, given, say):
    """Give back to the guest, when something has failed."""
    left = vm.balloon(given, lambda now: None) - given
    say('the balloon has given back what it took' if not left else
        f'the balloon still has {size_text(left)}: try the QMP command balloon')


def add(vm, size, total, options, undo, say):
    """Give the guest a new range; returns its address."""
    nodes = vm.nodes()
    name = vm.plug(size, options.backend, len(nodes) - 1 if len(nodes) > 1 else None)
    undo.callback(remove, vm, name, say)
    say(f'hot-add: {size_text(size)} at {vm.dimms()[name]["addr"]:#x}')
    end = time.monotonic() + options.timeout
    while (now := vm.stats()['total-memory']) < total:
        if time.monotonic() > end:
            raise Failure(
                f'the guest does not use the new memory ({size_text(total - now)} of '
                f'{size_text(size)} are missing): its kernel must bring it online by itself, '
                'with memhp_default_state=online_kernel on its command line')
    return vm.dimms()[name]['addr']


def remove(vm, name, say):
    """Take the new range away, when something has failed."""
    say('the new memory has been removed' if vm.unplug(name) else
        f'the guest still has the new memory, {name}: try the QMP command device_del')


def self_balloon(vm, options, say):
    """Move memory; returns what was done, in bytes."""
    size = low_size(vm, options) if options.io_gap and not options.size else options.size
    vm.check_room(size)
    before = vm.stats()
    check_guest(before, size, options.reserve)
    with contextlib.ExitStack() as undo:
        inflate(vm, size, options, undo, say)
        address = add(vm, size, before['total-memory'], options, undo, say)
        undo.pop_all()
    return {'moved': size, 'address': address, 'total_before': before['total-memory'],
            'total_after': vm.stats()['total-memory']}


def size_option(text):
    try:
        return parse_size(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(error) from error


def backend_option(text):
    try:
        backend = json.loads(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f'not JSON: {error}') from error
    if not isinstance(backend, dict) or 'qom-type' not in backend:
        raise argparse.ArgumentTypeError('must be a JSON object with "qom-type"')
    return backend


def parse_arguments(arguments):
    p = argparse.ArgumentParser(
        prog='self-balloon', description=__doc__, allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog='The VM needs -device virtio-balloon-pci and -m SIZE,slots=8,maxmem=LARGER; its '
        'kernel virtio_balloon,\nand memhp_default_state=online_kernel. If the guest can\'t give '
        'so much, it gets back what it gave.\n\n'
        'Examples: self-balloon --qmp vm.sock --size 256M ; self-balloon --qmp vm.sock --io-gap')
    p.add_argument('--qmp', required=True, metavar='SOCKET', help='Unix socket of the VM\'s QMP')
    p.add_argument('--size', type=size_option, help='how much, a multiple of 128M')
    p.add_argument('--io-gap', action='store_true',
                   help='move RAM from below 4 GiB above it; without --size all that can be')
    p.add_argument('--keep', type=size_option, default='256M', metavar='SIZE',
                   help='what stays below 4 GiB with --io-gap (%(default)s)')
    p.add_argument('--reserve', type=size_option, default='32M', metavar='SIZE',
                   help='available memory that the guest keeps at any time (%(default)s)')
    p.add_argument('--step', type=size_option, default='32M', metavar='SIZE',
                   help='how much the balloon takes at once (%(default)s)')
    p.add_argument('--backend', type=backend_option, metavar='JSON',
                   default='{"qom-type": "memory-backend-ram"}',
                   help='where the new memory is from: an object of QEMU (%(default)s)')
    p.add_argument('--timeout', type=positive_number, default=60, metavar='S',
                   help='seconds that the guest may do nothing (%(default)g)')
    p.add_argument('--json', action='store_true', help='print the result as JSON')
    options = p.parse_args(arguments)
    if not options.size and not options.io_gap:
        p.error('--size or --io-gap is needed')
    if options.size and options.size % BLOCK:
        p.error(f'--size: must be a multiple of {size_text(BLOCK)}')
    if not options.step:
        p.error('--step: must not be 0')
    return options


def main(arguments):
    options = parse_arguments(arguments)
    if not QEMUMonitorProtocol:
        raise Failure(f'QEMU\'s Python modules are not in {OUT / "qemu-src/python"}: '
                      'run scripts/fetch-qemu')
    vm = Vm(options.qmp, options.timeout)
    try:
        result = self_balloon(vm, options, Narrator())
    finally:
        vm.close()
    if options.json:
        print(json.dumps(result))
    else:
        print('{moved} bytes moved to {address:#x}; the guest has {total_after} bytes, before '
              '{total_before}'.format(**result))
    return 0


if __name__ == '__main__':
    run_main('self-balloon', main)
