# SPDX-License-Identifier: GPL-2.0-or-later
"""VMM swapping: L1's kernel is asked to swap out memory of the VM that is L2."""

from . import Counts, Outcome
from .swap import SAMPLE, swap


def attempt(stack, vm, inside, work, segment_kept=lambda: True):
    """Swap out L2's memory inside and outside a range of gPA, while a workload runs in L2.

    inside: what the VMM segment covers, or in modes without one any part of vm.memory
    """
    with swap(stack.l1):
        counts = [swap_out(vm, ranges) for ranges in ([inside], vm.memory.without(inside))]
        right = work.is_right()
    return Outcome(*counts, right, segment_kept())


def swap_out(vm, ranges):
    with vm.stopped():                  # it would bring them back
        found = vm.count(ranges, f'--page-out {SAMPLE}')
    return Counts(found.get('asked', 0), found.get('swapped', 0))
