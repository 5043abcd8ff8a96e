# SPDX-License-Identifier: GPL-2.0-or-later
"""Where numbers are from: host, versions, hashes, and the command that makes them again.

docs/experiments.md has the keys.
"""

import hashlib
import json
import os
import platform
import re
import shlex
import subprocess
from functools import cache
from pathlib import Path

from .. import ROOT, Failure
from ..base import processes
from ..base.atomically import write_text
from ..source import git
from ..stack.stack import GUEST, PROGRAMS, qemu_binary

SECONDS = 30            # that a QEMU may take to say its version


def provenance(inputs, words):
    """A dict; what can't be found out is None.

    inputs: what can change the numbers, hashes of files among it
    words: of the command
    """
    return {**_of_this_machine(), 'versions': {'qemu': _qemu_version(), 'kernel': _kernel_version()},
            'inputs': inputs, 'command': shlex.join(words)}


def write_numbers(file, origin, numbers, schema=1):
    """The JSON file of a script: origin is the provenance of when it began."""
    text = json.dumps({'schema': schema, **numbers, 'provenance': origin}, indent=1)
    write_text(file, text + '\n')


def hashes(**more):
    """Of the files of a boot, points.point.BOOT and PROGRAMS, and of more; None if not made."""
    files = {'qemu': qemu_binary(), 'kernel': GUEST / 'vmlinuz', 'ramdisk': GUEST / 'l1.cpio',
             'programs': PROGRAMS, **more}
    return {name: _hash(file) for name, file in files.items()}


def _hash(file):
    if not file.is_file():
        return None
    with open(file, 'rb') as opened:
        return hashlib.file_digest(opened, 'sha256').hexdigest()


@cache
def _of_this_machine():
    return {'host': platform.node(), 'host-kernel': platform.release(),
            'system': platform.freedesktop_os_release().get('PRETTY_NAME'),
            'processor': _processor(), 'processors': os.cpu_count(),
            'memory': os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES'),
            'python': platform.python_version(), 'project': _commit()}


def _processor():
    found = re.search(r'^model name\s*: (.*)', Path('/proc/cpuinfo').read_text(), re.M)
    return found and found[1]


def _commit():
    """The commit of this project, with + if files differ from it; None if there is no git here."""
    try:
        commit = git.run(ROOT, 'rev-parse', 'HEAD')
        return commit + ('+' if git.run(ROOT, 'status', '--porcelain', '-uno') else '')
    except (OSError, Failure):
        return None


@cache
def _qemu_version():
    try:
        said = processes.run([qemu_binary(), '--version'], timeout=SECONDS, capture_output=True).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.search(rb'version (\S+)', said)
    return found and found[1].decode()


@cache
def _kernel_version():
    """Of the guests' kernel: where a bzImage has it, Linux's boot protocol says (kernel_version)."""
    try:
        with open(GUEST / 'vmlinuz', 'rb') as file:
            file.seek(0x20e)
            file.seek(0x200 + int.from_bytes(file.read(2), 'little'))
            return file.read(100).split(b' ')[0].decode('ascii') or None
    except (OSError, ValueError):
        return None
