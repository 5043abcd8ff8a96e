# SPDX-License-Identifier: GPL-2.0-or-later
"""Swap space in a guest: a compressed disk in its memory."""

from contextlib import contextmanager

SAMPLE = 512            # pages to swap out in a range: emulated CPUs take long for more
DEVICE = '/dev/zram0'


def make_device(size):
    """Shell: DEVICE is there, with room for so much."""
    return f'modprobe zram && echo {size} >/sys/block/zram0/disksize && mkswap {DEVICE}'


@contextmanager
def swap(console, size='64M'):
    """The guest can swap inside the with statement."""
    console.run(f'[ -e {DEVICE} ] || {{ {make_device(size)}; }} && swapon {DEVICE}')
    try:
        yield
    finally:
        console.run(f'swapoff {DEVICE}', timeout=240)
