# SPDX-License-Identifier: GPL-2.0-or-later
"""Numbers of a record: sums over its tables, by world, privilege and level.

A record is what record.json of a point has, and a configuration one of points/configurations.py.
"""

from collections import Counter

from ..points.records import FIELDS, FINAL

PAGE = 4096


def world_of_regime(regime):
    """Where walks of a regime are made."""
    return 'native' if regime.startswith('native') else 'nested'


def of_programs(record):
    """Whether it is of Debian's programs: perhaps several, with memory that is not one area."""
    return record.get('inputs', {}).get('programs') is not None


def has_caches(record):
    """Whether walk caches or a nested TLB have saved references."""
    return 'walk-caches' in (record['tlb'] or {})


def has_nested_tlb(record):
    """Whether gPAs were looked up in a nested TLB, hits of which need no entry of any level."""
    return has_caches(record) and record['tlb']['walk-caches'].get('gpa-lookups', 0) > 0


def rows(record, world=None, privilege=None, regime=None, access=None):
    """Those of the table walks that are of all that is given."""
    return [row for row in record['walks']
            if world in (None, world_of_regime(row['regime']))
            and privilege in (None, row['privilege'])
            and regime in (None, row['regime'])
            and access in (None, row['access'])]


def tally(some):
    """The sums of rows, by field."""
    total = Counter({field: 0 for field in FIELDS})
    for row in some:
        total.update({field: row[field] for field in FIELDS})
    return total


def program(record, configuration):
    """The walks of the program, not those of any kernel."""
    return tally(rows(record, configuration.walk_world, 'user'))


def false_escape_share(total):
    """Of a tally: how many lookups of pages that are not in the escape filter pass it."""
    others = total['filter-lookups'] - (total['escapes'] - total['false-escapes'])
    return total['false-escapes'] / others if others else 0.0


def bars(record, world=None, privilege=None):
    """The histogram: walks by references of both dimensions."""
    return _histogram(record['refs'], lambda bar: (bar['guest'], bar['nested']), world, privilege)


def checks(record, world=None, privilege=None):
    """The histogram: walks by base-bound checks."""
    return _histogram(record['checks'], lambda bar: bar['checks'], world, privilege)


def _histogram(table, key, world, privilege):
    found = Counter()
    for bar in table:
        if world in (None, bar['world']) and privilege in (None, bar['privilege']):
            found[key(bar)] += bar['walks']
    return found


def steps(record, dimension, world=None, privilege=None):
    """Steps of one dimension, by level of their table; of the nested one by (for-level, level)."""
    found = Counter()
    for step in record['steps']:
        if (step['dimension'] == dimension and world in (None, step['world'])
                and privilege in (None, step['privilege'])):
            level = step['table-level']
            found[(step['for-level'], level) if dimension == 'nested' else level] += step['count']
    return found


def pages(record, dimension):
    """Walks by what ended them in a dimension: of all software of the CPU."""
    return Counter({page['kind']: page[dimension] for page in record['pages']})


def lookups(record, what, level, kind=None):
    """Hits or misses of a level of the modelled TLB."""
    return sum(count['count'] for count in record['tlb'][what]
               if count['level'] == level and kind in (None, count['kind']))


def leaves(levels):
    """How many walks of page tables ended in a page of each size, by steps of each level.

    Only where nothing saved a step: then who reads a level and not the next has found a leaf.
    """
    return Counter({'4k': levels[1], '2m': levels[2] - levels[1], '1g': levels[3] - levels[2]})


def program_leaves(record, configuration):
    """The same of the program: (in the first dimension, of final addresses in the nested one)."""
    world = configuration.walk_world
    walks = program(record, configuration)['walks']
    guest = steps(record, 'guest', world, 'user')
    nested = steps(record, 'nested', world, 'user')
    final = Counter({level: count for (target, level), count in nested.items() if target == FINAL})
    found = leaves(guest), leaves(final)
    for levels, ends in zip((guest, final), found):
        ends['segment'] = walks - levels[4]
    return found


def share_by(record, configuration):
    """The share of the program's walks that are by all of the mode's segments."""
    walks = program(record, configuration)['walks']
    by_mode = tally(rows(record, configuration.walk_world, 'user', configuration.mode))['walks']
    return by_mode / walks if walks else 0.0


def segment_share(record, configuration, phase):
    """The share by the mode's segments in a phase of a timeline; None if it has no walks."""
    found = Counter()
    for sample in (record.get('timeline') or {}).get('samples', []):
        if sample['phase'] == phase:
            found.update(sample['walks'])
    return found[configuration.mode] / found.total() if found.total() else None


def merged_share(record):
    """The share of L2's memory that KSM has merged in a run; None if it was another, or none."""
    if record['axes'].get('event') != 'ksm':
        return None
    pages = sum(event.get('pages', 0) for event in record['timeline']['events'])
    return pages * PAGE / record['inputs']['memory']['l2']


def exits(record):
    """#VMEXITs of any reason."""
    return sum(item['count'] for item in record['exits'])
