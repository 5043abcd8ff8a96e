# SPDX-License-Identifier: GPL-2.0-or-later
"""The points of a run and what came out: found by axes, and valued.

    results = Results(points, configurations)
    results.value(point, 'overhead')
"""

import json
from dataclasses import dataclass, field

from .. import Failure
from ..points import workloads
from ..points.axes import PAPER_FILTER, all_axes
from ..points.configurations import CONFIGURATIONS
from ..points.store import Store
from . import counts, models
from .costs import DEFAULT, MEASURED, PRESETS

SEGMENT_SHARE = 'segment-share-'
VALUES = {
    'overhead': 'translation over ideal time',
    'measured-overhead': 'the same by the cycles of modelled caches',
    'walks': 'of the program',
    'refs-per-walk': 'references, of the program',
    'checks-per-walk': 'base-bound checks, of the program',
    'exits': '#VMEXITs of any reason',
    'false-escape-share': 'of lookups of pages not in the filter',
    'segment-share': 'of the program\'s walks',
    'covered-32': 'of the work area, by its 32 longest linear runs',
    'runs-90': 'that it takes to cover 90 % of the work area',
    'merged-share': 'of L2\'s memory, that KSM merges',
    **{f'{SEGMENT_SHARE}{phase}': f'of the program\'s walks, {about}' for phase, about in (
        ('before', 'before an event'), ('between', 'after it'),
        ('after', 'when it is undone'))},
    'slowdown': 'time of execution over that of the baseline, less 1',
}
OVERHEADS = ('overhead', 'measured-overhead')
SHARES = (*OVERHEADS, 'slowdown', 'false-escape-share', 'segment-share',     # percent
          'covered-32', 'merged-share',
          *(name for name in VALUES if name.startswith(SEGMENT_SHARE)))
AXES = tuple(all_axes(()))     # names, in order
DEFAULTS = {axis.name: axis.default for axis in all_axes(()).values()}
NO_ESCAPES = {'escapes': 0, 'filter-bits': PAPER_FILTER}


@dataclass(frozen=True)
class Point:
    """One combination of axes, and its record if it has one."""
    id: str
    axes: dict
    record: dict = None
    error: str = ''
    provenance: dict = field(default_factory=dict)

    @property
    def origin(self):
        """The provenance, but for the axes, with names such as inputs.qemu."""
        return flat({**self.provenance, 'axes': {}})


