# SPDX-License-Identifier: GPL-2.0-or-later
"""Builds what the two guests boot: kernel, initial ramdisks, workloads."""

import argparse
import hashlib
import json
import lzma
import os
import re
import shutil
import subprocess
import time
from pathlib import Path

from . import OUT, ROOT, Failure, run_main

GUEST = OUT / 'guest'
WORKLOADS = ('gups', 'chase', 'triad')
KERNEL_PACKAGE = 'linux-image-cloud-amd64'

# Modules of L1, each with its options; what they depend on comes with them.
L1_MODULES = ('kvm_amd npt=1', 'virtio_pci', 'virtio_blk')

# What QEMU's microvm needs as firmware, in the order of the folders.
FIRMWARE_DIRS = ('/usr/share/qemu', '/usr/share/seabios')
VMM_FIRMWARE = ('bios-microvm.bin', 'linuxboot_dma.bin', 'kvmvapic.bin')


def run(*command, cwd=None, stdin=None):
    """Run a command; its output is shown only if it fails."""
    done = subprocess.run([str(word) for word in command], cwd=cwd,
                          input=stdin, capture_output=True)
    if done.returncode:
        raise Failure(f'{" ".join(map(str, command))} failed:\n'
                         + done.stderr.decode(errors='replace').rstrip())
    return done.stdout


def digest(parts):
    """A digest of files (Path), their contents, and of words (str)."""
    sha = hashlib.sha256()
    for part in parts:
        sha.update(str(part).encode() + b'\0')
        if isinstance(part, Path):
            sha.update(part.read_bytes())
    return sha.hexdigest()


class Steps:
    """Runs build steps whose inputs have changed since they last ran."""

    def __init__(self, stamp_file, verbose):
        self._file = stamp_file
        self._verbose = verbose
        self._stamps = {}
        if stamp_file.exists():
            self._stamps = json.loads(stamp_file.read_text())

    def do(self, name, inputs, outputs, action):
        # This file holds the recipes, so it is an input of every step.
        now = digest([Path(__file__), *inputs])
        if self._stamps.get(name) == now and all(o.exists() for o in outputs):
            if self._verbose:
                print(f'  {name}: up to date')
            return
        print(f'  {name} ... ', end='', flush=True)
        begin = time.monotonic()
        action()
        self._stamps[name] = now
        self._file.write_text(json.dumps(self._stamps, indent=1))
        print(f'{time.monotonic() - begin:.1f} s')


def kernel_package():
    """The versioned package that Debian's metapackage stands for."""
    out = run('apt-cache', 'depends', '--important', KERNEL_PACKAGE).decode()
    found = re.search(r'Depends: (linux-image-\d\S*)', out)
    if not found:
        raise Failure(f'apt knows no package {KERNEL_PACKAGE}; '
                         'run apt-get update, and check that this is an '
                         'amd64 Debian')
    return found.group(1)


def fetch_kernel(tree):
    """Download the kernel's package and unpack it; nothing is installed."""
    downloads = OUT / 'downloads'
    downloads.mkdir(parents=True, exist_ok=True)
    package = kernel_package()
    run('apt-get', '-o', 'APT::Sandbox::User=root', 'download', package,
        cwd=downloads)
    newest = max(downloads.glob(f'{package}_*.deb'),
                 key=lambda deb: deb.stat().st_mtime)
    shutil.rmtree(tree, ignore_errors=True)
    run('dpkg-deb', '-x', newest, tree)
    run('busybox', 'depmod', '-b', tree, kernel_version(tree))


def kernel_version(tree):
    [modules] = (tree / 'lib/modules').iterdir()
    return modules.name


def module_closure(modules, name):
    """The files of a module and of all that it depends on."""
    for line in (modules / 'modules.dep').read_text().splitlines():
        file, needs = line.split(':')
        stem = Path(file).name.split('.')[0].replace('-', '_')
        if stem == name:
            return [file, *needs.split()]
    raise Failure(f'the kernel package has no module {name}')


def copy_modules(tree, root):
    """Copy L1's modules, unpacked, and make the index that modprobe reads."""
    version = kernel_version(tree)
    source = tree / 'lib/modules' / version
    target = root / 'lib/modules' / version
    for entry in L1_MODULES:
        for file in module_closure(source, entry.split()[0]):
            data = (source / file).read_bytes()
            if file.endswith('.xz'):
                data = lzma.decompress(data)
            copy = target / file.removesuffix('.xz')
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(data)
    for index in ('modules.builtin', 'modules.order'):
        shutil.copy(source / index, target)
    run('busybox', 'depmod', '-b', root, version)


def shared_libraries(binary):
    """All files that the loader needs to start a program."""
    out = run('ldd', binary).decode()
    return [Path(path) for path in re.findall(r'(/\S+) \(0x', out)]


def find_firmware(name):
    for folder in FIRMWARE_DIRS:
        file = Path(folder) / name
        if file.exists():
            return file
    raise Failure(f'{name} is in none of {", ".join(FIRMWARE_DIRS)}')


