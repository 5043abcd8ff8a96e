# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian's source of the guests' kernel: downloaded, and not installed."""

import re

from ..base.atomically import new_folder
from .images import DOWNLOADS, apt, newest_kernel_package, run


def unpack_into(folder, *files):
    """Make @folder of it: with all of the source, or these files alone. Needs the guests' lock."""
    series = re.search(r'\d+\.\d+', newest_kernel_package())[0]
    source = f'linux-source-{series}'
    apt('apt-get', 'download', source, title=f'Fetching {source}')
    package = max(DOWNLOADS.glob(f'{source}_*.deb'), key=lambda file: file.stat().st_mtime)
    # 150 MB in memory are a lot, but are so only once.
    archive = run('sh', '-c', 'dpkg-deb --fsys-tarfile "$1" | tar -xO "./usr/src/$2.tar.xz"', 'sh',
                  package, source)
    with new_folder(folder) as new:
        run('tar', '-xJ', '-C', new, '--strip-components=1',
            *(f'{source}/{file}' for file in files), stdin=archive)
    package.unlink()
