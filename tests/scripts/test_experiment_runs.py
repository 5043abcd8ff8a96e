# SPDX-License-Identifier: GPL-2.0-or-later
"""scripts/experiment run: nothing done is lost, nothing half-done counts, whatever ends it.

A stand-in takes the place of what boots QEMU (standin.py).
"""

import json
import os
import random
import signal
import time
from pathlib import Path

import pytest

from dseg.points.store import Store
from marked import PYTHON, start, start_python      # pylint: disable=unused-import

STANDIN = Path(__file__).with_name('standin.py')
# 12 points after 3 boots.
EXPERIMENT = '[fixed]\nsize = "smoke"\n[product]\nworkload = ["gups", "chase"]\n' \
    'configuration = ["4k+4k", "dd", "native-4k"]\nseed = [1, 2]\n'
RUN = f'''
import sys
from dseg import run_main
from dseg.experiments.sweep import commands
worker = ['{PYTHON}', '{STANDIN}', sys.argv.pop(1)]
run_main('experiment', lambda words: commands.main(words, **(
    {{'worker': worker}} if words[0] == 'run' else {{}})))
'''


class Folder:
    """An experiment, and how it is run."""

    def __init__(self, place, start_it):
        self.place = place
        self.control = place / 'control'
        self.results = place / 'results'
        self.file = place / 'exp.toml'
        self.control.mkdir(parents=True)
        self.file.write_text(EXPERIMENT)
        self._start = start_it

    def start(self, *words, command='run', code=RUN):
        return self._start(code, self.control, command, self.file, '--folder', self.results, *words,
                           env={'DSEG_OUT': str(self.place / 'out')})

    def run(self, *words, code=0, command='run', seconds=120):
        """What it prints."""
        found, output = self.start(*words, command=command).end(seconds)
        assert found == code and 'Traceback' not in output, output
        return output

    @property
    def store(self):
        return Store(self.results)

    def go_wrong(self, point, how, times=1):
        (self.control / f'{point.id}.{how}').write_text(str(times))

    def records(self):
        """The bytes of each."""
        return {path.parent.name: path.read_bytes()
                for path in self.results.glob('points/*/record.json')}

    def began(self):
        file = self.control / 'began'
        return file.read_text().split() if file.exists() else []


@pytest.fixture
def folder(tmp_path, start_python):     # pylint: disable=redefined-outer-name
    return Folder(tmp_path / 'one', start_python)


@pytest.fixture
def planned(folder):
    """One whose experiment.json is there, with nothing done."""
    folder.run('--only', 'seed=1', '--only', 'workload=gups', '--only', 'configuration=dd')
    for path in folder.results.glob('points/*'):
        (path / 'record.json').unlink()
    (folder.control / 'began').unlink()
    return folder


def test_a_run_measures_each_point_once_and_another_one_nothing(folder):
    output = folder.run('--jobs', '2')
    assert '12 points, 12 to run' in output and output.endswith('12 of 12 points are done\n')
    assert len(folder.records()) == 12
    assert sorted(folder.began()) == sorted(point.id for point in folder.store.points)
    before = folder.records()
    assert '12 points, 0 to run' in folder.run()
    assert folder.records() == before and len(folder.began()) == 12


def test_a_record_says_where_it_is_from_and_what_repeats_it(folder):
    folder.run('--only', 'seed=1')
    point = folder.store.points[0]
    with open(folder.store.place(point) / 'provenance.json', encoding='utf-8') as file:
        found = json.load(file)
    assert found['inputs'] == point.inputs and found['host'] == os.uname().nodename
    words = found['command'].split()
    assert words[:4] == ['scripts/experiment', 'run', str(folder.file), '--size']
    assert words[-2:] == ['--only', f'id={point.id}']
    folder.results = folder.place / 'again'
    folder.run(*words[words.index('--only'):])
    assert [folder.store.is_done(each) for each in folder.store.points].count(True) == 1
    assert folder.store.is_done(point)


@pytest.mark.parametrize('words, number', [
    (['configuration=dd'], 4), (['configuration=dd', 'configuration=native-4k'], 8),
    (['configuration=dd', 'seed=2'], 2), (['clock=instructions'], 12)])
