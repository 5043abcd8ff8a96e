# SPDX-License-Identifier: GPL-2.0-or-later
"""A workload that runs beside an experiment, in the background, and checks its data."""

from contextlib import contextmanager

from ..console import StackError

NAMES = iter(range(1, 1 << 30))


class Work:
    """One of linux/workloads, running in a guest until it is stopped."""

    def __init__(self, console, command):
        self._console = console
        self._file = f'/tmp/work{next(NAMES)}'
        console.run(f'{command} --rounds 0 >{self._file} 2>&1 & echo $! >{self._file}.pid')
        self.pid = int(console.run(f'cat {self._file}.pid'))
        self._wait_for('ready')

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.stop()

    def _wait_for(self, word, more_than=0):
        self._console.run(
            f'for i in $(seq 120); do [ $(grep -c {word} {self._file}) -gt {more_than} ] '
            f'&& break; kill -0 {self.pid} || break; sleep 1; done', timeout=180)
        if self._lines(word) <= more_than:
            raise StackError(f'{self._console.name}: the workload said no {word!r}:\n'
                             + self._console.run(f'tail -3 {self._file}'))

    def _lines(self, word):
        return int(self._console.run(f'grep -c "{word}" {self._file}; true'))

    def is_right(self):
        """Whether all rounds were right, till one that begins now has ended."""
        self._wait_for('round', self._lines(' round ') + 1)
        return self._lines(' BAD ') == 0

    @contextmanager
    def paused(self):
        """It does not run inside the with statement."""
        self._console.run(f'kill -STOP {self.pid}')
        try:
            yield
        finally:
            self._console.run(f'kill -CONT {self.pid}')

    def stop(self):
        self._console.run(f'kill {self.pid}; wait {self.pid}; true')
