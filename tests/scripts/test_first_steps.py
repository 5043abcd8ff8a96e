# SPDX-License-Identifier: GPL-2.0-or-later
"""What people meet first: help, and one line that says why a machine or a folder will not do."""

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from conftest import ROOT, SECONDS, Project, environment, make_tree
from dseg import Failure
from dseg.source import debian, fetch

SCRIPTS = sorted(path.name for path in (ROOT / 'scripts').iterdir() if path.is_file())
IS_ROOT = os.geteuid() == 0
NOBODY = 65534


@pytest.fixture
def nobody_s():
    """A folder for a user who is not root, and how subprocess.run() becomes that user."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    if IS_ROOT:
        os.chown(folder, NOBODY, NOBODY)
    yield folder, {'user': NOBODY, 'group': NOBODY, 'extra_groups': []} if IS_ROOT else {}
    for path in folder.rglob('*'):
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o755)
    shutil.rmtree(folder)


def give(path, uid=NOBODY):
    """Give a tree to another user, if we may."""
    for each in (path, *path.rglob('*')) if IS_ROOT else ():
        os.chown(each, uid, uid)


def refused(done, *words):
    """One line, with these words, and nothing that was begun."""
    assert done.returncode == 1, done.stdout
    assert len(done.stdout.splitlines()) == 1, done.stdout
    for word in words:
        assert str(word) in done.stdout
    return True


def options_of_help(text):
    return set(re.findall(r'^  (--[a-z0-9-]+)', text, re.M)) - {'--help'}


def options_of_program(script):
    program = re.search(r'^ *run_python (\S+)', (ROOT / 'scripts' / script).read_text(), re.M)[1]
    text = (ROOT / 'scripts/dseg' / f'{program.replace(".", "/")}.py').read_text()
    return set(re.findall(r"add_argument\('(--[a-z0-9-]+)'", text))


@pytest.mark.parametrize('script', SCRIPTS)
def test_help_needs_nothing_but_the_clone(project, script):
    for word in '--help', '-h':
        # An out/ that can't be made shows what wants one; no packages are trusted to be there.
        done = project.run(script, word, env={'DSEG_SKIP_PACKAGES': '', 'DSEG_OUT': '/dev/null/x'})
        assert re.match(f'[uU]sage: (scripts/)?{script}\\b', done.stdout), done.stdout
        assert re.search('^[eE]xample', done.stdout, re.M)
    assert not project.out.exists()


@pytest.mark.parametrize('script', SCRIPTS)
def test_help_has_every_option_that_there_is(project, script):
    text = project.run(script, '--help').stdout
    assert options_of_help(text) | set(re.findall(r'--[a-z0-9-]+', text)) >= options_of_program(script)
    assert options_of_help(text) <= options_of_program(script)


@pytest.mark.parametrize('name', ['with blank', 'with:colon', 'with,comma', "with'quote"])
def test_a_path_that_qemu_can_not_be_built_in_is_refused(tmp_path, tree, name):
    project = Project(tmp_path / name)
    done = project.run('fetch-qemu', '--tree', tree, check=False)
    assert refused(done, project.folder, 'letters, digits')
    assert not project.out.exists()
    assert project.run('fetch-qemu', '--help').returncode == 0


@pytest.mark.parametrize('by_link', [False, True])
def test_a_clone_whose_folder_ends_in_a_newline_is_refused_in_a_line(tmp_path, tree, by_link):
    project = Project(tmp_path / 'clone\n')
    if by_link:
        (tmp_path / 'link').symlink_to(project.folder)
        project.folder = tmp_path / 'link'
    done = project.run('fetch-qemu', '--tree', tree, check=False)
    assert refused(done, f'{tmp_path}/clone?', 'letters, digits')
    assert project.run('fetch-qemu', '--help').returncode == 0


def test_an_out_whose_name_ends_in_a_newline_is_refused_in_a_line(project, tree, tmp_path):
    (tmp_path / 'real\n').mkdir()
    (tmp_path / 'link').symlink_to('real\n')
    for out in tmp_path / 'out\n', tmp_path / 'link':
        done = project.run('fetch-qemu', '--tree', tree, check=False, env={'DSEG_OUT': str(out)})
        assert refused(done, 'letters, digits')


def test_a_script_can_be_started_by_a_link_to_it(project, tree, tmp_path):
    (tmp_path / 'bin').mkdir()
    (tmp_path / 'bin/dseg-fetch').symlink_to('../project/scripts/fetch-qemu')
    done = subprocess.run(['dseg-fetch', '--tree', tree], check=False, text=True, cwd=tmp_path,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=SECONDS,
                          env=environment(PATH=f'{tmp_path}/bin:{os.environ["PATH"]}'))
    assert done.stdout.splitlines()[-1] == f'QEMU 10.0.1 is in {project.out}/src/qemu-10.0.1'


def test_a_current_folder_that_is_gone_is_named(project, tmp_path):
    (tmp_path / 'gone').mkdir()
    done = subprocess.run(['sh', '-c', 'cd gone && rmdir ../gone && exec "$0" --json x',
                           project.folder / 'scripts/bench'], check=False, text=True, cwd=tmp_path,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=SECONDS,
                          env=environment())
    assert done.returncode == 1
    # The shell has its own line on that before it reads anything of ours.
    [line] = [line for line in done.stdout.splitlines() if not line.startswith('sh: 0: getcwd()')]
    assert re.fullmatch(r'bench: the current folder is gone, or \w+ may not enter it: '
                        'cd to another one', line)


def test_a_current_folder_that_may_not_be_entered_is_named(nobody_s):
    folder, as_nobody = nobody_s
    project = Project(folder / 'project')
    give(project.folder)
    (folder / 'closed').mkdir(mode=0o700)
    code = 'cd closed && chmod 0 . && exec "$@"'
    drop = ['setpriv', f'--reuid={NOBODY}', f'--regid={NOBODY}', '--clear-groups'] if as_nobody else []
    done = subprocess.run(['sh', '-c', code, 'sh', *drop, project.folder / 'scripts/bench', 'tlb',
                           '--json', 'x/y'], cwd=folder, check=False, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=SECONDS,
                          env=environment())
    assert refused(done, 'bench: the current folder', 'cd to another one')
    assert not project.out.exists()


def test_an_out_whose_path_has_a_blank_is_refused(project, tree, tmp_path):
    done = project.run('fetch-qemu', '--tree', tree, check=False, cwd=tmp_path,
                       env={'DSEG_OUT': 'my out'})
    assert refused(done, tmp_path / 'my out', 'letters, digits')
    assert not (tmp_path / 'my out').exists()


def test_a_clone_by_a_link_into_a_path_with_a_blank_is_refused(tmp_path, tree):
    project = Project(tmp_path / 'with blank')
    (tmp_path / 'link').symlink_to(project.folder)
    project.folder = tmp_path / 'link'
    done = project.run('fetch-qemu', '--tree', tree, check=False)
    assert refused(done, 'with blank', 'letters, digits')


def test_an_out_with_files_of_others_is_refused(project, tree, tmp_path):
    out = tmp_path / 'src'
    (out / 'qemu').mkdir(parents=True)
    (out / 'qemu/mine.c').write_text('mine')
    done = project.run('fetch-qemu', '--tree', tree, check=False, env={'DSEG_OUT': str(out)})
    assert refused(done, out, 'DSEG_OUT')
    assert [path.name for path in out.rglob('*')] == ['qemu', 'mine.c']
    shutil.rmtree(out / 'qemu')
    for command in ['fetch-qemu', '--tree', tree], ['apply-patches']:   # empty, then ours
        project.run(*command, env={'DSEG_OUT': str(out)})


def test_a_qemu_that_is_not_there_is_refused(project):
    done = project.run('boot', check=False, env={'DSEG_QEMU': '/no/such/qemu'})
    assert refused(done, '/no/such/qemu', 'unset')
    assert not project.out.exists()


def test_a_tree_whose_path_has_a_blank_is_taken(project, tmp_path):
    project.run('fetch-qemu', '--tree', make_tree(tmp_path / 'of the user/qemu'))
    project.run('apply-patches')


def test_another_architecture_is_refused(project, tree):
    done = subprocess.run(['setarch', 'i686', project.folder / 'scripts/fetch-qemu', '--tree', tree],
                          check=False, text=True, stdout=subprocess.PIPE, timeout=SECONDS,
                          stderr=subprocess.STDOUT, env=environment())
    assert refused(done, 'i686', 'amd64')
    assert not project.out.exists()


def test_a_folder_that_can_not_be_written_to_is_refused(nobody_s):
    folder, as_nobody = nobody_s
    project = Project(folder / 'project')
    project.folder.chmod(0o555)
    tree = make_tree(folder / 'qemu')
    done = project.run('fetch-qemu', '--tree', tree, check=False, **as_nobody)
    assert refused(done, project.folder, 'DSEG_OUT')
    done = project.run('fetch-qemu', '--tree', tree, env={'DSEG_OUT': str(folder / 'out')},
                       **as_nobody)
    assert 'QEMU 10.0.1' in done.stdout


def test_an_out_of_another_user_is_refused(nobody_s):
    folder, as_nobody = nobody_s
    project = Project(folder / 'project')
    give(project.folder)
    project.out.mkdir()
    project.out.chmod(0o555 if not IS_ROOT else 0o755)
    done = project.run('fetch-qemu', '--tree', make_tree(folder / 'qemu'), check=False, **as_nobody)
    assert refused(done, project.out, 'DSEG_OUT')


def test_what_another_user_has_left_in_out_is_named(nobody_s):
    folder, as_nobody = nobody_s
    project = Project(folder / 'project')
    (project.out / 'log').mkdir(parents=True)
    give(project.folder)
    (project.out / 'log').chmod(0o555)
    if IS_ROOT:
        os.chown(project.out / 'log', 0, 0)
    done = project.run('fetch-qemu', '--tree', make_tree(folder / 'qemu'), check=False, **as_nobody)
    assert f'{project.out}/log/fetch-qemu.log: Permission denied' in done.stdout.splitlines()[-1]
    assert f'chown -R "$(id -un)" {project.out}' in done.stdout.splitlines()[-1]
    assert 'Traceback' not in done.stdout


def on_small_disk(script, *arguments, folder, **env):
    """Run a script where folder is a disk of 1 MiB."""
    code = 'mount -t tmpfs -o size=1M none "$0" && exec "$@"'
    own = ['unshare', '--mount'] if IS_ROOT else ['unshare', '--mount', '--map-root-user']
    if subprocess.run([*own, 'true'], check=False, stderr=subprocess.DEVNULL).returncode:
        pytest.skip('no mount of our own may be made here')
    return subprocess.run([*own, 'sh', '-c', code, folder, script, *arguments], check=False,
                          text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=SECONDS, env=environment(**env))


def test_a_full_folder_for_temporary_files_is_named(project, tree, tmp_path):
    """What compilers say of it has nothing to do with that, or is said of another disk."""
    for says in 'C compiler "gcc" does not work', 'No space left on device':
        (tree / 'configure').write_text(f"#!/bin/sh\necho '{says}'\nexit 1\n")
        (tree / 'configure').chmod(0o755)
        (tmp_path / 'small').mkdir(exist_ok=True)
        done = on_small_disk(project.folder / 'scripts/build-qemu', '--tree', tree,
                             folder=tmp_path / 'small', TMPDIR=str(tmp_path / 'small'))
        assert done.stdout.splitlines()[-1] == (
            f'{tmp_path}/small, where compilers write, has less than 16 MiB left: free some space '
            'there, or name another folder by TMPDIR.')


def test_a_disk_that_is_full_while_a_tree_is_copied_is_named(project, tree):
    (tree / 'large').write_bytes(os.urandom(2 << 20))
    project.out.mkdir()
    done = on_small_disk(project.folder / 'scripts/fetch-qemu', '--tree', tree, folder=project.out)
    assert done.returncode == 1
    assert 'No space left on device' in done.stdout
    assert 'free some space on that disk' in done.stdout.splitlines()[-1]
    assert 'Traceback' not in done.stdout


def test_a_disk_that_is_full_when_a_script_writes_is_named(project):
    project.out.mkdir()
    code = 'import os; from dseg import OUT, run_main\n' \
           'def main(_): (OUT / "file").write_bytes(bytes(2 << 20))\n' \
           'run_main("a-script", main)'
    (project.folder / 'scripts/full').write_text(
        f'#!/bin/sh\nPYTHONPATH={project.folder}/scripts exec /usr/bin/python3 -c \'{code}\'\n')
    (project.folder / 'scripts/full').chmod(0o755)
    done = on_small_disk(project.folder / 'scripts/full', folder=project.out)
    assert refused(done, 'a-script', 'No space left on device', 'free some space')


def test_a_disk_that_is_too_small_for_qemu_is_refused_before_anything_is_fetched(project):
    project.out.mkdir()
    done = on_small_disk(project.folder / 'scripts/fetch-qemu', folder=project.out)
    assert refused(done, project.out, 'GiB')


# What apt says of a file, in the end of its output.
MISSING = 'E: Failed to fetch http://mirror/qemu.debian.tar.xz  404  Not Found [IP: 192.0.2.1 80]'
NO_MIRROR = 'E: Failed to fetch http://mirror/qemu.orig.tar.xz  Could not connect to mirror:80'
NO_ROOM = 'E: You don\'t have enough free space in /out/downloads'


@pytest.mark.parametrize('says, told', [
    (MISSING, 'the mirror has the files of no QEMU 10.0 that its suites list (10.0.13, 10.0.2'),
    (NO_MIRROR, 'Could not connect to mirror:80'),
    (NO_ROOM, 'There is no space left: free some space')])
def test_what_kept_the_source_from_being_fetched_is_named(monkeypatch, tmp_path, says, told):
    monkeypatch.setattr(debian, 'versions', lambda: [
        debian.Source(f'1:{version}+ds-1', ['trixie']) for version in ('10.0.13', '10.0.2')])
    monkeypatch.setattr(debian, 'DOWNLOADS', tmp_path)
    monkeypatch.setattr(debian, 'LOG', tmp_path / 'log')
    monkeypatch.setattr(debian, 'APT_GET', ['sh', '-c', f'echo "{says}"; exit 100'])
    monkeypatch.setattr(fetch, 'require_space', lambda: None)
    with pytest.raises(Failure) as failure:
        fetch.fetch('10.0')
    assert told in str(failure.value)
    assert ('files of no QEMU' in str(failure.value)) == (says == MISSING)
