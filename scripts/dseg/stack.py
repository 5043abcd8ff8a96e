# SPDX-License-Identifier: GPL-2.0-or-later
"""Drives the stack: QEMU, the guest L1 in it, and the nested guest L2.

    with Stack() as stack:
        stack.boot_l1()
        stack.boot_l2()
        print(stack.l2.run('uname -a'))
        print(stack.qmp('query-status'))
"""

from dataclasses import dataclass
import asyncio
import os
from pathlib import Path
import re
import shlex
import shutil
import socket
import sys
import tempfile
import threading
import time

TOP = Path(__file__).resolve().parents[2]
OUT = Path(os.environ.get('DSEG_OUT', TOP / 'out')).absolute()
GUEST = OUT / 'guest'
sys.path.insert(0, str(OUT / 'qemu-src/python'))

# pylint: disable=wrong-import-position
from qemu.machine import QEMUMachine
from qemu.machine.machine import AbnormalShutdown, VMLaunchFailure
from qemu.qmp import QMPError
from qemu.qmp.qmp_client import ExecuteError

KiB, MiB, GiB = 1 << 10, 1 << 20, 1 << 30
FIRMWARE_DIRS = ('/usr/share/seabios', '/usr/share/qemu', '/usr/lib/ipxe/qemu')
LAST_LINES = 20


class StackError(Exception):
    """What went wrong, in words for the user."""


class BootError(StackError):
    """A guest did not boot; the message ends with its last lines."""


class TimeOut(StackError):
    """A guest did not do in time what was waited for."""


class CommandError(StackError):
    """A command in a guest failed."""

    def __init__(self, command, code, output):
        super().__init__(f'{command!r} ended with exit code {code}:\n{output}')
        self.code = code
        self.output = output


class MonitorError(StackError):
    """QEMU refused a monitor command; the message is QEMU's own."""


def parse_size(text):
    """The bytes that '512M' or '2G' stand for."""
    found = re.fullmatch(r'(\d+)([KMG]?)', str(text))
    if not found:
        raise ValueError(f"'{text}' is not a size such as 512M or 2G")
    return int(found[1]) << {'': 0, 'K': 10, 'M': 20, 'G': 30}[found[2]]


def size_text(size):
    """A size as the kernel and QEMU read it."""
    return f'{size // MiB}M' if size % MiB == 0 else str(size)


@dataclass(frozen=True)
class Layout:
    """Where everything lies in physical memory.

    L1's memory map has a hole, [hole, hole + hole_size), which L1's kernel
    leaves alone: at its start L2's memory, contiguous in host physical
    memory, then a work area for workloads that run in L1. L2's memory map
    has a hole as well, the work area of workloads that run in L2.
    """
    l1_memory: int = 2 * GiB
    l2_memory: int = 512 * MiB
    l1_work_size: int = 256 * MiB

    gva = 0x6000_0000_0000            # of every workload's work area
    low_end = 2 * GiB                 # the stack gives L1 this much below 4 GiB
    l2_low_end = 3 * GiB              # microvm: linear up to here
    vmm_base = 1 * MiB                # below it L2 has its BIOS
    room_below = 256 * MiB            # that a kernel needs
    room_above = 192 * MiB            # for the initial ramdisk

    def __post_init__(self):
        for name in ('l1_memory', 'l2_memory', 'l1_work_size'):
            if getattr(self, name) % (2 * MiB):
                raise ValueError(f'{name} must be a multiple of 2 MiB')
        if not 256 * MiB <= self.l2_memory <= self.l2_low_end:
            raise ValueError('the memory of L2 must be from 256M to '
                             f'{size_text(self.l2_low_end)}')
        low = min(self.l1_memory, self.low_end)
        fits_low = self.hole_size <= low - self.room_below - self.room_above
        fits_high = self.l1_memory - self.low_end >= self.hole_size
        if not (fits_low or fits_high):
            needed = self.hole_size + min(
                self.low_end, self.room_below + self.room_above)
            raise ValueError(
                f'{size_text(self.l1_memory)} is too little for L1: with '
                f'{size_text(self.l2_memory)} for L2 it needs '
                f'{size_text(needed)}, or {size_text(self.low_end)} more '
                'than that if it does not fit below 4 GiB')

    @property
    def hole_size(self):
        return self.l2_memory + self.l1_work_size

    @property
    def hole(self):
        """Physical address of the hole in L1's memory map."""
        low = min(self.l1_memory, self.low_end)
        highest = low - self.room_above - self.hole_size
        if highest < self.room_below:
            return 4 * GiB
        return min(1 * GiB, highest)

    @property
    def vmm_size(self):
        return self.l2_memory - self.vmm_base

    @property
    def vmm_target(self):
        """Host physical address of vmm_base."""
        return self.hole + self.vmm_base

    @property
    def l1_work_hpa(self):
        return self.hole + self.l2_memory

    @property
    def l2_work_gpa(self):
        return self.l2_memory // 4 // (2 * MiB) * (2 * MiB)

    @property
    def l2_work_size(self):
        return self.l2_memory // 2 // (2 * MiB) * (2 * MiB)

    @property
    def l2_work_hpa(self):
        return self.hole + self.l2_work_gpa

    @property
    def l1_append(self):
        """What L1's kernel command line says of the layout."""
        return (f'memmap={size_text(self.hole_size)}${size_text(self.hole)} '
                f'l2.memory={size_text(self.l2_memory)} l2.at={self.hole:#x} '
                f'l2.memmap={size_text(self.l2_work_size)}'
                f'${size_text(self.l2_work_gpa)}')


