# SPDX-License-Identifier: GPL-2.0-or-later
"""Tasks as job arrays of Slurm: the same processes as on one machine, on its nodes.

The folder must be one that all nodes see, as this project must be. What is asked of Slurm needs no
accounting: sbatch, squeue and scancel. An array is known by its name, which is of the folder alone,
so that what a killed script has left is found.
"""

import hashlib
import os
import pwd
import shlex
import shutil
import subprocess
import time
from collections import Counter

from ... import Failure, patient
from ...base import processes
from .local import WORKER, End, last_lines

CORES = 1                       # of a task; QEMU has one busy thread for each CPU of L1
LEAST_MINUTES, MARGIN = 10, 3   # how long a task may take: so many times as long as estimated
MOST_IN_ARRAY = 1000            # Slurm's MaxArraySize is 1001 by default
SILENCE = 600                   # seconds that Slurm may give no answer
OVER = {'BOOT_FAIL', 'CANCELLED', 'COMPLETED', 'DEADLINE', 'FAILED', 'NODE_FAIL', 'OUT_OF_MEMORY',
        'PREEMPTED', 'REVOKED', 'TIMEOUT'}
LOST = {'BOOT_FAIL', 'NODE_FAIL', 'PREEMPTED'}
# Of the environment, what a task has, too.
KEPT = ('PATH', 'LC_ALL', 'PYTHONPATH', 'PYTHONSAFEPATH', 'PYTHONNOUSERSITE', 'TMPDIR')
SCRIPT = '''#!/bin/sh
export {exports}
exec {worker} {folder} $(sed -n "$((SLURM_ARRAY_TASK_ID + 1))p" {tasks})
'''


