# SPDX-License-Identifier: GPL-2.0-or-later
"""What an experiment comes to: its points, their boots, minutes, memory, disk; and what can't work.

    plan = Plan(read(file, workloads), workloads, built)    # raises Failure with all that can't
"""

import hashlib
import json
import math
import os
import statistics

from ..base.sizes import MiB
from . import point as points
from .axes import EVENT_ROUNDS, FRAGMENTS, PAPER_FILTER, REMEDIES
from .configurations import CONFIGURATIONS, HUGE, PAGES
from .memory import MOST_L2, gigabytes, memory_of
from .problems import Problems

BOOT = {'native': 15, 'nested': 40}         # seconds
POINT_DISK = MiB                            # record and logs
NATIVE_SPEED = 2                            # how many times as fast as in a nested guest
TASK_SECONDS = 30 * 60                      # of points that are run after one boot, about


def total_memory():
    """Of this machine, in bytes."""
    return os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES')


class Plan:
    """Of an Experiment."""

    def __init__(self, experiment, workloads, built, *, jobs=1, host_memory=None,
                 broken_rule=None, problems=()):
        """
        built: hashes of the files that a boot reads
        jobs: how many boots run at the same time on this machine
        host_memory: what there is for them; None if that is for others to know
        broken_rule: what is wrong with the text of a geometry's file; None if nobody can say yet
        problems: that the experiment has already
        """
        self.experiment = experiment
        self.workloads = workloads
        self.jobs = jobs
        refusals = Problems(problems)
        texts = {name: _geometry(experiment, name, refusals)
                 for name in dict.fromkeys(axes['tlb'] for axes in experiment.combinations)
                 if name.endswith('.json')}
        if broken_rule:
            _refuse_geometries(refusals, experiment, texts, broken_rule)
        for axes in experiment.combinations:
            _refuse(refusals, experiment, axes, workloads[axes['workload']])
            _refuse_caches(refusals, experiment, axes, texts)
            _refuse_memory(refusals, experiment, axes, workloads, host_memory)
        refusals.refuse()
        hashes = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in texts.items()}
        self.geometries = {hashes[name]: text for name, text in texts.items()}
        self.points = [points.make(axes, workloads[axes['workload']], built,
                                   hashes.get(axes['tlb'])) for axes in experiment.combinations]
        self._measured = {}
        if host_memory is not None and self.memory() > host_memory:
            refusals.add(experiment.file, '--jobs', f'{jobs} guests at a time need '
                         f'{gigabytes(self.memory())} of this machine\'s memory, which has '
                         f'{gigabytes(host_memory)}: use fewer')
        refusals.refuse()

    def learn(self, records):
        """Estimate from what has been measured. records: points with records, or None"""
        seconds = {}
        for point, record in records:
            if record:
                seconds.setdefault(_like(point), []).append(record['seconds'])
        self._measured = {like: statistics.median(found) for like, found in seconds.items()}

    def seconds(self, point):
        """About how long it takes, without the boot."""
        if _like(point) in self._measured:
            return self._measured[_like(point)]
        size = self.workloads[point.axes['workload']].sizes[point.axes['size']]
        rounds = EVENT_ROUNDS if point.has_event else 1
        speed = NATIVE_SPEED if point.configuration.world == 'native' else 1
        return rounds * size.seconds / speed

    def is_measured(self, point):
        """Whether that is from records."""
        return _like(point) in self._measured

    def boot_seconds(self, point):
        return BOOT[point.configuration.world]

    def tasks(self, chosen, at_least=1):
        """Lists of the points to be run after one boot each, if possible so many."""
        groups = {}
        for point in chosen:
            groups.setdefault(point.group, []).append(point)
        tasks = [part for group in groups.values() for part in self._parts(group)]
        while len(tasks) < at_least and len(largest := max(tasks, key=len, default=[])) > 1:
            where, half = tasks.index(largest), len(largest) // 2
            tasks[where:where + 1] = [largest[:half], largest[half:]]
        return tasks

    def _parts(self, group):
        """Parts of it that take about equally long, and not too long."""
        count = math.ceil(sum(map(self.seconds, group)) / TASK_SECONDS)
        length = math.ceil(len(group) / count)
        return [group[at:at + length] for at in range(0, len(group), length)]

    def task_seconds(self, task):
        return self.boot_seconds(task[0]) + sum(map(self.seconds, task))

    def total_seconds(self, chosen):
        """Of all of them, by this plan's jobs."""
        tasks = [self.task_seconds(task) for task in self.tasks(chosen, self.jobs)]
        return max(sum(tasks) / self.jobs, max(tasks, default=0))

    def memory(self):
        """Bytes that the largest guest at a time needs of the host, times jobs."""
        largest = sorted((point.memory.host for point in
                          {point.group: point for point in self.points}.values()), reverse=True)
        return sum(largest[:self.jobs])

    def disk(self):
        """Bytes, at most: records and logs, and a snapshot of each guest that runs."""
        return len(self.points) * POINT_DISK + self.memory()


def _like(point):
    """What takes equally long."""
    return (point.axes['workload'], point.axes['size'], point.configuration.world,
            point.configuration.paging, point.axes['event'])


def _geometry(experiment, name, refusals):
    """The text of a TLB's file."""
    file = experiment.geometry(name)
    try:
        text = file.read_text()
        if not isinstance(json.loads(text), dict):
            raise ValueError('no object')
        return text
    except OSError as error:
        problem = f'{file} can\'t be read: {error.strerror}'
    except ValueError as error:
        problem = f'{file} is no geometry of a TLB: {error}; docs/tlb.md has an example'
    refusals.add(experiment.place('tlb'), experiment.key('tlb'), problem)
    return ''


