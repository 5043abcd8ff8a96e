# SPDX-License-Identifier: GPL-2.0-or-later
"""How much memory the guests of a point have, and this machine needs for them.

The work area is taken as a power of two, so that many points have the same guests and share a
boot. Large pages are whole ones.
"""

from dataclasses import dataclass

from ..base.sizes import GiB, MiB, size_text
from ..stack.layout import Layout
from .configurations import PAGES

LEAST_WORK = 64 * MiB
LOW_L1 = Layout.low_end                     # a piece of L1's memory; what is above 4 GiB is another
MOST_L2 = 3 * GiB       # that a VMM segment can cover: stack/layout.py, low memory of the microvm
QEMU = 512 * MiB                            # QEMU itself, with what it has translated


@dataclass(frozen=True)
class Room:
    """What a guest has besides the area: for its kernel, the ramdisk, and what runs beside.

    huge: the same where the area is pages of 1 GiB. The first has the kernel, the one below 2 GiB
        the ramdisk, and the last the kernel's list of pages.
    """
    plain: int
    huge: int


BESIDE = 4              # this part of a large area there is room for beside it: a region of as many
                        # frames has to be between those that the kernel can't move
ROOM_L1, ROOM_L2 = Room(768 * MiB, 3 * GiB), Room(256 * MiB, 3 * GiB)
LEAST_FOR_THP = 640 * MiB   # Linux gives programs no huge pages if it has less than 512 MiB
PROGRAMS = 256 * MiB        # at most, of the disk of Debian's programs, which is memory, too
LEFT_ALONE = GiB            # of L2, where its memory is pages of 1 GiB: they can't map a BIOS


@dataclass(frozen=True)
class Memory:
    """In bytes."""
    l1: int
    l2: int         # 0 if there is no L2
    programs: int   # 0 if there is no disk of Debian's programs

    @property
    def host(self):
        """What this machine needs for it."""
        return self.l1 + self.programs + QEMU


def memory_of(configuration, work, programs=False, event='none'):
    """Of a configuration, for so many bytes of a work area, perhaps Debian's programs, and for what
    happens to L2."""
    area = max(LEAST_WORK, 1 << (work - 1).bit_length())
    disk = PROGRAMS if programs else 0
    if configuration.world == 'native':
        return Memory(_l1_with(area, configuration.page), 0, disk)
    alone = LEFT_ALONE if configuration.host == '1g' != configuration.guest else 0
    least = LEAST_FOR_THP if configuration.guest == 'thp' else 0
    l2 = _up(max(least, alone + _with(area, configuration.page, ROOM_L2)), configuration.host_page)
    copies = 2 if event == 'migration' else 1           # L2 is in two VMMs for a while
    return Memory(_l1_with(copies * l2, configuration.host_page), l2, disk)


def _l1_with(area, page):
    """The memory of L1: all of an area fits into a piece of it, as it may have to be contiguous."""
    memory = _with(area, page, ROOM_L1)
    return memory if memory <= LOW_L1 or page == PAGES['1g'] else LOW_L1 + memory


def _with(area, page, room):
    """The memory of a kernel that has an area of such pages."""
    if page == PAGES['1g']:
        return _up(area, page) + room.huge
    return _up(area, page) + max(room.plain, _up(area // BESIDE, MiB))


def _up(number, unit):
    return -(-number // unit) * unit


def gigabytes(size):
    """For people."""
    return f'{size / GiB:.1f}G' if size >= GiB else size_text(_up(size, MiB))
