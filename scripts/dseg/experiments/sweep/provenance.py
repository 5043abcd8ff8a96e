# SPDX-License-Identifier: GPL-2.0-or-later
"""Where a record is from: host, versions, hashes, and the command that repeats just that point."""

import os
import platform
import re
import shlex
from functools import cache
from pathlib import Path

from ... import ROOT, Failure
from ...source import git


def provenance(store, point):
    """A dict; what can't be found out is None."""
    return {**_of_this_machine(), 'inputs': point.inputs, 'axes': point.axes,
            'command': repeat_command(store, point)}


def repeat_command(store, point):
    """In a folder of its own, as this one has its record already."""
    size = store.experiment['size']
    words = ['scripts/experiment', 'run', store.experiment['source'],
             *(['--size', size] if size else []),
             '--folder', f'out/experiments/{point.id}', '--only', f'id={point.id}']
    return shlex.join(words)


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
