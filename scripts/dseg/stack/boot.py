# SPDX-License-Identifier: GPL-2.0-or-later
"""Boots L1, or L1 and L2, to a shell on the terminal, or runs a workload there."""

import shutil
import sys
import threading

from .. import positive_number, run_main
from ..base import options
from ..base.progress import Line
from .counting import counting
from .layout import Layout
from .modes import MODES
from .stack import Stack, qemu_binary
from .terminal import attach, require_input
from .ways import Modified, Unmodified
from .workload import Workload

WORKLOADS = ('gups', 'chase', 'triad', 'bfs', 'btree', 'cg', 'hashjoin', 'xsbench')
ROUND = r'^\w+: round \d+ .*\n'
ROUND_TIMEOUT = 300


class Progress:
    """Shows the stage that booting is in, and the seconds since the start."""

    def __init__(self, title):
        self._line = Line(title)
        self._stage = ''
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._show, daemon=True)

    def _show(self):
        while not self._done.wait(0.2):
            self._line.show(self._stage)

    def __call__(self, stage):
        self._stage = stage

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, failed, *details):
        self._done.set()
        self._thread.join()
        self._line.end(f'failed: {self._stage}' if failed else 'done')


def way_of(args):
    """How modes are set."""
    return Unmodified if args.unmodified else Modified


def cpu_of(args):
    """What -cpu has besides."""
    if args.dseg == 'off':
        return ''
    return counting(args.tlb, caches=args.caches)


def stack_of(args, progress):
    """The stack that the options describe."""
    return Stack(
        qemu_binary(args.stock), l1_memory=args.memory, l1_cpus=args.cpus,
        l2_memory=args.l2_memory, l2_cpus=args.l2_cpus,
        cpu_extra=cpu_of(args), kernel=args.kernel,
        holes=way_of(args).holes, initrd=args.initrd, append=args.append, disk=args.disk,
        disk_write=args.write, extra_args=args.qemu_args, qmp_socket=args.qmp, log_dir=args.logs,
        monitor_on_consoles=not args.workload, progress=progress)


def world_of(args):
    """Where the workload runs."""
    if args.mode:
        return MODES[args.mode].world
    return 'nested' if args.l2 else 'native'


def run_workload(stack, args):
    """Run a workload in the mode wanted and show its rounds; returns the exit code."""
    world = world_of(args)
    console = stack.l2 if world == 'nested' else stack.l1
    way = way_of(args)(stack, args.workload)
    if args.mode:
        workload = way.enter(args.mode)
        workload.begin_round()          # the one before was in this mode in part only
    else:
        workload = Workload(stack, world, args.workload)
    bad = 0
    for _ in range(args.rounds):
        line = console.expect(ROUND, ROUND_TIMEOUT)[0]
        print(line, end='', flush=True)
        bad += ' BAD ' in line
    workload.stop()
    return 1 if bad else 0


def fit_shell(console):
    """Tell a guest's shell how large the terminal is."""
    columns, lines = shutil.get_terminal_size()
    console.run(f'stty rows {lines} cols {columns}')


def use_shell(stack, args):
    """Connect the terminal with the shells that wait in the guests."""
    if args.mode:
        way_of(args)(stack, None).prepare(args.mode)
    consoles = [stack.l1, stack.l2][:2 if args.l2 else 1]
    if sys.stdin.isatty():
        for console in consoles:
            fit_shell(console)
    consoles[-1].send('\n')             # for a new prompt
    attach(stack, consoles[-1], args.timeout)
    return 0


def boot_own_system(stack, args):
    """We do not know what it prints at which time, so we only connect it."""
    stack.launch()
    attach(stack, stack.l1, args.timeout)
    return 0


def boot(args):
    progress = Progress('Booting')
    with stack_of(args, progress) as stack:
        if args.disk or args.initrd:
            return boot_own_system(stack, args)
        with progress:
            stack.boot_l1(args.timeout)
            if args.l2:
                stack.boot_l2(args.timeout)
        return run_workload(stack, args) if args.workload else use_shell(stack, args)


def parser():
    """scripts/boot says what each of them is."""
    p = options.Parser('scripts/boot')
    p.add_argument('--l2', action='store_true')
    p.add_argument('--memory', type=options.size, default='2G')
    p.add_argument('--l2-memory', type=options.size, default='512M')
    p.add_argument('--cpus', type=options.count, default=1)
    p.add_argument('--l2-cpus', type=options.count, default=1)
    p.add_argument('--kernel', type=options.file)
    p.add_argument('--initrd', type=options.file)
    p.add_argument('--append', default='')
    p.add_argument('--disk', type=options.file)
    p.add_argument('--write', action='store_true')
    p.add_argument('--workload')
    p.add_argument('--rounds', type=options.count, default=3)
    p.add_argument('--mode', choices=MODES)
    p.add_argument('--unmodified', action='store_true')
    p.add_argument('--qmp', type=options.path)
    p.add_argument('--stock', action='store_true')
    p.add_argument('--dseg', choices=('on', 'off'), default='on')
    p.add_argument('--tlb', type=options.text)
    p.add_argument('--caches', action='store_true')
    p.add_argument('--timeout', type=positive_number, default=120)
    p.add_argument('--logs', type=options.new_folder)
    p.add_argument('qemu_args', nargs='*')
    return p


def parse_arguments(arguments):
    p = parser()
    args = p.parse_args(arguments)
    own_system = args.disk or args.initrd
    if args.stock:
        args.dseg = 'off'
    if args.workload is not None and (args.workload.split() or [''])[0] not in WORKLOADS:
        p.error(f'--workload: must begin with one of {", ".join(WORKLOADS)}')
    if args.mode and args.dseg == 'off':
        p.error('--mode: needs a CPU with the extension, so no --stock and no --dseg off')
    if args.unmodified and args.mode and MODES[args.mode].guest and not args.workload:
        p.error(f'--mode: {args.mode} --unmodified needs a --workload, whose memory the segment '
                'covers')
    if args.caches and not args.tlb:
        p.error('--caches: they are those of a geometry, so it needs a --tlb')
    if args.write and not args.disk:
        p.error('--write: needs a --disk')
    if args.qmp and args.qmp.exists() and not args.qmp.is_socket():
        p.error(f'--qmp: {args.qmp} is there already, and no socket; QEMU would remove it')
    if own_system and (args.l2 or args.workload or args.mode):
        p.error('--l2, --workload and --mode need the L1 of this project, '
                'so no --disk and no --initrd')
    if not args.workload:
        require_input()
    Layout(args.memory, args.l2_memory, holes=way_of(args).holes)       # says what does not fit
    args.l2 = args.l2 or bool(args.mode) and MODES[args.mode].world == 'nested'
    return args


def main(arguments):
    return boot(parse_arguments(arguments))


if __name__ == '__main__':
    run_main('boot', main)
