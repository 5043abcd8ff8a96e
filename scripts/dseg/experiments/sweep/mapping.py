# SPDX-License-Identifier: GPL-2.0-or-later
"""What the page tables say of a program's work area, and of its guest's memory.

The machine is stopped in the program then.
"""

from ...base.sizes import GiB

PAGE_BYTES = {'4k': 4 << 10, '2m': 2 << 20, '4m': 4 << 20, '1g': GiB}
MOST_RUNS = 256         # of x86-dseg-scan
COVERED_BY, SHARES = (32, 128), (80, 90, 99)


def scan(stack, level, **where):
    """The linear runs of a level, the longest first, and how much is mapped, in bytes.

    Raises MonitorError where no tables of that level are in force.
    """
    runs, mapped, base = [], 0, where.pop('base', 0)
    end = base + where.pop('size')
    while base is not None and base < end:
        found = stack.qmp('x86-dseg-scan', level=level, base=base, size=end - base,
                          runs=MOST_RUNS, **where)
        runs += found['runs']
        mapped += found['mapped']
        base = found.get('next')
    return sorted(runs, key=lambda run: (-run['size'], run['base'])), mapped


def pages(runs):
    """The bytes of these runs that are mapped by pages of each kind.

    A page of which only a part belongs to a run counts as that part.
    """
    found = {}
    for run in runs:
        whole = sum(PAGE_BYTES[page['kind']] * page['count'] for page in run['pages'])
        for page in run['pages']:
            size = PAGE_BYTES[page['kind']] * page['count'] * run['size'] / whole
            found[page['kind']] = found.get(page['kind'], 0) + size
    return {kind: round(size) for kind, size in sorted(found.items())}


def pages_under(guest, nested):
    """The pages of nested runs, as far as the guest's runs lead there."""
    found = {}
    for run in nested:
        share = sum(overlap(run, other) for other in guest) / run['size']
        for kind, size in pages([run]).items():
            found[kind] = found.get(kind, 0) + size * share
    return {kind: round(size) for kind, size in sorted(found.items()) if round(size)}


def overlap(nested, guest):
    """Bytes of gPA that a nested run and the target of a guest's run have in common."""
    return max(0, min(nested['base'] + nested['size'], guest['target'] + guest['size'])
               - max(nested['base'], guest['target']))


def contiguity(runs, mapped):
    """As CA paging has it: the share that the longest runs cover, and how many cover a share.

    Runs beyond the first MOST_RUNS are not known: None where that matters. Under a VMM segment no
    run is known, as nested page tables do not map the guest's tables, which are read by them.
    """
    sizes = [run['size'] for run in runs]
    return {'mapped': mapped, 'runs': len(runs) if len(runs) < MOST_RUNS else None,
            **{f'covered-{count}': sum(sizes[:count]) / mapped if mapped else None
               for count in COVERED_BY},
            **{f'runs-{share}': runs_for(sizes, mapped * share / 100) if mapped else None
               for share in SHARES}}


def runs_for(sizes, wanted):
    """How many of them it takes for so many bytes; None if all are not enough."""
    total = 0
    for number, size in enumerate(sizes):
        if total >= wanted:
            return number
        total += size
    return len(sizes) if total >= wanted else None


def both(guest, nested):
    """The runs of both dimensions together: a piece of a guest's run in a run of the nested tables."""
    found = []
    for run in guest:
        first, last = run['target'], run['target'] + run['size']
        for other in nested:
            low = max(first, other['base'])
            size = min(last, other['base'] + other['size']) - low
            if size > 0:
                found.append({'base': run['base'] + low - first, 'size': size,
                              'target': other['target'] + low - other['base']})
    return merged(found)


def merged(runs):
    """Neighbours that go on where the one before ends are one; the longest first."""
    found = []
    for run in sorted(runs, key=lambda run: run['base']):
        last = found[-1] if found else None
        if last and all(last[end] + last['size'] == run[end] for end in ('base', 'target')):
            last['size'] += run['size']
        else:
            found.append(dict(run))
    return sorted(found, key=lambda run: (-run['size'], run['base']))


def describe(stack, world, area, l2_memory):
    """For a record: by which pages the work area is mapped, in bytes, and how contiguous it is.

    world: 'native' or 'nested'; area: (address, bytes) of the program's; l2_memory: bytes of gPA
    """
    guest, mapped = scan(stack, 'guest', base=area[0], size=area[1], world=world)
    mapping, contiguous = {'guest': pages(guest)}, {'guest': contiguity(guest, mapped)}
    mapping['nested'] = contiguous['nested'] = contiguous['both'] = None
    if world == 'nested':
        nested, nested_mapped = scan(stack, 'vmm', base=0, size=l2_memory)
        mapping['nested'] = pages_under(guest, nested)
        contiguous['nested'] = contiguity(nested, nested_mapped)
        contiguous['both'] = contiguity(both(guest, nested), mapped)
    return {'mapping': mapping, 'contiguity': contiguous}
