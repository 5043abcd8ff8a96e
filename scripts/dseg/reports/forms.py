# SPDX-License-Identifier: GPL-2.0-or-later
"""The closed forms of a point: pairs of numbers that are equal if all that was counted is right.

    wrong = broken(forms(record, configuration))

One that says "at most" or "missing" has on its left how much that is, and 0 on its right. The rules
are those of docs/spec/counters.rst and docs/spec/tlb.rst; cached.py has those of modelled caches.
Walk caches and a nested TLB save references; where a geometry has them, forms that count every
reference are left out.
"""

import math
from collections import Counter
from typing import NamedTuple

from ..points import records
from ..points.point import NO_REGION
from . import cached, counts

PAGES_SHARE = 0.99      # of the program's walks that must end in the pages that were asked for
# The same of Debian's programs in nested pages of 1 GiB: servers ask for the time, and its page is in
# the kernel's image, which no such page can map.
PROGRAMS_SHARE = 0.95
SOME_WALKS = 10000      # of fewer, those to the program's own stack and text are too large a share
LEVELS = 4              # of page tables, in both dimensions
REFS = {'4k': 4, '2m': 3, '4m': 1, '1g': 2, 'segment': 0, 'none': 0}    # that a walk to it takes
# What may map memory that is to be in such pages; of THP it is chance.
ACCEPTED = {'4k': ('4k',), '2m': ('2m',), '1g': ('1g',), 'thp': ('4k', '2m')}
NESTED_REFS = (2, 3, 4)     # of one translation of a gPA by nested page tables
NO_NESTED = ('native', 'native-direct', 'vmm-direct', 'dual-direct')
ONE_CHECK = ('native-direct', 'guest-direct', 'dual-direct')
ALONE = ('native-direct', 'dual-direct')        # segments alone translate


class Form(NamedTuple):
    """Two numbers that must be equal."""
    name: str
    left: object
    right: object


def excess(number, limit):
    """What of a number is above its limit."""
    return max(0, number - limit)


def outside(number, low, high):
    """How far a number is from a range."""
    return max(0, low - number, number - high)


def histograms(record):
    """Rows of walks, the histogram of references and the steps say the same."""
    caches = counts.has_caches(record)
    for world in records.WORLDS:
        for privilege in records.PRIVILEGES:
            total = counts.tally(counts.rows(record, world, privilege))
            bars = counts.bars(record, world, privilege)
            where = f'({world} {privilege})'
            yield Form(f'walks = walks of the histogram {where}', total['walks'],
                       sum(bars.values()))
            for number, dimension in enumerate(('guest', 'nested')):
                refs, name = total[f'{dimension}-refs'], f'{dimension} refs'
                made = counts.steps(record, dimension, world, privilege)
                yield Form(f'{name} = those of the histogram {where}', refs,
                           sum(bar[number] * walks for bar, walks in bars.items()))
                yield Form(f'{name} = steps {where}', refs, sum(made.values()))
            alone = sum(row['walks'] for row in counts.rows(record, world, privilege)
                        if row['regime'] in ALONE)
            if not caches:
                yield Form(f'walks of segments alone = walks without a reference {where}', alone,
                           bars[0, 0])
                yield Form(f'walks whose number of references can not be {where}',
                           impossible(bars, world), 0)


def impossible(bars, world):
    """Walks whose references no walk of that world can have: each gPA takes none, or 2 to 4."""
    return sum(walks for (guest, nested), walks in bars.items()
               if guest not in (0, *NESTED_REFS) or nested == 1
               or nested > (LEVELS * (guest + 1) if world == 'nested' else 0))


def tlb(record):
    """Walks are the misses of the modelled TLB, by kind of access."""
    if not record['tlb']:
        return
    found = record['tlb']
    for kind in records.KINDS:
        beside_l2 = found['segment-hits'][kind]
        beside_l1 = found.get('segment-hits-l1', {}).get(kind, 0)
        misses = counts.lookups(record, 'misses', 'l2', kind)
        some = counts.rows(record, access=kind)
        yield Form(f'walks = L2 misses - segment hits ({kind})', found['walks'][kind],
                   misses - beside_l2)
        yield Form(f'L2 lookups = L1 misses ({kind})',
                   misses + counts.lookups(record, 'hits', 'l2', kind),
                   counts.lookups(record, 'misses', 'l1', kind))
        yield Form(f'walks counted = those of the TLB + segment hits ({kind})',
                   counts.tally(some)['walks'], found['walks'][kind] + beside_l2 + beside_l1)
        yield Form(f'walks of segments alone = segment hits ({kind})',
                   counts.tally(row for row in some if row['regime'] in ALONE)['walks'],
                   beside_l2 + beside_l1)


