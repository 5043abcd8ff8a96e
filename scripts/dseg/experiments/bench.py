# SPDX-License-Identifier: GPL-2.0-or-later
"""Measures what the extension costs in speed: against stock QEMU, or what its TLB costs."""

import json
import statistics
import sys
import time

from .. import run_main
from ..base import options
from ..base.atomically import write_text
from ..stack.modes import set_mode
from ..stack.stack import Stack, qemu_binary
from ..stack.workload import Workload
from . import bench_tlb

# Name, whether it is stock QEMU, and what its -cpu has besides.
CONFIGURATIONS = (
    ('stock', True, ''),
    ('dseg=off', False, 'dseg=off'),
    ('dseg=on', False, 'dseg=on'),
)
# What is measured, and whether more is better.
MEASURES = (
    ('L1 boot, s', False),
    ('L2 boot, s', False),
    ('L2 GUPS, updates/s', True),
)
DUAL = 'L2 GUPS in dual-direct, updates/s'


def timed(function):
    start = time.monotonic()
    function()
    return time.monotonic() - start


def speed(workload, rounds):
    """Median updates per second; the round that runs now does not count."""
    workload.begin_round()
    return statistics.median(workload.next_round().updates_per_s for _ in range(rounds))


def run_once(stock, cpu_extra, args):
    """One boot of the stack: what was measured, by name."""
    with Stack(qemu_binary(stock), cpu_extra=cpu_extra) as stack:
        found = {'L1 boot, s': timed(stack.boot_l1), 'L2 boot, s': timed(stack.boot_l2)}
        workload = Workload(stack, 'nested', f'gups --bytes {args.bytes}')
        found['L2 GUPS, updates/s'] = speed(workload, args.rounds)
        if cpu_extra == 'dseg=on':
            set_mode(stack, 'dual-direct', workload.area)
            found[DUAL] = speed(workload, args.rounds)
        return found


def run_all(args):
    """All runs: for each, what was measured in each configuration."""
    runs = []
    for number in range(args.runs):
        # The order rotates, so that none is always first on a machine that warms up.
        turn = number % len(CONFIGURATIONS)
        run = {}
        for name, stock, cpu_extra in CONFIGURATIONS[turn:] + CONFIGURATIONS[:turn]:
            found = run_once(stock, cpu_extra, args)
            run[name] = found
            print(f'run {number + 1} of {args.runs}, {name}: '
                  + ', '.join(f'{what} {value:.4g}' for what, value in found.items()),
                  file=sys.stderr, flush=True)
        runs.append(run)
    return runs


def slowdowns(runs, configuration, measure, more_is_better):
    """By how much the configuration is slower than stock, in each run: 1 is as fast."""
    pairs = [(run[configuration][measure], run['stock'][measure]) for run in runs]
    return [stock / found if more_is_better else found / stock for found, stock in pairs]


def gains(runs):
    """How much faster dual-direct is than base, in each run."""
    return [run['dseg=on'][DUAL] / run['dseg=on']['L2 GUPS, updates/s'] for run in runs]


def spread(ratios):
    return f'{statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})'


def table(runs):
    """The results as rows of a Markdown table."""
    lines = ['| | stock | dseg=off, time relative to stock | dseg=on, time relative to stock |',
             '| --- | --- | --- | --- |']
    for measure, more_is_better in MEASURES:
        stock = statistics.median(run['stock'][measure] for run in runs)
        lines.append(f'| {measure} | {stock:.4g} | '
                     + ' | '.join(spread(slowdowns(runs, name, measure, more_is_better))
                                  for name in ('dseg=off', 'dseg=on')) + ' |')
    return '\n'.join(lines)


def parse_arguments(arguments):
    parser = options.Parser('scripts/bench')
    parser.add_argument('what', choices=['overhead', 'tlb'])
    parser.add_argument('--runs', type=options.count, default=5)
    parser.add_argument('--rounds', type=options.count, default=5)
    parser.add_argument('--bytes', type=options.size, default='128M')
    parser.add_argument('--all', action='store_true')
    parser.add_argument('--json', type=options.new_file)
    return parser.parse_args(arguments)


def main(arguments):
    args = parse_arguments(arguments)
    if args.what == 'tlb':
        return bench_tlb.bench(args)
    runs = run_all(args)
    print(f'\nMedians of {args.runs} paired runs, with the lowest and the highest:\n')
    print(table(runs))
    print(f'\ndual-direct is {spread(gains(runs))} times as fast as base in updates/s')
    if args.json:
        write_text(args.json, json.dumps({'schema': 1, 'runs': runs}, indent=1) + '\n')
    return 0


if __name__ == '__main__':
    run_main('bench', main)