class Console:
    """A guest's serial console with a shell on it, through a socket.

    A thread of its own reads all the time, so that the guest never waits for
    the driver, and writes everything to a log.
    """
    _CONTROL = re.compile(r'\r|\x1b\[[0-9;?]*[A-Za-z]')

    def __init__(self, name, sock, log_path):
        self.name = name
        self.log_path = Path(log_path)
        self._sock = sock
        self._text = ''            # what no expect() has consumed yet
        self._tail = ''            # the last of all output, for messages
        self._ended = False
        self._changed = threading.Condition()
        self._listener = None
        self._count = 0            # of commands, to tell their marks apart
        self._command = None       # the one that runs now
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        with open(self.log_path, 'wb', buffering=0) as log:
            while True:
                try:
                    data = self._sock.recv(65536)
                except OSError:
                    data = b''
                with self._changed:
                    if not data:
                        self._ended = True
                        self._changed.notify_all()
                        return
                    log.write(data)
                    text = self._CONTROL.sub('', data.decode(errors='replace'))
                    self._text += text
                    self._tail = (self._tail + text)[-16 * KiB:]
                    self._changed.notify_all()
                    listener = self._listener
                if listener:
                    listener(data)

    def listen(self, listener):
        """Pass all that the guest prints from now on to a function too."""
        with self._changed:
            self._listener = listener

    def close(self):
        try:
            self._sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass                   # QEMU was faster
        self._thread.join()
        self._sock.close()

    def last_lines(self, count=LAST_LINES):
        lines = [line for line in self._tail.splitlines() if line.strip()]
        return '\n'.join(f'  {self.name}| {line}' for line in lines[-count:])

    def send(self, data):
        """Type something: text or bytes."""
        if isinstance(data, str):
            data = data.encode()
        try:
            self._sock.sendall(data)
        except OSError as error:
            raise StackError(f'{self.name}: QEMU has ended\n'
                             + self.last_lines()) from error

    def _wait(self, pattern, timeout):
        """Consume the output through the first match of a pattern."""
        deadline = time.monotonic() + timeout
        with self._changed:
            while True:
                found = pattern.search(self._text)
                if found:
                    before = self._text[:found.start()]
                    self._text = self._text[found.end():]
                    return before, found
                if self._ended:
                    raise StackError(f'{self.name}: QEMU has ended\n'
                                     + self.last_lines())
                left = deadline - time.monotonic()
                if left <= 0:
                    raise TimeOut(
                        f'{self.name}: {timeout:g} s passed without '
                        f'{pattern.pattern!r}\n' + self.last_lines())
                self._changed.wait(left)

    def _end_mark(self):
        return rf'DSEG-END-{self._count}-(?P<dseg_code>\d+)\n'

    def expect(self, regex, timeout=60):
        """Wait for output; returns the match.

        What comes before it is consumed too. If the running command ends
        first, that is an error.
        """
        if not self._command:
            return self._wait(re.compile(regex, re.M), timeout)[1]
        before, found = self._wait(
            re.compile(f'(?:{regex})|{self._end_mark()}', re.M), timeout)
        if found['dseg_code'] is not None:
            command, self._command = self._command, None
            raise CommandError(command, int(found['dseg_code']),
                               before.strip())
        return found

    def start(self, command):
        """Start a command in the shell; wait() or interrupt() ends it."""
        if self._command:
            raise StackError(f'{self.name}: {self._command!r} still runs')
        self._count += 1
        # The quotes keep the echo of the line from looking like the marks.
        self.send(f"echo D''SEG-BEGIN-{self._count}; "
                  f"eval {shlex.quote(command)}; "
                  f"echo D''SEG-END-{self._count}-$?\n")
        self._wait(re.compile(f'DSEG-BEGIN-{self._count}\n'), 30)
        self._command = command

    def wait(self, timeout=60):
        """Wait for the running command; returns its remaining output."""
        before, found = self._wait(re.compile(self._end_mark()), timeout)
        command, self._command = self._command, None
        code = int(found['dseg_code'])
        if code:
            raise CommandError(command, code, before.strip())
        return before

    def run(self, command, timeout=60):
        """Run a command and return its output."""
        self.start(command)
        return self.wait(timeout)

    def interrupt(self, timeout=30):
        """Press Ctrl-C; returns the running command's remaining output."""
        # The shell forgets the rest of a line whose command Ctrl-C killed,
        # so type the mark once more.
        self.send(f"\x03\necho D''SEG-END-{self._count}-130\n")
        before, _ = self._wait(re.compile(self._end_mark()), timeout)
        self._command = None
        return before


