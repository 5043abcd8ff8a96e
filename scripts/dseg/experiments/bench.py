# SPDX-License-Identifier: GPL-2.0-or-later
"""Measures what the extension costs in speed: against stock QEMU, or what its TLB costs."""

import statistics
import time

from .. import run_main
from ..base import options
from ..stack.modes import set_mode
from ..stack.stack import Stack, qemu_binary
from ..stack.workload import Workload
from . import bench_tlb
from .paired import run_all, spread, table
from .provenance import hashes, provenance, write_numbers

# By name whether it is stock QEMU, and what its -cpu has besides.
CONFIGURATIONS = {
    'stock': (True, ''),
    'dseg=off': (False, 'dseg=off'),
    'dseg=on': (False, 'dseg=on'),
}
# What is measured, and whether more is better.
MEASURES = {'L1 boot, s': False, 'L2 boot, s': False, 'L2 GUPS, updates/s': True}
COLUMNS = {f'{name}, time relative to stock': (name, 'stock') for name in ('dseg=off', 'dseg=on')}
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


def bench(args):
    """Shows what the extension costs; returns the numbers of the JSON file."""
    runs = run_all(args.runs, lambda number: CONFIGURATIONS,
                   lambda name: run_once(*CONFIGURATIONS[name], args),
                   lambda what, value: f'{what} {value:.4g}')
    print(f'\nMedians of {args.runs} paired runs, with the lowest and the highest:\n')
    print(table(runs, 'stock', MEASURES, COLUMNS, digits=3))
    gains = [run['dseg=on'][DUAL] / run['dseg=on']['L2 GUPS, updates/s'] for run in runs]
    print(f'\ndual-direct is {spread(gains, 3)} times as fast as base in updates/s')
    return {'runs': runs}


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
    files = bench_tlb.build_plugins() if args.what == 'tlb' else {'stock-qemu': qemu_binary(stock=True)}
    origin = provenance(hashes(**files), ['scripts/bench', *arguments])
    numbers = bench_tlb.bench(args) if args.what == 'tlb' else bench(args)
    if args.json:
        write_numbers(args.json, origin, numbers)
    return 0


if __name__ == '__main__':
    run_main('bench', main)