def test_only_chooses_points_that_have_one_of_the_values_of_each_key(folder, words, number):
    folder.run(*[word for each in words for word in ('--only', each)])
    assert len(folder.records()) == number


@pytest.mark.parametrize('word, told', [
    ('colour=red', 'must be KEY=VALUE, with one of these keys: id, workload, '),
    ('seed', 'must be KEY=VALUE'), ('seed=x', 'seed is a whole number'),
    ('seed=3', 'no point of'), ('id=1234', 'no point of')])
def test_what_only_can_not_mean_is_refused_and_nothing_runs(folder, word, told):
    output = folder.run('--only', word, code=1)
    assert f'experiment: --only {word}: ' in output and told in output
    assert not folder.began()


def test_what_fails_is_tried_once_more_and_shown_with_the_reason(planned):
    first, second = planned.store.points[:2]
    planned.go_wrong(first, 'fails', 1)
    planned.go_wrong(second, 'fails', 2)
    output = planned.run('--jobs', '2', code=1)
    assert f'{first} has failed, and is tried again:\n  the first of many lines\n' in output
    assert f'{second} has failed:\n' in output
    assert f'experiment: {second}: L2 did not boot: 4k+4k (all of it: ' in output
    assert output.endswith('11 of 12 points are done\n')
    assert planned.store.error(first) is None
    assert planned.store.error(second).endswith('L2 did not boot: 4k+4k\n')
    assert planned.began().count(first.id) == planned.began().count(second.id) == 2


def test_retry_runs_only_what_has_failed(planned):
    first = planned.store.points[0]
    planned.go_wrong(first, 'fails', 2)
    planned.run('--only', 'workload=gups', code=1)
    assert len(planned.records()) == 5
    assert '1 to run' in planned.run('--retry', code=1)     # as others are not done yet
    assert len(planned.records()) == 6 and planned.store.is_done(first)
    assert '6 to run' in planned.run()


@pytest.mark.parametrize('how, told', [
    ('dies', 'its process was ended by signal 9'), ('ends', 'its process has ended with code 0'),
    ('breaks', "KeyError: 'no such key'")])
def test_a_process_that_ends_without_a_word_fails_one_point_and_those_after_it_run(
        planned, how, told):
    points = planned.store.points
    planned.go_wrong(points[2], how, 2)
    output = planned.run(code=1)
    assert output.endswith('11 of 12 points are done\n')
    assert told in planned.store.error(points[2])
    assert all(planned.began().count(point.id) == 1 + (point == points[2]) for point in points)


def test_a_worker_that_can_not_start_fails_each_point_and_the_run_ends(planned):
    code, output = planned.start('--only', 'workload=gups',
                                 code=RUN.replace(str(STANDIN), '/none/such.py')).end(60)
    assert code == 1 and '0 of 6 points are done' in output
    assert "can't open file '/none/such.py'" in planned.store.error(planned.store.points[0])


def test_a_damaged_record_stops_a_run_before_anything_starts(folder):
    folder.run('--only', 'seed=1')
    began = folder.began()
    file = folder.results / 'points' / folder.store.points[0].id / 'record.json'
    text = file.read_text()
    file.write_text(text[:-20])
    for command in 'run', 'status':
        output = folder.run(code=1, command=command)
        assert f'experiment: {file} is damaged, it is no JSON: remove it' in output
    assert folder.began() == began
    file.unlink()
    folder.run()
    assert file.read_text() == text


def test_as_many_guests_run_at_a_time_as_jobs_say(planned):
    points = planned.store.points
    for point in points:
        planned.go_wrong(point, 'waits')
    running = planned.start('--jobs', '2')         # of three boots
    end = time.monotonic() + 30
    while len(planned.began()) < 2 and time.monotonic() < end:
        time.sleep(0.05)
    time.sleep(1)
    assert len(set(planned.began())) == 2
    for point in points:
        (planned.control / f'{point.id}.waits').unlink()
    assert running.end(60)[0] == 0


@pytest.mark.parametrize('number, code', [(signal.SIGTERM, 143), (signal.SIGINT, 130),
                                          (signal.SIGHUP, 129), (signal.SIGKILL, -9)])
