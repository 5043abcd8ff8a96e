# SPDX-License-Identifier: GPL-2.0-or-later
"""Our kernel modules, linux/modules, built for the kernel of the guests."""

import os
import re
import shutil

from .. import OUT, ROOT
from ..base.progress import run_logged

SOURCES = ROOT / 'linux/modules'
INCLUDE = ROOT / 'linux/include'
BUILD = OUT / 'guest/modules'
LOG = OUT / 'log/build-modules.log'
NAMES = ('dseg-guest', 'dseg-vmm')
FILES = tuple(BUILD / f'{name}.ko' for name in NAMES)
BUILD_SECONDS = 600


def sources():
    """Every file that the modules are made from."""
    return sorted(file for folder in (SOURCES, INCLUDE) for file in folder.iterdir())


def header_packages(image):
    """Debian's packages to build modules with for the kernel package @image.

    The compiler's is not among them: it is the one that the project builds with.
    """
    release = image.removeprefix('linux-image-')
    numbers = re.match(r'[\d.]+-\d+|[^-]+', release)[0]
    # Newer ones, as 6.12.95+deb12, name that of each version; older ones, as 6.1.0-56, do not.
    tools = numbers if '+' in numbers else re.match(r'\d+\.\d+', release)[0]
    return [f'linux-headers-{release}', f'linux-headers-{numbers}-common', f'linux-kbuild-{tools}']


def relocate(tree, place):
    """Let the headers in @tree, which name their own place, be used from @place, where they will be
    not installed but unpacked."""
    for makefile in (tree / 'usr/src').glob('linux-headers-*/Makefile'):
        if not makefile.is_symlink():
            text = makefile.read_text()
            makefile.write_text(re.sub(r'^include /usr/src/', f'include {place}/usr/src/', text,
                                       flags=re.M))


def build(tree):
    """Build them with the headers in @tree."""
    shutil.rmtree(BUILD, ignore_errors=True)
    copy_sources(BUILD)
    run_logged('Building the kernel modules', make_command(tree, BUILD), LOG,
               timeout=BUILD_SECONDS, env={**os.environ, 'KBUILD_BUILD_TIMESTAMP': '@0'})


def copy_sources(folder):
    """What make_command() needs in the new @folder."""
    shutil.copytree(SOURCES, folder)
    shutil.copytree(INCLUDE, folder / 'include')


def make_command(tree, folder):
    """The command that builds them in @folder with the headers in @tree."""
    headers = next(path.parent for path in (tree / 'usr/src').glob('*/Module.symvers'))
    # Type information is for BPF, and needs a tool more.
    return ['make', '-C', headers, f'M={folder}', 'W=1', 'CONFIG_DEBUG_INFO_BTF_MODULES=',
            'modules']


def install(modules):
    """Copy them into @modules, lib/modules/RELEASE of some root."""
    target = modules / 'extra'
    target.mkdir(parents=True, exist_ok=True)
    for file in FILES:
        shutil.copy(file, target)
