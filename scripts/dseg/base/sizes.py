# SPDX-License-Identifier: GPL-2.0-or-later
"""Sizes in bytes, as people and programs write them."""

import re

KiB, MiB, GiB = 1 << 10, 1 << 20, 1 << 30


def parse_size(text):
    """The bytes that '512M' or '2G' stand for."""
    found = re.fullmatch(r'(\d+)([KMG]?)', str(text))
    if not found:
        raise ValueError(f"'{text}' is not a size such as 512M or 2G")
    return int(found[1]) << {'': 0, 'K': 10, 'M': 20, 'G': 30}[found[2]]


def size_text(size):
    """A size as the kernel and QEMU read it."""
    return f'{size // MiB}M' if size % MiB == 0 else str(size)
