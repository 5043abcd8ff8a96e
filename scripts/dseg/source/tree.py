# SPDX-License-Identifier: GPL-2.0-or-later
"""A QEMU source tree as a git repository: one base commit, then one commit for each patch."""

import shutil
from pathlib import Path

from .. import OUT, Failure
from ..base import processes
from ..base.locks import alone
from ..base.progress import run_logged
from . import git

SRC = OUT / 'src'
IN_USE = OUT / 'qemu-src'                   # symlink to the tree that the patches go into
STOCK = OUT / 'stock'           # has all that is in OUT for QEMU, without the patches
STOCK_IN_USE = STOCK / 'qemu-src'
BASE = 'dseg-base'                          # tag: the commit that the patches stand on
MAKING = 'dseg-making'                      # in a repository until it has its base commit
MUST_HAVE = ('VERSION', 'configure', 'target/i386/cpu.h', 'qapi/qapi-schema.json')

EPOCH = '1970-01-01T00:00:00+00:00'
BASE_ENV = {
    'GIT_AUTHOR_NAME': 'Direct segments',
    'GIT_AUTHOR_EMAIL': 'dseg@localhost',
    'GIT_AUTHOR_DATE': EPOCH,
    'GIT_COMMITTER_DATE': EPOCH,
}


class Tree:
    """A QEMU source tree."""

    def __init__(self, path):
        if not is_tree(path):
            raise Failure(f'{path} is not a source tree of QEMU '
                          f'(one has {", ".join(MUST_HAVE)})')
        self.path = Path(path).resolve()
        self.version = (self.path / 'VERSION').read_text().strip()

    @classmethod
    def in_use(cls):
        """The tree that fetch-qemu has made."""
        if not IN_USE.exists():
            raise Failure(f'there is no QEMU source at {IN_USE}: run scripts/fetch-qemu first')
        return cls(IN_USE)

    def lock(self, shared=False):
        """For a with statement: nobody else changes the tree, if shared, or uses it."""
        return alone(self.path, self.path, shared=shared)

    def git(self, *words, check=True, env=None):
        """Run git on the tree; returns what it prints, without the last newline."""
        return git.run(self.path, *words, check=check, env=env)

    def git_file(self, name):
        """Where git keeps the file of that name for this tree."""
        return self.path / self.git('rev-parse', '--git-path', name)

    def is_repository(self):
        """Whether it is one by itself, not just a folder in one."""
        return (self.path / '.git').exists()

    def make_repository(self):
        """Make the tree as it is the base of the patches."""
        aside, making = self.path / f'.{MAKING}', self.path / '.git' / MAKING
        shutil.rmtree(aside, ignore_errors=True)
        if making.exists():                     # it was cut short
            making.parent.rename(aside)
            shutil.rmtree(aside)
        if not self.is_repository():
            aside.mkdir()
            (aside / MAKING).touch()
            aside.rename(making.parent)
            self.git('-c', 'init.defaultBranch=dseg', 'init', '-q')
            for setting, value in (('gc.auto', '0'), ('core.autocrlf', 'false')):
                self.git('config', setting, value)
            run_logged('Making the base commit',
                       git.command(self.path, 'add', '--all', '--force', '.'),
                       OUT / 'log' / 'git.log', env=git.environment(), timeout=900)
            self.git('commit', '-q', '-m', f'QEMU {self.version}', env=BASE_ENV)
            making.unlink()
        if not self.base():
            self.git('tag', BASE)

    def base(self):
        """The base commit, or '' before there is one."""
        if not self.is_repository():
            return ''
        return self.git('rev-parse', '-q', '--verify', f'refs/tags/{BASE}^{{commit}}', check=False)

    def require_base(self):
        """Raise Failure if another branch is checked out than one that stands on the base commit."""
        if not self.stands_on(BASE):
            raise Failure(
                f'{self.path} has a commit checked out that does not stand on {BASE}, the one that '
                f'the patches are upon.\nCheck out one that does: git -C {self.path} branch '
                f'--contains {BASE}\nTo have the patches upon this one instead: '
                f'git -C {self.path} tag -d {BASE}')

    def stands_on(self, commit):
        """Whether a commit is the newest one, or one before it."""
        return processes.run(git.command(self.path, 'merge-base', '--is-ancestor', commit, 'HEAD'),
                             env=git.environment(), capture_output=True).returncode == 0

    def head(self):
        """The newest commit."""
        return self.git('rev-parse', 'HEAD')

    def commits(self, since=BASE):
        """One line for each commit since the base, oldest first."""
        return self.git('log', '--reverse', '--format=%h %s', f'{since}..HEAD').splitlines()

    def require_clean(self):
        """Raise Failure if work that no commit has would be lost or missed."""
        for name in ('rebase-apply', 'rebase-merge'):
            if self.git_file(name).exists():
                raise Failure(f'a git am or rebase is under way in {self.path}: '
                              'end or abort it first')
        changed = self.git('status', '--porcelain', '--untracked-files=no')
        if changed:
            raise Failure(f'{self.path} has changes that are not committed:\n{changed}\n'
                          'Commit them (git commit --amend or --fixup), or git restore them.')

    def export_base(self, folder):
        """Write the files of the base commit into a folder, as a tree without the patches."""
        index = self.git_file('dseg-export-index')
        for left in (index, index.with_suffix('.lock')):
            left.unlink(missing_ok=True)
        env = {'GIT_INDEX_FILE': str(index)}
        self.git('read-tree', BASE, env=env)
        self.git('checkout-index', '--all', f'--prefix={folder}/', env=env)
        index.unlink()


def is_tree(path):
    """Whether a folder looks like QEMU's source."""
    return all((Path(path) / name).is_file() for name in MUST_HAVE)
