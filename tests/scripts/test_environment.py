# SPDX-License-Identifier: GPL-2.0-or-later
"""Nothing that surrounds the caller changes what the scripts run.

build-qemu runs the configure of QEMU's tree, which is ours here, and says what it was given.
"""

import os
import shutil
import signal
import subprocess

import pytest

from conftest import ROOT, SECONDS, environment

PYTHON_MODULES = ('argparse', 'dataclasses', 'json', 'pathlib', 'random', 're', 'subprocess',
                  'sitecustomize', 'tempfile', 'usercustomize')
PROGRAMS = ('basename', 'cat', 'cd', 'dirname', 'env', 'git', 'grep', 'ls', 'pwd', 'python3',
            'sed', 'sh', 'sort', 'uname')
# What each of these could do is in its program's manual; GIT_*: test_git.py.
HOSTILE = {
    'APT_CONFIG': '/nonexistent', 'BASH_ENV': '/nonexistent', 'CDPATH': '.', 'CPATH': '/tmp',
    'DEB_BUILD_OPTIONS': 'nocheck', 'DPKG_ADMINDIR': '/tmp', 'ENV': '/nonexistent',
    'G_DEBUG': 'fatal-warnings', 'GCC_EXEC_PREFIX': '/tmp/', 'GIT_DIR': '/nonexistent',
    'IFS': '/', 'LANG': 'tr_TR.UTF-8', 'LANGUAGE': 'de', 'LC_ALL': 'tr_TR.UTF-8',
    'LC_MESSAGES': 'de_DE.UTF-8', 'LIBRARY_PATH': '/tmp', 'MAKEFLAGS': '-n', 'MESON_TESTTHREADS': '1',
    'NINJA_STATUS': '', 'PERL5LIB': '/tmp', 'PKG_CONFIG_PATH': '/tmp', 'PYTEST_ADDOPTS': '--co',
    'PYTHONHASHSEED': '1', 'PYTHONOPTIMIZE': '2', 'PYTHONPATH': '/tmp', 'PYTHONWARNINGS': 'error',
    'QEMU_AUDIO_DRV': 'none', 'TAR_OPTIONS': '--totals', 'XZ_OPT': '-9',
}
KEPT = {'CCACHE_DISABLE': 'a\nb', 'COLUMNS': '40', 'HOME': '/nonexistent', 'TERM': 'dumb',
        'http_proxy': 'http://localhost:1/', 'DSEG_PATIENCE': '2'}


@pytest.fixture
def trap(tmp_path):
    """A folder with Python's modules and programs that nobody means, and a file that says so."""
    folder = tmp_path / 'trap'
    folder.mkdir()
    for name in PYTHON_MODULES:
        (folder / f'{name}.py').write_text(f'open({str(tmp_path / "trapped")!r}, "a").write("{name}.py ")\n')
    for name in PROGRAMS:
        (folder / name).write_text(f'#!/bin/sh\nprintf "{name} " >>"{tmp_path}/trapped"\nexit 1\n')
        (folder / name).chmod(0o755)
    (folder / 'rc').write_text(f'echo rc >>"{tmp_path}/trapped"\n')
    return folder


def trapped(trap):
    file = trap.parent / 'trapped'
    return file.read_text().split() if file.exists() else []


def configured(project, tree, **options):
    """Let build-qemu run a configure that notes what it was given, and fails."""
    (tree / 'configure').write_text(
        '#!/bin/sh\n{ env -0; printf "umask=%s\\0" "$(umask)"; } >"$(dirname "$0")/given"\nexit 1\n')
    (tree / 'configure').chmod(0o755)
    done = project.run('build-qemu', '--tree', tree, check=False, **options)
    assert done.returncode == 1
    assert 'Configuring qemu 10.0.1 failed (1)' in done.stdout, done.stdout
    return dict(word.split('=', 1) for word in (tree / 'given').read_text().split('\0')[:-1])


def test_modules_in_the_current_folder_are_not_python_s(project, tree, trap):
    project.run('fetch-qemu', '--tree', tree, cwd=trap)
    project.run('apply-patches', cwd=trap)
    project.run('refresh-patches', cwd=trap)
    assert trapped(trap) == []


def test_modules_that_the_caller_has_are_not_python_s(project, tree, trap, tmp_path):
    version = subprocess.run(
        ['/usr/bin/python3', '-c', 'import sys; print("python%d.%d" % sys.version_info[:2])'],
        check=True, text=True, stdout=subprocess.PIPE, timeout=SECONDS).stdout.strip()
    site = tmp_path / 'home/.local/lib' / version
    site.mkdir(parents=True)
    (site / 'site-packages').symlink_to(trap)
    project.run('fetch-qemu', '--tree', tree,
                env={'PYTHONPATH': str(trap), 'HOME': str(tmp_path / 'home')})
    assert trapped(trap) == []


def test_programs_are_those_of_the_system(project, tree, trap):
    project.run('fetch-qemu', '--tree', tree, env={'PATH': f'{trap}:{os.environ["PATH"]}'})
    assert trapped(trap) == []


def test_no_shell_reads_a_file_of_the_caller_s(trap):
    files = {'ENV': str(trap / 'rc'), 'BASH_ENV': str(trap / 'rc')}
    done = subprocess.run([ROOT / '.ci/run', '--help'], check=False, text=True, timeout=SECONDS,
                          stdout=subprocess.PIPE, env=environment(**files))
    assert done.returncode == 0
    assert 'usage: test' in done.stdout
    assert trapped(trap) == []


