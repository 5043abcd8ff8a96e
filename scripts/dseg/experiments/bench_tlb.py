# SPDX-License-Identifier: GPL-2.0-or-later
"""Measures what a modelled TLB costs in speed, and the same by plugins that model one."""

import json
import statistics
import sys

from .. import OUT
from ..base.atomically import write_text
from ..base.locks import alone
from ..base.progress import run_logged
from ..testing.testrun import BUILD, alone_in_build, configure
from .marked import MarkedRun

GEOMETRY = 'sandybridge-ep'
PLUGIN = BUILD / 'tests/tlb-model-plugin.so'
QEMU_BUILD = OUT / 'qemu'
# QEMU's own example of a cache model, with lines of a page: a TLB of the same size.
CACHE_PLUGIN = QEMU_BUILD / 'contrib/plugins/libcache.so'
CACHE_OPTIONS = ','.join((
    'dblksize=4096,dassoc=4,dcachesize=262144', 'iblksize=4096,iassoc=4,icachesize=524288',
    'l2blksize=4096,l2assoc=4,l2cachesize=2097152', 'evict=lru'))
# Name, what -cpu has, and what QEMU has besides. The first is what the others are compared with.
CONFIGURATIONS = {
    'counters only': ('dseg=on', ()),
    'inclusive': (f'dseg=on,dseg-tlb={GEOMETRY}', ()),
    'inclusive, caches': (f'dseg=on,dseg-tlb={GEOMETRY},dseg-caches=on', ()),
    'plugin': ('dseg=off', ('-plugin', str(PLUGIN))),
    'cache plugin': ('dseg=off', ('-plugin', f'{CACHE_PLUGIN},{CACHE_OPTIONS}')),
    'exact': (f'dseg=on,dseg-tlb={GEOMETRY},dseg-tlb-mode=exact', ()),
    'exact, caches': (f'dseg=on,dseg-tlb={GEOMETRY},dseg-tlb-mode=exact,dseg-caches=on', ()),
}
SLOW = ('plugin', 'cache plugin', 'exact', 'exact, caches')     # in the first run only, unless asked for
# What else is compared: one with another.
PAIRS = (('inclusive, caches', 'inclusive'), ('exact, caches', 'exact'), ('plugin', 'inclusive'),
         ('cache plugin', 'inclusive'))
# Workload to program.
PROGRAMS = {
    'server (redis)': 'redis-load 20000',
    'GUPS': 'gups --bytes 128M --updates 1000000 --rounds 2',
}
BOOT = 'Linux boot'
TIMEOUT = 1800


def build_plugins():
    with alone_in_build():
        configure(BUILD)
    for plugin, folder, lock in ((PLUGIN, BUILD, alone_in_build()),
                                 (CACHE_PLUGIN, QEMU_BUILD, alone(QEMU_BUILD))):
        with lock:
            run_logged(f'Building {plugin.name}',
                       ['ninja', '-C', folder, plugin.relative_to(folder)],
                       OUT / 'log/bench-plugin.log', timeout=600, hint='scripts/build-qemu first.')


def measure(name):
    """CPU seconds of QEMU for each workload in one configuration."""
    cpu, extra = CONFIGURATIONS[name]
    found = {}
    for workload, program in PROGRAMS.items():
        with MarkedRun(program, cpu_extra=cpu, extra_args=extra, holes=False) as run:
            run.wait(TIMEOUT)
            found.setdefault(BOOT, run.cpu_seconds['boot'])
            found[workload] = run.cpu_seconds['program']
    return found


def run_all(args):
    """All runs: for each, the seconds by configuration and workload."""
    runs = []
    for number in range(args.runs):
        names = [name for name in CONFIGURATIONS
                 if name not in SLOW or args.all or number == 0]
        turn = number % len(names)
        run = {}
        for name in names[turn:] + names[:turn]:
            run[name] = measure(name)
            print(f'run {number + 1} of {args.runs}, {name}: '
                  + ', '.join(f'{what} {seconds:.1f} s' for what, seconds in run[name].items()),
                  file=sys.stderr, flush=True)
        runs.append(run)
    return runs


def spread(ratios):
    middle = statistics.median(ratios)
    return f'{middle:.2f} ({min(ratios):.2f} to {max(ratios):.2f})' if len(ratios) > 1 else (
        f'{middle:.2f}')


def table(runs):
    """The results as a Markdown table: seconds of the first, the others relative to it."""
    first, *others = CONFIGURATIONS
    lines = [f'| | {first}, s | ' + ' | '.join(
        (*others, *(f'{name} / {other}' for name, other in PAIRS))) + ' |',
             '| --- | --- |' + ' --- |' * (len(others) + len(PAIRS))]
    for workload in (BOOT, *PROGRAMS):
        cells = [f'{statistics.median(run[first][workload] for run in runs):.1f}']
        cells += [spread([run[name][workload] / run[first][workload]
                          for run in runs if name in run]) for name in others]
        cells += [spread([run[name][workload] / run[other][workload]
                          for run in runs if name in run]) for name, other in PAIRS]
        lines.append(f'| {workload} | ' + ' | '.join(cells) + ' |')
    return '\n'.join(lines)


def bench(args):
    build_plugins()
    runs = run_all(args)
    print(f'\nCPU time of QEMU relative to {next(iter(CONFIGURATIONS))}: medians of {args.runs} '
          f'paired runs, with the lowest and the highest; {" and ".join(SLOW)} once unless --all\n')
    print(table(runs))
    if args.json:
        write_text(args.json, json.dumps({'schema': 1, 'geometry': GEOMETRY, 'runs': runs},
                                         indent=1) + '\n')
    return 0
