# SPDX-License-Identifier: GPL-2.0-or-later
"""What a step of a walk, a check and a hit of the L2 TLB cost: presets of cycles, with reasons.

A preset has a *placement*, which says what holds the page-table entries of a level, and the latency
of each such place. Preset `measured` has neither: with modelled caches (docs/spec/caches.rst) each
step has a place of its own. Reports have the overhead with half and with twice the cycles of all
steps beside it. Half of them is also what two walkers take that overlap fully.
"""

from dataclasses import dataclass, replace

from .. import Failure

BAND = (0.5, 2.0)       # sensitivity: all steps cost so many times as much
L2_HIT = 7              # cycles of a hit of the L2 TLB, as Pham's model has it

# An entry of level 1 spans 4 KiB, of level 2 2 MiB, of level 3 1 GiB, of level 4 512 GiB. So the
# entries of 16 GiB take 32 MiB, 64 KiB, 128 bytes and 8 bytes. "table" are nested entries on the
# way to a guest's page table: 16 GiB have 32 MiB of these, which take 64 KiB of entries of level 1.
BY_FOOTPRINT = {
    ('guest', 4): ('L1', 'a few bytes, used by every walk'),
    ('guest', 3): ('L1', '128 bytes for 16 GiB'),
    ('guest', 2): ('L2', '64 KiB for 16 GiB'),
    ('guest', 1): ('LLC', '32 MiB for 16 GiB, 8 neighbours in a line'),
    ('final', 4): ('L1', 'a few bytes, used by every walk'),
    ('final', 3): ('L1', '128 bytes for 16 GiB'),
    ('final', 2): ('L2', '64 KiB for 16 GiB'),
    ('final', 1): ('LLC', '32 MiB for 16 GiB'),
    ('table', 4): ('L1', 'a few bytes, used by every walk'),
    ('table', 3): ('L1', 'a line or two'),
    ('table', 2): ('L1', '128 bytes for 32 MiB of guest tables'),
    ('table', 1): ('L2', '64 KiB for 32 MiB of guest tables'),
}
# The same with page-walk caches (PWC) for the upper levels, which DMT and EMT have.
WITH_WALK_CACHES = {
    place: ('PWC', 'an upper level') if place[1] > 2 or place == ('table', 2) else found
    for place, found in BY_FOOTPRINT.items()}

# Cycles of the check of one walk. Recalled from the paper's method, not read in it: 1 beside a walk
# of the other dimension or none, 5 for the one-dimensional walk under the VMM segment.
CHECKED_WALK = {'native-direct': 1, 'guest-direct': 1, 'dual-direct': 1,
                'vmm-direct': 5, 'mixed': 5}
OTHER_CHECK = 1         # each check of another walk: a segment that was in force and missed


@dataclass(frozen=True)
class Costs:
    """A preset."""
    name: str
    about: str
    source: str
    latencies: dict = None  # cycles by place; None: those of the modelled caches
    placement: dict = None  # (place, why) by (guest, final or table; level); None: as found
    cpi: float = 1.0        # cycles of an instruction whose translation is free
    factor: float = 1.0     # of all steps

    def step(self, dimension, level, target=None):
        """Cycles to read one entry.

        dimension: 'guest' (or native), 'nested'
        level: of the table that has the entry
        target: of a nested step: the level of the guest's entry that it leads to; 0: final address
        """
        kind = dimension if dimension == 'guest' else 'table' if target else 'final'
        return self.factor * self.latencies[self.placement[kind, min(level, 4)][0]]

    @property
    def is_measured(self):
        """Whether each step costs what the cache took in which it was found."""
        return self.placement is None

    @staticmethod
    def check(regime, walks, checks):
        """Cycles of the checks of walks of a regime."""
        return CHECKED_WALK[regime] * walks if regime in CHECKED_WALK else OTHER_CHECK * checks

    def times(self, factor):
        """The same, with all steps so many times as expensive."""
        return replace(self, factor=self.factor * factor)


PRESETS = {costs.name: costs for costs in (
    Costs('direct', 'every step is made, and finds its entry in the cache that the entries of a '
          'level for 16 GiB fit in',
          'Sandy Bridge: Intel\'s Optimization Reference Manual (recalled) has 4, 12 and 26 to 31 '
          'cycles; memory about 180',
          {'L1': 4, 'L2': 12, 'LLC': 30, 'memory': 180}, BY_FOOTPRINT),
    Costs('dmt', 'latencies of DMT; upper levels hit page-walk caches',
          'latencies of DMT\'s artifact; the placement is ours',
          {'PWC': 1, 'L1': 4, 'L2': 14, 'LLC': 54, 'memory': 200}, WITH_WALK_CACHES),
    Costs('emt', 'latencies of EMT; upper levels hit page-walk caches',
          'latencies of EMT\'s artifact; the placement is ours',
          {'PWC': 1, 'L1': 2, 'L2': 16, 'LLC': 56, 'memory': 180}, WITH_WALK_CACHES),
)}
DEFAULT = 'direct'
MEASURED = Costs('measured', 'every step takes as long as the cache in which it was found; '
                 'the ideal time has what data took beyond a hit of L1, too; with two walkers that '
                 'overlap fully steps take half as long: x0.5',
                 'the point itself, with caches = true; latencies of the geometry of its TLB')
NAMES = (*PRESETS, MEASURED.name)


def preset(name):
    """The costs of that name."""
    if name not in NAMES:
        raise Failure(f'there are no costs {name!r}; there are: ' + ', '.join(NAMES))
    return PRESETS.get(name, MEASURED)
