# SPDX-License-Identifier: GPL-2.0-or-later
"""Where the stack has everything in physical memory."""

from dataclasses import dataclass

from .. import Failure
from ..base.sizes import GiB, MiB, size_text

LARGE_PAGE = 2 * MiB

# For a kernel's command line: map all memory of programs in 4 KiB pages, as it maps the holes.
SMALL_PAGES = 'transparent_hugepage=never'
# A kernel that stands still while this machine is busy has not locked up.
PATIENT = 'watchdog_thresh=60 rcupdate.rcu_cpu_stall_timeout=300'


@dataclass(frozen=True)
class Layout:
    """Physical addresses of the stack, all known before anything runs.

    L1's memory map has a hole, which L1's kernel leaves alone: at its start L2's memory, so
    that it is contiguous in host physical memory (hPA), then a work area for workloads that
    run in L1. L2's memory map has a hole too, in guest physical memory (gPA): the work area
    of workloads that run in L2.

    Without holes all memory is the kernels' own, and nothing is known before; it is for them
    to make some of it contiguous.
    """
    l1_memory: int = 2 * GiB
    l2_memory: int = 512 * MiB
    l1_work_size: int = 256 * MiB
    holes: bool = True
    l2_split: bool = False          # L2 may have memory above 4 GiB, too

    gva = 0x6000_0000_0000          # virtual address of every workload's work area
    low_end = 2 * GiB               # L1's memory is linear up to here, the rest is above 4 GiB
    l2_low_end = 3 * GiB            # the same of L2, which QEMU's microvm fixes
    vmm_base = 1 * MiB              # gPA; below it L2 has its BIOS, which is not linear
    room_below = 256 * MiB          # what L1's kernel gets below its hole, at least ...
    room_above = 192 * MiB          # ... and its initial ramdisk above it

    def __post_init__(self):
        for size in (self.l1_memory, self.l2_memory, self.l1_work_size):
            if size % LARGE_PAGE:
                raise Failure(f'memory of {size_text(size)}: must be a multiple of 2M')
        if self.l2_memory < 256 * MiB or not self.l2_split and self.l2_memory > self.l2_low_end:
            raise Failure('memory of L2: must be from 256M' + ('' if self.l2_split else ' to 3G'))
        if not self._fits():
            raise Failure(f'memory of L1: must be at least {size_text(self._least_l1_memory())} '
                          f'with {size_text(self.l2_memory)} for L2')

    def _fits(self):
        if not self.holes:
            return self._least_l1_memory() <= self.l1_memory
        return self._fits_low() or self._fits_high()

    def _least_l1_memory(self):
        low = self.room_below + self.room_above
        if not self.holes:
            return low + self.l2_memory
        low += self.hole_size
        return low if low <= self.low_end else self.low_end + self.hole_size

    def _fits_low(self):
        return self.room_below + self.hole_size + self.room_above <= self._low_size()

    def _fits_high(self):
        return self.low_end + self.hole_size <= self.l1_memory

    def _low_size(self):
        return min(self.l1_memory, self.low_end)

    @property
    def hole_size(self):
        return self.l2_memory + self.l1_work_size

    @property
    def hole(self):
        """hPA of L2's memory."""
        if not self._fits_low():
            return 4 * GiB
        return min(1 * GiB, self._low_size() - self.room_above - self.hole_size)

    @property
    def vmm_size(self):
        """Of the largest segment from gPA to hPA, which begins at vmm_base."""
        return self.l2_memory - self.vmm_base

    @property
    def vmm_target(self):
        """hPA of vmm_base."""
        return self.hole + self.vmm_base

    @property
    def l1_work_hpa(self):
        return self.hole + self.l2_memory

    @property
    def l2_work_gpa(self):
        return self.l2_memory // 4 // LARGE_PAGE * LARGE_PAGE

    @property
    def l2_work_size(self):
        """A power of two, which gups wants: from a quarter to half of L2's memory."""
        return 1 << ((self.l2_memory // 2).bit_length() - 1)

    @property
    def l2_work_hpa(self):
        return self.hole + self.l2_work_gpa

    def l1_append(self):
        """What L1's kernel, and the command l2 in L1, must know of it."""
        if not self.holes:
            return f'{PATIENT} {SMALL_PAGES} l2.memory={size_text(self.l2_memory)}'
        return (f'{PATIENT} memmap={size_text(self.hole_size)}${size_text(self.hole)} '
                f'l2.memory={size_text(self.l2_memory)} l2.at={self.hole:#x} '
                f'l2.memmap={size_text(self.l2_work_size)}${size_text(self.l2_work_gpa)}')

    def l2_append(self):
        """What L2's kernel must know of it, besides what the command l2 tells it."""
        return PATIENT if self.holes else f'{PATIENT} {SMALL_PAGES}'
