# SPDX-License-Identifier: GPL-2.0-or-later
"""What the counters have grown by between markers: the counts of a record.

Parts are pairs of markers, as QEMU's query-x86-dseg-markers has them.
"""

from collections import Counter

# What makes two entries of a list the same count, by the list.
KEYS = {
    'walks': ('regime', 'access', 'privilege'),
    'refs': ('world', 'privilege', 'guest', 'nested'),
    'checks': ('world', 'privilege', 'checks'),
    'steps': ('world', 'privilege', 'dimension', 'for-level', 'table-level'),
    'pages': ('kind',),
    'exits': ('name', 'code'),
    'hits': ('level', 'kind', 'pages'), 'misses': ('level', 'kind', 'pages'),
    'data': ('kind', 'place'),
    'found': ('world', 'privilege', 'dimension', 'for-level', 'table-level', 'place'),
    'walk-cycles': ('regime', 'access', 'privilege'),
}


def instructions(parts):
    """Executed in the parts; None if nobody counts them."""
    if any('instructions' not in marker for part in parts for marker in part):
        return None
    return sum(end['instructions'] - begin['instructions'] for begin, end in parts)


def counts(parts):
    """The sums over the parts of what the counters have grown by, as records have them."""
    def grown(name, *path):
        return difference(parts, KEYS[name], path)
    return {
        'walks': grown('walks', 'walks', 'regimes'),
        'refs': grown('refs', 'walks', 'refs-histogram'),
        'checks': grown('checks', 'walks', 'checks-histogram'),
        'steps': grown('steps', 'walks', 'steps'),
        'pages': grown('pages', 'walks', 'pages'),
        'exits': grown('exits', 'walks', 'exits'),
        'faults': difference_of_fields(parts, ('walks', 'faults')),
        'caches': caches(parts),
        'tlb': {**walk_caches(parts),
                # QEMU looks a page of code up again after its threads have stopped the CPU: how often,
                # is not the guests'.
                'hits': [row for row in grown('hits', 'tlb', 'hits')
                         if (row['level'], row['kind']) != ('l1', 'fetch')],
                'misses': grown('misses', 'tlb', 'misses'),
                **{name: difference_of_fields(parts, ('tlb', name))
                   for name in ('walks', 'segment-hits', 'segment-hits-l1')}},
    }


def caches(parts):
    """What has passed the modelled caches, and what they are; None where there are none."""
    if 'caches' not in parts[0][1]['tlb']:
        return None
    cycles = [marker['tlb']['caches']['data-cycles'] for part in parts for marker in part]
    return {
        'geometry': parts[0][1]['tlb']['geometry']['caches'],
        'data': difference(parts, KEYS['data'], ('tlb', 'caches', 'data')),
        'swept': difference_of_fields(parts, ('tlb', 'caches', 'swept')),
        'steps': difference(parts, KEYS['found'], ('tlb', 'caches', 'steps')),
        'walk-cycles': difference(parts, KEYS['walk-cycles'], ('tlb', 'caches', 'walk-cycles')),
        'data-cycles': sum(cycles[1::2]) - sum(cycles[::2]),
    }


def walk_caches(parts):
    """What walk caches and a nested TLB have done, over all levels; {} where there is none."""
    if 'walk-caches' not in parts[0][1]['tlb']:
        return {}

    def total(marker, name):
        number = marker['tlb']['walk-caches'][name]
        return sum(number) if isinstance(number, list) else number
    return {'walk-caches': {name: sum(total(end, name) - total(begin, name) for begin, end in parts)
                            for name in parts[0][1]['tlb']['walk-caches']}}


def at(value, path):
    for name in path:
        value = value[name]
    return value


def difference_of_fields(parts, path):
    """Of a dict of numbers."""
    return {name: sum(at(end, path)[name] - at(begin, path)[name] for begin, end in parts)
            for name in at(parts[0][1], path)}


def difference(parts, keys, path):
    """Of a list of counts, in the order of its keys; what has not grown is left out."""
    sums = {}
    for begin, end in parts:
        for sign, marker in ((-1, begin), (1, end)):
            for entry in at(marker, path):
                key = tuple(entry.get(name) for name in keys)
                numbers = Counter({name: sign * value for name, value in entry.items()
                                   if name not in keys})
                sums.setdefault(key, Counter()).update(numbers)
    return [{**{name: value for name, value in zip(keys, key) if value is not None}, **numbers}
            for key, numbers in sorted(sums.items(), key=lambda item: tuple(map(str, item[0])))
            if any(numbers.values())]
