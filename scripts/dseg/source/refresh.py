# SPDX-License-Identifier: GPL-2.0-or-later
"""scripts/refresh-patches: the commits of the QEMU tree in use as qemu-patches/."""

import re
import subprocess
import tempfile
from pathlib import Path

from .. import Failure, run_main
from ..base import options
from ..base.atomically import write_text
from .patches import PATCHES, put_stamp, read_stamp, series, series_hash, write_stamp
from .tree import BASE, SRC, Tree

# Nothing that changes by itself: no hash of the commit, no version of git, no "1/12".
FORMAT = ('--zero-commit', '--no-signature', '--no-numbered', '--no-stat', '--no-renames',
          '--unified=2', '--diff-algorithm=myers')
SERIES_HEADER = ('# SPDX-License-Identifier: GPL-2.0-or-later\n'
                 '# Written by scripts/refresh-patches: the order of the patches.\n')


def main(arguments):
    """What the command line asks for."""
    parser = options.Parser('refresh-patches')
    parser.add_argument('--tree', type=options.path)
    parser.add_argument('--checkpatch', action='store_true')
    parser.add_argument('--force', action='store_true')
    args = parser.parse_args(arguments)

    tree = Tree(args.tree) if args.tree else Tree.in_use()
    with tree.lock():
        require_patchable(tree)
        if not args.force:
            require_same_series(tree)
        patches = format_commits(tree)
        put_stamp(tree, **{**read_stamp(tree), 'refreshing': True})
        changes = write(patches)
        write_stamp(tree)
    print('\n'.join(changes) or f'The {len(series())} patches have not changed')
    return checkpatch(tree) if args.checkpatch else 0


def require_patchable(tree):
    """Raise Failure if the tree's state can't become patches."""
    if not tree.base() or read_stamp(tree).get('applying'):
        raise Failure(f'{tree.path} has no commit with the tag {BASE}, or not all of the patches: '
                      'run scripts/apply-patches first')
    tree.require_base()
    tree.require_clean()
    if series() and not tree.commits():
        raise Failure(f'{tree.path} has no commit upon {BASE}, which would leave no patch at all.\n'
                      'To have the patches in it: scripts/apply-patches')
    merges = tree.git('log', '--merges', '--format=%h %s', f'{BASE}..HEAD')
    if merges:
        raise Failure(f'{tree.path} has merges, which no patch can hold; rebase instead:\n{merges}')


def require_same_series(tree):
    """Raise Failure if qemu-patches/ has changes that the tree has not, from a pull say."""
    stamp = read_stamp(tree)
    if stamp.get('refreshing'):
        return          # it was cut short: what has changed there is this tree's
    if stamp['series'] not in ('', series_hash(series())):
        raise Failure(f'{PATCHES} has changed since {tree.path} got it.\n'
                      'scripts/apply-patches --reset brings that into the tree; '
                      'scripts/refresh-patches --force overwrites it.')


def format_commits(tree):
    """The text of each patch by its file name, in order."""
    with tempfile.TemporaryDirectory(prefix='.refresh-', dir=SRC) as folder:
        tree.git('format-patch', '-q', *FORMAT, '-o', folder, f'{BASE}..HEAD')
        return {path.name: without_blob_hashes(path.read_text())
                for path in sorted(Path(folder).iterdir())}


def without_blob_hashes(patch):
    """They change with every release of QEMU, though the patch does not."""
    return re.sub(r'^index [0-9a-f]+\.\.[0-9a-f]+( \d+)?\n', '', patch, flags=re.MULTILINE)


def write(patches):
    """Make qemu-patches/ hold exactly these; returns what was changed, a line each."""
    PATCHES.mkdir(exist_ok=True)
    wanted = dict(patches, series=SERIES_HEADER + ''.join(f'{name}\n' for name in patches))
    changes = []
    for name, text in wanted.items():
        path = PATCHES / name
        before = path.read_text() if path.exists() else None
        if before != text:
            write_text(path, text)
            changes.append(f'{"added" if before is None else "changed"} {name}')
    for path in sorted(PATCHES.glob('*.patch')):
        if path.name not in wanted:
            path.unlink()
            changes.append(f'removed {path.name}')
    return changes


def checkpatch(tree):
    """QEMU's own check of style on each patch; a sign-off is for when they are sent."""
    failed = 0
    for patch in series():
        command = ['perl', 'scripts/checkpatch.pl', '--quiet', '--no-signoff', patch]
        failed |= subprocess.run(command, cwd=tree.path, check=False).returncode
    return 1 if failed else 0


if __name__ == '__main__':
    run_main('refresh-patches', main)
