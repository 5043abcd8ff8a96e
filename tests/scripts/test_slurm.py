# SPDX-License-Identifier: GPL-2.0-or-later
"""scripts/experiment run --slurm on a real Slurm, two nodes of which are on this machine.

A stand-in takes the place of what boots QEMU (standin.py).
"""

import shutil
import signal
import tempfile
import time
from pathlib import Path

import pytest

import cluster as clusters
from dseg.points.store import Store
from marked import PYTHON, start      # pylint: disable=unused-import
from test_experiment_runs import EXPERIMENT, STANDIN, Folder

pytestmark = pytest.mark.skipif(bool(clusters.why_not()), reason=clusters.why_not())
RUN = f'''
import sys
from dseg import run_main
from dseg.base import progress
from dseg.experiments.sweep import commands
progress.SECONDS_BETWEEN_LINES = 1
worker = ['{PYTHON}', '{STANDIN}', sys.argv.pop(1)]
run_main('experiment', lambda words: commands.main(words, worker=worker))
'''
# 48 points, after 12 boots.
POINTS = EXPERIMENT.replace('"4k+4k", "dd", "native-4k"', '"4k+4k", "dd", "native-4k", "2m+2m", '
                            '"thp+thp", "4k+vd", "2m+vd", "4k+gd", "2m+gd", "native-2m", '
                            '"native-thp", "shadow-4k"')


@pytest.fixture
def cluster(request):
    """With nodes of 16 GB, or of the parameter."""
    folder = Path(tempfile.mkdtemp(prefix='dseg-slurm-'))
    folder.chmod(0o755)
    try:
        with clusters.Cluster(folder, getattr(request, 'param', 16000)) as made:
            yield made
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def sweep(cluster, start, tmp_path):    # pylint: disable=redefined-outer-name
    """An experiment that is run on the cluster."""
    def start_it(_, *words, env):
        return start(PYTHON, '-c', RUN, *words, '--slurm',
                     env={**env, **cluster.env, 'LC_ALL': 'C.UTF-8'})
    made = Folder(tmp_path / 'one', start_it)
    made.file.write_text(POINTS)
    return made


def wait_until(is_so, seconds=60):
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.1)


def running_on(cluster, node):          # pylint: disable=redefined-outer-name
    return [job for job in cluster.jobs() if job[2:] == ['RUNNING', node]]


def test_a_node_that_dies_in_the_middle_does_not_keep_a_sweep_from_its_end(cluster, sweep):
    sweep.file.write_text(POINTS.replace('[1, 2]', '[1]'))
    (sweep.control / 'slow').write_text('4')
    running = sweep.start()
    wait_until(lambda: len(sweep.records()) > 1 and running_on(cluster, 'n1')
               and running_on(cluster, 'n2'))
    before = sweep.records()
    lost = running_on(cluster, 'n1')
    killed = cluster.kill_node('n1')
    assert len(killed) > 2 and lost
    code, output = running.end(seconds=280)
    assert code == 0, output + cluster.logs()
    assert '24 of 24 points are done' in output
    found = sweep.records()
    assert len(found) == 24 and all(found[name] == record for name, record in before.items())
    # What the node had was begun once more, and nothing else.
    again = len(sweep.began()) - len(set(sweep.began()))
    assert 1 <= again <= len(lost), (again, lost)


