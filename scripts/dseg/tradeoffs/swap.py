# SPDX-License-Identifier: GPL-2.0-or-later
"""Swap space in a guest: a compressed disk in its memory."""

from contextlib import contextmanager

SAMPLE = 1024           # pages to swap out in a range: emulated CPUs take long for more
DEVICE = '/dev/zram0'


@contextmanager
def swap(console, size='256M'):
    """The guest can swap inside the with statement."""
    console.run(f'modprobe zram && echo {size} >/sys/block/zram0/disksize && '
                f'mkswap {DEVICE} && swapon {DEVICE}')
    try:
        yield
    finally:
        console.run(f'swapoff {DEVICE}; echo 1 >/sys/block/zram0/reset', timeout=240)
