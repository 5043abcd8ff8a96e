# SPDX-License-Identifier: GPL-2.0-or-later
"""Tasks on this machine: so many processes at a time, none of which outlives the script."""

import contextlib
import re
import subprocess
from dataclasses import dataclass

from ...base import processes

LINES = 30                      # of a log that are kept as the reason
WORKER = ('/usr/bin/python3', '-m', 'dseg.experiments.sweep.group')


@dataclass(frozen=True)
class End:
    """How a task has ended."""
    why: str                    # for a point that has neither a record nor an error of its own
    lost: bool = False          # none of its points is to blame


@dataclass
class _Running:
    task: object
    process: object
    log: object
    ending: contextlib.ExitStack


class Local:
    """Where tasks run, as a context manager."""
    pause = 0.1                 # seconds between two looks
    name = 'this machine'

    def __init__(self, store, jobs, worker=WORKER):
        self._store = store
        self._jobs = jobs
        self._worker = worker
        self._running = []

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        for running in self._running:
            running.process.terminate()         # all at once; what follows waits for each
        with contextlib.ExitStack() as all_of_them:
            for running in self._running:
                all_of_them.push(running.ending)

    def busy(self):
        """How many tasks run."""
        return len(self._running)

    def remark(self):
        """What to say of those that do not run: nothing, as they are not started yet."""
        return ''

    def take(self, queue):
        """Start what can be started now, and take it out of the queue."""
        while queue and len(self._running) < self._jobs:
            self._start(queue.pop(0))

    def _start(self, task):
        log = self._store.folder / 'log' / f'{task.points[0].id}.log'
        log.parent.mkdir(exist_ok=True)
        with contextlib.ExitStack() as ending:
            output = ending.enter_context(open(log, 'wb'))
            process = ending.enter_context(processes.running(
                [*self._worker, self._store.folder, *(point.id for point in task.points)],
                stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT))
            self._running.append(_Running(task, process, log, ending.pop_all()))

    def ended(self):
        """Each task that has ended since the last time, and its End."""
        for running in [each for each in self._running if each.process.poll() is not None]:
            self._running.remove(running)
            running.ending.close()
            code = running.process.returncode
            how = f'was ended by signal {-code}' if code < 0 else f'has ended with code {code}'
            yield running.task, End(f'its process {how}\n{last_lines(running.log)}')


def last_lines(log, lines=LINES):
    """Of a file, which may not be there."""
    try:
        text = log.read_text(errors='replace')
    except OSError:
        return ''
    return '\n'.join(re.sub(r'[\x00-\x08\x0b-\x1f]', '', line)
                     for line in text.splitlines()[-lines:])
