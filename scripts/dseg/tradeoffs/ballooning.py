# SPDX-License-Identifier: GPL-2.0-or-later
"""Ballooning: L2 gives memory to its balloon, and L1 is to get the frames of it back."""

import time

from ..layout import MiB
from . import Counts, Outcome, count_pages

STEP = 32 * MiB
FEW = 512               # pages in a range, at least, to say something of it
POLL = 1                # seconds
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
            vm.qmp(f'balloon value={size - given}')
            wait_for(stack.l2, vm, given)
            if all(ballooned(stack.l2, ranges) >= FEW for ranges in areas if ranges):
                break
        counts = [given_back(stack.l2, vm, ranges) for ranges in areas]
        kept = segment_kept()
    finally:
        vm.qmp(f'balloon value={size}')
    wait_for(stack.l2, vm, 0)
    return Outcome(*counts, work.is_right(), kept)


def ballooned(console, ranges):
    return count_pages(console, ranges).get('ballooned', 0)


def wait_for(console, vm, given):
    """Till the balloon has that much, or no more comes."""
    before, last = None, time.monotonic()
    while (now := ballooned(console, [vm.memory])) != given // 4096:
        if now != before:
            before, last = now, time.monotonic()
        if time.monotonic() > last + SLOW:
            return
        time.sleep(POLL)


def given_back(console, vm, ranges):
    """Of the pages in the balloon, those that L1 has a frame less for."""
    pages = sum(part.bytes for part in ranges) // 4096
    attempted = ballooned(console, ranges)
    present = vm.count(ranges).get('present', 0) if ranges else 0
    still_there = max(0, present - (pages - attempted))     # at least so many of them
    return Counts(attempted, attempted - still_there)
