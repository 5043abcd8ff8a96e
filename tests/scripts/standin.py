# SPDX-License-Identifier: GPL-2.0-or-later
"""Stands in for what boots QEMU: points with made-up counts, the same in each run.

usage: standin.py CONTROL FOLDER ID...

CONTROL is a folder of files that say what goes wrong: slow (seconds of a point), ID.fails (that
many times), ID.dies (the process is killed in it, so many times), ID.ends (it ends without a
word), ID.waits (until that file is gone). Each point's beginning is noted in the file began.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from dseg import Failure, run_main
from dseg.experiments.sweep.group import run_points
from dseg.points.store import Store

sys.path.append(str(Path(__file__).parent))     # where PYTHONSAFEPATH leaves it out

from sample_runs import EMPTY       # pylint: disable=wrong-import-position

CONTROL = Path(sys.argv[1])


def take(name):
    """Whether it is to go wrong this time."""
    file = CONTROL / name
    if not file.exists():
        return False
    left = int(file.read_text()) - 1
    file.write_text(str(left)) if left else file.unlink()
    return True


def slowness():
    file = CONTROL / 'slow'
    return float(file.read_text()) if file.exists() else 0


def measure(point, folder):
    with open(CONTROL / 'began', 'a', encoding='ascii') as began:
        began.write(f'{point.id}\n')
    assert (Path(folder) / 'points' / point.id / 'provenance.json').exists()
    if take(f'{point.id}.fails'):
        raise Failure(f'the first of many lines\nL2 did not boot: {point.axes["configuration"]}')
    if take(f'{point.id}.dies'):
        os.kill(os.getpid(), signal.SIGKILL)
    if take(f'{point.id}.ends'):
        sys.exit(0)
    if take(f'{point.id}.breaks'):
        return {}['no such key']
    while (CONTROL / f'{point.id}.waits').exists():
        subprocess.run(['sleep', '0.05'], check=True)
    time.sleep(slowness())
    walks = int(point.id, 16) % 10007
    return {**EMPTY, 'seconds': 0.5, 'checksum': point.id[::-1], 'instructions': walks}


if __name__ == '__main__':
    run_main('standin', lambda words: run_points(Store(words[1]), words[2:], measure) and 1)
