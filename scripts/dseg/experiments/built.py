# SPDX-License-Identifier: GPL-2.0-or-later
"""The files that a boot reads, by their hashes: other ones give other numbers."""

import hashlib

from ..stack.stack import GUEST, PROGRAMS, qemu_binary


def hashes(**more):
    """Of each of points.point.BOOT, of PROGRAMS, and of more; None for what has not been made."""
    files = {'qemu': qemu_binary(), 'kernel': GUEST / 'vmlinuz', 'ramdisk': GUEST / 'l1.cpio',
             'programs': PROGRAMS, **more}
    return {name: _hash(file) for name, file in files.items()}


def _hash(file):
    if not file.is_file():
        return None
    with open(file, 'rb') as opened:
        return hashlib.file_digest(opened, 'sha256').hexdigest()
