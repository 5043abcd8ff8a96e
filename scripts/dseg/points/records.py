# SPDX-License-Identifier: GPL-2.0-or-later
"""What the files of a folder of results have to have: records, their provenance, the experiment.

What docs/experiments.md says of them, as shapes; keys that are newer than some folders may be
missing.
"""

from .configurations import CONFIGURATIONS
from .shape import ANY, COUNT, NUMBER, TEXT, Each, Maybe, Null, mistake, whole, word

KINDS = ('load', 'store', 'fetch')          # of access
PRIVILEGES = ('user', 'kernel')
WORLDS = ('native', 'nested')
DIMENSIONS = ('guest', 'nested')
REGIMES = ('native', 'native-direct', 'base', 'vmm-direct', 'guest-direct', 'dual-direct', 'mixed')
PAGE_KINDS = ('4k', '2m', '4m', '1g', 'segment', 'none')
SPARED = 'spared'       # the place of a step that walk caches or the nested TLB have spared
PLACES = ('l1', 'l2', 'llc', 'memory', SPARED)
FINAL = 0               # for-level of steps to the final address
FIELDS = ('walks', 'guest-refs', 'nested-refs', 'checks', 'filter-lookups', 'escapes',
          'false-escapes')                  # of walks
HIGHEST = 5             # level of page tables

_OF = {'world': word(*WORLDS), 'privilege': word(*PRIVILEGES)}
_WALKS_OF = {'regime': word(*REGIMES), 'access': word(*KINDS), 'privilege': word(*PRIVILEGES)}
_STEP = {**_OF, 'dimension': word(*DIMENSIONS), 'for-level': Maybe(whole(FINAL, HIGHEST)),
         'table-level': whole(1, HIGHEST), 'count': COUNT}
_BY_KIND = dict.fromkeys(KINDS, COUNT)
_LOOKUPS = [{'level': TEXT, 'kind': word(*KINDS), 'count': COUNT}]
_LATENCY = {'latency': COUNT}
_CACHES = {
    'geometry': {'memory': COUNT, 'l1d': _LATENCY,
                 **{name: Maybe(_LATENCY) for name in ('l1i', 'l2', 'llc')}},
    'data': [{'kind': word(*KINDS), 'place': word(*PLACES), 'count': COUNT}],
    'swept': Maybe(_BY_KIND), 'steps': [{**_STEP, 'place': word(*PLACES)}],
    'walk-cycles': [{**_WALKS_OF, 'cycles': COUNT}], 'data-cycles': COUNT}
_RUNS = {**dict.fromkeys(('mapped', 'runs-80', 'runs-90', 'runs-99'), Maybe(COUNT)),
         **dict.fromkeys(('covered-32', 'covered-128'), Maybe(NUMBER))}
RECORD = {
    'data': TEXT, 'checksum': Maybe(TEXT), 'seconds': NUMBER, 'instructions': Null(COUNT),
    'no-region': Maybe(TEXT),
    'walks': [{**_WALKS_OF, **dict.fromkeys(FIELDS, COUNT)}],
    'refs': [{**_OF, 'guest': COUNT, 'nested': COUNT, 'walks': COUNT}],
    'checks': Maybe([{**_OF, 'checks': COUNT, 'walks': COUNT}]),
    'steps': [_STEP],
    'pages': [{'kind': word(*PAGE_KINDS), 'guest': COUNT, 'nested': COUNT}],
    'exits': [{'count': COUNT}],
    'page-faults': Maybe({'minor': COUNT, 'major': COUNT}),
    'tlb': Null({'hits': _LOOKUPS, 'misses': _LOOKUPS, 'walks': _BY_KIND, 'segment-hits': _BY_KIND,
                 'segment-hits-l1': Maybe(_BY_KIND), 'walk-caches': Maybe(Each(COUNT))}),
    'caches': Maybe(_CACHES),
    'mapping': Maybe({name: Null(Each(COUNT)) for name in DIMENSIONS}),
    'contiguity': Maybe(dict.fromkeys((*DIMENSIONS, 'both'), Maybe(_RUNS))),
    'timeline': Maybe({
        'samples': [{'at': NUMBER, 'walks': Each(COUNT), 'phase': Maybe(TEXT)}],
        'events': Maybe([{'at': NUMBER, 'until': Maybe(NUMBER), 'text': TEXT,
                          'pages': Maybe(COUNT)}])})}
PROVENANCE = {
    **dict.fromkeys(('host', 'system', 'host-kernel', 'python', 'processor', 'project', 'command'),
                    Maybe(TEXT)),
    'processors': Maybe(COUNT), 'memory': Maybe(COUNT), 'versions': Maybe(Each(Null(TEXT))),
    'inputs': Maybe(Each(ANY)), 'axes': Maybe(Each(ANY))}
EXPERIMENT = {
    'title': TEXT, 'source': TEXT, 'size': Null(TEXT), 'file': Each(ANY), 'where': Maybe(Each(TEXT)),
    'points': [{'id': TEXT, 'inputs': Each(ANY), 'axes': {
        'workload': TEXT, 'configuration': word(*CONFIGURATIONS), 'tlb': TEXT}}]}


def mistake_in(record):
    """The first in a record, as shape.mistake() says it; None if there is none."""
    return mistake(record, RECORD) or _nested_without_target(record) or _caches_without_tlb(record) \
        or _unknown_latency(record.get('caches')) or _event_without_timeline(record)


def _nested_without_target(record):
    """A nested step leads to an entry of the guest's tables, or to the final address."""
    for path, steps in (('steps', record['steps']),
                        ('caches.steps', (record.get('caches') or {}).get('steps', ()))):
        for number, step in enumerate(steps):
            if step['dimension'] == 'nested' and step.get('for-level') is None:
                return f'{path}[{number}].for-level: a nested step needs this key'
    return None


def _caches_without_tlb(record):
    if record.get('caches') and not record['tlb']:
        return 'tlb: must be a table, as there are caches'
    return None


def _event_without_timeline(record):
    if record['axes'].get('event', 'none') != 'none' and not record.get('timeline'):
        return 'timeline: must be a table, as there was an event'
    return None


def _unknown_latency(caches):
    """What was found in a cache has its latency."""
    if not caches:
        return None
    for path in 'data', 'steps':
        for number, row in enumerate(caches[path]):
            name = row['place']
            if name == 'l1':
                name = 'l1i' if row.get('kind') == 'fetch' else 'l1d'
            if name != SPARED and not caches['geometry'].get(name):
                return f'caches.{path}[{number}].place: there is no {name} in caches.geometry'
    return None
