# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs points after one boot, one after the other.

usage: python3 -m dseg.experiments.sweep.group FOLDER ID...

FOLDER has the experiment (points/store.py). Each point's record, or why there is none, is written
when the point ends. The exit code is 1 if a point has none.
"""

import sys
import time
import traceback

from ... import Failure, run_main
from ...base.locks import alone
from ...points.store import Store
from ...stack.console import StackError
from ..provenance import provenance


def run_points(store, ids, measure):
    """Measure the points that have no record yet; returns how many have failed."""
    points = {point.id: point for point in store.points}
    unknown = [name for name in ids if name not in points]
    if unknown:
        raise Failure(f'{store.folder} has no point {unknown[0]}')
    return sum(not _run_point(store, points[name], measure) for name in ids)


def _run_point(store, point, measure):
    """Whether it has a record then."""
    place = store.place(point)
    # A task that a cluster has taken for lost may still be at it.
    with alone(place, place / 'lock'):
        if store.record(point):
            return True
        print(f'{point} begins', flush=True)
        try:
            store.write_provenance(point, origin_of(store, point))
            begin = time.monotonic()
            measured = measure(point, store.folder)
            store.write_record(point, {'seconds': round(time.monotonic() - begin, 1), **measured})
        except (Failure, StackError) as error:
            store.write_error(point, str(error) or type(error).__name__)
        except Exception:           # pylint: disable=broad-exception-caught  (those after it go on)
            store.write_error(point, traceback.format_exc())
        print(f'{point} {"is done" if store.is_done(point) else "has failed"}', flush=True)
        return store.is_done(point)


def origin_of(store, point):
    """The provenance of a record. The command has a folder of its own: this one has the record."""
    size = store.experiment['size']
    words = ['scripts/experiment', 'run', store.experiment['source'],
             *(['--size', size] if size else []),
             '--folder', f'out/experiments/{point.id}', '--only', f'id={point.id}']
    return {**provenance(point.inputs, words), 'axes': point.axes}


def main(arguments):
    """The usage is at the top."""
    # Not at the top of the file: the tests have another one in its place.
    from . import machine                   # pylint: disable=import-outside-toplevel
    if len(arguments) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    store, ids = Store(arguments[0]), arguments[1:]
    try:
        return 1 if run_points(store, ids, machine.measure_point) else 0
    finally:
        machine.forget_states(store.folder, [point for point in store.points if point.id in ids])


if __name__ == '__main__':
    run_main('experiment', main)