def test_tasks_run_on_both_nodes_and_their_records_are_those_of_one_machine(
        cluster, sweep, start, tmp_path):     # pylint: disable=redefined-outer-name
    points = POINTS
    running = sweep.start()
    seen = set()
    while running.process.poll() is None:
        seen |= {job[3] for job in cluster.jobs() if job[2] == 'RUNNING'}
        time.sleep(0.2)
    code, output = running.end()
    assert code == 0, output + cluster.logs()
    assert seen == set(clusters.NODES)
    alone = Folder(tmp_path / 'two', lambda _, *words, env: start(PYTHON, '-c', RUN, *words, env=env))
    alone.file.write_text(points)
    alone.run('--jobs', '2')
    assert len(alone.records()) == 48 and alone.records() == sweep.records()
    asked = set(cluster.ask('squeue', '--states=all', '--noheader', '--format=%m').split())
    assert asked == {f'{memory}M' for memory in {
        -(-point.memory.host // 2**20) for point in sweep.store.points}}


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_the_end_of_a_run_is_the_end_of_its_jobs(cluster, sweep, number):
    (sweep.control / 'slow').write_text('60')
    running = sweep.start()
    wait_until(lambda: running_on(cluster, 'n1') and
               any(line.startswith(f'{PYTHON} {STANDIN}') for line in running.pids().values()))
    running.process.send_signal(number)
    assert running.process.wait(timeout=60) == 128 + number
    assert running.left(seconds=40) == {}           # on the nodes, too
    assert not [job for job in cluster.jobs() if job[2] in ('RUNNING', 'PENDING')]


def test_what_a_killed_run_has_left_is_ended_by_the_next_which_goes_on(cluster, sweep):
    (sweep.control / 'slow').write_text('3')
    running = sweep.start()
    wait_until(lambda: len(sweep.records()) > 1)
    running.process.kill()
    running.process.wait()
    before = sweep.records()
    assert running_on(cluster, 'n1')
    (sweep.control / 'slow').unlink()
    output = sweep.run(seconds=120)
    assert '48 of 48 points are done' in output
    assert all(sweep.records()[name] == record for name, record in before.items())
    assert running.left() == {}


def test_a_point_that_fails_or_whose_job_dies_is_tried_once_more(cluster, sweep):
    sweep.file.write_text(EXPERIMENT)
    sweep.run('--only', 'workload=chase', seconds=120)
    failing, dying = sweep.store.points[0], sweep.store.points[4]
    sweep.go_wrong(failing, 'fails', 2)
    sweep.go_wrong(dying, 'dies', 1)
    output = sweep.run(code=1, seconds=120)
    assert '11 of 12 points are done' in output
    assert f'{failing} has failed, and is tried again' in output
    assert f'{dying} has failed, and is tried again:' in output and "Slurm's job " in output
    assert 'L2 did not boot' in Store(sweep.results).error(failing)


CLUSTER = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import cluster
with cluster.Cluster(Path(sys.argv[2])) as made:
    made.ask('sbatch', '--output=/dev/null', '--wrap=sleep 1001')
    time.sleep(1000)
"""


def test_nothing_of_the_cluster_outlives_the_test_that_started_it(start, tmp_path):
    running = start(PYTHON, '-c', CLUSTER, STANDIN.parent, tmp_path, env={'LC_ALL': 'C.UTF-8'})
    running.wait_for('sleep 1001', seconds=90)
    assert {'/usr/sbin/slurmd -D -N n2', '/usr/sbin/slurmctld -D -c'} < set(running.pids().values())
    running.process.kill()
    assert running.left(seconds=40) == {}


@pytest.mark.parametrize('cluster', [500], indirect=True)
def test_a_request_that_no_node_can_meet_is_refused_with_slurm_s_words(cluster, sweep):
    output = sweep.run(code=1)
    assert 'experiment: sbatch takes no tasks of ' in output
    assert 'Memory specification can not be satisfied' in output
    assert not cluster.jobs()


def test_why_tasks_wait_is_shown(cluster, sweep):
    cluster.ask('scontrol', 'update', 'PartitionName=all', 'MaxMemPerNode=100')
    running = sweep.start()
    wait_until(lambda: ' 12 wait: MaxMemPerLimit' in running.process.stdout.readline())
    running.process.send_signal(signal.SIGINT)
    assert running.end(60)[0] == 130


def test_a_machine_that_is_no_part_of_a_cluster_is_told_so(sweep, cluster, tmp_path):
    (tmp_path / 'slurm.conf').touch()
    cluster.env = {'SLURM_CONF': str(tmp_path / 'slurm.conf')}
    assert 'experiment: --slurm: squeue gets no answer' in sweep.run(code=1)
