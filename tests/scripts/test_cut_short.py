# SPDX-License-Identifier: GPL-2.0-or-later
"""Two at once, and cut short: whatever is made is right in the end, or made again."""

import os
import random
import signal
import time

import pytest

from conftest import environment, git
from dseg import Failure, patient
from dseg.base.atomically import beside, link, new_folder, read_json, write_text
from dseg.guests import steps
from marked import start, start_python      # pylint: disable=unused-import

# In the place of QEMU's: says that it ran, and makes what ninja can build.
CONFIGURE = r'''#!/bin/sh
echo configured >>"$DSEG_TEST_CALLS"
while [ -e "${0%/*}/wait" ]; do sleep 0.1; done
printf 'rule make\n  command = sleep 0.1; echo built >>"$$DSEG_TEST_CALLS"; echo binary >$out\n' >build.ninja
printf 'build qemu-system-x86_64: make\n' >>build.ninja
'''


@pytest.fixture
def scripts(start, project, tmp_path):
    """Starts the project's scripts."""
    def start_script(name, *words):
        return start(project.folder / 'scripts' / name, *words,
                     env=environment(DSEG_TEST_CALLS=str(tmp_path / 'calls')))
    return start_script


@pytest.fixture
def buildable(tree):
    """A small tree of QEMU that can be built."""
    (tree / 'configure').write_text(CONFIGURE)
    (tree / 'configure').chmod(0o755)
    return tree


def kill_at_random_moments(begin, moments):
    """Kill what begin() starts, at moments from its start to after its end."""
    started = time.monotonic()
    assert begin().end()[0] == 0
    whole = time.monotonic() - started
    rng = random.Random(12)
    for moment in range(moments):
        running = begin()
        time.sleep(rng.uniform(moment, moment + 1) / moments * 1.1 * whole)
        os.killpg(running.process.pid, signal.SIGKILL)
        yield running


def test_two_builds_at_once_are_one_after_the_other(scripts, buildable, project, tmp_path):
    (buildable / 'wait').touch()
    first = scripts('build-qemu', '--tree', buildable)
    first.wait_for('sleep 0.1')
    second = scripts('build-qemu', '--tree', buildable)
    assert second.process.stdout.readline() == \
        f'Waiting for build (process {first.process.pid}), which has {project.out}/qemu 0:00\n'
    (buildable / 'wait').unlink()
    for build in first, second:
        code, output = build.end()
        assert code == 0, output
    assert (tmp_path / 'calls').read_text() == 'configured\nbuilt\n'


def test_a_build_that_is_killed_at_any_moment_does_not_matter_to_the_next(
        scripts, buildable, project, tmp_path):
    def build():
        (project.out / 'qemu/dseg-configured.json').unlink(missing_ok=True)
        return scripts('build-qemu', '--tree', buildable)
    for _ in kill_at_random_moments(build, 5):
        code, output = scripts('build-qemu', '--tree', buildable).end()
        assert code == 0, output
        assert (project.out / 'qemu/qemu-system-x86_64').read_text() == 'binary\n'
    assert 'configured' in (tmp_path / 'calls').read_text()


def test_a_build_waits_for_the_commands_of_one_that_was_killed(scripts, buildable, tmp_path):
    """What they would still write is written before the next begins."""
    configure = (buildable / 'configure').read_text()
    (buildable / 'configure').write_text(configure.replace(
        'while', 'trap "sleep 1; echo ended >>$DSEG_TEST_CALLS; exit" TERM; sleep 1002 & wait\nwhile', 1))
    first = scripts('build-qemu', '--tree', buildable)
    first.wait_for('sleep 1002')
    (buildable / 'configure').write_text(configure)
    first.process.kill()
    assert scripts('build-qemu', '--tree', buildable).end()[0] == 0
    assert (tmp_path / 'calls').read_text() == 'configured\nended\nconfigured\nbuilt\n'


DAMAGES = [b'', b'{"sou', b'\xff\xfe\x00', b'[]', b'null', b'{}', b'"text"']


@pytest.mark.parametrize('damage', DAMAGES)
def test_a_damaged_stamp_is_none(tmp_path, damage):
    (tmp_path / 'stamp').write_bytes(damage)
    assert read_json(tmp_path / 'stamp') == {}


def test_a_damaged_stamp_of_a_build_means_to_make_it_again(
        scripts, buildable, project, tmp_path):
    assert scripts('build-qemu', '--tree', buildable).end()[0] == 0
    (project.out / 'qemu/dseg-configured.json').write_bytes(b'\xff')
    code, output = scripts('build-qemu', '--tree', buildable).end()
    assert code == 0, output
    assert (tmp_path / 'calls').read_text() == 2 * 'configured\nbuilt\n'


