# SPDX-License-Identifier: GPL-2.0-or-later
"""scripts/build-guests: what the two guests boot, kernel, initial ramdisks and workloads."""

import argparse
import functools
import lzma
import os
import re
import shutil
from pathlib import Path

from .. import OUT, ROOT, Failure, run_main
from ..base import processes
from ..base.atomically import beside, new_folder
from ..base.locks import alone
from ..base.options import Parser, path
from ..base.progress import run_logged
from . import modules
from .steps import Steps

GUEST = OUT / 'guest'
DOWNLOADS = OUT / 'downloads'
APT_DIR = OUT / 'apt/guests'
LOG = OUT / 'log/build-guests.log'

KERNEL_PACKAGE = 'linux-image-cloud-amd64'
KERNEL_TREE = GUEST / 'kernel'          # the package, unpacked
HEADERS = GUEST / 'headers'             # the same of what modules are built with
BZIMAGE = 'arch/x86/boot/bzImage'       # of somebody's own kernel, and what its modules need
SYMBOLS = 'Module.symvers'
KERNEL = GUEST / 'vmlinuz'
DSEG_VM = GUEST / 'dseg-vm'             # what L1 has for the module dseg-vmm

# The programs of linux/workloads, and what each has there besides what all have.
WORKLOADS = {
    'gups': (), 'chase': (), 'triad': (),
    'bfs': ('area', 'kronecker', 'rounds'),
    'btree': ('area', 'rounds'),
    'cg': ('area', 'rounds', 'sparse'),
    'hashjoin': ('area', 'rounds'),
    'xsbench': ('area', 'rounds'),
    'fragment': (), 'contiguity': (), 'inputs': (), 'mark': (), 'marked': (), 'orders': (),
    'pages': (),
}
# Debian's programs as workloads: a script, and what it reads.
PROGRAM = ROOT / 'linux/programs/program'
OF_PROGRAMS = sorted([*PROGRAM.parent.glob('*.sh'), *PROGRAM.parent.glob('*.py')])
INIT_FILES = {'inittab': 0o644, 'rc': 0o755, 'profile': 0o644}

# scripts/self-balloon, which L1 can run, too.
SCRIPTS = ROOT / 'scripts/dseg'
SELF_BALLOON = [SCRIPTS / f'{name}.py'
                for name in ('__init__', 'base/sizes', 'experiments/selfballoon')]

# Modules that each guest loads, with their options; what they depend on comes with them. Our own
# are there too, for modprobe.
L1_MODULES = ('kvm_amd npt=1', 'virtio_pci', 'virtio_blk', 'virtio_balloon')
L2_MODULES = ('virtio_mmio', 'virtio_pci', 'virtio_blk', 'virtio_balloon')
SPARE_MODULES = ('zram', 'lzo_rle', 'fuse')   # in both, for modprobe, too
L1_SPARE_MODULES = ('nfit', 'nd_pmem')

# What QEMU's microvm (-bios qboot.rom) and q35 want of firmware, and where Debian's packages have
# it. Not microvm's default, bios-microvm.bin: that is qboot, too, in Debian 12, but in 13 it is
# SeaBIOS, which boots no kernel without an option ROM.
FIRMWARE = ('qboot.rom', 'bios-256k.bin', 'linuxboot_dma.bin')
FIRMWARE_DIRS = ('/usr/share/qemu', '/usr/share/seabios')


def main(arguments):
    """What the command line asks for."""
    parser = Parser('build-guests')
    kernel = parser.add_mutually_exclusive_group()
    kernel.add_argument('--update', action='store_true')
    kernel.add_argument('--kernel', type=kernel_build, metavar='DIR')
    parser.add_argument('--verbose', action='store_true')
    options = parser.parse_args(arguments)
    with alone(GUEST):
        GUEST.mkdir(parents=True, exist_ok=True)
        build(Steps(GUEST / 'stamps.json', options.verbose), options.update, options.kernel)


