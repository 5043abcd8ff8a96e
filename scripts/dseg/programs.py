# SPDX-License-Identifier: GPL-2.0-or-later
"""scripts/build-programs: a read-only disk for the guests with some of Debian's programs."""

import argparse
import os
import re
import shutil
from pathlib import Path

from . import OUT, ROOT, Failure, run_main
from .guests import GUEST, Steps, busybox, run
from .atomically import new_folder
from .locks import alone
from .progress import run_logged

IMAGE = GUEST / 'debian.img'
IMAGE_LABEL = 'dseg-programs'           # linux/init/debian finds the disk by it
TREE = GUEST / 'debian-root'
DEBS = OUT / 'downloads/programs'
APT_DIR = OUT / 'apt/programs'
LOG = OUT / 'log/build-programs.log'
QEMU_PYTHON = OUT / 'qemu-src/python/qemu'

PACKAGES = ('python3', 'memcached', 'libmemcached-tools', 'redis-server', 'redis-tools',
            'sqlite3', 'libjemalloc2')

# What apt is made to believe is there: what only installing a package needs, starting it as a
# service, or a script beside the program.
NOT_NEEDED = ('adduser', 'debconf', 'debianutils', 'dpkg', 'init-system-helpers', 'lsb-base',
              'media-types', 'perl', 'sysvinit-utils')

# Of no use in a guest, relative to the tree.
DROPPED = ('usr/share/doc', 'usr/share/man', 'usr/share/locale', 'usr/share/lintian',
           'usr/share/bug', 'usr/bin/redis-check-aof', 'usr/lib/python3*/pydoc_data',
           'usr/lib/python3*/ensurepip', 'usr/lib/python3*/lib2to3')

ETC = {'passwd': 'root:x:0:0:root:/root:/bin/sh\n', 'group': 'root:x:0:\n',
       'hosts': '127.0.0.1 localhost\n'}
MOUNT_POINTS = ('dev', 'proc', 'root', 'sys', 'tmp')

RUN = ROOT / 'linux/run'
RUN_OUT = GUEST / 'run'
RUN_FLAGS = ('-std=gnu11', '-O2', '-Wall', '-Wextra')
LAUNCHER_SOURCES = ('dseg-run.c', 'text.c')
LIBRARY_SOURCES = ('preload.c', 'neighbours.c', 'region.c', 'pages.c', 'critical.c', 'kernel.c')


def main(arguments):
    """What the command line asks for."""
    parser = argparse.ArgumentParser(prog='build-programs', add_help=False)
    parser.add_argument('--update', action='store_true')
    parser.add_argument('--verbose', action='store_true')
    options = parser.parse_args(arguments)
    with alone(IMAGE):
        GUEST.mkdir(parents=True, exist_ok=True)
        build(Steps(GUEST / 'programs.json', options.verbose), options.update)


def build(steps, update):
    """All of it, in the order of what needs what."""
    recipe = Path(__file__)
    sources = [ROOT / 'linux/include/dseg-guest.h', *sorted(RUN.glob('*.[ch]'))]
    launcher, library = RUN_OUT / 'dseg-run', RUN_OUT / 'libdseg-run.so'
    steps.do('dseg-run', [recipe, *sources], [launcher, library],
             lambda: build_dseg_run(launcher, library))

    debs = fetch_packages() if update else []
    steps.do('packages', [*PACKAGES, *NOT_NEEDED, *(deb.name for deb in debs)], [DEBS],
             lambda: debs or fetch_packages())
    modules = sorted(QEMU_PYTHON.rglob('*.py'))
    if not modules:
        raise Failure(f'QEMU\'s Python modules are not in {QEMU_PYTHON}: run scripts/fetch-qemu')
    steps.do('debian.img', [recipe, busybox(), launcher, library, *modules,
                            *(deb.name for deb in sorted(DEBS.glob('*.deb')))], [IMAGE],
             lambda: build_image(launcher, library, modules))


def build_dseg_run(launcher, library):
    """The two parts of dseg-run."""
    RUN_OUT.mkdir(exist_ok=True)
    compiler = os.environ.get('CC', 'gcc').split()
    run(*compiler, *RUN_FLAGS, '-s', '-o', launcher, *(RUN / name for name in LAUNCHER_SOURCES))
    run(*compiler, *RUN_FLAGS, '-s', '-shared', '-fPIC', '-fvisibility=hidden', '-Wl,-z,defs',
        '-o', library, *(RUN / name for name in LIBRARY_SOURCES))


