# SPDX-License-Identifier: GPL-2.0-or-later
"""A workload that runs beside an experiment, in the background, and checks its data."""

from ...stack.console import StackError

NAMES = iter(range(1, 1 << 30))
PAUSE = 'sleep 0.5'     # each look costs an emulated CPU some time, too


class Work:
    """One of linux/workloads, running until it is stopped whenever its guest does nothing else."""

    def __init__(self, console, command):
        self._console = console
        self._file = f'/tmp/work{next(NAMES)}'
        text = self._run(f'{command} --rounds 0 >{self._file} 2>&1 & pid=$!; renice 19 $pid; '
                         f'until grep -q ready {self._file} || ! kill -0 $pid; do {PAUSE}; done; '
                         f'cat {self._file}; echo; echo $pid')
        if ': ready ' not in text:
            raise StackError(f'{console.name}: the workload did not begin:\n{text}')
        self.pid = int(text.split()[-1])

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.stop()

    def _run(self, command):
        return self._console.run(command, timeout=180)

    def wait_for_round(self):
        """Till one that begins now has ended; returns how many till then have found wrong data."""
        count = f'grep -c " round " {self._file}'
        text = self._run(f'end=$(($({count}) + 2)); while [ $({count}) -lt $end ] && '
                         f'kill -0 {self.pid}; do {PAUSE}; done; {count}; echo $end; '
                         f'grep -c " BAD " {self._file}; true')
        rounds, end, wrong = map(int, text.split()[-3:])
        if rounds < end:
            raise StackError(f'{self._console.name}: the workload has ended:\n'
                             + self._run(f'tail -3 {self._file}'))
        return wrong

    def is_right(self):
        """Whether all rounds were right, till one that begins now has ended."""
        return self.wait_for_round() == 0

    def physical_address(self, address):
        """Of a page of it, from /proc/PID/pagemap."""
        text = self._console.run(f'dd if=/proc/{self.pid}/pagemap bs=8 skip={address // 4096} '
                                 'count=1 2>/dev/null | od -An -tx1')
        entry = int.from_bytes(bytes.fromhex(text.strip()), 'little')
        if not entry >> 63:
            raise StackError(f'{self._console.name}: process {self.pid} has no page at '
                             f'{address:#x} in memory')
        return (entry & ((1 << 55) - 1)) * 4096

    def stop(self):
        self._run(f'kill {self.pid}; wait {self.pid}; true')
