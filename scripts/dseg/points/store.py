# SPDX-License-Identifier: GPL-2.0-or-later
"""The folder with the results of an experiment.

    experiment.json             all points in order, the file as read, geometries of TLBs
    points/ID/record.json       there only when the point is done
    points/ID/error.txt         why the last try has failed
    points/ID/provenance.json   versions, hashes, host, the command that repeats just this point
    points/ID/log/              what QEMU and the guests have printed in the last try
    log/                        what the processes that run points have printed
    geometries/HASH.json        files of TLBs

A record is written beside and renamed, so what is there is whole. A damaged file is an error.
"""

import json
from pathlib import Path

from .. import Failure, ROOT
from ..base.atomically import write_text
from .axes import PRESETS
from . import records
from .point import BOOT, PROGRAMS, SCHEMA, Point, identity
from .shape import mistake

EXPERIMENT = 'experiment.json'


def to_json(value):
    """As all files of the folder have it: the same for what is the same."""
    return json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + '\n'


class Store:
    """A folder that is there."""

    def __init__(self, folder):
        """Raises Failure where it has no results, or others than this version's."""
        self.folder = Path(folder)
        file = self.folder / EXPERIMENT
        if not file.is_file():
            raise Failure(f'{self.folder} has no results: it has no {EXPERIMENT}; '
                          'make some by scripts/experiment run')
        again = 'remove the folder, and start again'
        self.experiment = _read(file, again, SCHEMA)
        _refuse_mistake(file, mistake(self.experiment, records.EXPERIMENT), again)
        self.points = [Point(point['axes'], point['inputs'])
                       for point in self.experiment['points']]
        for point, ours in zip(self.experiment['points'], self.points):
            if point['id'] != ours.id:
                raise Failure(f'{file} is damaged: the hash of point {point["id"]} is not of what '
                              f'it has; {again}')

    @classmethod
    def begin(cls, folder, experiment, geometries):
        """Write experiment.json, unless it is there already; a folder of others is refused.

        experiment: a dict, as described() makes it
        geometries: hash to text
        """
        folder = Path(folder)
        file = folder / EXPERIMENT
        refuse_others(folder, experiment)
        # Claims, figures and titles may change while the points stay.
        text = to_json(experiment)
        if not file.exists() or file.read_text() != text:
            folder.mkdir(parents=True, exist_ok=True)
            write_text(file, text)
        for name, text in geometries.items():
            (folder / 'geometries').mkdir(exist_ok=True)
            write_text(folder / 'geometries' / f'{name}.json', text)
        return cls(folder)

    def place(self, point):
        """The folder of a point, which may not be there yet."""
        return self.folder / 'points' / point.id

    def tlb(self, point):
        """What to tell QEMU by dseg-tlb=: a preset, or the path of a file."""
        if point.axes['tlb'] in PRESETS:
            return point.axes['tlb']
        return str((self.folder / 'geometries' / f'{point.inputs["geometry"]}.json').resolve())

    def is_done(self, point):
        """Whether it has a record, which may be damaged."""
        return (self.place(point) / 'record.json').exists()

    def record(self, point):
        """The record, or None; raises Failure if there is a damaged one, or of another schema."""
        file = self.place(point) / 'record.json'
        if not file.exists():
            return None
        again = 'remove it, and scripts/experiment run measures that point again'
        record = _read(file, again, SCHEMA)
        found = {name: record.get(name) for name in ('id', 'axes', 'inputs', 'group')}
        if found != _head(point) or record.get('data') != 'right':
            raise Failure(f'{file} is damaged, it is no record of point {point.id}: {again}')
        _refuse_mistake(file, records.mistake_in(record), again)
        self.provenance(point)
        return record

    def provenance(self, point):
        """Where the record is from, {} if nothing says it; raises Failure if what does is damaged."""
        file = self.place(point) / 'provenance.json'
        if not file.exists():
            return {}
        again = f'remove {file.parent}, and scripts/experiment run measures that point again'
        found = _read(file, again)
        _refuse_mistake(file, mistake(found, records.PROVENANCE), again)
        return found

    def records(self):
        """Each point with its record, or None."""
        return [(point, self.record(point)) for point in self.points]

    def error(self, point):
        """Why the last try has failed, or None."""
        if self.is_done(point):
            return None
        try:
            return (self.place(point) / 'error.txt').read_text(errors='replace')
        except FileNotFoundError:
            return None

    def error_stamp(self, point):
        """Tells one error from the next, which may be of the same text; None if there is none."""
        try:
            found = (self.place(point) / 'error.txt').stat()
        except FileNotFoundError:
            return None
        return found.st_ino, found.st_mtime_ns

    def write_record(self, point, measured):
        """The point is done. measured: what a record has besides what the point itself has"""
        if measured.get('data') != 'right':
            raise Failure(f'the data of {point} was {measured.get("data")}, not right')
        self._write(point, 'record.json', to_json({**measured, 'schema': SCHEMA, **_head(point)}))
        (self.place(point) / 'error.txt').unlink(missing_ok=True)

    def write_error(self, point, text):
        """A try of the point has failed."""
        self._write(point, 'error.txt', text.rstrip() + '\n')

    def write_provenance(self, point, provenance):
        self._write(point, 'provenance.json', to_json(provenance))

    def _write(self, point, name, text):
        place = self.place(point)
        place.mkdir(parents=True, exist_ok=True)
        for left in place.glob(f'.{Path(name).stem}-*'):    # of a writer that was killed
            left.unlink(missing_ok=True)
        write_text(place / name, text)


