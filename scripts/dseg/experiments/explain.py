# SPDX-License-Identifier: GPL-2.0-or-later
"""scripts/explain: pictures of translations, live or from a file."""

import asyncio
import json
import sys
import time

from .. import Failure, patient, run_main, unwritable
from ..base import options
from ..base.atomically import beside
from . import explaincounts

FORMATS = ('.svg', '.png', '.pdf')
OFFSET = 0x678          # of the address into a page
SECONDS = 60            # how long the CPU may take to run the benchmark


def main(arguments):
    """What the command line asks for."""
    args = parse_arguments(arguments)
    if args.counts:
        draw_counts(args)
    elif args.json:
        draw(read(args.json), args.out)
    elif args.qmp:
        draw_running(args)
    else:
        draw_modes(args.out)
    return 0


def parse_arguments(arguments):
    parser = options.Parser('explain')
    parser.add_argument('--out', type=options.path, required=True)
    parser.add_argument('--json', type=options.file)
    parser.add_argument('--qmp', type=options.text)
    parser.add_argument('--counts', action='store_true')
    parser.add_argument('--address', type=lambda text: int(text, 0))
    parser.add_argument('--cpu', type=int)
    parser.add_argument('--access', choices=('load', 'store', 'fetch'))
    parser.add_argument('--privilege', choices=('user', 'kernel'))
    parser.add_argument('--level', choices=('guest', 'vmm'))
    args = parser.parse_args(arguments)
    if args.json and args.qmp:
        parser.error('--json and --qmp: only one of them')
    check_counts(parser, args)
    if bool(args.qmp) != (args.address is not None) and not args.counts:
        parser.error('--qmp and --address: both are needed, or none')
    formats = (*FORMATS, explaincounts.TEXT) if args.counts else FORMATS
    if (args.json or args.qmp) and args.out.suffix not in formats:
        parser.error(f'--out: the picture must end in {", ".join(formats)}')
    if not (args.json or args.qmp) and args.out.exists() and not args.out.is_dir():
        parser.error(f'--out: {args.out} is no folder')
    return args


def check_counts(parser, args):
    """What goes with --counts, and what does not."""
    if not args.counts:
        return
    if not (args.json or args.qmp):
        parser.error('--counts: --qmp or --json is needed')
    for name in ('address', 'access', 'privilege', 'level'):
        if getattr(args, name) is not None:
            parser.error(f'--counts and --{name}: only one of them')


def read_json(file):
    """What a file has."""
    try:
        return json.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise Failure(f'{file} can\'t be read as JSON: {error}') from error


def read(file):
    """A reply from a file, by itself or as QMP sends it."""
    reply = read_json(file)
    reply = reply.get('return', reply) if isinstance(reply, dict) else {}
    if 'guest-levels' not in reply:
        raise Failure(f'{file} is no reply to x86-dseg-translate')
    return reply


def draw(reply, picture):
    """Write one picture."""
    # What draws is of a package that reading the options does not need.
    from ..drawing import grid  # pylint: disable=import-outside-toplevel
    write(picture, lambda part: grid.draw(reply, part))


def write(path, how):
    """Let how(part) write what becomes the file path, and say so."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(path, error) from error
    with beside(path) as part:
        how(part)
    print(path)


def keep(reply, file):
    write(file, lambda part: part.write_text(json.dumps(reply, indent=1) + '\n'))


def draw_running(args):
    """Draw what a machine that is running says of an address."""
    names = ('address', 'cpu', 'access', 'privilege', 'level')
    asked = {name: getattr(args, name) for name in names if getattr(args, name) is not None}
    reply = ask(args.qmp, lambda command: command('x86-dseg-translate', **asked))
    keep(reply, args.out.with_suffix('.json'))
    draw(reply, args.out)


def draw_counts(args):
    """Draw where steps were found in a machine that is running, or what was kept of one."""
    if args.json:
        reply = explaincounts.check(read_json(args.json), args.json)
    else:
        reply = ask(args.qmp, lambda command: explaincounts.ask(command, args.cpu or 0))
    maps = explaincounts.maps_of(reply)
    if args.qmp:
        keep(reply, args.out.with_suffix('.json'))
    write(args.out, lambda part: explaincounts.write(maps, part))


def ask(socket, question):
    """What question() returns of a machine that is running; it is given what sends a command."""
    # QEMU's Python modules come with its source; a file can be drawn without.
    # pylint: disable=import-outside-toplevel
    from ..stack import stack
    stack.require_modules()
    from qemu.qmp.legacy import QEMUMonitorProtocol
    monitor = QEMUMonitorProtocol(socket)
    try:
        monitor.settimeout(patient(SECONDS))
        monitor.connect()
        return question(monitor.cmd)
    except (stack.QMPError, asyncio.TimeoutError, OSError) as error:
        raise Failure(f'{socket}: {error}') from error
    finally:
        monitor.close()


def draw_modes(folder):
    """Boot, and draw one address of GUPS in L2 in each mode."""
    # pylint: disable=import-outside-toplevel
    from ..drawing import grid
    from ..stack.workload import Workload
    from ..stack.modes import MODES, set_mode
    from ..stack.stack import Stack
    modes = [name for name, mode in MODES.items() if mode.world == 'nested']
    replies = []
    with Stack(cpu_extra='dseg=on', progress=say) as stack:
        stack.boot_l1()
        stack.boot_l2()
        say('GUPS starts in L2')
        workload = Workload(stack, 'nested', 'gups --bytes 64M')
        workload.begin_round()      # has touched each page
        for mode in modes:
            say(mode)
            set_mode(stack, mode, workload.area)
            replies.append(translate(stack, workload.area, mode))
    for mode, reply in zip(modes, replies):
        keep(reply, folder / f'{mode}.json')
        draw(reply, folder / f'{mode}.svg')
    overview = folder / 'overview.svg'
    write(overview, lambda part: grid.draw_overview(replies, part))


def say(what):
    print(what, file=sys.stderr, flush=True)


def translate(stack, area, mode):
    """The reply for the middle of a work area, while the CPU runs its program."""
    address = area.va + area.bytes // 2 + OFFSET
    end = time.monotonic() + patient(SECONDS)
    while time.monotonic() < end:
        reply = stack.qmp('x86-dseg-translate', address=address, privilege='user')
        if reply.get('regime') == mode and reply['mapping'].get('gpa') == \
                address - area.va + area.pa:
            return reply
    raise Failure(f'{mode}: the CPU has not run the benchmark for {patient(SECONDS):g} s')


if __name__ == '__main__':
    run_main('explain', main)
