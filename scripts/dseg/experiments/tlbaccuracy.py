# SPDX-License-Identifier: GPL-2.0-or-later
"""Compares mode inclusive of the modelled TLB with mode exact, on the same runs.

QEMU records a run in mode inclusive, and replays it in mode exact: the guest does the same, to the
last instruction. But a nested guest's recording does not replay (it hangs): these are two runs, with
a clock that counts instructions, and differ by more than their modes.
"""

import json
import sys
import tempfile
from pathlib import Path

from .. import run_main
from ..base import options
from ..base.progress import Narrator
from ..reports.table import line, markdown
from ..stack.counting import counting
from ..stack.stack import Machine, qemu_binary
from .marked import MarkedRun
from .provenance import hashes, provenance, write_numbers

# Name to program, whether it runs in L2, and which part of the run is looked at.
RUNS = {
    'boot': ('true', False, 'boot'),
    'gups': ('gups --bytes 128M --updates 300000 --rounds 1', False, 'program'),
    'chase': ('chase --bytes 64M --updates 300000 --rounds 1', False, 'program'),
    'redis': ('redis-load 2000', False, 'program'),
    'l2-gups': ('gups --bytes 16M --updates 50000 --rounds 1', True, 'program'),
}
POLICIES = ('lru', 'plru', 'fifo', 'random')
DEFAULT_POLICIES = ('lru', 'fifo', 'random')
LIMITS = {'lru': 0.03, 'plru': 0.03, 'fifo': 0.01, 'random': 0.01}     # of page walks
EXACT_CLOCK = ('-icount', 'shift=1,sleep=off', '-rtc', 'clock=vm,base=2026-01-01', '-seed', '7')
COLUMNS = {'walks': 'walks, exact (inclusive)', 'l1 data misses': 'L1 data misses',
           'l1 fetch misses': 'L1 fetch misses', 'walk cycles': 'walk cycles'}
TIMEOUT = 4 * 3600


def preset(name):
    """The geometry that QEMU knows by that name."""
    machine = Machine(str(qemu_binary()), args=['-S', '-M', 'none', '-nodefaults'])
    try:
        machine.launch()
        found = {entry['name']: entry['geometry']
                 for entry in machine.cmd('query-x86-dseg-tlb-presets')}
    finally:
        machine.shutdown()
    if name not in found:
        raise SystemExit(f'tlb-accuracy: --geometry: there is no {name!r}; there are: '
                         + ' '.join(found))
    return found[name]


def with_policy(geometry, policy):
    """A geometry whose first level has that policy."""
    arrays = [{**array, 'policy': policy} if array['level'].startswith('l1') else array
              for array in geometry['arrays']]
    return {**geometry, 'arrays': arrays}


def count(name, geometry, mode, folder):
    """The counts of a run in a mode: inclusive comes first, and exact sees the same."""
    program, nested, stage = RUNS[name]
    file = folder / 'geometry.json'
    file.write_text(json.dumps(geometry))
    same = {'record' if mode == 'inclusive' else 'replay': folder / 'recording'}
    if nested:
        same = {'extra_args': EXACT_CLOCK}
    with MarkedRun(program, nested=nested, l1_memory='1G', l2_memory='256M', holes=False,
                   cpu_extra=counting(file, mode, caches=True), **same) as run:
        run.wait(TIMEOUT)
        return run.tlb_counts()[stage]


def difference(found, column):
    """Of mode inclusive from mode exact, as a share."""
    exact = found['exact'][column]
    return (found['inclusive'][column] - exact) / exact if exact else 0.0


def cell(found, column):
    """Exact, and how far inclusive is from that."""
    equal = found['exact'][column] == found['inclusive'][column]
    return f'{found["exact"][column]} ' + \
        ('(equal)' if equal else f'({difference(found, column):+.3%})')


def parse_arguments(arguments):
    parser = options.Parser('scripts/tlb-accuracy')
    parser.add_argument('--json', type=options.new_file)
    parser.add_argument('--policy', action='append', choices=POLICIES)
    parser.add_argument('--run', action='append', choices=RUNS)
    parser.add_argument('--geometry', type=options.text, default='sandybridge-ep')
    return parser.parse_args(arguments)


def main(arguments):
    args = parse_arguments(arguments)
    origin = provenance(hashes(), ['scripts/tlb-accuracy', *arguments])
    geometry = preset(args.geometry)
    results, far = [], []
    say = Narrator()
    print(markdown(('run', 'L1 policy', *COLUMNS.values())), flush=True)
    with tempfile.TemporaryDirectory(prefix='dseg-') as folder:
        for name in args.run or RUNS:
            for policy in args.policy or DEFAULT_POLICIES:
                found = {}
                for mode in ('inclusive', 'exact'):
                    say(f'{name}, {policy}, {mode}')
                    found[mode] = count(name, with_policy(geometry, policy), mode, Path(folder))
                print(line((name, policy, *(cell(found, column) for column in COLUMNS))), flush=True)
                results.append({'run': name, 'policy': policy, **found})
                if abs(difference(found, 'walks')) > LIMITS[policy]:
                    far.append(f'{name}, {policy}: walks differ by more than '
                               f'{LIMITS[policy]:.0%}')
    if args.json:
        write_numbers(args.json, origin, {'geometry': args.geometry, 'results': results}, schema=2)
    for text in far:
        print(f'tlb-accuracy: {text}', file=sys.stderr)
    return 1 if far else 0


if __name__ == '__main__':
    run_main('tlb-accuracy', main)