def test_a_signal_ends_all_that_runs_and_loses_nothing_done(planned, number, code):
    points = planned.store.points
    waiting = [point for point in points if point.axes['workload'] == 'chase']
    for point in waiting:
        planned.go_wrong(point, 'waits')
    running = planned.start('--jobs', '3')
    running.wait_for('sleep 0.05', seconds=40)
    end = time.monotonic() + 30
    while len(planned.records()) < 6 and time.monotonic() < end:
        time.sleep(0.05)
    running.process.send_signal(number)
    assert running.process.wait(timeout=30) == code
    assert running.left() == {}
    assert 'Traceback' not in running.end()[1]
    assert len(planned.records()) == 6
    for point in waiting:
        (planned.control / f'{point.id}.waits').unlink()
    assert '6 to run' in planned.run()


def test_two_runs_of_a_folder_are_one_after_the_other(planned):
    point = planned.store.points[0]
    planned.go_wrong(point, 'waits')
    first = planned.start()
    end = time.monotonic() + 30
    while not planned.began() and time.monotonic() < end:
        time.sleep(0.05)
    second = planned.start()
    line = second.process.stdout.readline()
    assert line.startswith('Waiting for ') and f'which has {planned.results} ' in line
    (planned.control / f'{point.id}.waits').unlink()
    assert first.end(60)[0] == 0
    code, output = second.end(60)
    assert code == 0 and '0 to run' in output
    assert sorted(planned.began()) == sorted(each.id for each in planned.store.points)


def test_a_run_waits_for_what_a_killed_one_still_has(planned):
    """Its keepers hold the lock until their processes have ended."""
    point = planned.store.points[0]
    planned.go_wrong(point, 'waits')
    first = planned.start()
    first.wait_for('sleep 0.05', seconds=40)
    first.process.kill()
    (planned.control / f'{point.id}.waits').unlink()
    assert planned.start().end(60)[0] == 0
    assert all(planned.began().count(each.id) == 1 for each in planned.store.points[1:])


def test_killed_at_ten_random_moments_it_ends_with_the_records_of_an_undisturbed_run(
        tmp_path, start_python):        # pylint: disable=redefined-outer-name
    undisturbed, killed = (Folder(tmp_path / name, start_python) for name in ('one', 'two'))
    for each in undisturbed, killed:
        each.file.write_text(EXPERIMENT.replace('[1, 2]', str(list(range(1, 21)))))
    undisturbed.run('--jobs', '2')
    wanted = undisturbed.records()
    (killed.control / 'slow').write_text('0.2')
    rng = random.Random(12)
    done = [0]
    for _ in range(10):
        running = killed.start('--jobs', '2')
        # From before the first to in the midst of one, however fast this machine is.
        more = rng.randint(0, 4)
        end = time.monotonic() + 60
        while len(killed.records()) < done[-1] + more and time.monotonic() < end:
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 0.4))
        os.killpg(running.process.pid, signal.SIGKILL)
        running.process.wait()
        assert running.left() == {}
        done.append(len(killed.records()))
        assert all(wanted[name] == found for name, found in killed.records().items())
    assert done == sorted(done) and len({*done}) > 5 and done[-1] < len(wanted), done
    (killed.control / 'slow').unlink()
    killed.run('--jobs', '2')
    assert len(wanted) == 120 and killed.records() == wanted
    assert (killed.results / 'experiment.json').read_bytes().replace(b'/two/', b'/one/') == \
        (undisturbed.results / 'experiment.json').read_bytes()


def test_the_time_left_is_said_when_something_is_known_of_it(planned):
    point = planned.store.points[-1]
    planned.go_wrong(point, 'waits')
    (planned.control / 'slow').write_text('0.1')
    running = planned.start(code=f'from dseg.base import progress\n'
                            f'progress.SECONDS_BETWEEN_LINES = 0.1\n{RUN}')
    end = time.monotonic() + 30
    while len(planned.records()) < 11 and time.monotonic() < end:
        time.sleep(0.05)
    time.sleep(1)
    (planned.control / f'{point.id}.waits').unlink()
    code, output = running.end(60)
    assert code == 0 and '0 of 12 points, 1 boots, time left not known yet' in output, output
    assert '11 of 12 points, 1 boots, about 0 min left' in output, output