class Results:
    """What a run of an experiment has, in the order of its points."""

    def __init__(self, points, configurations, *, classes=None, costs=PRESETS[DEFAULT]):
        """configurations: by name; classes: of workloads, by name"""
        self.points = list(points)
        self.configurations = configurations
        self.classes = classes or {}
        self.costs = costs
        self._by_axes = {key(point.axes): point for point in self.points}
        self._parts = {}

    def configuration(self, point):
        return self.configurations[point.axes['configuration']]

    def label(self, name):
        """A configuration as figures say it."""
        return self.configurations[name].label

    def facts(self, point):
        """What a selection may ask for: axes, and the class of the workload."""
        return {**point.axes, 'class': self.classes.get(point.axes['workload'])}

    def select(self, where):
        """The points whose facts are those given; a list stands for any of its values."""
        def matches(facts):
            return all(facts.get(name) in (wanted if isinstance(wanted, list) else [wanted])
                       for name, wanted in where.items())
        return [point for point in self.points if matches(self.facts(point))]

    def other(self, point, change):
        """The point that differs in just these axes; None if there is none.

        A configuration without a VMM segment has no escapes: it stands beside any number of them.
        And without escapes the filter is empty, so that its size does not matter.
        """
        wanted = {**point.axes, **change}
        return self._by_axes.get(key(wanted)) or self._by_axes.get(key({**wanted, **NO_ESCAPES}))

    def parts(self, point, costs=None):
        """The cycles of a point that has a record."""
        costs = costs or self.costs
        if (point.id, costs.name, costs.factor) not in self._parts:
            self._parts[point.id, costs.name, costs.factor] = models.parts_of(
                point.record, self.configuration(point), costs)
        return self._parts[point.id, costs.name, costs.factor]

    def program(self, point):
        """The program's walks."""
        return counts.program(point.record, self.configuration(point))

    def value(self, point, name):
        """A number of a point, one of VALUES but for slowdown; None if it is not known."""
        if point is None or point.record is None:
            return None
        if name == 'overhead':
            return self.parts(point).overhead
        if name == 'measured-overhead':
            return self.parts(point, MEASURED).overhead if point.record.get('caches') else None
        if name == 'exits':
            return counts.exits(point.record)
        if name.startswith(SEGMENT_SHARE):
            return counts.segment_share(point.record, self.configuration(point),
                                        name.removeprefix(SEGMENT_SHARE))
        if name == 'merged-share':
            return counts.merged_share(point.record)
        if name in ('covered-32', 'runs-90'):
            return ((point.record.get('contiguity') or {}).get('guest') or {}).get(name)
        walks = self.program(point)
        if name == 'segment-share':
            return counts.share_by(point.record, self.configuration(point))
        if name == 'walks':
            return walks['walks']
        if name == 'false-escape-share':
            return counts.false_escape_share(walks)
        parts = {'refs-per-walk': ('guest-refs', 'nested-refs'), 'checks-per-walk': ('checks',)}
        if not walks['walks']:
            return 0.0
        return sum(walks[part] for part in parts[name]) / walks['walks']

    def against(self, point, baseline, name):
        """How far a value is above that of another point, as a share of that; None if not known."""
        if None in (point, baseline) or None in (point.record, baseline.record):
            return None
        if name == 'slowdown':
            pair = self.parts(point).total, self.parts(baseline).total
        else:
            pair = self.value(point, name), self.value(baseline, name)
            if name in OVERHEADS and None not in pair:
                pair = 1 + pair[0], 1 + pair[1]     # of times over ideal times
        return pair[0] / pair[1] - 1 if None not in pair and pair[1] else None

    @property
    def has_caches(self):
        """Whether any point was measured with modelled caches."""
        return any(point.record and point.record.get('caches') for point in self.points)

    @property
    def leaves_data_out(self):
        """Whether any of them was, in a mode in which not all data passes the caches."""
        return any(point.record and point.record.get('caches')
                   and point.axes['tlb-mode'] == 'inclusive' for point in self.points)

    def measured_from_direct(self, point):
        """By how much the overhead by modelled caches is above that by costs direct."""
        measured = self.value(point, 'measured-overhead')
        direct = self.parts(point, PRESETS[DEFAULT]).overhead
        return None if None in (measured, direct) else measured - direct

    def models(self, point):
        """The overheads by the linear models, of a point with a record."""
        family = self.configuration(point).family
        four, two = (self.other(point, {'configuration': name, 'escapes': 0})
                     for name in models.BASELINES[family])
        if None in (four, two) or None in (four.record, two.record):
            return dict.fromkeys(models.MODELS)
        runs = [models.run_of(each.record, self.parts(each), self.configuration(each))
                for each in (point, four, two)]
        return models.overheads(*runs, self.parts(two).ideal)


def flat(tables, before=''):
    """Tables in tables as one, with names such as qemu.version."""
    found = {}
    for name, value in tables.items():
        if isinstance(value, dict):
            found.update(flat(value, f'{before}{name}.'))
        else:
            text = ' '.join(map(str, value)) if isinstance(value, list) else value
            found[f'{before}{name}'] = text
    return found


def key(axes):
    """Axes in a form that is equal if they are."""
    return json.dumps(axes, sort_keys=True)


def check_caches(point, record, file):
    """Raise Failure for a record that lacks what costs measured need."""
    if not record.get('caches'):
        raise Failure(f'{file}: caches: point {point} was measured without modelled caches, so '
                      'costs measured can\'t be: say caches = true in the experiment, and run it')


def read(folder, costs=PRESETS[DEFAULT]):
    """(what experiment.json has, Results) of the folder of a run."""
    store = Store(folder)
    points = []
    for point, record in store.records():
        if record and costs.is_measured:
            check_caches(point, record, store.place(point) / 'record.json')
        # An axis that is newer than the folder has its default there.
        points.append(Point(point.id, {**DEFAULTS, **point.axes}, record,
                            (store.error(point) or '').strip(), store.provenance(point)))
    classes = {name: workload.kind for name, workload in workloads.read().items()}
    return store.experiment, Results(points, CONFIGURATIONS, classes=classes, costs=costs)
