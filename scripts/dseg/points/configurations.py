# SPDX-License-Identifier: GPL-2.0-or-later
"""What a workload runs on: page sizes of guest and host, and which segments there are."""

from dataclasses import dataclass, replace

from ..stack.modes import MODES, without_guest_segment

PAGES = {'4k': 4 << 10, '2m': 2 << 20, '1g': 1 << 30, 'thp': 2 << 20}
HUGE = ('2m', '1g')             # those that a program has to ask for


@dataclass(frozen=True)
class Configuration:
    """A bar of the field's figures."""
    name: str
    guest: str          # pages of the workload, where no segment translates: a key of PAGES
    host: str           # pages of L2's memory; 'segment' with a VMM segment, None in L1
    mode: str           # of stack/modes.py
    paging: str         # 'nested' or 'shadow'; of L1 nothing but the first
    label: str          # as figures have it

    @property
    def world(self):
        """Where the workload runs: 'native' (L1) or 'nested' (L2)."""
        return MODES[self.mode].world

    @property
    def guest_segment(self):
        """Whether the workload has a primary region."""
        return MODES[self.mode].guest

    @property
    def without_guest_segment(self):
        """The same where no primary region can be made, so that page tables translate."""
        return replace(self, mode=without_guest_segment(self.mode))

    @property
    def vmm_segment(self):
        return MODES[self.mode].vmm

    @property
    def page(self):
        """Bytes of a page of the workload's."""
        return PAGES[self.guest]

    @property
    def host_page(self):
        """Bytes of a page of L2's memory."""
        return PAGES.get(self.host, PAGES['4k'])

    @property
    def family(self):
        """What it is to be compared with: 'native', 'nested' or 'shadow'."""
        return 'shadow' if self.paging == 'shadow' else self.world

    @property
    def walk_world(self):
        """The world of the program's walks in a record: shadow page tables are not nested."""
        return 'native' if self.paging == 'shadow' else self.world


def _native(pages, mode='native', label=None):
    name = 'ds' if mode == 'native-direct' else pages
    return Configuration(f'native-{name}', pages, None, mode, 'nested', label or pages.upper())


def _nested(name, guest, host, mode='base', paging='nested', label=None):
    return Configuration(name, guest, host, mode, paging, label or name.upper())


def _both(guest, host):
    return _nested(f'{guest}+{host}', guest, host)


# In the order of the figures.
_ALL = (
    _native('4k'), _native('2m'), _native('1g'), _native('thp'),
    _native('4k', 'native-direct', 'DS'),
    _both('4k', '4k'), _both('4k', '2m'), _both('4k', '1g'), _both('2m', '2m'),
    _both('2m', '1g'), _both('1g', '1g'), _both('thp', 'thp'),
    *(_nested(f'{guest}+vd', guest, 'segment', 'vmm-direct') for guest in ('4k', '2m', 'thp')),
    # What the guest segment does not translate has pages of 4 KiB; the name has the host's.
    _nested('4k+gd', '4k', '4k', 'guest-direct'),
    _nested('2m+gd', '4k', '2m', 'guest-direct'),
    _nested('dd', '4k', 'segment', 'dual-direct'),
    *(_nested(f'shadow-{size}', size, size, paging='shadow', label=f'shadow {size.upper()}')
      for size in ('4k', '2m')),
)
CONFIGURATIONS = {configuration.name: configuration for configuration in _ALL}
