# SPDX-License-Identifier: GPL-2.0-or-later
"""scripts/fetch-qemu: get QEMU's source into out/src, ready for the patches."""

import functools
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from .. import FULL, OUT, Failure, run_main
from ..base import options
from ..base.atomically import link
from ..base.locks import alone
from ..base.progress import run_logged
from ..base.sizes import GiB
from . import debian
from .tree import IN_USE, SRC, STOCK, STOCK_IN_USE, Tree, is_tree

DEFAULT_LINE = '10.0'
SPACE = 2                   # GiB that out/ takes in the end
LOG = OUT / 'log' / 'fetch-qemu.log'


def main(arguments):
    """What the command line asks for."""
    parser = options.Parser('fetch-qemu')
    source = parser.add_mutually_exclusive_group()
    source.add_argument('--tree', type=options.path)
    source.add_argument('--tarball', type=options.path)
    source.add_argument('--version', type=options.text)
    source.add_argument('--list', action='store_true')
    parser.add_argument('--stock', action='store_true')
    args = parser.parse_args(arguments)

    with alone(SRC):
        for left in SRC.glob('.new-*'):
            shutil.rmtree(left)         # of a fetch that was cut short
        return list_versions() if args.list else provide(args)


def provide(args):
    """Have the tree that is asked for, and its unpatched twin."""
    if args.tree:
        tree = adopt(args.tree, functools.partial(copy_tree, args.tree))
    elif args.tarball:
        tree = adopt(args.tarball, functools.partial(unpack_tarball, args.tarball))
    else:
        tree = present(args.version) or fetch(args.version or DEFAULT_LINE)
    link(IN_USE, tree.path.relative_to(OUT.resolve()))
    print(f'QEMU {tree.version} is in {tree.path}')
    if args.stock:
        stock = make_stock(tree)
        print(f'QEMU {tree.version} without the patches is in {stock}')
    elif STOCK_IN_USE.resolve() != stock_of(tree):
        STOCK_IN_USE.unlink(missing_ok=True)
    return 0


def list_versions():
    """What Debian's suites list, and what is here."""
    for source in debian.versions():
        here = 'in out/src' if (SRC / f'qemu-{source.version}').is_dir() else ''
        print(f'{source.version:<12} {" ".join(source.suites):<40} {here}'.rstrip())
    return 0


def names(sources):
    """The versions, each once."""
    return ', '.join(dict.fromkeys(source.version for source in sources))


def is_of_line(version, line):
    """Whether a version such as 10.0.13 is the one asked for or of the line (10.0) asked for."""
    return version == line or version.startswith(line + '.')


def present(wanted):
    """The tree that is here already and of the version wanted: the one in use if it is."""
    trees = sorted(SRC.glob('qemu-*[0-9]'), reverse=True,
                   key=lambda path: [int(number) for number in re.findall(r'\d+', path.name)])
    for path in [IN_USE, *trees]:
        if path.is_dir():
            tree = Tree(path)
            if is_of_line(tree.version, wanted or DEFAULT_LINE) or (path == IN_USE and not wanted):
                return tree
    return None


def fetch(wanted):
    """Get the newest source package of the version wanted whose files the mirror still has."""
    require_space()
    listed = debian.versions()
    candidates = [source for source in listed if is_of_line(source.version, wanted)]
    if not candidates:
        raise Failure(f'no suite lists a QEMU {wanted}; there are: {names(listed)}')
    for download, unpack in ((debian.download, unpack_package),
                             (debian.download_tarball, unpack_tarball)):
        for source in candidates:
            try:
                package = download(source)
            except debian.Missing:
                continue
            return adopt(package, functools.partial(unpack, package))
    raise Failure(f'the mirror has the files of no QEMU {wanted} that its suites list '
                  f'({names(candidates)}; see {debian.LOG}).\n'
                  'Get a release and its signature from the QEMU project, check it, '
                  'and run: scripts/fetch-qemu --tarball FILE')


