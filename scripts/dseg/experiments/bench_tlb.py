# SPDX-License-Identifier: GPL-2.0-or-later
"""Measures what a modelled TLB costs in speed, and the same by plugins that model one."""

from .. import OUT
from ..base.locks import alone
from ..base.progress import run_logged
from ..stack.counting import counting
from ..testing.testrun import BUILD, alone_in_build, configure
from .marked import MarkedRun
from .paired import run_all, table

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
    'counters only': (counting(), ()),
    'inclusive': (counting(GEOMETRY), ()),
    'inclusive, caches': (counting(GEOMETRY, caches=True), ()),
    'plugin': ('dseg=off', ('-plugin', str(PLUGIN))),
    'cache plugin': ('dseg=off', ('-plugin', f'{CACHE_PLUGIN},{CACHE_OPTIONS}')),
    'exact': (counting(GEOMETRY, 'exact'), ()),
    'exact, caches': (counting(GEOMETRY, 'exact', caches=True), ()),
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
    """Returns them by name."""
    with alone_in_build():
        configure(BUILD)
    for plugin, folder, lock in ((PLUGIN, BUILD, alone_in_build()),
                                 (CACHE_PLUGIN, QEMU_BUILD, alone(QEMU_BUILD))):
        with lock:
            run_logged(f'Building {plugin.name}',
                       ['ninja', '-C', folder, plugin.relative_to(folder)],
                       OUT / 'log/bench-plugin.log', timeout=600, hint='scripts/build-qemu first.')
    return {'plugin': PLUGIN, 'cache-plugin': CACHE_PLUGIN}


def cpu_time(workload):
    """What a run calls it; the time that has passed has the workload's own name."""
    return f'{workload}, CPU time'


def measure(name):
    """Seconds, and CPU seconds of QEMU, for each workload in one configuration."""
    cpu, extra = CONFIGURATIONS[name]
    found = {}
    for workload, program in PROGRAMS.items():
        with MarkedRun(program, cpu_extra=cpu, extra_args=extra, holes=False) as run:
            run.wait(TIMEOUT)
        for what, stage in ((BOOT, 'boot'), (workload, 'program')):
            found.setdefault(what, run.seconds[stage])
            found.setdefault(cpu_time(what), run.cpu_seconds[stage])
    return found


def bench(args):
    """Shows what a modelled TLB costs; returns the numbers of the JSON file."""
    runs = run_all(args.runs, lambda number: [name for name in CONFIGURATIONS
                                              if name not in SLOW or args.all or number == 0],
                   measure, lambda what, seconds: f'{what} {seconds:.1f} s')
    first, *others = CONFIGURATIONS
    columns = {**{name: (name, first) for name in others},
               **{f'{name} / {other}': (name, other) for name, other in PAIRS}}
    names = (BOOT, *PROGRAMS)
    for what, measures in (('Time', names), ('CPU time of QEMU', [cpu_time(name) for name in names])):
        print(f'\n{what} relative to {first}, which has seconds: medians of {args.runs} paired '
              f'runs, with the lowest and the highest; {" and ".join(SLOW)} once unless --all\n')
        print(table(runs, first, dict.fromkeys(measures, False), columns, digits=2))
    return {'geometry': GEOMETRY, 'runs': runs}
