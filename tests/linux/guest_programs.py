# SPDX-License-Identifier: GPL-2.0-or-later
"""Test programs in the guests: those of programs/, in initial ramdisks of their own.

What scripts/build-guests makes stays free of tests: the kernel unpacks one archive after another.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

from dseg import ROOT
from dseg.guests.images import GUEST, pack

SOURCES = Path(__file__).parent / 'programs'

# How they are linked: those for dseg-run as what Debian's programs are.
LINKED = {'run-effects': (), 'run-own-malloc': (), 'run-deep': ('-shared', '-fPIC'),
          'run-first': ('-shared', '-fPIC')}


def names():
    return sorted(file.stem for file in SOURCES.glob('*.c'))


def cases(name):
    """The names of the cases of one program."""
    return re.findall(r'^        { "([\w-]+)", \w+ },$', (SOURCES / f'{name}.c').read_text(), re.M)


def build(name, folder):
    subprocess.run([*os.environ.get('CC', 'gcc').split(), '-std=gnu11', '-O2', '-Wall', '-Wextra',
                    '-Werror', *LINKED.get(name, ('-static',)), '-pthread',
                    '-I', ROOT / 'linux/include', '-o', folder / name, SOURCES / f'{name}.c'], check=True, timeout=120)


def ramdisk(folder, of_l2=None):
    """Make the initial ramdisk of an L1 that has the programs, and so has its L2, or some of them."""
    root = folder / 'root'
    (root / 'usr/bin').mkdir(parents=True)
    programs = folder / 'programs.cpio'
    for name in of_l2 or names():
        build(name, root / 'usr/bin')
    pack(root, programs)
    for name in names():
        build(name, root / 'usr/bin')
    (root / 'boot').mkdir()
    append(GUEST / 'l2.cpio', programs, root / 'boot/l2.cpio')
    both = folder / 'both.cpio'
    pack(root, both)
    shutil.rmtree(root)
    append(GUEST / 'l1.cpio', both, folder / 'l1.cpio')
    return folder / 'l1.cpio'


def append(first, second, target):
    target.write_bytes(first.read_bytes() + second.read_bytes())