def test_cdpath_does_not_lead_to_another_root(project, tree, tmp_path):
    (tmp_path / 'other/scripts').mkdir(parents=True)
    done = subprocess.run(['scripts/fetch-qemu', '--tree', tree], cwd=project.folder, check=False,
                          env=environment(CDPATH=f'{tmp_path}/other:.'), text=True,
                          stdout=subprocess.PIPE, timeout=SECONDS)
    assert done.stdout == f'QEMU 10.0.1 is in {project.out}/src/qemu-10.0.1\n'


def test_what_is_built_sees_only_variables_that_are_meant_for_it(project, tree):
    given = configured(project, tree, env={**HOSTILE, **KEPT})
    assert {name: given.get(name) for name in KEPT} == KEPT
    assert given['LC_ALL'] == 'C.UTF-8'
    assert not set(HOSTILE) - {'LC_ALL'} & set(given)


@pytest.mark.parametrize('umask', [0o077, 0o000, 0o777])
def test_files_are_readable_by_all_and_writable_by_their_owner(project, tree, umask):
    assert configured(project, tree, umask=umask)['umask'] == '0022'


def test_a_failure_is_seen_where_the_caller_ignores_the_end_of_processes(project, tree):
    configured(project, tree, preexec_fn=lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN))


@pytest.mark.parametrize('closed', [(0,), (1,), (2,), (0, 1, 2)], ids=str)
def test_standard_streams_may_be_closed(project, tree, closed):
    def close():
        for stream in closed:
            os.close(stream)
    project.run('fetch-qemu', '--tree', tree, preexec_fn=close)
    project.run('apply-patches', preexec_fn=close)
    patched = project.out / 'qemu-src/target/i386/cpu.h'
    assert patched.read_text() == 'first\nsecond, and more\nthird\n'


@pytest.mark.parametrize('redirection', ['0>file', '</'])
def test_a_standard_input_that_can_not_be_read_is_named_before_anything_boots(
        project, tmp_path, redirection):
    """What is built already: a QEMU of the caller's, and guests."""
    done = subprocess.run(['sh', '-c', f'exec "$@" {redirection}', 'sh',
                           project.folder / 'scripts/boot', '--disk', '/bin/true'], text=True,
                          cwd=tmp_path, check=False, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=SECONDS, env=environment())
    assert done.returncode == 1
    [line] = done.stdout.splitlines()
    assert line.startswith('boot: standard input can\'t be read')
    assert not project.out.exists()


def test_a_standard_output_that_can_not_be_written_is_named(project, tree, tmp_path):
    (tmp_path / 'file').touch()
    done = subprocess.run(['sh', '-c', 'exec "$@" 1<file', 'sh',
                           project.folder / 'scripts/fetch-qemu', '--tree', tree], text=True,
                          cwd=tmp_path, check=False, stderr=subprocess.PIPE, timeout=SECONDS,
                          env=environment())
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == \
        'fetch-qemu: standard output can\'t be written: Bad file descriptor'
    assert 'Traceback' not in done.stderr


def test_the_tests_take_no_settings_from_a_folder_around_the_project(project):
    around = project.folder.parent
    (around / 'pytest.ini').write_text('[pytest]\naddopts = --no-such-option\n')
    (around / 'conftest.py').write_text('raise SystemExit("of the folder around")\n')
    shutil.copy(ROOT / 'pytest.ini', project.folder)
    (project.folder / 'tests/unit').mkdir(parents=True)
    (project.folder / 'tests/unit/test_it.py').write_text('def test_it():\n    pass\n')
    done = subprocess.run(
        ['/usr/bin/python3', '-m', 'pytest', '-q', '-p', 'no:cacheprovider', 'tests/unit'],
        cwd=project.folder, check=False, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, env=environment(), timeout=SECONDS)
    assert '1 passed' in done.stdout, done.stdout


@pytest.mark.parametrize('module', ['drawing.chart', 'drawing.grid', 'reports.figures'])
def test_charts_look_the_same_whatever_style_the_caller_has(trap, tmp_path, module):
    pytest.importorskip('matplotlib')
    home = tmp_path / 'home'
    home.mkdir()
    (trap / 'matplotlibrc').write_text('axes.facecolor: red\nbackend: none-such\n')
    done = subprocess.run(
        ['/usr/bin/python3', '-c', f'import dseg.{module}, matplotlib.font_manager\n'
         'print(matplotlib.rcParams["axes.facecolor"], matplotlib.get_backend())'],
        cwd=trap, check=False, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=environment(PYTHONPATH=str(ROOT / 'scripts'), PYTHONSAFEPATH='1', HOME=str(home),
                        DSEG_OUT=str(tmp_path / 'out')), timeout=SECONDS)
    assert done.stdout.lower() == 'white agg\n', done.stderr
    assert not list(home.iterdir())             # nor does it keep anything there


def test_the_kernel_s_check_of_style_has_no_settings_of_the_caller_s(project, tree, tmp_path):
    """Its script, which is fetched once, shows here what is there for it."""
    home, modules = tmp_path / 'home', project.folder / 'linux'
    home.mkdir()
    (home / '.checkpatch.conf').write_text('--ignore ANYTHING\n')
    for name in ('modules', 'include'):
        (modules / name).mkdir(parents=True)
    (project.out / 'checkpatch/scripts').mkdir(parents=True)
    (project.out / 'checkpatch/scripts/checkpatch.pl').write_text(
        'print "settings\\n" if -e "$ENV{HOME}/.checkpatch.conf";')
    done = project.run('check-kernel-style', env={'HOME': str(home)})
    assert done.stdout == '0 files: 0 ERROR, 0 WARNING, 0 CHECK\n'
