# SPDX-License-Identifier: GPL-2.0-or-later
"""scripts/build-qemu: a small qemu-system-x86_64, out of tree, patched or stock."""

import json
import os
import shutil

from .. import OUT, Failure, run_main
from ..base import options
from ..base.atomically import read_json, write_text
from ..base.locks import alone
from ..base.progress import run_logged
from .tree import STOCK, STOCK_IN_USE, Tree

BINARY = 'qemu-system-x86_64'
CONFIGURED = 'dseg-configured.json'     # in the build folder: what it was configured from
CONFIGURE_SECONDS = 600
BUILD_SECONDS = 2 * 3600

# The machines and devices are QEMU's own default; of the features, only those that the guests
# need. The source needs no download, and both twins treat warnings alike.
FLAGS = (
    '--cc=ccache gcc',
    '--python=/usr/bin/python3',
    '--target-list=x86_64-softmmu',
    '--without-default-features',
    '--enable-system',
    '--enable-tcg',
    '--enable-kvm',
    '--enable-plugins',
    '--enable-fdt=system',
    '--disable-install-blobs',
    '--disable-docs',
    '--disable-download',
    '--enable-werror',
)


def main(arguments):
    """What the command line asks for."""
    parser = options.Parser('build-qemu')
    parser.add_argument('--stock', action='store_true')
    parser.add_argument('--tree', type=options.path)
    parser.add_argument('--targets', nargs='+', type=options.text, default=[])
    parser.add_argument('--jobs', type=options.count)
    args = parser.parse_args(arguments)

    tree = source_tree(args)
    folder = (STOCK if args.stock else OUT) / 'qemu'
    name = name_of(folder)
    env = build_environment(folder.parent)
    jobs = [f'-j{args.jobs}'] if args.jobs else []
    with alone(folder), tree.lock(shared=True):
        configure(tree, folder, pkgversion='stock' if args.stock else 'dseg', env=env)
        run_logged(f'Building {name} {tree.version}',
                   ['ninja', '-C', folder, *jobs, BINARY, *args.targets],
                   OUT / 'log' / f'build-{name}.log', timeout=BUILD_SECONDS, env=env,
                   hint='After a change in the source, run scripts/build-qemu again; '
                        f'for a fresh start: rm -rf {folder}')
    print(folder / BINARY)
    return 0


def name_of(folder):
    """Of a build folder, for messages and logs: qemu, stock-qemu."""
    return '-'.join(folder.relative_to(OUT).parts)


def source_tree(args):
    """The tree to build."""
    if args.tree:
        return Tree(args.tree)
    if not args.stock:
        return Tree.in_use()
    if not STOCK_IN_USE.exists():
        raise Failure(f'there is no {STOCK_IN_USE}: run scripts/fetch-qemu --stock first')
    return Tree(STOCK_IN_USE)


def build_environment(around=OUT):
    """Let ccache know a file again in another checkout, and of the unpatched twin, which have the same
    paths in the folder @around; keep what is for our Python from QEMU's."""
    env = dict(os.environ, CCACHE_BASEDIR=str(around), CCACHE_NOHASHDIR='1')
    for name in ('PYTHONPATH', 'PYTHONSAFEPATH'):
        env.pop(name, None)
    if not os.access(os.path.expanduser('~'), os.W_OK):
        env.setdefault('CCACHE_DIR', str(OUT / 'ccache'))
    return env


def configure(tree, folder, *, pkgversion, env, more=()):
    """Configure the build folder, unless it is configured from that tree with these flags."""
    flags = [*FLAGS, *os.environ.get('DSEG_CONFIGURE', '').split(), *more,
             f'--with-pkgversion={pkgversion}']
    wanted = {'source': str(tree.path), 'version': tree.version, 'flags': flags}
    configured = folder / CONFIGURED
    if read_json(configured) == wanted:
        return
    if folder.exists():
        configured.unlink(missing_ok=True)      # nothing may believe in what is half removed
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    source = os.path.relpath(tree.path, folder)
    name = name_of(folder)
    run_logged(f'Configuring {name} {tree.version}', [f'{source}/configure', *flags],
               OUT / 'log' / f'configure-{name}.log', cwd=folder, env=env,
               timeout=CONFIGURE_SECONDS, hint=f'More is in {folder}/config.log '
                                               f'and {folder}/meson-logs/meson-log.txt')
    write_text(configured, json.dumps(wanted, indent=2))


if __name__ == '__main__':
    run_main('build-qemu', main)
