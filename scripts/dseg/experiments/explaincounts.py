# SPDX-License-Identifier: GPL-2.0-or-later
"""scripts/explain --counts: where the steps of the walks of a machine's programs have been found.

A reply is a dict: what query-x86-dseg-walks and query-x86-dseg-tlb say of one CPU.
"""

from .. import Failure
from ..reports import counts
from ..reports.stepcells import HEADER, cells_of
from ..reports.table import aligned

WIDTH = 10.0            # inches
TEXT = '.txt'           # the suffix of a table instead of a picture
TITLES = {'native': 'Programs of L1', 'nested': 'Programs of nested guests'}


def ask(command, cpu=0):
    """The reply of a machine. command: sends a QMP command; returns what it returns"""
    tlbs = command('query-x86-dseg-tlb', cpu=cpu)
    if not tlbs or 'caches' not in tlbs[0]:
        raise Failure(f'CPU {cpu} has no modelled caches: start QEMU with the CPU properties '
                      'dseg-tlb=sandybridge-ep,dseg-caches=on, or another TLB')
    [walks] = command('query-x86-dseg-walks', cpu=cpu)
    return {'walks': walks, 'tlb': tlbs[0]}


def check(reply, file):
    """Raise Failure if a file's reply is none of ask()."""
    if not (isinstance(reply, dict) and 'regimes' in (reply.get('walks') or {})
            and {'caches', 'geometry'} <= set(reply.get('tlb') or {})):
        raise Failure(f'{file} is none that scripts/explain --counts has kept')
    return reply


def maps_of(reply):
    """The Cells of programs, by title: of each world in which they have walked page tables."""
    found = {'geometry': reply['tlb']['geometry']['caches'], **reply['tlb']['caches']}
    maps = {}
    for world, title in TITLES.items():
        walks = counts.tally(counts.rows({'walks': reply['walks']['regimes']}, world, 'user'))
        cells = cells_of(found, world, walks['walks'])
        if cells.cells:
            maps[f'{title}, {walks["walks"]} walks'] = cells
    if not maps:
        raise Failure('no program has walked page tables, so there is nothing to draw')
    return maps


def to_text(maps):
    """The steps as a table."""
    return '\n'.join(f'{title}: {cells.cycles:.1f} cycles of steps per walk\n\n'
                     + aligned([HEADER, *cells.lines()], left=2) + '\n'
                     for title, cells in maps.items())


def write(maps, file):
    """A picture, or a table, as the suffix of the file says."""
    if file.suffix == TEXT:
        file.write_text(to_text(maps))
        return
    # What draws is of a package that a table does not need.
    from ..drawing import plotting              # pylint: disable=import-outside-toplevel
    from ..reports import heatmap               # pylint: disable=import-outside-toplevel
    figure = heatmap.draw('Steps of walks', maps, WIDTH)
    plotting.save(figure, file)
    plotting.pyplot.close(figure)
