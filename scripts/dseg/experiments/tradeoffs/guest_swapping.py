# SPDX-License-Identifier: GPL-2.0-or-later
"""Guest OS swapping: L2's kernel is asked to swap out memory of programs in it."""

from . import Counts, Outcome, count_pages, stopped
from .swap import SAMPLE, swap


def attempt(stack, inside, outside, segment_kept=lambda: True):
    """Swap out the memory of two programs in L2.

    inside, outside: (Work, Range) each, the program and which of its virtual memory: what the
    guest segment covers, or in modes without one what is comparable, and ordinary memory
    """
    with swap(stack.l2):
        counts = [swap_out(stack.l2, work, part) for work, part in (inside, outside)]
        right = all([work.is_right() for work, _ in (inside, outside)])
    return Outcome(*counts, right, segment_kept())


def swap_out(console, work, part):
    with stopped(console, work.pid):    # it would bring them back
        found = count_pages(console, [part], f'--pid {work.pid} --page-out {SAMPLE}')
    return Counts(found['asked'], found['swapped'])