def _refuse_geometries(refusals, experiment, texts, broken_rule):
    """Add those that break a rule. texts: of each file of a TLB; '' of one that is refused already"""
    for name, text in texts.items():
        if text and (rule := broken_rule(text)):
            refusals.add(experiment.place('tlb'), experiment.key('tlb'),
                         f'{experiment.geometry(name)}: {rule}; docs/spec has the rules '
                         'in tlb.rst and caches.rst')


def _refuse_caches(refusals, experiment, axes, texts):
    """Add caches that there are none of. texts: those of the files of TLBs; presets have caches"""
    text = texts.get(axes['tlb'])
    if axes['caches'] and text and not isinstance(json.loads(text).get('caches'), dict):
        refusals.add(experiment.place('caches'), experiment.key('caches'),
                     f'true with {axes["tlb"]}: that file has no "caches", in which data and '
                     'page-table entries could be found; docs/spec/caches.rst says what they are')


def _refuse(refusals, experiment, axes, workload):
    """Add what contradicts itself in a combination."""
    configuration = CONFIGURATIONS[axes['configuration']]

    def add(axis, text):
        refusals.add(experiment.place(axis), experiment.key(axis), text)

    leave_out = f'[[exclude]] it for configuration = "{configuration.name}"'
    if axes['escapes'] and configuration.paging == 'shadow':
        add('escapes', f'{axes["escapes"]} with {configuration.name}: shadow page tables have no '
            f'VMM segment to escape from; {leave_out}')
    elif axes['escapes'] and not configuration.vmm_segment:
        add('escapes', f'{axes["escapes"]} with {configuration.name}: pages escape from a VMM '
            f'segment, which it has not; {leave_out}')
    if axes['filter-bits'] != PAPER_FILTER and not axes['escapes']:
        add('filter-bits', f'{axes["filter-bits"]} without escapes: an empty filter is the same, of '
            'whatever size; [[exclude]] it for escapes = 0')
    for axis in ('fragments', 'remedy'):
        if axes[axis] not in (FRAGMENTS[0], REMEDIES[0]) and not axes['fragmentation']:
            add(axis, f'{axes[axis]} without fragmentation: there is nothing that it could change; '
                '[[exclude]] it for fragmentation = 0')
    if axes['remedy'] == 'self-balloon' and (configuration.world == 'native'
                                             or configuration.vmm_segment):
        add('remedy', f'self-balloon with {configuration.name}: it is of L2, and its balloon would end '
            f'a VMM segment; {leave_out}')
    if axes['event'] != 'none':
        _refuse_event(add, axes, configuration, workload, leave_out)
    if configuration.guest_segment and not workload.primary:
        add('workload', f'{workload.name} with {configuration.name}: it can\'t have a primary '
            'region, which the guest segment translates; '
            f'[[exclude]] that, or give {workload.name} a key primary in workloads.toml')
    if workload.programs and configuration.guest in HUGE:
        add('workload', f'{workload.name} with {configuration.name}: it is a program of Debian\'s, '
            f'which asks for no pages of {configuration.guest.upper()}; {leave_out}')
    if axes['size'] not in workload.sizes:
        add('workload', f'{workload.name} has no size {axes["size"]}, only '
            f'{", ".join(workload.sizes)}: add it to workloads.toml')


def _refuse_event(add, axes, configuration, workload, leave_out):
    """Add what can't have an event in its middle. add: called with an axis and a text"""
    event = axes['event']
    if not configuration.vmm_segment:
        add('event', f'{event} with {configuration.name}: it ends a VMM segment, which this has '
            f'not; {leave_out}')
    if axes['escapes']:
        add('event', f'{event} with escapes: the segment that is made after it has none; '
            '[[exclude]] it for escapes above 0')
    if axes['clock'] != 'instructions':
        add('event', f'{event} with clock = "{axes["clock"]}": walks by time need a clock that '
            'counts instructions')
    if not workload.has_rounds:
        add('workload', f'{workload.name} with event = "{event}": it has no rounds, in the middle '
            'of which that could be')


def _refuse_memory(refusals, experiment, axes, workloads, host_memory):
    """Add what does not fit."""
    configuration = CONFIGURATIONS[axes['configuration']]
    size = workloads[axes['workload']].sizes.get(axes['size'])
    if not size:
        return
    workload = workloads[axes['workload']]
    memory = memory_of(configuration, size.memory, workload.programs, axes['event'])
    large = PAGES['1g'] in (configuration.page, configuration.host_page)
    what = (f'{axes["workload"]} of size {axes["size"]} with {configuration.name}'
            + (', whose pages of 1 GiB are whole ones,' if large else ''))
    place, key = experiment.place('configuration'), experiment.key('configuration')
    if configuration.vmm_segment and memory.l2 > MOST_L2:
        refusals.add(place, key, f'{what} needs {gigabytes(memory.l2)} of memory in L2, of which a '
                     f'VMM segment can cover {gigabytes(MOST_L2)}: take a smaller size, or '
                     '[[exclude]] it')
    if host_memory is not None and memory.host > host_memory:
        refusals.add(place, key, f'{what} needs {gigabytes(memory.host)} of this machine\'s '
                     f'memory, which has {gigabytes(host_memory)}: take a smaller size, or '
                     '[[exclude]] it')


def minutes(seconds):
    """For people."""
    return f'{seconds / 60:.0f} minutes' if seconds >= 90 else f'{seconds:.0f} seconds'