def kernel_build(text):
    """The folder in which somebody has built a kernel."""
    folder = path(text).absolute()
    for file in (BZIMAGE, SYMBOLS):
        if not (folder / file).is_file():
            raise argparse.ArgumentTypeError(f'no kernel and modules have been built in {text}: '
                                             f'it has no {file}')
    return folder


def build(steps, update, own_kernel):
    """All of it, in the order of what needs what."""
    if own_kernel:
        steps.do('kernel', [own_kernel / BZIMAGE, own_kernel / SYMBOLS], [KERNEL, HEADERS],
                 lambda: take_kernel(own_kernel))
    else:
        package = [newest_kernel_package()] if update else []
        steps.do('kernel', package, [KERNEL, HEADERS], fetch_kernel)

    recipe = Path(__file__)
    steps.do('modules', [KERNEL, *modules.sources(), Path(modules.__file__)], modules.FILES,
             lambda: modules.build(HEADERS))
    for name in WORKLOADS:
        steps.do(name, [recipe, *workload_sources(name)], [GUEST / name],
                 lambda name=name: build_workload(name))

    contents = [recipe, busybox(), *modules.FILES, *(GUEST / name for name in WORKLOADS),
                *(ROOT / 'linux/init').iterdir(), PROGRAM, *OF_PROGRAMS]
    steps.do('l2.cpio', contents, [GUEST / 'l2.cpio'], build_l2)
    vmm = vmm_binary()
    steps.do('dseg-vm', [recipe, *vm_sources()], [DSEG_VM], build_dseg_vm)
    contents += [KERNEL, GUEST / 'l2.cpio', vmm, DSEG_VM, *SELF_BALLOON, *shared_libraries(vmm),
                 *firmware()]
    steps.do('l1.cpio', contents, [GUEST / 'l1.cpio'], build_l1)


def run(*command, cwd=None, stdin=None):
    """Run a short command; returns its output."""
    done = processes.run(command, cwd=cwd, input=stdin, capture_output=True, timeout=300)
    if done.returncode:
        raise Failure(f'{" ".join(map(str, command))} failed:\n'
                      f'{done.stderr.decode(errors="replace").rstrip()}')
    return done.stdout


def busybox():
    """Debian's static one: it is most of both guests."""
    found = shutil.which('busybox')
    if not found:
        raise Failure('there is no busybox: install the package busybox-static')
    return Path(found)


def apt(program, *words, title=None):
    """Run apt on lists of our own, which are fresh, and need no root."""
    command = [program, '-c', str(APT_DIR / 'apt.conf'), '-o', 'APT::Sandbox::User=', *words]
    if not title:
        return run(*command).decode()
    return run_logged(title, command, LOG, cwd=DOWNLOADS, timeout=600)


@functools.cache
def newest_kernel_package():
    """The package that Debian's package for any kernel of the kind stands for."""
    release = Path('/etc/os-release').read_text()
    codename = re.search(r'^VERSION_CODENAME=(\w+)', release, re.M)[1]
    DOWNLOADS.mkdir(parents=True, exist_ok=True)
    run(ROOT / 'scripts/lib/private-apt', APT_DIR, 'deb', codename, f'{codename}-security')
    apt('apt-get', 'update', title='Reading Debian\'s lists of kernels')
    found = re.search(r'Depends: (linux-image-\d\S*)',
                      apt('apt-cache', 'depends', KERNEL_PACKAGE))
    if not found:
        raise Failure(f'this Debian has no package {KERNEL_PACKAGE}')
    return found[1]


def fetch_kernel():
    """Download and unpack the kernel's packages: nothing is installed."""
    package = newest_kernel_package()
    headers = modules.header_packages(package)
    apt('apt-get', 'download', package, *headers, title=f'Fetching {package} and its headers')
    with new_folder(KERNEL_TREE) as tree, new_folder(HEADERS) as headers_tree, \
            beside(KERNEL) as kernel:
        unpack([package], tree)
        unpack(headers, headers_tree)
        modules.relocate(headers_tree, HEADERS)
        run(busybox(), 'depmod', '-b', tree, kernel_modules(tree).name)
        shutil.copy(next((tree / 'boot').glob('vmlinuz-*')), kernel)