def regimes(record):
    """Every row obeys the line of its regime in the table of what one walk costs."""
    caches = counts.has_caches(record)
    for row in record['walks']:
        regime, walks = row['regime'], row['walks']
        where = f'({regime} {row["access"]} {row["privilege"]})'
        guest, nested, checks = row['guest-refs'], row['nested-refs'], row['checks']
        if regime in ONE_CHECK:
            yield Form(f'guest refs = 0 {where}', guest, 0)
            yield Form(f'checks = walks {where}', checks, walks)
        if regime in NO_NESTED:
            yield Form(f'nested refs = 0 {where}', nested, 0)
            yield Form(f'escapes = 0 {where}', row['escapes'], 0)
        if regime == 'native':
            yield Form(f'checks at most 1 a walk {where}', excess(checks, walks), 0)
        yield Form(f'false escapes at most escapes {where}',
                   excess(row['false-escapes'], row['escapes']), 0)
        yield Form(f'escapes at most lookups {where}',
                   excess(row['escapes'], row['filter-lookups']), 0)
        if not caches:
            yield from uncached(regime, where, row)


def uncached(regime, where, row):
    """What else holds of a row where no cache saves references."""
    walks, guest, nested = row['walks'], row['guest-refs'], row['nested-refs']
    checks = row['checks']
    if regime not in ONE_CHECK:
        yield Form(f'guest refs 2 to 4 a walk {where}', outside(guest, 2 * walks, 4 * walks), 0)
    gpas = guest + walks        # g + 1 of each walk
    if regime == 'base':
        yield Form(f'nested refs 2 to 4 a gPA {where}', outside(nested, 2 * gpas, 4 * gpas), 0)
        yield Form(f'checks at most g + 2 a walk {where}', excess(checks, gpas + walks), 0)
    if regime == 'guest-direct':
        yield Form(f'nested refs 2 to 4 a walk {where}', outside(nested, 2 * walks, 4 * walks), 0)
    if regime == 'mixed':
        yield Form(f'nested refs of 1 to g gPAs a walk {where}',
                   outside(nested, 2 * walks, 4 * guest), 0)
    if regime in ('vmm-direct', 'mixed'):
        yield Form(f'lookups = g + 1 a walk {where}', row['filter-lookups'], gpas)
        # A guest segment that is in force but misses adds one.
        yield Form(f'checks g + 1 to g + 2 a walk {where}', outside(checks, gpas, gpas + walks), 0)
    if regime == 'dual-direct':
        yield Form(f'lookups = walks {where}', row['filter-lookups'], walks)


def levels(record):
    """Steps of each level are as many as walks that go so deep: no cache may save any."""
    if counts.has_caches(record):
        return
    for world in records.WORLDS:
        for privilege in records.PRIVILEGES:
            yield from begun(record, world, privilege)
    guest, final = counts.steps(record, 'guest'), Counter()
    for (target, level), count in counts.steps(record, 'nested').items():
        if target == records.FINAL:
            final[level] += count
    for dimension, made in (('guest', guest), ('nested', final)):
        ends, kinds = counts.leaves(made), counts.pages(record, dimension)
        for kind in ('4k', '2m', '1g'):
            yield Form(f'walks that end in {dimension} pages of {kind} = their last steps',
                       kinds[kind], ends[kind])
    refs = sum(REFS[kind] * count for kind, count in counts.pages(record, 'guest').items())
    yield Form('guest refs = those of the pages found', sum(guest.values()), refs)


def begun(record, world, privilege):
    """Each walk of page tables begins at the root, one of nested tables for each gPA."""
    where = f'({world} {privilege})'
    guest = counts.steps(record, 'guest', world, privilege)
    nested = counts.steps(record, 'nested', world, privilege)
    walks = Counter()
    for row in counts.rows(record, world, privilege):
        walks[row['regime']] += row['walks']
    by_tables = sum(count for regime, count in walks.items() if regime not in ONE_CHECK)
    yield Form(f'walks by guest tables = steps of the root {where}', by_tables, guest[LEVELS])
    if world != 'nested' or walks['mixed']:
        return              # of mixed ones some gPAs have no nested walk, and nothing says which
    base = counts.tally(counts.rows(record, world, privilege, 'base'))
    gpas = base['guest-refs'] + base['walks'] + walks['guest-direct']
    roots = sum(count for (_, level), count in nested.items() if level == LEVELS)
    yield Form(f'gPAs by nested tables = steps of the nested root {where}', gpas, roots)
    if walks['vmm-direct']:
        return
    for level in range(1, LEVELS + 1):
        yield Form(f'guest entries of level {level} = nested walks to them {where}', guest[level],
                   nested[level, LEVELS])