def refuse_others(folder, experiment, is_built=True):
    """Raise Failure for a folder with results of other points, or with something else.

    experiment: a dict, as described() makes it
    is_built: whether its points have the hashes of what a boot reads; else these may be any
    """
    if (folder / EXPERIMENT).exists():
        found = Store(folder).experiment
        if not is_built:
            found, experiment = _without_built(found), _without_built(experiment)
        if _points(found) != _points(experiment):
            raise Failure(f'{folder} has results of {_difference(found, experiment)}: name '
                          'another folder by --folder, or remove this one')
    elif folder.exists() and not all(map(_may_be_before, folder.iterdir())):
        raise Failure(f'{folder} has files, but no {EXPERIMENT}: name another folder by --folder')


def _may_be_before(path):
    """Whether that is there before experiment.json is; its parts are of who was killed then."""
    return path.name == 'lock' or path.name.startswith(f'.{Path(EXPERIMENT).stem}-')


def _without_built(experiment):
    """The same with points that whatever is built makes no others."""
    points = [Point(point['axes'], {name: value for name, value in point['inputs'].items()
                                    if name not in (*BOOT, PROGRAMS)})
              for point in experiment['points']]
    return {**experiment, 'points': [{'id': point.id, 'axes': point.axes, 'inputs': point.inputs}
                                     for point in points]}


def described(experiment, points):
    """An Experiment and its Points as experiment.json has them.

    where: of each key of [[claim]] and [[figure]], FILE:LINE, for messages
    """
    return {
        'schema': SCHEMA, 'name': experiment.name, 'title': experiment.title,
        'source': _source(experiment.file), 'size': experiment.size,
        'file': experiment.tables.data,
        'where': {'.'.join(map(str, path)): place for path, place in
                  experiment.tables.places.items() if path[0] in ('claim', 'figure')},
        'points': [_head(point) for point in points]}


def _source(file):
    """The file, so that it can be found again from anywhere."""
    whole = file.resolve()
    return str(whole.relative_to(ROOT) if whole.is_relative_to(ROOT) else whole)


def _head(point):
    return {'id': point.id, 'axes': point.axes, 'inputs': point.inputs, 'group': point.group}


def _points(experiment):
    return [point['id'] for point in experiment['points']]


def _difference(found, wanted):
    """In words, what they are of that is not wanted."""
    def axes(experiment):
        return [identity(point['axes']) for point in experiment['points']]
    if axes(found) != axes(wanted):
        return f'other points ({len(found["points"])}, of {found["source"]})'
    names = sorted({name for one, other in zip(found['points'], wanted['points'])
                    for name in {*one['inputs'], *other['inputs']}
                    if one['inputs'].get(name) != other['inputs'].get(name)})
    return f'the same points with another {" and ".join(names)}'


def _refuse_mistake(file, what, what_to_do):
    """what: a mistake in it, if there is one"""
    if what:
        raise Failure(f'{file}: {what}; so the file is damaged: {what_to_do}')


def _read(file, what_to_do, schema=None):
    """A dict of ours; with a schema, if it is that."""
    try:
        found = json.loads(file.read_bytes())
    except ValueError as error:
        raise Failure(f'{file} is damaged, it is no JSON: {what_to_do}') from error
    if not isinstance(found, dict):
        raise Failure(f'{file} is damaged, it has no keys: {what_to_do}')
    if schema and found.get('schema') != schema:
        raise Failure(f'{file} has schema {found.get("schema")}, and this version knows only '
                      f'{schema}: {what_to_do}')
    return found
