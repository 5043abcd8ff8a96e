# SPDX-License-Identifier: GPL-2.0-or-later
"""Measures what the extension costs in speed, against stock QEMU."""

import argparse
import contextlib
import json
import statistics
import sys
import time
from pathlib import Path

from . import run_main
from .layout import parse_size
from .measure import Workload
from .modes import set_mode
from .stack import Stack, qemu_binary

UPDATES = 500_000       # of GUPS in each half of a round: a round takes about a second

# Name, whether it is stock QEMU, and what its -cpu has besides.
CONFIGURATIONS = (
    ('stock', True, ''),
    ('dseg=off', False, 'dseg=off'),
    ('dseg=on', False, 'dseg=on'),
)
L1_BOOT, L2_BOOT, GUPS, DUAL = ('L1 boot, s', 'L2 boot, s', 'L2 GUPS, updates/s',
                                'L2 GUPS in dual-direct, updates/s')
# What is measured, and whether more is better.
MEASURES = ((L1_BOOT, False), (L2_BOOT, False), (GUPS, True))


class Contestant:
    """The stack in one configuration; it stands still but for its turns."""

    def __init__(self, name, stack, args):
        self.name = name
        self.found = {L1_BOOT: timed(stack.boot_l1), L2_BOOT: timed(stack.boot_l2)}
        self._stack = stack
        self._workload = Workload(stack, 'nested',
                                  f'gups --bytes {args.bytes} --updates {UPDATES}')
        self._cr3 = None
        self._speeds = {GUPS: [], DUAL: []}
        stack.qmp('stop')

    def turn(self):
        """One round of GUPS in each mode that there is."""
        self._stack.qmp('cont')
        self._round(GUPS)
        if self.name == 'dseg=on':
            self._cr3 = set_mode(self._stack, 'dual-direct', self._workload.area, self._cr3)
            self._round(DUAL)
            self._stack.qmp('x86-dseg-clear')
        self._stack.qmp('stop')

    def _round(self, measure):
        self._workload.begin_round()    # one that a pause or a change has cut does not count
        self._speeds[measure].append(self._workload.next_round().updates_per_s)

    def result(self):
        speeds = {name: statistics.median(all_) for name, all_ in self._speeds.items() if all_}
        return {**self.found, **speeds}


def timed(function):
    start = time.monotonic()
    function()
    return time.monotonic() - start


def run_once(order, args):
    """Boots each configuration, then lets them take turns; returns results by name."""
    with contextlib.ExitStack() as stacks:
        contestants = []
        for name, stock, cpu_extra in order:
            stack = stacks.enter_context(Stack(qemu_binary(stock), cpu_extra=cpu_extra))
            contestants.append(Contestant(name, stack, args))
        for _ in range(args.rounds):
            for contestant in contestants:
                contestant.turn()
        return {c.name: c.result() for c in contestants}


def run_all(args):
    """All runs: for each, what was measured in each configuration."""
    runs = []
    for number in range(args.runs):
        # The order rotates, so that none is always first on a machine that warms up.
        turn = number % len(CONFIGURATIONS)
        runs.append(run_once(CONFIGURATIONS[turn:] + CONFIGURATIONS[:turn], args))
        for name, found in runs[-1].items():
            print(f'run {number + 1} of {args.runs}, {name}: '
                  + ', '.join(f'{what} {value:.4g}' for what, value in found.items()),
                  file=sys.stderr, flush=True)
    return runs


def slowdowns(runs, configuration, measure, more_is_better):
    """By how much the configuration is slower than stock, in each run: 1 is as fast."""
    pairs = [(run[configuration][measure], run['stock'][measure]) for run in runs]
    return [stock / found if more_is_better else found / stock for found, stock in pairs]


def gains(runs):
    """How much faster dual-direct is than base, in each run."""
    return [run['dseg=on'][DUAL] / run['dseg=on'][GUPS] for run in runs]


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
    parser = argparse.ArgumentParser(prog='scripts/bench', description=__doc__)
    parser.add_argument('what', choices=['overhead'])
    parser.add_argument('--runs', type=int, default=5)
    parser.add_argument('--rounds', type=int, default=4)
    parser.add_argument('--bytes', default='128M')
    parser.add_argument('--json', type=Path)
    args = parser.parse_args(arguments)
    try:
        parse_size(args.bytes)
    except ValueError as error:
        parser.error(f'--bytes: {error}')
    if args.runs < 1 or args.rounds < 1:
        parser.error('--runs and --rounds: must be at least 1')
    if args.json and not args.json.absolute().parent.is_dir():
        parser.error(f'--json: there is no folder {args.json.parent}')
    return args


def main(arguments):
    args = parse_arguments(arguments)
    runs = run_all(args)
    print(f'\nMedians of {args.runs} paired runs, with the lowest and the highest:\n')
    print(table(runs))
    print(f'\ndual-direct is {spread(gains(runs))} times as fast as base in updates/s')
    if args.json:
        args.json.write_text(json.dumps({'schema': 1, 'runs': runs}, indent=1) + '\n')
    return 0


if __name__ == '__main__':
    run_main('bench', main)