def asked_for(record, configuration, share=PAGES_SHARE):
    """The program's walks end in the pages, or segments, of the configuration.

    THP promises no share; only that there is no page of 1 GiB. A page that escapes has left its
    segment as it was asked to. Walk caches hide all but the last level, and a nested TLB that, too:
    then pages are those that all software of the CPU has found.
    """
    walks = counts.program(record, configuration)
    if walks['walks'] < SOME_WALKS:
        return
    wanted = {'guest': configuration.guest}
    if configuration.guest_segment:
        wanted['guest'] = 'segment'
        if counts.of_programs(record):
            yield from some_by_segment(record, configuration, share)
            del wanted['guest']
    if configuration.walk_world == 'nested':
        wanted['nested'] = configuration.host
    allowed = {'guest': 0, 'nested': walks['escapes']}
    found = dict(zip(('guest', 'nested'), counts.program_leaves(record, configuration)))
    if counts.has_nested_tlb(record):
        found['nested'] = counts.pages(record, 'nested')
    for dimension, kind in wanted.items():
        if (dimension, kind) == ('nested', '1g') and counts.of_programs(record):
            share = PROGRAMS_SHARE
        there, least = found[dimension], math.ceil(share * walks['walks'])
        if counts.has_caches(record):
            if kind == '4k':
                yield Form(f'program\'s walks missing to {share:.0%} in {dimension} pages of 4k',
                           excess(least, there['4k']), 0)
            elif kind != 'thp':
                yield Form(f'program\'s walks above {1 - share:.0%} in {dimension} pages of 4k',
                           excess(there['4k'] - allowed[dimension], walks['walks'] - least), 0)
        elif kind == 'thp':
            yield Form(f'program\'s walks that end in {dimension} pages of 1g', there['1g'], 0)
        else:
            name = 'a segment' if kind == 'segment' else f'pages of {kind}'
            enough = there[kind] + (allowed[dimension] if kind == 'segment' else 0)
            yield Form(f'program\'s walks missing to {share:.0%} in {dimension} {name}',
                       excess(least, enough), 0)


def some_by_segment(record, configuration, share):
    """The heap of a program of Debian's is in the segment; the rest, and its load, have pages."""
    if counts.has_caches(record):
        return
    walks = counts.program(record, configuration)['walks']
    there = counts.program_leaves(record, configuration)[0]
    yield Form('program\'s walks by its segment missing to one', excess(1, there['segment']), 0)
    yield Form(f'program\'s walks missing to {share:.0%} in a guest segment or pages of 4k',
               excess(math.ceil(share * walks), there['segment'] + there['4k']), 0)


def tables(record, configuration, share=PAGES_SHARE):
    """The page tables map the work area by the pages of the configuration, where no segment does.

    Of nested ones a few are smaller: L2's memory has a hole for its BIOS.
    """
    mapping = record.get('mapping')
    if not mapping:
        return
    if not configuration.guest_segment:
        others = sum(size for kind, size in mapping['guest'].items()
                     if kind not in ACCEPTED[configuration.guest])
        yield Form(f'bytes of the work area in guest pages not of {configuration.guest}', others, 0)
    if mapping['nested'] and not configuration.vmm_segment:
        found = mapping['nested']
        others = sum(size for kind, size in found.items()
                     if kind not in ACCEPTED[configuration.host])
        most = 0 if configuration.host == '4k' else (1 - share) * sum(found.values())
        yield Form(f'bytes of the work area in nested pages not of {configuration.host}',
                   excess(others, most), 0)


def segments_absent(record, configuration):
    """A configuration without segments has no walk by one, and no check."""
    if configuration.mode not in ('base', 'native'):
        return
    total = counts.tally(record['walks'])
    by_segments = sum(row['walks'] for row in record['walks']
                      if row['regime'] not in ('base', 'native'))
    yield Form('walks by segments = 0, as there are none', by_segments, 0)
    yield Form('checks = 0, as there are no segments', total['checks'], 0)
    yield Form('filter lookups = 0, as there are no segments', total['filter-lookups'], 0)


def forms(record, configuration=None, share=PAGES_SHARE):
    """All of a record; with a configuration, also that its pages are those that were asked for.

    In the middle of a run with a timeline they are others.
    share: of the program's walks, that must end in these pages
    """
    if configuration and record.get(NO_REGION):
        configuration = configuration.without_guest_segment
    found = [Form('the data is', record['data'], 'right'), *histograms(record), *tlb(record),
             *regimes(record), *levels(record),
             *(Form(*equation) for equation in cached.equations(record))]
    if configuration and not record.get('timeline'):
        found += [*segments_absent(record, configuration),
                  *tables(record, configuration), *asked_for(record, configuration, share)]
    return found


def broken(some):
    """Those that do not hold."""
    return [form for form in some if form.left != form.right]