@pytest.mark.parametrize('damage', DAMAGES)
def test_damaged_stamps_of_the_guests_mean_to_make_them_again(tmp_path, damage):
    stamps, made = tmp_path / 'stamps.json', []
    stamps.write_bytes(damage)
    steps.Steps(stamps, False).do('step', ['word'], [], lambda: made.append(1))
    steps.Steps(stamps, False).do('step', ['word'], [], lambda: made.append(2))
    assert made == [1]


def test_a_step_that_was_cut_short_is_not_done_for_its_earlier_inputs(start_python, tmp_path):
    """Its output is of neither the inputs of then nor those of now."""
    stamps, output = tmp_path / 'stamps.json', tmp_path / 'output'
    steps.Steps(stamps, False).do('step', ['old'], [output], lambda: output.write_text('old'))
    code = '''
import os, signal, sys
from pathlib import Path
from dseg.guests import steps
def action():
    Path(sys.argv[2]).write_text('half of what is new')
    os.kill(os.getpid(), signal.SIGKILL)
steps.Steps(Path(sys.argv[1]), False).do('step', ['new'], [Path(sys.argv[2])], action)
'''
    assert start_python(code, stamps, output).end()[0] == -signal.SIGKILL
    steps.Steps(stamps, False).do('step', ['old'], [output], lambda: output.write_text('again'))
    assert output.read_text() == 'again'


def test_a_step_that_fails_leaves_what_was_there_in_use(tmp_path):
    """So that guests still boot when there is no network for newer ones."""
    stamps, output, made = tmp_path / 'stamps.json', tmp_path / 'output', []
    output.touch()

    def fail():
        raise Failure('no network')

    steps.Steps(stamps, False).do('step', ['old'], [output], lambda: made.append(1))
    with pytest.raises(Failure):
        steps.Steps(stamps, False).do('step', ['new'], [output], fail)
    steps.Steps(stamps, False).do('step', [], [output], lambda: made.append(2))
    assert made == [1]


def test_two_fetches_at_once_have_one_tree(scripts, tree, project):
    fetches = [scripts('fetch-qemu', '--tree', tree, '--stock') for _ in range(2)]
    outputs = [fetch.end() for fetch in fetches]
    assert sorted(code for code, _ in outputs) == [0, 1]
    [refused] = [output for code, output in outputs if code]
    assert 'Traceback' not in refused and 'exists already' in refused
    assert (project.out / 'qemu-src').resolve() == project.out / 'src/qemu-10.0.1'


def fetched(project, tree):
    project.run('fetch-qemu', '--tree', tree)
    return project.out / 'qemu-src'


def test_a_fetch_that_is_killed_at_any_moment_does_not_matter_to_the_next(scripts, tree, project):
    def fetch():
        for path in [*project.out.glob('src/qemu-*'), *project.out.glob('stock/src/qemu-*')]:
            path.rename(project.out / f'was-{time.monotonic()}')
        return scripts('fetch-qemu', '--tree', tree, '--stock')
    for _ in kill_at_random_moments(fetch, 4):
        there = (project.out / 'src/qemu-10.0.1').exists()
        again = scripts('fetch-qemu', *([] if there else ['--tree', tree]), '--stock')
        code, output = again.end()
        assert code == 0, output
        source, stock = project.out / 'qemu-src', project.out / 'stock/qemu-src'
        assert git(source, 'status', '--porcelain') == ''
        assert (source / 'VERSION').read_text() == (stock / 'VERSION').read_text() == '10.0.1\n'


def test_patches_whose_applying_is_killed_at_any_moment_are_applied_by_the_next(
        scripts, tree, project):
    source = fetched(project, tree)
    for _ in range(10):     # that git takes longer
        add_patch(project)

    def apply():
        git(source, 'reset', '-q', '--hard', 'dseg-base')
        return scripts('apply-patches')
    for killed in kill_at_random_moments(apply, 6):
        assert killed.left() == {}
        code, output = scripts('apply-patches').end()
        assert code == 0, output
        assert len(git(source, 'log', '--format=%h', 'dseg-base..').splitlines()) == 11
        assert git(source, 'status', '--porcelain') == ''
        assert (source / 'target/i386/new-10').read_text() == 'new\n'


