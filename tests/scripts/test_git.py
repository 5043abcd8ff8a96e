# SPDX-License-Identifier: GPL-2.0-or-later
"""Git works on QEMU's tree only, whatever the caller and the tree have said to git."""

import os
import shutil

import pytest

from conftest import git

EVERY_HOOK = ('applypatch-msg', 'pre-applypatch', 'post-applypatch', 'pre-commit', 'commit-msg',
              'prepare-commit-msg', 'post-commit', 'post-checkout', 'post-index-change',
              'reference-transaction')


def state_of(repository):
    """All that must stay as it is."""
    return {path: path.read_bytes() for path in repository.rglob('*') if path.is_file()}


def commits_of(tree):
    return git(tree, 'log', '--format=%s').splitlines()


def variables_of_a_hook(repository):
    """What git exports to its hooks, and more of the kind."""
    return {'GIT_DIR': str(repository / '.git'), 'GIT_WORK_TREE': str(repository),
            'GIT_INDEX_FILE': str(repository / '.git/index'),
            'GIT_OBJECT_DIRECTORY': str(repository / '.git/objects'),
            'GIT_PREFIX': '', 'GIT_COMMON_DIR': str(repository / '.git'),
            'GIT_CONFIG_PARAMETERS': "'core.worktree'='/nonexistent'",
            'GIT_CONFIG': '/nonexistent'}


@pytest.mark.parametrize('names', [['GIT_DIR'], None], ids=['GIT_DIR', 'all'])
def test_variables_of_git_name_no_other_repository(project, tree, repository, names):
    before = state_of(repository)
    env = variables_of_a_hook(repository)
    env = {name: env[name] for name in names or env}
    project.run('fetch-qemu', '--tree', tree, '--stock', env=env)
    project.run('apply-patches', env=env)
    project.run('refresh-patches', env=env)
    assert state_of(repository) == before
    in_use = project.out / 'qemu-src'
    assert commits_of(in_use) == ['target/i386: Say more', 'QEMU 10.0.1']
    assert (in_use / 'target/i386/cpu.h').read_text() == 'first\nsecond, and more\nthird\n'
    stock = project.out / 'stock/qemu-src'
    assert (stock / 'target/i386/cpu.h').read_text() == 'first\nsecond\nthird\n'


def test_no_hook_of_the_tree_runs(project, tree):
    git(tree, 'init', '-q')
    git(tree, 'add', '.')
    git(tree, 'commit', '-q', '-m', 'Of the user')
    for name in EVERY_HOOK:
        hook = tree / '.git/hooks' / name
        hook.write_text(f'#!/bin/sh\necho {name} >>{tree}/hooks\nexit 1\n')
        hook.chmod(0o755)
    project.run('apply-patches', '--tree', tree)
    project.run('refresh-patches', '--tree', tree)
    assert not (tree / 'hooks').exists()
    assert commits_of(tree) == ['target/i386: Say more', 'Of the user']


@pytest.mark.skipif(os.geteuid() != 0, reason='only root can give files to another user')
def test_root_can_patch_the_tree_of_another_user(project, tree):
    git(tree, 'init', '-q')
    git(tree, 'add', '.')
    git(tree, 'commit', '-q', '-m', 'Of the user')
    for path in (tree, *tree.rglob('*')):
        os.chown(path, 65534, 65534)
    project.run('apply-patches', '--tree', tree)
    assert '[safe]' not in (tree / '.git/config').read_text()
    shutil.copytree(tree, tree.with_name('ours'), copy_function=shutil.copy)
    assert commits_of(tree.with_name('ours')) == ['target/i386: Say more', 'Of the user']


def test_a_tree_whose_repository_is_broken_is_not_that_of_the_folder_around_it(
        project, tree, repository):
    inner = repository / 'qemu'
    shutil.copytree(tree, inner)
    (inner / '.git').mkdir()
    before = state_of(repository)
    done = project.run('apply-patches', '--tree', inner, check=False)
    assert done.returncode == 1
    assert 'not a git repository' in done.stdout
    assert state_of(repository) == before


def test_files_are_committed_byte_for_byte_whatever_attributes_the_user_has(
        project, tree, tmp_path):
    attributes = tmp_path / 'home/.config/git/attributes'
    attributes.parent.mkdir(parents=True)
    attributes.write_text('* text eol=lf ident\n')
    project.run('fetch-qemu', '--tree', tree, env={
        'HOME': str(tmp_path / 'home'), 'XDG_CONFIG_HOME': str(tmp_path / 'home/.config')})
    in_use = project.out / 'qemu-src'
    assert git(in_use, 'cat-file', '-s', 'HEAD:dos.txt') == '26'


def test_the_project_s_own_files_are_those_of_its_repository(project, tree, repository):
    """scripts/mutate copies them; the tests are not there to run."""
    git(project.folder, 'init', '-q')
    git(project.folder, 'add', 'scripts', 'qemu-patches')
    bugs = project.folder / 'tests/mutants/mutants.toml'
    bugs.parent.mkdir(parents=True)
    bugs.write_text('')
    project.run('fetch-qemu', '--tree', tree)
    done = project.run('mutate', env=variables_of_a_hook(repository), check=False)
    assert (project.out / 'mutate/scripts/mutate').is_file(), done.stdout
    assert not (project.out / 'mutate/file').exists()