def fetch_packages():
    """Download the packages and what they need, as if nothing but NOT_NEEDED were installed."""
    codename = re.search(r'^VERSION_CODENAME=(\w+)', Path('/etc/os-release').read_text(), re.M)[1]
    run(ROOT / 'scripts/lib/private-apt', APT_DIR, 'deb', codename, f'{codename}-security')
    status = APT_DIR / 'status'
    status.write_text('\n'.join(
        f'Package: {name}\nStatus: install ok installed\nArchitecture: {architecture()}\n'
        'Multi-Arch: allowed\nVersion: 999\nMaintainer: nobody\nDescription: not needed\n'
        for name in NOT_NEEDED))
    with new_folder(DEBS) as debs:
        (debs / 'partial').mkdir()
        apt = ['apt-get', '-c', APT_DIR / 'apt.conf', '-o', 'APT::Sandbox::User=', '-o',
               f'Dir::State::status={status}', '-o', f'Dir::Cache::archives={debs}', '-o',
               'Debug::NoLocking=true', '-q']
        run_logged('Reading Debian\'s lists of programs', [*apt, 'update'], LOG, timeout=600)
        run_logged('Fetching Debian\'s programs',
                   [*apt, 'install', '-y', '--download-only', '--no-install-recommends',
                    *PACKAGES], LOG, timeout=600)
    return sorted(DEBS.glob('*.deb'))


def architecture():
    return run('dpkg', '--print-architecture').decode().strip()


def build_image(launcher, library, modules):
    """Unpack, tidy up, add what is ours, and make the disk."""
    shutil.rmtree(TREE, ignore_errors=True)
    TREE.mkdir()
    for deb in sorted(DEBS.glob('*.deb')):
        run('dpkg-deb', '-x', deb, TREE)
    for pattern in DROPPED:
        for path in TREE.glob(pattern):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
    complete_tree()
    add(launcher, 'usr/bin/dseg-run')
    add(library, 'usr/lib/dseg/libdseg-run.so')
    for module in modules:
        add(module, f'usr/lib/python3/dist-packages/qemu/{module.relative_to(QEMU_PYTHON)}')
    # Emulated CPUs would take long to compile, and have nowhere to keep what comes of it.
    run_logged('Compiling Python\'s modules',
               ['/usr/bin/python3', '-m', 'compileall', '-q', '-s', TREE, '--invalidation-mode',
                'unchecked-hash', *TREE.glob('usr/lib/python3*')], LOG, timeout=600)
    make_disk()


def complete_tree():
    """What Debian's installer would have made."""
    for name in ('bin', 'lib', 'lib64', 'sbin'):
        if not (TREE / name).exists():
            (TREE / name).symlink_to(f'usr/{name}')
    for name in MOUNT_POINTS:
        (TREE / name).mkdir(exist_ok=True)
    for name, text in ETC.items():
        (TREE / 'etc' / name).write_text(text)
    add(busybox(), 'bin/busybox')
    for applet in set(run(busybox(), '--list').decode().split()) - {'busybox'}:
        if not any((TREE / folder / applet).exists() for folder in ('bin', 'usr/bin')):
            (TREE / 'bin' / applet).symlink_to('/bin/busybox')


def add(source, name):
    """Copy a file into the tree."""
    target = TREE / name
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, target)


def make_disk():
    """An ext4, which Debian's kernels have built in: nothing to decompress, no journal."""
    used = sum(4096 + file.lstat().st_size for file in TREE.rglob('*'))
    part = IMAGE.with_suffix('.part')
    part.unlink(missing_ok=True)
    run_logged('Making the disk of programs',
               ['mke2fs', '-q', '-t', 'ext4', '-O', '^has_journal,^resize_inode', '-m', '0',
                '-L', IMAGE_LABEL, '-E', 'root_owner=0:0', '-d', TREE, part,
                f'{used // 1024 * 21 // 20 + 4096}K'], LOG, timeout=300)
    part.rename(IMAGE)          # a stack that boots at this moment has the old or the new one


if __name__ == '__main__':
    run_main('build-programs', main)