def add_patch(project):
    """One more, which makes a file."""
    series = project.folder / 'qemu-patches/series'
    number = len(series.read_text().splitlines())
    name = f'{number + 1:04}-new.patch'
    (series.parent / name).write_text(f"""\
From 0000000000000000000000000000000000000000 Mon Sep 17 00:00:00 2001
From: Direct segments <dseg@localhost>
Date: Thu, 1 Jan 1970 00:00:00 +0000
Subject: [PATCH] target/i386: Have file {number}

---
diff --git a/target/i386/new-{number} b/target/i386/new-{number}
new file mode 100644
--- /dev/null
+++ b/target/i386/new-{number}
@@ -0,0 +1 @@
+new
""")
    series.write_text(f'{series.read_text()}{name}\n')


def test_commits_of_the_user_s_are_kept_after_applying_was_cut_short(scripts, tree, project):
    source = fetched(project, tree)
    project.run('apply-patches')
    stamp = source / '.git/dseg-stamp'
    stamp.write_text('{"series": "", "head": "", "applying": "dseg-base"}')
    (source / 'VERSION').write_text('10.0.2\n')
    git(source, 'commit', '-q', '-a', '-m', 'Of the user')
    head = git(source, 'rev-parse', 'HEAD')
    done = project.run('apply-patches', check=False)
    assert done.returncode == 1 and 'Of the user' in done.stdout
    assert git(source, 'rev-parse', 'HEAD') == head


def test_a_damaged_stamp_of_a_tree_means_to_apply_the_patches_again(tree, project):
    source = fetched(project, tree)
    project.run('apply-patches')
    project.run('refresh-patches')
    stamp = source / '.git/dseg-stamp'
    was, head = stamp.read_text(), git(source, 'rev-parse', 'HEAD')
    stamp.write_text('{"ser')
    assert 'have not changed' in project.run('refresh-patches').stdout
    stamp.write_text('{"ser')
    assert 'Applied 1 patches' in project.run('apply-patches').stdout
    assert git(source, 'rev-parse', 'HEAD') == head and stamp.read_text() == was


def test_a_base_commit_that_was_cut_short_is_made_again(scripts, tree, project):
    """In a tree of the user's that is no repository yet."""
    def apply():
        (tree / '.git').exists() and (tree / '.git').rename(project.folder / str(time.monotonic()))
        (tree / 'target/i386/cpu.h').write_text('first\nsecond\nthird\n')
        return scripts('apply-patches', '--tree', tree)
    for _ in kill_at_random_moments(apply, 3):
        code, output = scripts('apply-patches', '--tree', tree).end()
        assert code == 0, output
        assert git(tree, 'log', '--format=%s').splitlines() == \
            ['target/i386: Say more', 'QEMU 10.0.1']


def test_refreshed_patches_that_were_cut_short_are_written_by_the_next(tree, project, scripts):
    source = fetched(project, tree)
    project.run('apply-patches')
    (source / 'VERSION').write_text('10.0.1 and more\n')
    git(source, 'commit', '-q', '-a', '-m', 'Say more')
    series = project.folder / 'qemu-patches/series'
    was = series.read_text()
    for _ in kill_at_random_moments(lambda: scripts('refresh-patches'), 3):
        code, output = scripts('refresh-patches').end()
        assert code == 0, output
        assert '0002-Say-more.patch' in series.read_text()
        series.write_text(was)      # as it was when it was cut short just before
        (series.parent / '0002-Say-more.patch').unlink()
        (source / '.git/dseg-stamp').write_text('{"series": "", "head": ""}')


def test_a_file_is_the_old_or_the_new_one_whenever_its_writer_is_killed(start_python, tmp_path):
    file = tmp_path / 'numbers.json'
    code = '''
import json, sys
from dseg.base.atomically import write_text
number = 0
while True:
    number += 1
    write_text(sys.argv[1], json.dumps({'number': number, 'all': [number] * 50000}))
'''
    rng = random.Random(12)
    for _ in range(8):
        writer = start_python(code, file)
        end = time.monotonic() + patient(20)
        while not file.exists() and time.monotonic() < end:
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 0.1))
        writer.process.kill()
        writer.process.wait()
        found = read_json(file)
        assert found['all'] == [found['number']] * 50000
        file.unlink()


def test_a_file_keeps_its_mode_and_the_links_to_it(tmp_path):
    file, symlink = tmp_path / 'file', tmp_path / 'link'
    file.touch(mode=0o640)
    symlink.symlink_to('file')
    write_text(symlink, 'text')
    assert symlink.is_symlink() and file.read_text() == 'text'
    assert file.stat().st_mode & 0o777 == 0o640
    assert sorted(os.listdir(tmp_path)) == ['file', 'link']


