# SPDX-License-Identifier: GPL-2.0-or-later
"""Drives the stack: QEMU, the guest L1 in it, and the nested guest L2.

    with Stack() as stack:
        stack.boot_l1()
        stack.boot_l2()
        print(stack.l2.run('uname -a'))
        print(stack.qmp('query-status'))
"""

import asyncio
import contextlib
import logging
import os
import shlex
import shutil
import socket
import sys
import tempfile
import time
from pathlib import Path

from .. import OUT, patient
from ..base.processes import dying_with_us
from ..base.sizes import GiB, parse_size, size_text
from .console import L2_ENDED, CommandError, Console, StackError, TimeOut
from .layout import Layout

sys.path.insert(0, str(OUT / 'qemu-src/python'))
try:
    # pylint: disable=wrong-import-position
    from qemu.machine import QEMUMachine
    from qemu.machine.machine import AbnormalShutdown, VMLaunchFailure
    from qemu.qmp import QMPError
    from qemu.qmp.qmp_client import ExecuteError
except ImportError:
    QEMUMachine = None      # options can be read without it; what needs it says so
    AbnormalShutdown = VMLaunchFailure = QMPError = ExecuteError = StackError

__all__ = ['BootError', 'CommandError', 'Console', 'Layout', 'MonitorError', 'Stack',
           'StackError', 'TimeOut', 'qemu_binary']

GUEST = OUT / 'guest'
PROGRAMS = GUEST / 'debian.img'         # of scripts/build-programs: there or not
FIRMWARE_DIRS = ('/usr/share/seabios', '/usr/share/qemu', '/usr/lib/ipxe/qemu')
CPU = 'EPYC,+svm,+npt'


class BootError(StackError):
    """A guest did not boot; the message has its last lines."""


class MonitorError(StackError):
    """QEMU refused a monitor command; the message is QEMU's own."""


def require_modules():
    """Raise StackError where QEMU's Python modules are not there."""
    if not QEMUMachine:
        raise StackError(f'QEMU\'s Python modules are not in {OUT / "qemu-src/python"}: '
                         'run scripts/fetch-qemu')


class Machine(QEMUMachine or object):
    """QEMU's own driver: QEMU ends with the thread that starts it, and no QMP command takes long."""
    qmp_timeout = 60

    def __init__(self, binary, **options):
        require_modules()
        super().__init__(binary, wrapper=dying_with_us([]), **options)

    def _post_launch(self):
        super()._post_launch()
        self._qmp.settimeout(patient(self.qmp_timeout))

    def wait(self, timeout=0):
        """launch() calls it when it fails: as nobody has told QEMU to end, that would last."""
        # asyncio would show at the end that it was connecting just then.
        logging.getLogger('asyncio').setLevel(logging.CRITICAL)
        self.kill()


def qemu_binary(stock=False):
    """The QEMU that scripts/build-qemu made, or the one that DSEG_QEMU names."""
    return Path(os.environ.get('DSEG_QEMU') or
                OUT / ('stock' if stock else '') / 'qemu/qemu-system-x86_64')


