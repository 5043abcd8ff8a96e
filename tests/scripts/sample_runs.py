# SPDX-License-Identifier: GPL-2.0-or-later
"""Records for the tests of reports, made walk by walk by the rules of docs/spec alone."""

import copy
from collections import Counter
from dataclasses import dataclass
from types import SimpleNamespace

from dseg.points.configurations import CONFIGURATIONS
from dseg.points.point import Point
from dseg.points.store import Store, described

LEAF = {'4k': 1, '2m': 2, '1g': 3, 'escape': 1, 'false': 1}      # the level of table that it is in
SIZES = ('4k', '2m', '1g')
ESCAPED = ('escape', 'false')
FAULTS = {'not-present': 7, 'protection': 1, 'reserved': 0, 'nested-final': 3, 'nested-table': 0,
          'guest-refs': 20, 'nested-refs': 60}


@dataclass
class Walks:
    """So many walks that go the same way."""
    count: int
    world: str
    guest: str                  # leaf of the first dimension, or 'segment'
    nested: tuple = ()          # of each gPA, root's first and the final one last: leaf, 'segment',
                                # or a page that escapes: 'escape', and 'false' if by mistake
    privilege: str = 'user'
    access: str = 'load'
    guest_segment: bool = False     # one is in force
    vmm_segment: bool = False

    @property
    def levels(self):
        """Of guest entries, in the order in which they are read."""
        return [] if self.guest == 'segment' else list(range(4, LEAF[self.guest] - 1, -1))

    @property
    def regime(self):
        if self.world != 'nested':
            return 'native-direct' if self.guest == 'segment' else self.world
        by_segment = [kind == 'segment' for kind in self.nested]
        if self.guest == 'segment':
            return 'dual-direct' if by_segment[-1] else 'guest-direct'
        return 'vmm-direct' if all(by_segment) else 'mixed' if any(by_segment) else 'base'

    @property
    def nested_steps(self):
        """(level of the guest's entry, level of the table) of each."""
        return [(target, level) for target, kind in zip([*self.levels, 0], self.nested)
                if kind != 'segment' for level in range(4, LEAF[kind] - 1, -1)]

    @property
    def checks(self):
        if self.guest == 'segment':
            return 1
        return self.guest_segment + self.vmm_segment * (len(self.levels) + 1)

    @property
    def tlb_size(self):
        """Of the page that the TLB gets: the smaller one."""
        last = [self.guest, *(['4k' if kind in ESCAPED else kind for kind in self.nested[-1:]])]
        return '4k' if 'segment' in last else min(last, key=SIZES.index)