def test_a_device_stays_one(tmp_path):
    null = tmp_path / 'null'
    null.symlink_to('/dev/null')
    write_text(null, 'text')
    assert os.readlink(null) == '/dev/null' and os.path.realpath(null) == '/dev/null'
    assert not os.path.isfile('/dev/null')


def test_a_full_disk_is_named_and_leaves_the_old_file(tmp_path):
    file = tmp_path / 'file'
    file.write_text('old')
    with pytest.raises(Failure, match='file can\'t be written: No space left on device'):
        with beside(file) as part:
            part.write_text('half')
            with open('/dev/full', 'w', encoding='ascii') as full:
                full.write('the rest')
    assert file.read_text() == 'old' and os.listdir(tmp_path) == ['file']


def test_a_link_that_is_changed_is_never_missing(start_python, tmp_path):
    path = tmp_path / 'link'
    link(path, 'one')
    changing = start_python('import sys\nfrom dseg.base.atomically import link\n'
                            'while True:\n  for name in "one", "two": link(sys.argv[1], name)',
                            path)
    end = time.monotonic() + 1
    seen = set()
    while time.monotonic() < end or len(seen) < 2 and changing.process.poll() is None:
        seen.add(os.readlink(path))
    assert seen == {'one', 'two'}


CONFIGURING = '''
import sys
from pathlib import Path
from dseg import run_main
from dseg.testing import testrun
testrun.ROOT = Path(sys.argv[1])
run_main('test', lambda _: testrun.configure(Path(sys.argv[1]) / 'build'))
'''


def test_configuring_the_tests_that_was_cut_short_begins_again(start_python, tmp_path):
    """Meson would read what is half written, and end in a traceback, time after time."""
    (tmp_path / 'meson.build').write_text("project('small')\n")
    build = tmp_path / 'build'
    assert start_python(CONFIGURING, tmp_path, env={'DSEG_OUT': str(tmp_path)}).end()[0] == 0
    arguments = build / 'meson-private/cmd_line.txt'
    (build / 'dseg-cut-short').touch()      # as a kill leaves them in such a moment
    arguments.write_text('')
    code, output = start_python(CONFIGURING, tmp_path, env={'DSEG_OUT': str(tmp_path)}).end()
    assert code == 0, output
    assert '[options]' in arguments.read_text()
    assert not (build / 'dseg-cut-short').exists()


def test_configuring_the_tests_notes_that_it_may_be_cut_short(start_python, tmp_path):
    (tmp_path / 'meson.build').write_text("project('small')\nrun_command('sh', '-c', 'exec sleep 1001')\n")
    running = start_python(CONFIGURING, tmp_path, env={'DSEG_OUT': str(tmp_path)})
    running.wait_for('sleep 1001')
    running.process.kill()
    assert running.left() == {}
    assert (tmp_path / 'build/dseg-cut-short').exists()


TESTING = '''
import sys
from pathlib import Path
from dseg import run_main
from dseg.testing import testrun
testrun.ROOT = Path(sys.argv[1])
testrun.BUILD = testrun.ROOT / 'build'
run_main('test', lambda _: testrun.main([]))
'''


def test_two_runs_of_the_tests_with_outs_of_their_own_have_the_build_one_after_the_other(
        start_python, tmp_path):
    (tmp_path / 'meson.build').write_text(
        "project('small')\nrun_command('sh', '-c', 'exec sleep 1001', check: true)\n")
    first = start_python(TESTING, tmp_path, env={'DSEG_OUT': str(tmp_path / 'one')})
    first.wait_for('sleep 1001')
    second = start_python(TESTING, tmp_path, env={'DSEG_OUT': str(tmp_path / 'two')})
    assert second.process.stdout.readline() == \
        f'Waiting for another script, which has {tmp_path}/build 0:00\n'
    assert (tmp_path / 'build/meson-private').is_dir()      # what the first has made so far
    first.process.terminate()
    second.wait_for('sleep 1001')


def test_a_folder_that_is_not_finished_takes_no_place(tmp_path):
    place = tmp_path / 'place'
    with new_folder(place) as new:
        (new / 'file').write_text('one')
    with pytest.raises(ZeroDivisionError):
        with new_folder(place) as new:
            (new / 'file').write_text('half')
            1 / 0                       # pylint: disable=pointless-statement
    assert (place / 'file').read_text() == 'one'
    with new_folder(place) as new:
        assert not list(new.iterdir())
        (new / 'file').write_text('two')
    assert (place / 'file').read_text() == 'two' and os.listdir(tmp_path) == ['place']