def require_space():
    """Raise Failure if it will not do for what the scripts make of the source."""
    SRC.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(SRC).free
    if free < SPACE * GiB:
        raise Failure(f'the disk of {OUT} has {free / GiB:.1f} GiB left; QEMU and the guests take '
                      f'{SPACE} GiB: {FULL}')


def adopt(origin, fill):
    """Let fill() write the tree that origin holds, and make it out/src/qemu-VERSION."""
    SRC.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix='.new-', dir=SRC) as folder:
        new = Path(folder) / 'tree'
        fill(new)
        if not is_tree(new):
            raise Failure(f'{origin} is not the source of QEMU')
        final = SRC / f'qemu-{Tree(new).version}'
        if final.exists():
            raise Failure(f'{final} exists already.\n'
                          f'To replace it, remove it first: rm -rf {final}')
        if (new / 'target/i386/dseg').is_symlink():
            raise Failure(f'{origin} has the patches already; give a tree without them')
        if not (new / 'subprojects/keycodemapdb/README').exists():
            raise Failure(f'{origin} lacks the subproject keycodemapdb, which a release tarball '
                          'has; in a git checkout run: meson subprojects download keycodemapdb')
        do_without(new, 'python/wheels/pycotap*', 'pythondeps.toml', r'^pycotap\b', '#pycotap')
        do_without(new, 'pc-bios/edk2-*.bz2', 'pc-bios/meson.build',
                   '^if unpack_edk2_blobs$', 'if false')
        shutil.rmtree(new / '.pc', ignore_errors=True)      # quilt's, from dpkg-source
        Tree(new).make_repository()
        new.rename(final)
    return Tree(final)


def do_without(folder, missing, name, line, instead):
    """In the file name, replace a line that needs files which are missing from the tree.

    Debian strips its tarball of copies and firmware, and patches such lines; here that is done
    for a tarball whose patches could not be fetched.
    """
    path = folder / name
    if path.exists() and not list(folder.glob(missing)):
        path.write_text(re.sub(line, instead, path.read_text(), flags=re.MULTILINE))


def unpack_package(dsc, folder):
    """A Debian source package, Debian's patches applied."""
    run_logged(f'Unpacking {dsc.name}', ['dpkg-source', '--extract', dsc, folder],
               LOG, timeout=900)


def unpack_tarball(tarball, folder):
    """A release tarball."""
    if not tarball.is_file():
        raise Failure(f'{tarball} is no file')
    folder.mkdir()
    run_logged(f'Unpacking {tarball.name}',
               ['tar', '--extract', '--strip-components=1', '--directory', folder,
                '--file', tarball],
               LOG, timeout=900, hint=f'{tarball} is damaged or no tar archive: '
                                      'get it again, and check its signature.')


def copy_tree(tree, folder):
    """The user's own tree, without its repository and its builds: it stays as it is."""
    tree = Tree(tree).path
    files = [path for path in tree.iterdir()
             if path.name != '.git' and not (path / 'build.ninja').exists()]
    folder.mkdir()
    run_logged(f'Copying {tree}',
               ['cp', '--archive', '--reflink=auto', '--target-directory', folder, *files],
               LOG, timeout=900)
    subprocess.run(['find', folder, '-name', '.git', '-prune', '-exec', 'rm', '-rf', '{}', '+'],
                   check=True)


def stock_of(tree):
    """Where the unpatched twin of a tree is."""
    return STOCK / 'src' / tree.path.name


def make_stock(tree):
    """Write the unpatched twin."""
    stock = stock_of(tree)
    if not stock.exists():
        stock.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix='.new-', dir=stock.parent) as folder:
            new = Path(folder) / 'tree'
            tree.export_base(new)
            new.rename(stock)
    link(STOCK_IN_USE, stock.relative_to(STOCK))
    return stock


if __name__ == '__main__':
    run_main('fetch-qemu', main)
