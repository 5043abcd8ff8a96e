# SPDX-License-Identifier: GPL-2.0-or-later
"""Ballooning: L2 gives memory to its balloon, and L1 is to get the frames of it back."""

import time

from ...base.sizes import MiB
from . import Counts, Outcome, count_pages

STEP = 32 * MiB
FEW = 512               # pages in a range, at least, to say something of it
POLL = 0.5              # seconds
SLOW = 60               # seconds in which the guest must have given something


def attempt(stack, vm, inside, work, segment_kept=lambda: True):
    """Inflate L2's balloon until it has pages inside and outside a range of gPA, or a half.

    inside: what the VMM segment covers, or in modes without one any part of vm.memory
    work: a workload that runs in L2
    """
    areas = [[inside], vm.memory.without(inside)]
    size = vm.memory.bytes
    try:
        for given in range(STEP, size // 2 + 1, STEP):
            set_balloon(vm, size - given)
            taken = [ballooned(stack.l2, ranges) for ranges in areas]
            if min(taken) >= FEW:
                break
        counts = [given_back(vm, *area) for area in zip(areas, taken)]
        right, kept = work.is_right(), segment_kept()
    finally:
        set_balloon(vm, size)
    return Outcome(*counts, right, kept)


def ballooned(console, ranges):
    return count_pages(console, ranges)['ballooned']


def set_balloon(vm, size):
    """What is left to the guest; waits till it has given the rest, or gives no more."""
    vm.qmp('balloon', value=size)
    before, last = None, time.monotonic()
    while (now := vm.qmp('query-balloon')['actual']) != size:
        if now != before:
            before, last = now, time.monotonic()
        if time.monotonic() > last + SLOW:
            return
        time.sleep(POLL)


def given_back(vm, ranges, attempted):
    """Of the pages in the balloon, those that L1 has a frame less for."""
    pages = sum(part.bytes for part in ranges) // 4096
    present = vm.count(ranges)['present']
    still_there = max(0, present - (pages - attempted))     # at least so many of them
    return Counts(attempted, attempted - still_there)