class Slurm:
    """Where tasks run, as a context manager; the end of it ends all of them."""
    name = 'Slurm'

    def __init__(self, store, worker=WORKER, pause=2):
        self.pause = pause
        self._store = store
        self._worker = worker
        self._folder = store.folder.resolve()
        self._name = 'dseg-' + hashlib.sha256(str(self._folder).encode()).hexdigest()[:12]
        self._user = pwd.getpwuid(os.getuid()).pw_name
        self._tasks = {}        # (array, index): task
        self._answered = time.monotonic()
        self._waiting = {}      # how many tasks wait, by Slurm's reason

    def __enter__(self):
        for program in ('sbatch', 'squeue', 'scancel'):
            if not shutil.which(program):
                raise Failure(f'--slurm: there is no {program} in {os.environ["PATH"]}: install '
                              'the package slurm-client, and the cluster\'s configuration')
        self._end_all()
        return self

    def __exit__(self, *exception):
        if self._tasks:
            self._call('scancel', '--quiet', f'--name={self._name}', f'--user={self._user}')

    def busy(self):
        """How many tasks are in Slurm's hands."""
        return len(self._tasks)

    def remark(self):
        """What to say of those that do not run, which may be for ever."""
        return ''.join(f', {count} wait: {reason}' for reason, count in self._waiting.items())

    def take(self, queue):
        """Submit all of them, those with equal requests as one array."""
        by_request = {}
        for task in queue:
            by_request.setdefault(_request(task), []).append(task)
        for request, tasks in by_request.items():
            for at in range(0, len(tasks), MOST_IN_ARRAY):
                self._submit(request, tasks[at:at + MOST_IN_ARRAY])
        queue.clear()

    def ended(self):
        """Each task that has ended since the last time, and its End."""
        if not self._tasks:
            return
        states = self._states()
        if states is None:
            return
        for where in [where for where in self._tasks if states.get(where, 'COMPLETED') in OVER]:
            state = states.get(where, 'gone')
            task = self._tasks.pop(where)
            array, index = where
            if state == 'CANCELLED':
                raise Failure(f'somebody has cancelled job {array}_{index}: start again to go on')
            yield task, End(f'Slurm\'s job {array}_{index} is {state}\n'
                            f'{last_lines(self._log(array, index))}', lost=state in LOST)

    def _log(self, array, index):
        return self._folder / 'log' / f'slurm-{array}_{index}.log'

    def _submit(self, request, tasks):
        memory, minutes = request
        place = self._folder / 'slurm'
        place.mkdir(exist_ok=True)
        (self._folder / 'log').mkdir(exist_ok=True)
        file = place / f'{tasks[0].points[0].id}-{time.time_ns()}'
        file.write_text(''.join(' '.join(point.id for point in task.points) + '\n'
                                for task in tasks))
        exports = ' '.join(f'{name}={shlex.quote(value)}' for name, value in os.environ.items()
                           if name in KEPT or name.startswith('DSEG_'))
        script = SCRIPT.format(exports=exports, worker=shlex.join(map(str, self._worker)),
                               folder=shlex.quote(str(self._folder)), tasks=shlex.quote(str(file)))
        done = self._call(
            'sbatch', '--parsable', f'--array=0-{len(tasks) - 1}', f'--job-name={self._name}',
            f'--cpus-per-task={CORES}', f'--mem={memory}M', f'--time={minutes}', '--requeue',
            '--export=LC_ALL', '--open-mode=append', '--chdir=/', '--input=/dev/null',
            f'--output={self._folder}/log/slurm-%A_%a.log', input=script)
        if done.returncode:
            raise Failure(f'sbatch takes no tasks of {memory} MiB and {minutes} minutes: '
                          f'{_first_line(done.stderr)}')
        array = done.stdout.split(';')[0].strip()
        self._tasks.update({(array, str(index)): task for index, task in enumerate(tasks)})

    def _states(self):
        """Of each (array, index) that Slurm still knows; None if it gives no answer."""
        done = self._call('squeue', '--noheader', '--array', '--states=all',
                          f'--user={self._user}', f'--name={self._name}', '--format=%F %K %T %r')
        if done.returncode:
            if time.monotonic() > self._answered + patient(SILENCE):
                raise Failure(f'Slurm gives no answer: {_first_line(done.stderr)}')
            return None
        self._answered = time.monotonic()
        lines = [line.split(maxsplit=3) for line in done.stdout.splitlines()]
        self._waiting = Counter(reason for _, _, state, reason in lines if state == 'PENDING')
        return {(array, index): state for array, index, state, _ in lines}

    def _end_all(self):
        """End what an earlier run has left, which was killed; two of them must not meet."""
        end = time.monotonic() + patient(SILENCE)
        while states := self._states_of_others():
            if not states - OVER:
                return
            self._call('scancel', '--quiet', f'--name={self._name}', f'--user={self._user}')
            if time.monotonic() > end:
                raise Failure(f'jobs {self._name} of an earlier run do not end: look at squeue')
            time.sleep(self.pause)

    def _states_of_others(self):
        states = self._states()
        if states is None:
            raise Failure('--slurm: squeue gets no answer: is this machine part of a cluster?')
        return set(states.values())

    def _call(self, *words, input=None):    # pylint: disable=redefined-builtin
        """What a command of Slurm's says."""
        try:
            done = processes.run(words, input=input and input.encode(), capture_output=True,
                                 timeout=patient(120))
        except subprocess.TimeoutExpired:
            return subprocess.CompletedProcess(words, 1, '', f'no answer to {words[0]}')
        done.stdout, done.stderr = (text.decode(errors='replace')
                                    for text in (done.stdout, done.stderr))
        return done


def _request(task):
    """Memory in MiB, and minutes, rounded so that few differ; longer after each failure."""
    memory = max(point.memory.host for point in task.points) >> 20
    estimate = max(LEAST_MINUTES, MARGIN * task.seconds / 60) * 2**task.tries
    return memory, int(-(-estimate // LEAST_MINUTES) * LEAST_MINUTES)


def _first_line(text):
    return next(iter(text.strip().splitlines()), 'no reason given')
