# SPDX-License-Identifier: GPL-2.0-or-later
"""scripts/build-programs: a read-only disk for the guests with some of Debian's programs."""

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from .. import OUT, ROOT, Failure, run_main
from ..base.atomically import new_folder
from ..base.locks import alone
from ..base.options import Parser
from ..base.progress import run_logged
from ..base.sizes import MiB
from .images import GUEST, busybox, compiler, run
from .steps import Steps

UNIT = 2 * MiB
IMAGE_LABEL = 'dseg-programs'           # linux/init/debian finds the disk by it
APT_DIR = OUT / 'apt/programs'
LOG = OUT / 'log/build-programs.log'
QEMU_PYTHON = OUT / 'qemu-src/python/qemu'

PACKAGES = ('python3', 'memcached', 'libmemcached-tools', 'redis-server', 'redis-tools',
            'sqlite3', 'postgresql', 'liblinear-tools', 'bwa', 'zstd', 'libjemalloc2')

# What apt is made to believe is there: what only installing a package needs, starting it as a
# service, or a script beside the program.
NOT_NEEDED = ('adduser', 'debconf', 'debianutils', 'dpkg', 'init-system-helpers', 'locales',
              'lsb-base', 'media-types', 'passwd', 'perl', 'postgresql-client-common',
              'postgresql-common', 'ssl-cert', 'sysvinit-utils', 'ucf')

NEWEST = '99:999'       # than any that is asked for

# PostgreSQL's compiler of queries is half of it, and of use for long ones only.
JIT_NOT_NEEDED = ('libllvm14', 'libllvm19')     # of Debian 12 and 13
JIT_DROPPED = ('usr/lib/postgresql/*/lib/llvmjit*', 'usr/lib/postgresql/*/lib/bitcode')

# What takes its time to fetch and to unpack: scripts/try-programs alone uses it.
LARGE_PACKAGES = ('mariadb-server-core', 'mariadb-client-core', 'nodejs', 'default-jdk-headless',
                  'fzf', 'libasan8')
LARGE_NOT_NEEDED = ('ca-certificates', 'ca-certificates-java', 'fontconfig-config')

# Of no use in a guest, relative to the tree.
DROPPED = ('usr/share/doc', 'usr/share/man', 'usr/share/locale', 'usr/share/lintian',
           'usr/share/bug', 'usr/bin/redis-check-aof', 'usr/lib/python3*/pydoc_data',
           'usr/lib/python3*/ensurepip', 'usr/lib/python3*/lib2to3')

ETC = {'passwd': 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/tmp:/bin/sh\n',
       'group': 'root:x:0:\nnogroup:x:65534:\n',
       'hosts': '127.0.0.1 localhost\n'}
MOUNT_POINTS = ('dev', 'proc', 'root', 'sys', 'tmp')

MARK_SOURCE = ROOT / 'linux/programs/libmark.c'
RUN = ROOT / 'linux/run'
RUN_OUT = GUEST / 'run'
LAUNCHER_SOURCES = ('dseg-run.c', 'options.c', 'start.c', 'report.c', 'say.c', 'text.c')
LIBRARY_SOURCES = ('preload.c', 'remap.c', 'neighbours.c', 'watch.c', 'allocators.c', 'region.c',
                   'page.c', 'give-up.c', 'pages.c', 'device.c', 'critical.c', 'kernel.c')


@dataclass(frozen=True)
class Disk:
    """A disk of programs, and of what it is made."""
    name: str
    packages: tuple
    not_needed: tuple
    dropped: tuple

    @property
    def image(self):
        return GUEST / f'{self.name}.img'

    @property
    def tree(self):
        return GUEST / f'{self.name}-root'

    @property
    def debs(self):
        return OUT / 'downloads' / self.name


SMALL = Disk('debian', PACKAGES, NOT_NEEDED + JIT_NOT_NEEDED, DROPPED + JIT_DROPPED)
LARGE = Disk('large', PACKAGES + LARGE_PACKAGES, NOT_NEEDED + LARGE_NOT_NEEDED, DROPPED)


def main(arguments):
    """What the command line asks for."""
    parser = Parser('build-programs')
    parser.add_argument('--large', action='store_true')
    parser.add_argument('--update', action='store_true')
    parser.add_argument('--verbose', action='store_true')
    options = parser.parse_args(arguments)
    with alone(SMALL.image):        # both disks have the same list of what is done
        GUEST.mkdir(parents=True, exist_ok=True)
        build(LARGE if options.large else SMALL, Steps(GUEST / 'programs.json', options.verbose),
              options.update)


def build(disk, steps, update):
    """All of it, in the order of what needs what."""
    recipe = Path(__file__)
    include = ROOT / 'linux/include'
    launcher, library, mark = (RUN_OUT / name for name in ('dseg-run', 'libdseg-run.so', 'libmark.so'))
    steps.do('dseg-run', [recipe, include / 'dseg-guest.h', *sorted(RUN.glob('*.[ch]'))],
             [launcher, library], lambda: build_dseg_run(launcher, library))
    steps.do('libmark', [recipe, include / 'dseg.h', MARK_SOURCE], [mark],
             lambda: build_library(mark, [MARK_SOURCE]))

    debs = fetch_packages(disk) if update else []
    steps.do(disk.debs.name, [*disk.packages, *disk.not_needed, *(deb.name for deb in debs)],
             [disk.debs], lambda: debs or fetch_packages(disk))
    modules = sorted(QEMU_PYTHON.rglob('*.py'))
    if not modules:
        raise Failure(f'QEMU\'s Python modules are not in {QEMU_PYTHON}: run scripts/fetch-qemu')
    steps.do(disk.image.name, [recipe, busybox(), launcher, library, mark, *modules,
                               *(deb.name for deb in sorted(disk.debs.glob('*.deb')))],
             [disk.image], lambda: build_image(disk, launcher, [library, mark], modules))


