# SPDX-License-Identifier: GPL-2.0-or-later
"""Known answers of the caches: what a chain of pointers through memory finds where.

Its loads come to all lines in turn. So those of a chain that fits in a cache are all found there.
Of one that has several times as many lines as each set has ways, none is: with LRU, and with a tree,
as all ways are filled in turn, a line has gone before it is needed again.
"""

import pytest

from yardstick import geometries, markers

KIB, MIB = 1 << 10, 1 << 20
SIZES = (8 * KIB, 128 * KIB, 4 * MIB, 32 * MIB)     # tests/tlb/staircase.c
PRESETS = ('sandybridge-ep', 'sapphire-rapids', 'genoa')
LOADS = 1 << 19
# Where each is found. LLC of the newer ones is larger than the memory of the machine, and L2 of these
# has 128 KiB, too.
PLACES = {
    'sandybridge-ep': ('l1', 'l2', 'llc', 'memory'),
    'sapphire-rapids': ('l1', 'l2', 'llc', 'llc'),
    'genoa': ('l1', 'l2', 'llc', 'llc'),
}


def latency(caches, place):
    return caches['memory'] if place == 'memory' else \
        caches['l1d' if place == 'l1' else place]['latency']


@pytest.fixture(scope='module', params=PRESETS)
def preset(request, tmp_path_factory):
    """Its name, and what QEMU's markers have."""
    folder = tmp_path_factory.mktemp(request.param)
    return request.param, markers('staircase', request.param, folder)


@pytest.mark.parametrize('step', range(len(SIZES)))
def test_loads_of_a_chain_take_what_the_place_takes_that_it_fits_in(preset, step):
    name, found = preset
    begin, end = (found[label]['tlb']['caches'] for label in (2 * step + 2, 2 * step + 3))
    expected = latency(geometries()[name]['caches'], PLACES[name][step])
    cycles = end['data-cycles'] - begin['data-cycles']
    assert cycles / LOADS == pytest.approx(expected, rel=0.01)
