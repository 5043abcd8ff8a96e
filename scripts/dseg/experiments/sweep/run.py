# SPDX-License-Identifier: GPL-2.0-or-later
"""The loop that runs what is to be run: tasks, how they end, tries, and progress.

A task is some points that share a boot. A point is done when it has a record. One that fails is
tried once more. A task that ends without a word about a point has failed at the first such point;
those after it are no worse for it. That holds wherever tasks run.
"""

import sys
import time
from collections import Counter
from dataclasses import dataclass, field

from ...base.progress import Line

TRIES = 2
MOST_LOSSES = 5                 # of a task, before its points are taken for the reason
SHOWN = 5                       # lines of an error that are shown


@dataclass
class Task:
    """Points that are run after one boot."""
    points: list
    seconds: float              # about
    tries: int = 0              # that have failed before
    losses: int = 0
    stamps: dict = field(default_factory=dict)


class Sweep:
    """A run of points, which ends when each is done or has failed too often."""

    def __init__(self, store, plan, points, executor, jobs=1):
        self._store = store
        self._plan = plan
        self._executor = executor
        self._points = points
        self._queue = [self._task(part) for part in plan.tasks(points, jobs)]
        self._failures = Counter()
        self._weights = {point.id: plan.seconds(point) + plan.boot_seconds(point) / len(task.points)
                         for task in self._queue for point in task.points}
        self._line = Line('Running')
        self._begin = time.monotonic()

    def run(self):
        """Returns the points that have no record in the end."""
        try:
            with self._executor:
                while self._queue or self._executor.busy():
                    self._executor.take(self._queue)
                    for task, end in self._executor.ended():
                        self._judge(task, end)
                    self._show()
                    time.sleep(self._executor.pause)
        except BaseException:
            self._line.end('stopped')
            raise
        left = [point for point in self._points if not self._store.is_done(point)]
        self._line.end('done' if not left else 'failed')
        return left

    def _task(self, points, tries=0, losses=0):
        task = Task(points, self._plan.task_seconds(points), tries, losses)
        task.stamps = {point.id: self._store.error_stamp(point) for point in points}
        return task

    def _judge(self, task, end):
        """See what has become of its points, and try again what is to be."""
        left, again = [], []
        for point in task.points:
            if self._store.is_done(point):
                continue
            if self._store.error_stamp(point) == task.stamps[point.id]:
                left.append(point)
            elif self._failed(point):
                again.append(point)
        lost = end.lost and task.losses < MOST_LOSSES
        if left and not lost:
            point = left.pop(0)
            self._store.write_error(point, end.why)
            if self._failed(point):
                again.append(point)
        if left:
            self._queue.append(self._task(left, task.tries, task.losses + lost))
        if again:
            self._queue.append(self._task(again, task.tries + 1))

    def _failed(self, point):
        """Show why; returns whether it is to be tried again."""
        self._failures[point.id] += 1
        again = self._failures[point.id] < TRIES
        self._line.say(f'{point} has failed{", and is tried again" if again else ""}:')
        for line in self._store.error(point).splitlines()[-SHOWN:]:
            self._line.say(f'  {line}')
        return again

    def _show(self):
        done = [point for point in self._points if self._store.is_done(point)]
        text = f'{len(done)} of {len(self._points)} points'
        failed = sum(self._failures[point.id] >= TRIES for point in self._points)
        if failed:
            text += f', {failed} failed'
        self._line.show(f'{text}, {self._executor.busy()} boots{self._executor.remark()}, '
                        f'{self._time_left(done)}')

    def _time_left(self, done):
        """From how long those took that are done, by their estimates."""
        took = time.monotonic() - self._begin
        weight = sum(self._weights[point.id] for point in done)
        if not weight:
            return 'time left not known yet'
        left = sum(weight for name, weight in self._weights.items()
                   if self._failures[name] < TRIES) - weight
        return f'about {left * took / weight / 60:.0f} min left'


def show_failed(store, points):
    """On stderr, each with the last words of why."""
    for point in points:
        text = (store.error(point) or 'it was not run').splitlines()
        print(f'experiment: {point}: {text[-1] if text else ""} '
              f'(all of it: {store.place(point) / "error.txt"})', file=sys.stderr)