class Machine(QEMUMachine):
    """QEMU's own driver, with a limit to how long a QMP command may take."""
    qmp_timeout = 60

    def _post_launch(self):
        super()._post_launch()
        self._qmp.settimeout(self.qmp_timeout)


class Stack:
    """QEMU with L1, and L2 in it, as a context manager.

    QEMU dies with this process, or with the thread that called boot_l1(),
    whatever ends it.
    """

    def __init__(self, qemu=None, *, l1_memory='2G', l1_cpus=1,
                 l2_memory='512M', l2_cpus=1, cpu_extra='', kernel=None,
                 initrd=None, append='', machine='q35', extra_args=(),
                 qmp_socket=None, log_dir=None, monitor_on_consoles=False,
                 progress=lambda stage: None):
        """
        qemu: the binary; by default the one that this project built
        cpu_extra: appended to -cpu, such as 'dseg=on'
        kernel, initrd: of L1; by default what scripts/build-guests made
        append: more words for L1's kernel command line
        qmp_socket: path of a QMP socket for others; qmp() needs none
        log_dir: keeps the consoles' and QEMU's output; else it is dropped
        monitor_on_consoles: Ctrl-A c on a console reaches the monitor
        progress: called with the name of each stage that begins
        """
        self.layout = Layout(parse_size(l1_memory), parse_size(l2_memory))
        self.l1 = None
        self.l2 = None
        self._qemu = Path(qemu or os.environ.get('DSEG_QEMU')
                          or OUT / 'qemu/qemu-system-x86_64')
        self._cpus = l1_cpus
        self._l2_cpus = l2_cpus
        self._cpu = ','.join(filter(None, ['EPYC,+svm,+npt', cpu_extra]))
        self._kernel = Path(kernel or GUEST / 'vmlinuz')
        self._initrd = Path(initrd or GUEST / 'l1.cpio')
        self._append = append
        self._machine = machine
        self._extra_args = list(extra_args)
        self._qmp_socket = qmp_socket
        self._keep_logs = log_dir is not None
        self._log_dir = log_dir
        self._mux = ',mux=on' if monitor_on_consoles else ''
        self._progress = progress
        self._vm = None

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def _arguments(self):
        layout = self.layout
        args = ['-nodefaults', '-no-user-config', '-no-reboot',
                '-accel', 'tcg', '-cpu', self._cpu,
                '-machine', f'{self._machine},max-ram-below-4g='
                            f'{layout.low_end}',
                '-smp', str(self._cpus), '-m', size_text(layout.l1_memory)]
        for folder in FIRMWARE_DIRS:
            args += ['-L', folder]
        args += ['-kernel', str(self._kernel), '-initrd', str(self._initrd),
                 '-append', ' '.join(filter(None, [
                     'console=ttyS0 quiet panic=-1', layout.l1_append,
                     f'l2.cpus={self._l2_cpus}', self._append]))]
        if self._qmp_socket:
            args += ['-qmp', f'unix:{self._qmp_socket},server=on,wait=off']
        return args + self._extra_args

    def _console(self, name, vm):
        """Add a serial port to a VM; returns both ends of its socket."""
        ours, qemus = socket.socketpair()
        os.set_inheritable(qemus.fileno(), True)
        vm.add_args('-chardev',
                    f'socket,id={name},fd={qemus.fileno()}{self._mux}',
                    '-serial', f'chardev:{name}')
        if self._mux:
            vm.add_args('-mon', f'chardev={name}')
        return ours, qemus

    def _launch(self):
        for file in (self._qemu, self._kernel, self._initrd):
            if not file.exists():
                raise BootError(f'{file} does not exist; scripts/build-qemu '
                                'makes QEMU, scripts/build-guests the guests')
        if not self._keep_logs:
            self._log_dir = tempfile.mkdtemp(prefix='dseg-')
        logs = Path(self._log_dir)
        logs.mkdir(parents=True, exist_ok=True)
        # The kernel kills QEMU when we die, even by SIGKILL.
        vm = Machine(str(self._qemu), args=self._arguments(), name='qemu',
                     wrapper=['setpriv', '--pdeathsig', 'KILL'],
                     log_dir=str(logs))
        l1, l1_qemu = self._console('l1', vm)
        l2, l2_qemu = self._console('l2', vm)
        self._vm = vm
        self.l1 = Console('L1', l1, logs / 'l1.log')
        self.l2 = Console('L2', l2, logs / 'l2.log')
        try:
            vm.launch()
        except VMLaunchFailure as error:
            raise BootError(f'QEMU did not start: {error.output}') from error
        finally:
            l1_qemu.close()
            l2_qemu.close()

    def _boot(self, console, prompt, timeout):
        """Wait for a guest's first prompt."""
        ended = 'l2: the VMM ended with exit code'
        try:
            found = console.expect(f'({prompt})|{ended}', timeout)
        except StackError as error:
            raise BootError(f'{console.name} did not boot: {error}'
                            + self._qemu_messages()) from error
        if not found[1]:
            log = self.l1.run('cat /tmp/l2.log', timeout=10)
            raise BootError('L2 did not boot: its VMM ended\n'
                            f'{log}{console.last_lines()}')

    def _qemu_messages(self):
        """What QEMU itself has said, for a message."""
        log = (Path(self._log_dir) / 'qemu.log').read_text(errors='replace')
        # TCG lacks a few features of an EPYC that nothing here needs.
        text = '\n'.join(line for line in log.splitlines()
                         if "TCG doesn't support requested" not in line)
        return f'\nQEMU says: {text}' if text else ''

    def boot_l1(self, timeout=120):
        """Start QEMU; returns when L1 has a shell prompt."""
        self._progress('L1 boots')
        self._launch()
        self._boot(self.l1, r'^l1# ', timeout)

    def boot_l2(self, timeout=120, append=''):
        """Start L2 in L1; returns when L2 has a shell prompt."""
        self._progress('L2 boots')
        self.l1.run(f'L2_APPEND={shlex.quote(append)} l2 >/tmp/l2.log 2>&1 &')
        self._boot(self.l2, r'^l2# ', timeout)

    def qmp(self, command, **arguments):
        """Run a QMP command; '_' in the arguments' names stands for '-'."""
        try:
            return self._vm.cmd(command, **arguments)
        except ExecuteError as error:
            raise MonitorError(error.error.desc) from error
        except (QMPError, asyncio.TimeoutError, OSError) as error:
            raise MonitorError(f'{command}: QEMU did not answer: '
                               f'{error!r}') from error

    def hmp(self, line):
        """Run a line of the human monitor; returns what it prints."""
        text = self.qmp('human-monitor-command', command_line=line)
        return text.replace('\r\n', '\n')

    def close(self):
        """End QEMU, whatever state it is in, and remove temporary files."""
        if self._vm:
            try:
                self._vm.shutdown(timeout=5)
            except AbnormalShutdown:
                pass               # it is killed all the same
        for console in filter(None, (self.l1, self.l2)):
            console.close()
        self._vm = None
        if self._log_dir and not self._keep_logs:
            shutil.rmtree(self._log_dir, ignore_errors=True)
            self._log_dir = None