def take_kernel(build):
    """Take a kernel, and its modules, that have been built in the folder @build."""
    with new_folder(KERNEL_TREE) as tree, new_folder(HEADERS) as headers_tree, \
            beside(KERNEL) as kernel:
        run('make', '-C', build, 'modules_install', f'INSTALL_MOD_PATH={tree}', 'DEPMOD=true')
        run(busybox(), 'depmod', '-b', tree, kernel_modules(tree).name)
        (headers_tree / 'usr/src').mkdir(parents=True)
        (headers_tree / 'usr/src/own').symlink_to(build)
        shutil.copy(build / BZIMAGE, kernel)


def unpack(packages, tree):
    """Unpack what has been downloaded of these packages into a folder."""
    for package in packages:
        debs = DOWNLOADS.glob(f'{package}_*.deb')
        run('dpkg-deb', '-x', max(debs, key=lambda file: file.stat().st_mtime), tree)
    # Debian 12 has modules in lib, and 13 in usr/lib, which is lib, too, where it is installed.
    if not (tree / 'lib').exists():
        (tree / 'lib').symlink_to('usr/lib')


def kernel_modules(tree=None):
    """The folder of the kernel's modules."""
    return next(((tree or KERNEL_TREE) / 'lib/modules').glob('*'))


def workload_sources(name):
    folder = ROOT / 'linux/workloads'
    return [*(folder / f'{part}.c' for part in (name, 'common', *WORKLOADS[name])),
            *sorted(folder.glob('*.h')), ROOT / 'linux/include/dseg.h',
            ROOT / 'linux/include/dseg-guest.h']


def build_workload(name):
    sources = [file for file in workload_sources(name) if file.suffix == '.c']
    run(*compiler(), '-static', '-pthread', '-s', '-o', GUEST / name, *sources)


def compiler():
    return [*os.environ.get('CC', 'gcc').split(), '-std=gnu11', '-O2', '-Wall', '-Wextra']


def vm_sources():
    return [*sorted((ROOT / 'linux/vm').iterdir()), modules.INCLUDE / 'dseg-vmm.h']


def build_dseg_vm():
    sources = [file for file in vm_sources() if file.suffix == '.c']
    run(*compiler(), '-static', '-s', '-o', DSEG_VM, *sources)


def build_l2():
    root = GUEST / 'l2-root'
    make_root(root, 'l2')
    add_modules(root, L2_MODULES)
    pack(root, GUEST / 'l2.cpio')


def build_l1():
    root = GUEST / 'l1-root'
    make_root(root, 'l1')
    add_modules(root, L1_MODULES, (*SPARE_MODULES, *L1_SPARE_MODULES))
    add_vmm(root)
    (root / 'boot').mkdir()
    shutil.copy(KERNEL, root / 'boot')
    shutil.copy(GUEST / 'l2.cpio', root / 'boot')
    pack(root, GUEST / 'l1.cpio')


def make_root(root, hostname):
    """What both guests have: busybox, our init files, the workloads."""
    shutil.rmtree(root, ignore_errors=True)
    for folder in ('bin', 'dev', 'etc', 'proc', 'root', 'sys', 'tmp', 'usr/bin'):
        (root / folder).mkdir(parents=True)
    for link in ('sbin', 'usr/sbin'):
        (root / link).symlink_to('/bin')
    shutil.copy(busybox(), root / 'bin/busybox')
    for applet in set(run(busybox(), '--list').decode().split()) - {'busybox'}:
        (root / 'bin' / applet).symlink_to('busybox')
    (root / 'init').symlink_to('bin/init')
    for name, mode in INIT_FILES.items():
        add_file(ROOT / 'linux/init' / name, root / 'etc' / name, mode)
    (root / 'etc/hostname').write_text(f'{hostname}\n')
    for name in WORKLOADS:
        add_file(GUEST / name, root / 'usr/bin' / name, 0o755)
    add_file(ROOT / 'linux/init/debian', root / 'usr/bin/debian', 0o755)
    add_file(ROOT / 'linux/init/redis-load', root / 'usr/bin/redis-load', 0o755)
    (root / 'usr/bin/dseg-run').symlink_to('debian')
    add_file(PROGRAM, root / 'usr/bin/program', 0o755)
    for file in OF_PROGRAMS:
        add_file(file, root / 'usr/share/dseg-programs' / file.name, 0o644)