def test_plan_and_status_say_what_there_is_and_start_nothing(folder):
    output = folder.run(command='plan')
    assert 'points   12, after 3 boots' in output and not folder.results.exists()
    assert 'has no results' in folder.run(command='status', code=1)
    folder.run('--only', 'configuration=dd')
    assert 'from records for 8 points' in folder.run(command='plan')
    output = folder.run(command='status')
    assert '12 points: 4 done, 8 to do' in output and 'dd         4 done' in output
    assert len(folder.began()) == 4


@pytest.mark.parametrize('words, told', [
    (['status', 'x', '--jobs', '2'], 'status has no option --jobs'),
    (['plan', 'x', '--only', 'seed=1'], 'plan has no option --only'),
    (['--jobs', '2', 'run', 'x'], 'run must be the first word'),
    (['run', 'a', 'b'], 'run takes one file'), (['compare', 'a'], 'compare takes two folders'),
    (['run', 'x', '--slurm', '--jobs', '2'], '--jobs is for this machine'),
    (['walk', 'x'], "invalid choice: 'walk'"), (['run', 'x', '--size', 'huge'], "'huge'")])
def test_what_a_command_does_not_take_is_refused_in_a_line(start, words, told):
    code, output = start(PYTHON, '-m', 'dseg.experiments.sweep.commands', *words).end()
    assert code == 2 and told in output and len(output.splitlines()) == 1


BAD = '''\
[fixed]
size = "smoke"
seed = -1
[product]
workload = ["gups"]
configuration = ["4k+4k"]
escapes = [1, 99]
tlb = ["none.json"]
[[claim]]
text = "a"
[[figure]]
kind = "pie"
title = "b"
'''


@pytest.mark.parametrize('wrong', [BAD, BAD.replace('seed = -1\n', '').replace(', 99', '')],
                         ids=['values', 'points'])
def test_all_mistakes_of_a_file_are_named_at_once(folder, wrong):
    folder.file.write_text(wrong)
    output = folder.run(command='plan', code=1).replace('experiment: ', '')
    keys = [line.removeprefix(f'{folder.file}:').split(': ')[1] for line in output.splitlines()]
    values = ['fixed.seed', 'product.escapes'] if wrong == BAD else []
    points = ['product.tlb', 'product.escapes'] if wrong != BAD else []
    assert keys == [*values, *(f'claim.1.{key}' for key in ('value', 'source', 'below', 'of')),
                    'figure.1.kind', *points]


def test_a_bad_file_is_refused_before_anything_is_built(project, tmp_path):
    file = tmp_path / 'bad.toml'
    file.write_text('[fixed]\nseed = -1\n')
    (project.folder / 'experiments').symlink_to(STANDIN.parents[2] / 'experiments')
    done = project.run('experiment', 'run', file, check=False)
    assert done.returncode == 1 and f'experiment: {file}:2: fixed.seed: -1 is no value' in done.stdout
    assert not project.out.exists()


@pytest.fixture
def unbuilt(folder, project):
    """Runs scripts/experiment on the results of a folder, in a project in which nothing is built."""
    (project.folder / 'experiments').symlink_to(STANDIN.parents[2] / 'experiments')

    def run(*words):
        done = project.run('experiment', *words, '--folder', folder.results, check=False)
        assert done.returncode == 1 and not project.out.exists(), done.stdout
        return done.stdout
    return run


@pytest.mark.parametrize('command', ['plan', 'run'])
def test_results_of_another_experiment_are_refused_before_anything_is_built(folder, unbuilt, command):
    folder.run('--only', 'seed=1')
    before = folder.records()
    other = folder.place / 'other.toml'
    other.write_text(EXPERIMENT.replace('[1, 2]', '[3]'))
    assert f'{folder.results} has results of other points (12, of ' in unbuilt(command, other)
    file = next(folder.results.glob('points/*/record.json'))
    file.write_text('{')
    assert f'experiment: {file} is damaged, it is no JSON' in unbuilt(command, folder.file)
    assert folder.records() == {**before, file.parent.name: b'{'}


def test_only_of_no_point_is_refused_before_anything_is_built(folder, unbuilt):
    output = unbuilt('run', folder.file, '--only', 'seed=3', '--only', 'id=12')
    assert output.startswith(f'experiment: --only seed=3 --only id=12: no point of {folder.file} is so')