def vmm_binary():
    """The QEMU that L1 runs L2 with."""
    binary = Path(os.environ.get('DSEG_QEMU') or OUT / 'qemu/qemu-system-x86_64')
    if not binary.exists():
        raise Failure(f'{binary} does not exist; run scripts/build-qemu, '
                         'or name a QEMU in the environment as DSEG_QEMU')
    return binary


def build_workload(name):
    sources = [ROOT / 'linux/workloads' / f'{name}.c',
               ROOT / 'linux/workloads/common.c']
    run(*os.environ.get('CC', 'gcc').split(), '-std=gnu11', '-O2', '-Wall',
        '-Wextra', '-static', '-pthread', '-s', '-o', GUEST / name, *sources)


def base_root(root, hostname):
    """A root file system with busybox, our init files and the workloads."""
    shutil.rmtree(root, ignore_errors=True)
    for folder in ('bin', 'dev', 'etc', 'proc', 'root', 'sys', 'tmp',
                   'usr/bin'):
        (root / folder).mkdir(parents=True)
    busybox = Path(shutil.which('busybox'))
    shutil.copy(busybox, root / 'bin/busybox')
    for applet in set(run(busybox, '--list').decode().split()) - {'busybox'}:
        (root / 'bin' / applet).symlink_to('busybox')
    for link in ('sbin', 'usr/sbin'):
        (root / link).symlink_to('/bin')
    (root / 'init').symlink_to('bin/init')
    init = ROOT / 'linux/init'
    for file, mode in (('inittab', 0o644), ('rc', 0o755), ('profile', 0o644)):
        shutil.copy(init / file, root / 'etc')
        (root / 'etc' / file).chmod(mode)
    (root / 'etc/hostname').write_text(hostname + '\n')
    for name in WORKLOADS:
        shutil.copy(GUEST / name, root / 'usr/bin')


def pack(root, archive):
    """Write a tree as an initramfs, plain: unpacking it under TCG is slow."""
    names = sorted(str(p.relative_to(root)) for p in root.rglob('*'))
    archive.write_bytes(run('busybox', 'cpio', '-o', '-H', 'newc', '-R', '0:0',
                            cwd=root, stdin='\n'.join(names).encode()))


def build_l2():
    root = GUEST / 'l2-root'
    base_root(root, 'l2')
    pack(root, GUEST / 'l2.cpio')


def add_vmm(root):
    """Put QEMU, its libraries and its firmware where L1 looks for them."""
    binary = vmm_binary()
    run('strip', '-o', root / 'usr/bin/qemu-system-x86_64', binary)
    for library in shared_libraries(binary):
        target = root / str(library).lstrip('/')
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(library, target)
    firmware = root / 'usr/share/qemu'
    firmware.mkdir(parents=True)
    for name in VMM_FIRMWARE:
        shutil.copy(find_firmware(name), firmware / name)


def build_l1(tree):
    root = GUEST / 'l1-root'
    base_root(root, 'l1')
    copy_modules(tree, root)
    (root / 'etc/modules').write_text('\n'.join(L1_MODULES) + '\n')
    shutil.copy(ROOT / 'linux/init/l2', root / 'usr/bin/l2')
    (root / 'usr/bin/l2').chmod(0o755)
    add_vmm(root)
    (root / 'boot').mkdir()
    shutil.copy(GUEST / 'vmlinuz', root / 'boot')
    shutil.copy(GUEST / 'l2.cpio', root / 'boot')
    pack(root, GUEST / 'l1.cpio')


def build(update, verbose):
    GUEST.mkdir(parents=True, exist_ok=True)
    steps = Steps(GUEST / 'stamps.json', verbose)
    tree = GUEST / 'kernel'
    vmlinuz = GUEST / 'vmlinuz'
    package = kernel_package() if update else ''

    def get_kernel():
        fetch_kernel(tree)
        shutil.copy(next((tree / 'boot').glob('vmlinuz-*')), vmlinuz)

    steps.do('kernel', [package] if update else [], [tree, vmlinuz],
             get_kernel)
    common = ROOT / 'linux/workloads'
    for name in WORKLOADS:
        steps.do(name, [common / f'{name}.c', common / 'common.c',
                        common / 'common.h'], [GUEST / name],
                 lambda: build_workload(name))
    init = [ROOT / 'linux/init' / f for f in ('inittab', 'rc', 'profile', 'l2')]
    contents = [*init, *(GUEST / w for w in WORKLOADS),
                Path(shutil.which('busybox'))]
    steps.do('l2', contents, [GUEST / 'l2.cpio'], build_l2)
    steps.do('l1', [*contents, vmm_binary(), vmlinuz, GUEST / 'l2.cpio',
                    *map(find_firmware, VMM_FIRMWARE)],
             [GUEST / 'l1.cpio'], lambda: build_l1(tree))


def main(arguments):
    parser = argparse.ArgumentParser(
        prog='scripts/build-guests', description=__doc__,
        epilog='Example: scripts/build-guests --verbose')
    parser.add_argument('--update', action='store_true',
                        help='take a newer kernel package if there is one')
    parser.add_argument('--verbose', action='store_true',
                        help='also name what is up to date')
    args = parser.parse_args(arguments)
    build(args.update, args.verbose)


if __name__ == '__main__':
    run_main('build-guests', main)
