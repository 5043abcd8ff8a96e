# SPDX-License-Identifier: GPL-2.0-or-later
"""apply-patches and refresh-patches lose no work of the user's, in whatever state the tree is."""

import json

import pytest

from conftest import git


@pytest.fixture
def mine(tree):
    """A tree of the user's with two commits: the newer one has what the patches are for."""
    git(tree, 'init', '-q', '-b', 'main')
    (tree / 'notes').write_text('old\n')
    git(tree, 'add', '.')
    git(tree, 'commit', '-q', '-m', 'Old')
    (tree / 'notes').write_text('new\n')
    git(tree, 'commit', '-q', '-a', '-m', 'New')
    return tree


def refused(done, *words):
    assert done.returncode == 1, done.stdout
    assert 'Traceback' not in done.stdout
    for word in words:
        assert word in done.stdout, done.stdout
    return True


def state_of(tree):
    """Every branch, what is checked out, and what is not committed."""
    return (git(tree, 'for-each-ref'), git(tree, 'log', '--format=%H', '-1'),
            git(tree, 'status', '--porcelain', '--branch'), git(tree, 'diff'))


def commit(tree, subject='Of the user', file='notes'):
    (tree / file).write_text(f'{subject}\n')
    git(tree, 'add', file)
    git(tree, 'commit', '-q', '-m', subject)


def test_a_branch_that_does_not_stand_on_the_base_commit_is_left_alone(project, mine):
    git(mine, 'branch', 'old', 'main~')
    project.run('apply-patches', '--tree', mine)
    git(mine, 'checkout', '-q', 'old')
    for commits, commands in ((0, (['apply-patches'], ['refresh-patches'])),
                              (1, (['apply-patches', '--reset'], ['refresh-patches', '--force']))):
        if commits:
            commit(mine)        # until then the base commit is ahead
        before = state_of(mine)
        for command in commands:
            done = project.run(*command, '--tree', mine, check=False)
            assert refused(done, 'does not stand on dseg-base', 'git -C')
            assert state_of(mine) == before
    assert (project.folder / 'qemu-patches/0001-target-i386-Say-more.patch').exists()
    # As it says.
    [advice] = [line for line in done.stdout.splitlines() if 'tag -d' in line]
    git(mine, *advice[advice.index('tag -d'):].split())
    project.run('apply-patches', '--tree', mine)
    assert git(mine, 'log', '--format=%s', 'old').splitlines() == \
        ['target/i386: Say more', 'Of the user', 'Old']


def test_a_tree_with_a_commit_of_one_s_own_and_no_patch_has_not_the_patches(project, mine):
    project.run('apply-patches', '--tree', mine)
    git(mine, 'reset', '-q', '--hard', 'dseg-base')
    commit(mine)
    before = state_of(mine)
    done = project.run('apply-patches', '--tree', mine, check=False)
    assert refused(done, 'none of the patches', 'Of the user', 'rebase --onto')
    assert state_of(mine) == before
    [advice] = [line for line in done.stdout.splitlines() if 'rebase --onto' in line]
    git(mine, *advice[advice.index('rebase --onto'):].split())
    assert 'in ' in project.run('apply-patches', '--tree', mine).stdout
    assert git(mine, 'log', '--format=%s', '-2').splitlines() == \
        ['Of the user', 'target/i386: Say more']


def test_a_patch_that_is_being_changed_is_in_the_tree_already(project, mine):
    """As in docs/changing-a-patch.md: the commits are others, of the same subject."""
    project.run('apply-patches', '--tree', mine)
    (mine / 'target/i386/cpu.h').write_text('first\nsecond, and even more\nthird\n')
    git(mine, 'commit', '-q', '-a', '--amend', '--no-edit')
    commit(mine)
    before = state_of(mine)
    assert 'already' in project.run('apply-patches', '--tree', mine).stdout
    assert state_of(mine) == before


def test_a_tree_without_any_patch_leaves_the_patches_as_they_are(project, mine):
    project.run('apply-patches', '--tree', mine)
    git(mine, 'checkout', '-q', 'dseg-base')
    done = project.run('refresh-patches', '--tree', mine, check=False)
    assert refused(done, 'no commit', 'apply-patches')
    assert (project.folder / 'qemu-patches/0001-target-i386-Say-more.patch').exists()


@pytest.fixture
def cut_short(project, mine):
    """A tree whose patches were being applied when that was killed: none has become a commit."""
    git(mine, 'tag', 'dseg-base')
    head = git(mine, 'rev-parse', 'HEAD')
    (mine / '.git/dseg-stamp').write_text(json.dumps(
        {'series': '', 'head': head, 'applying': head}))
    return mine


@pytest.mark.parametrize('file, text', [
    ('notes', 'of the user\n'), ('target/i386/cpu.h', 'first\nsecond\nthird\nfourth\n')])
def test_what_is_edited_after_applying_was_cut_short_is_kept(project, cut_short, file, text):
    (cut_short / file).write_text(text)
    done = project.run('apply-patches', '--tree', cut_short, check=False)
    assert refused(done, 'cut short', file, 'reset --hard')
    assert (cut_short / file).read_text() == text
    [advice] = [line for line in done.stdout.splitlines() if 'reset --hard' in line]
    git(cut_short, *advice[advice.index('reset --hard'):].split())
    assert 'Applied 1' in project.run('apply-patches', '--tree', cut_short).stdout


@pytest.mark.parametrize('text', ['first\nsecond, and more\nthird\n', 'first\nsecond, and', ''],
                         ids=repr)
def test_what_applying_has_written_when_it_was_cut_short_is_undone(project, cut_short, text):
    (cut_short / 'target/i386/cpu.h').write_text(text)
    assert 'Applied 1' in project.run('apply-patches', '--tree', cut_short).stdout
    assert git(cut_short, 'status', '--porcelain') == ''


NEW_FILE = '''\
From 0000000000000000000000000000000000000000 Mon Sep 17 00:00:00 2001
From: Direct segments <dseg@localhost>
Date: Thu, 1 Jan 1970 00:00:00 +0000
Subject: [PATCH] target/i386: Have a file

---
diff --git a/target/i386/new b/target/i386/new
new file mode 100644
--- /dev/null
+++ b/target/i386/new
@@ -0,0 +1 @@
+new
'''


def add_new_file(project):
    patches = project.folder / 'qemu-patches'
    (patches / '0002-target-i386-Have-a-file.patch').write_text(NEW_FILE)
    with open(patches / 'series', 'a', encoding='ascii') as series:
        series.write('0002-target-i386-Have-a-file.patch\n')


def test_a_file_of_the_user_s_that_a_patch_would_make_is_kept(project, mine):
    add_new_file(project)
    (mine / 'target/i386/new').write_text('of the user\n')
    before = git(mine, 'log', '--format=%H', '-1')
    done = project.run('apply-patches', '--tree', mine, check=False)
    assert refused(done, 'target/i386/new', 'in the way')
    assert (mine / 'target/i386/new').read_text() == 'of the user\n'
    assert git(mine, 'log', '--format=%H', '-1') == before


def test_a_file_of_the_user_s_is_kept_where_applying_was_cut_short(project, cut_short):
    add_new_file(project)
    (cut_short / 'target/i386/new').write_text('of the user\n')
    done = project.run('apply-patches', '--tree', cut_short, check=False)
    assert refused(done, 'target/i386/new')
    assert (cut_short / 'target/i386/new').read_text() == 'of the user\n'