def add_file(source, target, mode):
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, target)
    target.chmod(mode)


def add_modules(root, wanted, spare=SPARE_MODULES):
    """Debian's modules @wanted and @spare, and ours; and the index by which modprobe finds them."""
    source = kernel_modules()
    target = root / 'lib/modules' / source.name
    for entry in (*wanted, *spare):
        for file in files_of_module(source, entry.split()[0]):
            data = (source / file).read_bytes()
            if file.endswith('.xz'):
                data = lzma.decompress(data)
            copy = target / file.removesuffix('.xz')
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(data)
    modules.install(target)
    for index in ('modules.builtin', 'modules.order'):
        shutil.copy(source / index, target)
    run(busybox(), 'depmod', '-b', root, source.name)
    (root / 'etc/modules').write_text(''.join(f'{entry}\n' for entry in wanted))


def files_of_module(modules, name):
    """Its own, and those of all modules that it depends on; none if the kernel has it built in."""
    for line in (modules / 'modules.dep').read_text().splitlines():
        file, needs = line.split(':')
        if module_name(file) == name:
            return [file, *needs.split()]
    if name in map(module_name, (modules / 'modules.builtin').read_text().splitlines()):
        return []
    raise Failure(f'the kernel package has no module {name}')


def module_name(file):
    return Path(file).name.split('.')[0].replace('-', '_')


def vmm_binary():
    """The QEMU that L1 runs L2 with."""
    binary = Path(os.environ.get('DSEG_QEMU') or OUT / 'qemu/qemu-system-x86_64')
    if not binary.exists():
        raise Failure(f'{binary} does not exist: run scripts/build-qemu, '
                      'or name a QEMU by DSEG_QEMU in the environment')
    return binary


def shared_libraries(binary):
    """All files that the loader needs to start it."""
    return [Path(path) for path in re.findall(r'(/\S+) \(0x', run('ldd', binary).decode())]


def firmware():
    """The files of FIRMWARE."""
    found = {name: Path(folder) / name for folder in reversed(FIRMWARE_DIRS)
             for name in FIRMWARE if (Path(folder) / name).exists()}
    for name in FIRMWARE:
        if name not in found:
            raise Failure(f'{name} is in none of {", ".join(FIRMWARE_DIRS)}: '
                          'install the packages qemu-system-data and seabios')
    return list(found.values())


def add_vmm(root):
    """QEMU and what it needs, where L1 looks for it."""
    binary = vmm_binary()
    run('strip', '-o', root / 'usr/bin/qemu-system-x86_64', binary)
    for library in shared_libraries(binary):
        add_file(library, root / str(library).lstrip('/'), 0o755)
    for file in firmware():
        add_file(file, root / 'usr/share/qemu' / file.name, 0o644)
    add_file(DSEG_VM, root / 'usr/bin/dseg-vm', 0o755)
    add_file(ROOT / 'linux/init/l2', root / 'usr/bin/l2', 0o755)
    add_file(ROOT / 'linux/init/self-balloon', root / 'usr/bin/self-balloon', 0o755)
    for file in SELF_BALLOON:
        add_file(file, root / 'usr/share/dseg' / file.relative_to(SCRIPTS), 0o644)


def pack(root, archive):
    """An initial ramdisk, not compressed: emulated CPUs would take long to unpack it."""
    names = '\n'.join(sorted(str(file.relative_to(root)) for file in root.rglob('*')))
    part = archive.with_suffix('.part')
    part.write_bytes(run(busybox(), 'cpio', '-o', '-H', 'newc', '-R', '0:0', cwd=root,
                         stdin=names.encode()))
    part.rename(archive)        # a stack that boots at this moment has the old or the new one


if __name__ == '__main__':
    run_main('build-guests', main)