def build_dseg_run(launcher, library):
    """The two parts of dseg-run."""
    RUN_OUT.mkdir(exist_ok=True)
    run(*compiler(), '-s', '-o', launcher, *(RUN / name for name in LAUNCHER_SOURCES))
    build_library(library, [RUN / name for name in LIBRARY_SOURCES])


def build_library(library, sources):
    """One that is preloaded."""
    run(*compiler(), '-s', '-shared', '-fPIC', '-fvisibility=hidden', '-Wl,-z,defs',
        '-o', library, *sources)


def fetch_packages(disk):
    """Download the packages and what they need, as if nothing but what isn't needed were there."""
    codename = re.search(r'^VERSION_CODENAME=(\w+)', Path('/etc/os-release').read_text(), re.M)[1]
    run(ROOT / 'scripts/lib/private-apt', APT_DIR, 'deb', codename, f'{codename}-security')
    status = APT_DIR / 'status'
    status.write_text('\n'.join(
        f'Package: {name}\nStatus: install ok installed\nArchitecture: {architecture()}\n'
        f'Multi-Arch: allowed\nVersion: {NEWEST}\nMaintainer: nobody\nDescription: not needed\n'
        for name in disk.not_needed))
    with new_folder(disk.debs) as debs:
        (debs / 'partial').mkdir()
        apt = ['apt-get', '-c', APT_DIR / 'apt.conf', '-o', 'APT::Sandbox::User=', '-o',
               f'Dir::State::status={status}', '-o', f'Dir::Cache::archives={debs}', '-o',
               'Debug::NoLocking=true', '-q']
        run_logged('Reading Debian\'s lists of programs', [*apt, 'update'], LOG, timeout=600)
        run_logged('Fetching Debian\'s programs',
                   [*apt, 'install', '-y', '--download-only', '--no-install-recommends',
                    *disk.packages], LOG, timeout=600)
    return sorted(disk.debs.glob('*.deb'))


def architecture():
    return run('dpkg', '--print-architecture').decode().strip()


def build_image(disk, launcher, libraries, modules):
    """Unpack, tidy up, add what is ours, and make the disk."""
    tree = disk.tree
    shutil.rmtree(tree, ignore_errors=True)
    tree.mkdir()
    for deb in sorted(disk.debs.glob('*.deb')):
        run('dpkg-deb', '-x', deb, tree)
    for pattern in disk.dropped:
        for path in tree.glob(pattern):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
    complete_tree(tree)
    add(launcher, tree / 'usr/bin/dseg-run')
    for library in libraries:
        add(library, tree / 'usr/lib/dseg' / library.name)
    for module in modules:
        add(module, tree / f'usr/lib/python3/dist-packages/qemu/{module.relative_to(QEMU_PYTHON)}')
    # Emulated CPUs would take long to compile, and have nowhere to keep what comes of it.
    run_logged('Compiling Python\'s modules',
               ['/usr/bin/python3', '-m', 'compileall', '-q', '-s', tree, '--invalidation-mode',
                'unchecked-hash', *tree.glob('usr/lib/python3*')], LOG, timeout=600)
    make_disk(disk)


def complete_tree(tree):
    """What Debian's installer would have made."""
    for name in ('bin', 'lib', 'lib64', 'sbin'):
        if not (tree / name).exists():
            (tree / name).symlink_to(f'usr/{name}')
    for name in MOUNT_POINTS:
        (tree / name).mkdir(exist_ok=True)
    for name, text in ETC.items():
        (tree / 'etc' / name).write_text(text)
    for library in tree.glob('usr/lib/*/blas/libblas.so.3'):
        (library.parents[1] / library.name).symlink_to(f'blas/{library.name}')
    add(busybox(), tree / 'bin/busybox')
    for applet in set(run(busybox(), '--list').decode().split()) - {'busybox'}:
        if not any((tree / folder / applet).exists() for folder in ('bin', 'usr/bin')):
            (tree / 'bin' / applet).symlink_to('/bin/busybox')


def add(source, target):
    """Copy a file into the tree."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, target)


def make_disk(disk):
    """An ext4, which Debian's kernels have built in: nothing to decompress, no journal.

    Persistent memory has a whole number of UNIT.
    """
    used = sum(4096 + file.lstat().st_size for file in disk.tree.rglob('*'))
    units = -(-(used * 21 // 20 + 4 * MiB) // UNIT)
    part = disk.image.with_suffix('.part')
    part.unlink(missing_ok=True)
    run_logged('Making the disk of programs',
               ['mke2fs', '-q', '-t', 'ext4', '-O', '^has_journal,^resize_inode', '-m', '0',
                '-L', IMAGE_LABEL, '-E', 'root_owner=0:0', '-d', disk.tree, part,
                f'{units * UNIT // 1024}K'], LOG, timeout=300)
    part.rename(disk.image)          # a stack that boots at this moment has the old or the new one


if __name__ == '__main__':
    run_main('build-programs', main)