class Stack:
    """QEMU with L1, and L2 in it, as a context manager.

    QEMU ends with the with statement, and with the thread that started it, whatever ends that.
    """
    QMPError = MonitorError

    def __init__(self, qemu=None, *, l1_memory='2G', l1_cpus=1, l2_memory='512M', l2_cpus=1,
                 l2_split=False, holes=True, cpu_extra='', machine='q35', kernel=None,
                 initrd=None, append='', disk=None, disk_write=False, programs=PROGRAMS,
                 programs_are_memory=False, record=None, replay=None,
                 extra_args=(), qmp_socket=None, log_dir=None, monitor_on_consoles=False,
                 progress=lambda stage: None):
        """
        qemu: the binary; by default the one that this project built
        l2_split: L2 may have memory above 4 GiB, too: no VMM segment covers both parts
        holes: leave memory out of both guests' kernels, for segments set from outside
        cpu_extra: appended to -cpu, such as 'dseg=on'
        kernel, initrd: of L1; by default what scripts/build-guests made, unless there is a disk
        append: more words for L1's kernel command line
        disk: an image for L1, which boots from it if there is no kernel
        disk_write: keep what L1 writes to it
        programs: a disk of scripts/build-programs, if it is there; None for no such disk
        programs_are_memory: L1 has it as persistent memory
        record: a file that will have all that makes this run what it is
        replay: such a file: the same happens, to the last instruction
        qmp_socket: path of a QMP socket for others; qmp() needs none
        log_dir: keeps the output of QEMU and of the consoles, else dropped
        monitor_on_consoles: Ctrl-A c on a console reaches QEMU's monitor
        progress: called with the name of each stage that begins
        """
        self.layout = Layout(parse_size(l1_memory), parse_size(l2_memory), holes=holes,
                             l2_split=l2_split)
        self.l1 = None
        self.l2 = None
        self._qemu = Path(qemu or qemu_binary())
        self._cpus = l1_cpus
        self._l2_cpus = l2_cpus
        self._cpu = ','.join(filter(None, [CPU, cpu_extra]))
        self._machine = machine
        self._kernel = kernel or (None if disk else GUEST / 'vmlinuz')
        self._initrd = initrd or (None if disk else GUEST / 'l1.cpio')
        self._append = append
        self._disk = disk
        self._disk_write = disk_write
        initrd = self._initrd == GUEST / 'l1.cpio'
        self._programs = Path(programs) if programs and initrd and Path(programs).exists() else None
        self._programs_are_memory = programs_are_memory and self._programs is not None
        self._record = record
        self._replay = replay
        self._extra_args = list(extra_args)
        self._qmp_socket = qmp_socket
        self._log_dir = log_dir
        self._keep_logs = log_dir is not None
        self._mux = monitor_on_consoles
        self._progress = progress
        self._vm = None

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def launch(self):
        """Start QEMU and return at once; boot_l1() also waits for L1's shell."""
        for file in filter(None, (self._qemu, self._kernel, self._initrd, self._disk)):
            if not Path(file).exists():
                raise BootError(f'{file} does not exist (scripts/build-qemu makes QEMU, with '
                                '--stock the other one; scripts/build-guests the rest)')
        try:
            if not self._keep_logs:
                self._log_dir = tempfile.mkdtemp(prefix='dseg-')
            logs = Path(self._log_dir)
            logs.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BootError(f'there is no place for the consoles\' output: {error}') from error
        self._vm = Machine(str(self._qemu), args=self._arguments(), name='qemu',
                           log_dir=str(logs))
        self.l1, qemus_l1 = self._add_console('L1', logs / 'l1.log')
        self.l2, qemus_l2 = self._add_console('L2', logs / 'l2.log')
        self._vm.add_args(*self._extra_args)
        try:
            self._vm.launch()
        except VMLaunchFailure as error:
            raise BootError(f'QEMU did not start: {error.output or error.__cause__}') from error
        finally:
            qemus_l1.close()
            qemus_l2.close()

    def _arguments(self):
        args = ['-nodefaults', '-no-user-config', '-no-reboot', '-accel', 'tcg',
                '-machine', f'{self._machine},max-ram-below-4g={self.layout.low_end}'
                + (',nvdimm=on' if self._programs_are_memory else ''),
                '-cpu', self._cpu, '-smp', str(self._cpus), '-m', size_text(self.layout.l1_memory)
                + (f',slots=1,maxmem={size_text(self.layout.l1_memory + 2 * GiB)}'
                   if self._programs_are_memory else '')]
        for folder in FIRMWARE_DIRS:
            args += ['-L', folder]
        if self._kernel:
            args += ['-kernel', str(self._kernel), '-append', self._command_line()]
        if self._initrd:
            args += ['-initrd', str(self._initrd)]
        if self._disk:
            args += self._disk_arguments('disk', self._drive())
        if self._programs:
            args += self._programs_arguments(str(self._programs).replace(',', ',,'))
        if self._record or self._replay:
            args += self._replay_arguments()
        if self._qmp_socket:
            args += ['-qmp', f'unix:{self._qmp_socket},server=on,wait=off']
        return args

    def _programs_arguments(self, file):
        if not self._programs_are_memory:
            return self._disk_arguments('programs', f'file={file},format=raw', ',readonly=on')
        size = self._programs.stat().st_size
        return ['-object', f'memory-backend-file,id=programs,mem-path={file},size={size},'
                'share=off,readonly=on,rom=off', '-device', 'nvdimm,memdev=programs']

    def _disk_arguments(self, name, drive, readonly=''):
        if not (self._record or self._replay):
            return ['-drive', f'{drive},if=virtio{readonly}']
        # This driver has requests end when the recording says.
        return ['-drive', f'{drive},if=none,id={name}{readonly}',
                '-drive', f'driver=blkreplay,if=none,image={name},id={name}-replay{readonly}',
                '-device', f'virtio-blk-pci,drive={name}-replay']

    def _replay_arguments(self):
        kind = 'record' if self._record else 'replay'
        file = str(self._record or self._replay).replace(',', ',,')
        return ['-icount', f'shift=1,rr={kind},rrfile={file}', '-rtc', 'clock=vm,base=2026-01-01']

    def _command_line(self):
        # A kernel that panics ends QEMU, by panic=-1 and -no-reboot. It would also panic if its
        # timer did not tick at once, as on a busy machine.
        return ' '.join(filter(None, [
            'console=ttyS0 quiet panic=-1 no_timer_check', self.layout.l1_append(),
            f'l2.cpus={self._l2_cpus}', self._append,
            'modules=nfit,nd_pmem' if self._programs_are_memory else '']))

    def _drive(self):
        with open(self._disk, 'rb') as image:
            form = 'qcow2' if image.read(4) == b'QFI\xfb' else 'raw'
        file = str(self._disk).replace(',', ',,')
        snapshot = 'off' if self._disk_write else 'on'
        return f'file={file},format={form},snapshot={snapshot}'

    def _add_console(self, name, log):
        """A serial port that we talk to by a socket: returns its console, and QEMU's end."""
        ours, qemus = socket.socketpair()
        os.set_inheritable(qemus.fileno(), True)
        mux = ',mux=on' if self._mux else ''
        self._vm.add_args('-chardev', f'socket,id={name},fd={qemus.fileno()}{mux}',
                          '-serial', f'chardev:{name}')
        if self._mux:
            self._vm.add_args('-mon', f'chardev={name}')
        return Console(name, ours, log), qemus

    def boot_l1(self, timeout=120):
        """Start QEMU; returns when L1 has a shell prompt."""
        self._progress('L1 boots')
        self.launch()
        self._wait_for_prompt(self.l1, 'l1# ', timeout)

    def boot_l2(self, timeout=120, append='', settings='', arguments=''):
        """Start L2 in L1; returns when L2 has a shell prompt.

        append: more words for L2's kernel command line
        settings: of the command l2 in L1, such as 'L2_MACHINE=q35'
        arguments: more of L2's VMM
        """
        self._progress('L2 boots')
        self.l2.clear()
        self.l1.run(self.l2_command(append, settings, arguments))
        self._wait_for_prompt(self.l2, 'l2# ', timeout)

    def l2_command(self, append, settings, arguments):
        """The command that starts L2 in L1, for what boot_l2() is given."""
        append = f'{self.layout.l2_append()} {append}'
        return (f'L2_APPEND={shlex.quote(append)} {settings} l2 -- {arguments} '
                '>/tmp/l2.log 2>&1 &')

    def last_lines(self):
        """The last that the guests have printed, for a message."""
        return ''.join(f'\n{console.last_lines()}' for console in (self.l1, self.l2))

    def _wait_for_prompt(self, console, prompt, timeout):
        try:
            found = console.expect(f'^({prompt})|{L2_ENDED}', timeout, 'a shell')
        except StackError as error:
            raise BootError(f'{console.name} did not boot\n{error}{self._qemu_says()}'
                            f'{self._where_cpus_are()}') from error
        if not found[1]:
            log = self.l1.run('cat /tmp/l2.log', timeout=10)
            raise BootError(f'L2 did not boot:\n{log}{console.last_lines()}')

    @property
    def pid(self):
        """QEMU's."""
        return self._vm.get_pid()

    def qemu_log(self):
        """What QEMU itself has printed."""
        return (Path(self._log_dir) / 'qemu.log').read_text(errors='replace')

    def _qemu_says(self):
        """The same, for a message."""
        # TCG lacks a few features of an EPYC that nothing here needs.
        text = '\n'.join(line for line in self.qemu_log().splitlines()
                         if 'TCG doesn\'t support requested feature' not in line)
        return f'\nQEMU says: {text}' if text else ''

    def _where_cpus_are(self):
        """What L1's CPUs are executing, for a message."""
        try:
            lines = self.hmp('info registers -a').splitlines()
        except MonitorError as error:
            return f'\n{error}'
        return '\n'.join(['\nL1\'s CPUs:', *(line for line in lines if 'IP=' in line)])

    def qmp(self, command, **arguments):
        """Run a QMP command; '_' in the arguments' names stands for '-'."""
        try:
            return self._vm.cmd(command, **arguments)
        except ExecuteError as error:
            raise MonitorError(str(error)) from error
        except (QMPError, asyncio.TimeoutError, OSError) as error:
            raise MonitorError(f'{command}: QEMU does not answer: {error!r}'
                               f'{self._post_mortem()}') from error

    def _post_mortem(self):
        """What can be said of a QEMU that does not answer."""
        time.sleep(1)                   # it may be about to end
        code = self._vm.exitcode()
        state = 'QEMU still runs' if code is None else f'QEMU has ended with exit code {code}'
        return '\n'.join([f'; {state}{self._qemu_says()}',
                          *(console.last_lines() for console in (self.l1, self.l2))])

    def markers(self):
        """The last one of each label since the counters were reset, or a state was loaded."""
        return {marker['label']: marker for marker in self.qmp('query-x86-dseg-markers')}

    def event(self, name, timeout=60):
        """Wait for QEMU's next event of that name, and drop others; returns its data, if it has any."""
        timeout = patient(timeout)
        end = time.monotonic() + timeout
        try:
            while (left := end - time.monotonic()) > 0:
                event = self._vm.get_qmp_event(wait=left)
                if event and event['event'] == name:
                    return event.get('data')
        except (QMPError, asyncio.TimeoutError, OSError) as error:
            raise MonitorError(f'no event {name}: {error!r}{self._post_mortem()}') from error
        raise MonitorError(f'no event {name} in {timeout} s')

    def has_event(self, name, seconds):
        """Whether it comes within so many seconds; others are dropped."""
        try:
            return self._vm.event_wait(name, timeout=float(seconds)) is not None
        except TimeoutError:
            return False
        except (QMPError, asyncio.TimeoutError, OSError) as error:
            raise MonitorError(f'no event {name}: {error!r}{self._post_mortem()}') from error

    def hmp(self, line):
        """Run a line of the human monitor; returns what it prints."""
        return self.qmp('human-monitor-command', command_line=line).replace('\r\n', '\n')

    def close(self):
        """End QEMU, whatever state it is in, and remove temporary files."""
        # From the last one on, each of them whatever interrupts the one before.
        with contextlib.ExitStack() as each:
            if self._log_dir and not self._keep_logs:
                each.callback(shutil.rmtree, self._log_dir, ignore_errors=True)
                self._log_dir = None
            for console in filter(None, (self.l1, self.l2)):
                each.callback(console.close)
            if self._vm:
                each.enter_context(contextlib.suppress(AbnormalShutdown))   # it has been killed
                each.callback(self._vm.shutdown, timeout=5)
            self._vm = self.l1 = self.l2 = None