def walks_of(name, count, escaped=0):
    """The walks of a program in a configuration, and of the kernels around it."""
    configuration = CONFIGURATIONS[name]
    world = configuration.walk_world
    guest = {'thp': '2m'}.get(configuration.guest, configuration.guest)
    host = {'thp': '2m', None: None}.get(configuration.host, configuration.host)
    forces = {'guest_segment': configuration.guest_segment, 'vmm_segment': host == 'segment'}

    def some(number, leaf, last=host, **more):
        levels = 0 if leaf == 'segment' else 5 - LEAF[leaf]
        nested = (*[host] * levels, last) if world == 'nested' else ()
        return Walks(number, world, leaf, nested, **{**forces, **more})
    leaf = 'segment' if configuration.guest_segment else guest
    found = [some(count * 3 // 4, leaf), some(count // 4, leaf, access='store'),
             some(count // 300 + 1, '4k'), some(count // 400 + 1, '4k', access='fetch'),
             some(count // 50 + 1, '2m', privilege='kernel'),
             Walks(count // 20 + 1, 'native', '2m', privilege='kernel')]
    if host == 'segment' and escaped:
        found += [some(escaped, leaf, 'escape'), some(escaped // 10 + 1, leaf, 'false')]
    if configuration.mode == 'guest-direct':
        found.append(some(count // 500 + 1, '4k'))
    return found


def record_of(axes, walks, instructions=10 ** 9, hits=50000, faults=None):
    """The record of a point whose walks these are."""
    return {'schema': 1, 'axes': axes, 'data': 'right', 'checksum': '16d982029328ceb0',
            'seconds': 12.3, 'instructions': instructions, **tables(walks), 'tlb': tlb(walks, hits),
            'exits': [{'code': 1024, 'name': 'npf', 'count': 12},
                      {'code': 96, 'name': 'intr', 'count': 88}],
            'faults': faults or FAULTS, 'page-faults': {'minor': 4100, 'major': 0},
            'contiguity': {'guest': {'mapped': 1 << 28, 'covered-32': 0.91, 'covered-128': 0.99,
                                     'runs-80': 9, 'runs-90': 30, 'runs-99': 120},
                           'nested': None, 'both': None}, 'forms': []}


def tables(walks):
    """walks, refs, steps and pages of a record."""
    rows, refs, steps, pages = {}, Counter(), Counter(), Counter()
    for some in walks:
        row = rows.setdefault((some.regime, some.access, some.privilege), Counter())
        escapes = sum(kind in ESCAPED for kind in some.nested)
        row.update({'walks': some.count, 'guest-refs': some.count * len(some.levels),
                    'nested-refs': some.count * len(some.nested_steps),
                    'checks': some.count * some.checks,
                    'filter-lookups': some.count * len(some.nested) * some.vmm_segment,
                    'escapes': some.count * escapes,
                    'false-escapes': some.count * some.nested.count('false')})
        refs[some.world, some.privilege, len(some.levels), len(some.nested_steps)] += some.count
        for level in some.levels:
            steps[some.world, some.privilege, 'guest', None, level] += some.count
        for target, level in some.nested_steps:
            steps[some.world, some.privilege, 'nested', target, level] += some.count
        last = some.nested[-1] if some.nested else 'none'
        pages['guest', some.guest] += some.count
        pages['nested', '4k' if last in ESCAPED else last] += some.count
    return {
        'walks': [{'regime': regime, 'access': access, 'privilege': privilege, **row}
                  for (regime, access, privilege), row in rows.items()],
        'refs': [{'world': world, 'privilege': privilege, 'guest': guest, 'nested': nested,
                  'walks': count} for (world, privilege, guest, nested), count in refs.items()],
        'steps': [{'world': world, 'privilege': privilege, 'dimension': dimension,
                   **({} if target is None else {'for-level': target}), 'table-level': level,
                   'count': count}
                  for (world, privilege, dimension, target, level), count in steps.items()],
        'pages': [{'kind': kind, 'guest': pages['guest', kind], 'nested': pages['nested', kind]}
                  for kind in ('4k', '2m', '4m', '1g', 'segment', 'none')]}


def tlb(walks, hits):
    """The counts of a TLB with segments beside L2, with so many hits of L2, all loads of 4 KiB."""
    misses, walked, alone = Counter(), Counter(), Counter()
    for some in walks:
        misses[some.access, some.tlb_size] += some.count
        is_alone = some.regime in ('native-direct', 'dual-direct')
        (alone if is_alone else walked)[some.access] += some.count
    l1 = Counter(misses)
    l1['load', '4k'] += hits
    return {'hits': [{'level': 'l1', 'kind': 'load', 'page': '4k', 'count': 10 * hits},
                     {'level': 'l2', 'kind': 'load', 'page': '4k', 'count': hits}],
            'misses': [{'level': level, 'kind': kind, 'page': size, 'count': count}
                       for level, found in (('l1', l1), ('l2', misses))
                       for (kind, size), count in found.items()],
            'walks': {kind: walked[kind] for kind in ('load', 'store', 'fetch')},
            'segment-hits': {kind: alone[kind] for kind in ('load', 'store', 'fetch')}}


# A record of a run in which nothing was counted.
EMPTY = {'data': 'right', 'checksum': '0', 'seconds': 1.0, 'instructions': 0, 'walks': [], 'refs': [],
         'steps': [], 'pages': [], 'exits': [], 'tlb': None}

# Modelled caches, and the places of entries of each level of tables: the last half in one of two.
CACHES = {'line': 64, 'l1d': {'latency': 4}, 'l1i': {'latency': 5}, 'l2': {'latency': 12},
          'llc': {'latency': 30}, 'memory': 200}
LATENCIES = {'l1': 4, 'l2': 12, 'llc': 30, 'memory': 200}
FOUND = {4: ('l1', 'l1'), 3: ('l1', 'l1'), 2: ('l2', 'l2'), 1: ('llc', 'memory')}


def with_caches(record):
    """The same with modelled caches: all data that hits the TLB is found in L1, the rest in LLC."""
    steps, cycles = [], Counter()
    for step in record['steps']:
        half = step['count'] // 2
        places = Counter()
        for place, count in zip(FOUND[step['table-level']], (step['count'] - half, half)):
            places[place] += count
        for place, count in places.items():
            steps.append({**step, 'place': place, 'count': count})
            cycles[step['world'], step['privilege']] += count * LATENCIES[place]
    hits, misses = (Counter(), Counter())
    for name, found in (('hits', hits), ('misses', misses)):
        for row in record['tlb'][name]:
            found[row['kind']] += row['count'] * (row['level'] == 'l1')
    data = [{'kind': kind, 'place': place, 'count': found[kind]} for kind in ('load', 'store')
            for place, found in (('l1', hits), ('llc', misses)) if found[kind]]
    data.append({'kind': 'fetch', 'place': 'l1', 'count': 1000})
    regimes = {world: next(row['regime'] for row in record['walks']
                           if row['regime'].startswith('native') == (world == 'native'))
               for world, _ in cycles}
    record['caches'] = {
        'geometry': CACHES, 'steps': steps, 'data': data,
        'swept': {'load': 0, 'store': 0, 'fetch': 0},
        'walk-cycles': [{'regime': regimes[world], 'access': 'load', 'privilege': privilege,
                         'cycles': count} for (world, privilege), count in cycles.items()],
        'data-cycles': sum(row['count'] * (5 if row['kind'] == 'fetch' else LATENCIES[row['place']])
                           for row in data)}
    return record


# Walks with pages of 4 KiB per million instructions.
MISSES = {'gups': 9000, 'bfs': 4100, 'cg': 1500, 'xsbench': 3800, 'btree': 2600, 'hashjoin': 3100,
          'redis': 900, 'zstd': 60}
CLASSES = {name: 'compute' if name in ('zstd', 'cg') else 'big-memory' for name in MISSES}
FEWER = {'2m': 0.3, '1g': 0.04, 'thp': 0.4}
MORE = {'native': 1.0, 'nested': 1.05}


def axes_of(workload, configuration, **more):
    """The axes of a point."""
    return {'workload': workload, 'configuration': configuration, 'tlb': 'sandybridge-ep',
            'tlb-mode': 'inclusive', 'caches': False, 'escapes': 0, 'filter-bits': 256,
            'fragmentation': 0.0, 'fragments': 'pinned', 'remedy': 'none', 'event': 'none',
            'size': 'small', 'clock': 'instructions', 'seed': 1, 'repeat': 1, **more}


def sample(axes, change=1.0):
    """The record of a point as it might come out; change: of how many walks it has."""
    name, millions = axes['configuration'], 1000
    configuration = CONFIGURATIONS[name]
    few = FEWER.get(configuration.guest, 1) if not configuration.guest_segment else 1
    count = int(MISSES[axes['workload']] * millions * few * MORE[configuration.world] * change)
    instructions = int(millions * 10 ** 6 * (1.02 if configuration.world == 'nested' else 1))
    record = record_of(axes, walks_of(name, count, 100 * axes['escapes']), instructions, count // 5)
    if axes['clock'] == 'host':
        record['instructions'] = None
    return with_caches(record) if axes['caches'] else record


def matrix(workloads=MISSES, configurations=CONFIGURATIONS, **more):
    """The axes of each combination."""
    return [axes_of(workload, name, **more) for workload in workloads for name in configurations]


def make_folder(folder, all_axes, file=None, record=sample, skip=(), qemu='1234',
                version='10.0.13', places=None,
                origin=lambda number: {}):
    """The folder of a run, written by points.store; those at the places of skip have failed.

    file: the experiment file as a dict; places: lines of its keys
    origin: more of the provenance of a point by its number
    """
    points = [Point(axes, {'schema': 1, 'memory': {'l1': 1, 'l2': 1}, 'qemu': qemu})
              for axes in all_axes]
    experiment = SimpleNamespace(
        name='sample', title=(file or {}).get('title', 'Sample'), file=folder / 'sample.toml',
        size='small', tables=SimpleNamespace(data=file or {}, places=places or {}))
    store = Store.begin(folder, described(experiment, points), {})
    for number, (point, axes) in enumerate(zip(points, all_axes)):
        store.write_provenance(point, {
            'host': 'a machine', 'versions': {'qemu': version, 'kernel': '6.1.0-56-cloud-amd64'},
            'inputs': point.inputs, 'axes': axes,
            'command': f'scripts/experiment run sample.toml --only id={point.id}',
            **origin(number)})
        if number in skip:
            store.write_error(point, 'L2 did not boot')
        else:
            store.write_record(point, copy.deepcopy(record(point.axes)))
    return folder
