# SPDX-License-Identifier: GPL-2.0-or-later
"""What the counters have grown by between markers: the counts of a record.

Parts are pairs of markers, as QEMU's query-x86-dseg-markers has them. Where the first of a pair is
None, it is what they have grown by since they were reset.
"""

from collections import Counter

# The labels of markers: linux/workloads/common.h and marked.c.
PROGRAM = (0x200, 0x201)        # the begin and the end of a program in L1, by the command marked
FIRST, OF_ROUND = 0x100, 4      # of workloads; as many of each round
ROUNDS = 4                      # so many have labels of their own, then they come again

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


def updates_of(number):
    """Where the updates of a round begin and end: two pairs, of which only gups has the second."""
    first = FIRST + OF_ROUND * (number % ROUNDS)
    return (first, first + 1), (first + 2, first + 3)


def instructions(parts):
    """Executed in the parts; None if nobody counts them."""
    if any('instructions' not in marker for part in parts for marker in part if marker):
        return None
    return grown(parts, lambda marker: marker['instructions'])


def counts(parts):
    """The sums over the parts of what the counters have grown by, as records have them."""
    return {
        **walk_counts(parts),
        'caches': caches(parts),
        'tlb': {**walk_caches(parts),
                # QEMU looks a page of code up again after its threads have stopped the CPU: how often,
                # is not the guests'.
                'hits': [row for row in difference(parts, 'hits', 'tlb', 'hits')
                         if (row['level'], row['kind']) != ('l1', 'fetch')],
                'misses': difference(parts, 'misses', 'tlb', 'misses'),
                **{name: difference_of_fields(parts, 'tlb', name)
                   for name in ('walks', 'segment-hits', 'segment-hits-l1')}},
    }


def walk_counts(parts):
    """Those of them that there are without a modelled TLB, too."""
    return {
        'walks': difference(parts, 'walks', 'walks', 'regimes'),
        'refs': difference(parts, 'refs', 'walks', 'refs-histogram'),
        'checks': difference(parts, 'checks', 'walks', 'checks-histogram'),
        'steps': difference(parts, 'steps', 'walks', 'steps'),
        'pages': difference(parts, 'pages', 'walks', 'pages'),
        'exits': difference(parts, 'exits', 'walks', 'exits'),
        'faults': difference_of_fields(parts, 'walks', 'faults'),
    }


def caches(parts):
    """What has passed the modelled caches, and what they are; None where there are none."""
    if 'caches' not in parts[0][1]['tlb']:
        return None
    return {
        'geometry': parts[0][1]['tlb']['geometry']['caches'],
        'data': difference(parts, 'data', 'tlb', 'caches', 'data'),
        'swept': difference_of_fields(parts, 'tlb', 'caches', 'swept'),
        'steps': difference(parts, 'found', 'tlb', 'caches', 'steps'),
        'walk-cycles': difference(parts, 'walk-cycles', 'tlb', 'caches', 'walk-cycles'),
        'data-cycles': grown(parts, lambda marker: marker['tlb']['caches']['data-cycles']),
    }


def walk_caches(parts):
    """What walk caches and a nested TLB have done, over all levels; {} where there is none."""
    if 'walk-caches' not in parts[0][1]['tlb']:
        return {}

    def total(marker, name):
        number = marker['tlb']['walk-caches'][name]
        return sum(number) if isinstance(number, list) else number
    return {'walk-caches': {name: grown(parts, lambda marker, name=name: total(marker, name))
                            for name in parts[0][1]['tlb']['walk-caches']}}


def at(marker, path):
    for name in path:
        marker = marker[name]
    return marker


def grown(parts, number):
    """By how much a number of a marker has grown over all parts."""
    return sum(number(end) - (number(begin) if begin else 0) for begin, end in parts)


def difference_of_fields(parts, *path):
    """Of a dict of numbers."""
    return {name: grown(parts, lambda marker, name=name: at(marker, path)[name])
            for name in at(parts[0][1], path)}


def difference(parts, table, *path):
    """Of a list of counts, in the order of its KEYS; what has not grown is left out."""
    sums, keys = {}, KEYS[table]
    for begin, end in parts:
        for sign, entries in ((-1, at(begin, path) if begin else ()), (1, at(end, path))):
            for entry in entries:
                key = tuple(entry.get(name) for name in keys)
                numbers = Counter({name: sign * value for name, value in entry.items()
                                   if name not in keys})
                sums.setdefault(key, Counter()).update(numbers)
    return [{**{name: value for name, value in zip(keys, key) if value is not None}, **numbers}
            for key, numbers in sorted(sums.items(), key=lambda item: tuple(map(str, item[0])))
            if any(numbers.values())]
