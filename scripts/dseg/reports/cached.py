# SPDX-License-Identifier: GPL-2.0-or-later
"""Numbers of the modelled caches: of what a record has as "caches", or QMP beside a TLB's geometry.

    found = record['caches']
    cycles_of(found, steps(found, 'nested', 'user'))
"""

from ..points import records
from ..points.records import SPARED
from . import counts

DATA = ('load', 'store')


def latency(found, place, kind='load'):
    """Cycles of what is found in a place; kind: of access."""
    geometry = found['geometry']
    if place == SPARED:
        return 0
    if place == 'memory':
        return geometry['memory']
    if place == 'l1':
        return geometry['l1i' if kind == 'fetch' else 'l1d']['latency']
    return geometry[place]['latency']


def steps(found, world=None, privilege=None, dimension=None):
    """The steps of all that is given."""
    return [step for step in found['steps'] if world in (None, step['world'])
            and privilege in (None, step['privilege'])
            and dimension in (None, step['dimension'])]


def cycles_of(found, some):
    """What steps have taken."""
    return sum(step['count'] * latency(found, step['place']) for step in some)


def data_cycles(found):
    """What data and fetches have taken."""
    return sum(row['count'] * latency(found, row['place'], row['kind']) for row in found['data'])


def beyond_l1(found):
    """What data and fetches have taken more than if they were all found in L1."""
    return sum(row['count'] * (latency(found, row['place'], row['kind'])
                               - latency(found, 'l1', row['kind'])) for row in found['data'])


def passed(found, kind):
    """How much has passed as data of a kind of access."""
    return sum(row['count'] for row in found['data'] if row['kind'] == kind)


def equations(record):
    """(name, left, right) of the closed forms of caches: docs/spec/caches.rst."""
    found = record.get('caches')
    if not found:
        return
    yield from each_step(record, found)
    for world in records.WORLDS:
        for privilege in records.PRIVILEGES:
            counted = sum(row['cycles'] for row in found['walk-cycles']
                          if (counts.world_of_regime(row['regime']), row['privilege'])
                          == (world, privilege))
            yield (f'cycles of walks = their steps by latency ({world} {privilege})', counted,
                   cycles_of(found, steps(found, world, privilege)))
    yield 'cycles of data = what has passed by latency', found['data-cycles'], data_cycles(found)
    yield from all_data(record, found)


def each_step(record, found):
    """Whatever was read was found somewhere."""
    def key(step):
        return tuple(step.get(name, '') for name in ('world', 'privilege', 'dimension', 'for-level',
                                                     'table-level'))
    made, places = {}, {}
    for table, rows in ((made, record['steps']), (places, found['steps'])):
        for step in rows:
            if step.get('place') != SPARED:
                table[key(step)] = table.get(key(step), 0) + step['count']
    for each in sorted({*made, *places}, key=str):
        yield (f'steps = those that were found ({" ".join(map(str, each))})', made.get(each, 0),
               places.get(each, 0))


def all_data(record, found):
    """All accesses to data pass in mode exact; in mode inclusive those that miss L1 of the TLB, and
    lines of sweeps."""
    exact = record['axes']['tlb-mode'] == 'exact'
    swept = found.get('swept', {})      # older records have none
    beside_l1 = record['tlb'].get('segment-hits-l1', {})
    for kind in records.KINDS:
        misses = counts.lookups(record, 'misses', 'l1', kind)
        if exact and kind in DATA:
            yield (f'data that has passed = accesses of the TLB ({kind})', passed(found, kind),
                   misses + counts.lookups(record, 'hits', 'l1', kind) + beside_l1.get(kind, 0))
        elif not exact and (kind in DATA or 'l1i' in found['geometry']):
            yield (f'what has passed = misses of L1 of the TLB + lines of sweeps ({kind})',
                   passed(found, kind), misses + swept.get(kind, 0))
