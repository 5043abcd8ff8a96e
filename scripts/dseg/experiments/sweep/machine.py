# SPDX-License-Identifier: GPL-2.0-or-later
"""Measures a point: its program in its guests, between two markers.

The guests of a group boot once. Their state is kept, and each point goes on from there, with a QEMU
of its own: so a point does not depend on those before it.
"""

import random
import re
import time
from collections import Counter

from ...base.locks import alone
from ...base.sizes import MiB
from ...points.configurations import HUGE
from ...points.store import Store
from ...reports.forms import broken, forms
from ...stack.console import StackError
from . import mapping
from .guests import ATTACH_SECONDS, VMM, Guests

UPDATES = ((0x104, 0x105), (0x106, 0x107))      # of round 1: linux/workloads/common.h
PROGRAM = {'l1': (0x200, 0x201), 'l2': (0x202, 0x203)}      # linux/workloads/marked.c
AREA = 0x600000000000                           # of the workloads, by default
TIMEOUT = 3600
ROUND = re.compile(r'round 1 .* checksum ([0-9a-f]+) (ok|BAD) errors (\d+)$', re.M)
PAGE_FAULTS = re.compile(r'^marked: page faults minor (\d+) major (\d+)$', re.M)
PAGE = 4096
LOWEST = 16 * MiB       # gPA: an escape is of memory that the kernel did not boot from
# What makes two entries of a list the same count, by the list.
KEYS = {
    'walks': ('regime', 'access', 'privilege'),
    'refs': ('world', 'privilege', 'guest', 'nested'),
    'checks': ('world', 'privilege', 'checks'),
    'steps': ('world', 'privilege', 'dimension', 'for-level', 'table-level'),
    'pages': ('kind',),
    'exits': ('name', 'code'),
    'hits': ('level', 'kind', 'pages'), 'misses': ('level', 'kind', 'pages'),
}


def measure_point(point, folder):
    """What a record has besides what the point itself has; raises Failure if it can't be."""
    store = Store(folder)
    place = store.place(point)
    place.mkdir(parents=True, exist_ok=True)
    begin = time.monotonic()
    with Guests(point, store.tlb(point), place / 'log', state=state_of(store, point)) as guests:
        escape_pages(guests, point)
        if point.axes['fragmentation']:
            guests.fragment(point.axes['fragmentation'])
        tables = {'mapping': None, 'contiguity': None}
        # Where the memory of Debian's programs is, is theirs to know.
        at = None if point.inputs['programs'] else (
            UPDATES[0][1], lambda: tables.update(what_tables_say(guests, point)))
        output = guests.run(command_of(guests, point), TIMEOUT, at=at)
        markers = {marker['label']: marker for marker in guests.stack.qmp('query-x86-dseg-markers')}
    found = {**record(output, markers), **tables, 'seconds': round(time.monotonic() - begin, 1)}
    if wrong := broken(forms({**found, 'inputs': point.inputs}, point.configuration)):
        raise StackError('closed forms do not hold:\n' + '\n'.join(
            f'  {form.name}: {form.left}, not {form.right}' for form in wrong))
    return found


def what_tables_say(guests, point):
    """Of the work area, which the program has just used."""
    return mapping.describe(guests.stack, guests.configuration.walk_world,
                            (AREA, point.inputs['work']), point.memory.l2)


def state_file(store, point):
    return store.folder.resolve() / 'states' / point.group


def state_of(store, point):
    """The file with the state of the guests of a point's group, made if it is not there yet."""
    file = state_file(store, point)
    file.parent.mkdir(exist_ok=True)
    with alone(file):
        if not file.exists():
            part = file.with_name(f'{file.name}.part')
            with Guests(point, store.tlb(point), file.parent / f'{file.name}.log') as guests:
                guests.stack.save(part)
            part.rename(file)
    return file


def forget_states(folder, points):
    """What their groups have kept."""
    store = Store(folder)
    for point in points:
        state_file(store, point).unlink(missing_ok=True)


def command_of(guests, point):
    """The program between its markers, in the pages of the configuration."""
    configuration = guests.configuration
    nested = '--nested ' if guests.world == 'l2' else ''
    pages = f' --pages {configuration.guest.upper()}' if (
        configuration.guest in HUGE and not configuration.guest_segment) else ''
    return f'marked {nested}{point.inputs["command"]}{pages}'


def escape_pages(guests, point):
    """As many pages of L2's memory as the point wants, at random, by its seed."""
    count = point.axes['escapes']
    if count:
        pages = random.Random(point.axes['seed']).sample(
            range(LOWEST // PAGE, point.memory.l2 // PAGE), count)
        command = ' '.join(f'{page * PAGE:#x}' for page in pages)
        guests.stack.run('l1', f'for page in {command}; do dseg-vm escape {VMM} $page; done',
                         ATTACH_SECONDS)


def record(output, markers):
    """Of one run: what the program has printed, and what was counted."""
    found, faults = ROUND.search(output), PAGE_FAULTS.search(output)
    if not found or not faults:
        raise StackError(f'the program has not printed what it should:\n{output}')
    parts = [(markers[begin], markers[end]) for begin, end in UPDATES
             if begin in markers and end in markers]
    if not parts:
        raise StackError('the program has executed no markers')
    return {
        'data': 'right' if found[2] == 'ok' and found[3] == '0' else 'wrong',
        'checksum': found[1],
        'instructions': instructions(parts),
        **counts(parts),
        'page-faults': {'minor': int(faults[1]), 'major': int(faults[2])},
    }


def instructions(parts):
    """Executed in the parts; None if nobody counts them."""
    if any('instructions' not in marker for part in parts for marker in part):
        return None
    return sum(end['instructions'] - begin['instructions'] for begin, end in parts)


def counts(parts):
    """The sums over the parts of what the counters have grown by, as records have them."""
    def grown(name, *path):
        return difference(parts, KEYS[name], path)
    return {
        'walks': grown('walks', 'walks', 'regimes'),
        'refs': grown('refs', 'walks', 'refs-histogram'),
        'checks': grown('checks', 'walks', 'checks-histogram'),
        'steps': grown('steps', 'walks', 'steps'),
        'pages': grown('pages', 'walks', 'pages'),
        'exits': grown('exits', 'walks', 'exits'),
        'faults': difference_of_fields(parts, ('walks', 'faults')),
        'tlb': {**{name: {} for name in parts[0][1]['tlb'] if name == 'walk-caches'},
                # QEMU looks a page of code up again after its threads have stopped the CPU: how often,
                # is not the guests'.
                'hits': [row for row in grown('hits', 'tlb', 'hits')
                         if (row['level'], row['kind']) != ('l1', 'fetch')],
                'misses': grown('misses', 'tlb', 'misses'),
                'walks': difference_of_fields(parts, ('tlb', 'walks')),
                'segment-hits': difference_of_fields(parts, ('tlb', 'segment-hits'))},
    }


def at(value, path):
    for name in path:
        value = value[name]
    return value


def difference_of_fields(parts, path):
    """Of a dict of numbers."""
    return {name: sum(at(end, path)[name] - at(begin, path)[name] for begin, end in parts)
            for name in at(parts[0][1], path)}


def difference(parts, keys, path):
    """Of a list of counts, in the order of its keys; what has not grown is left out."""
    sums = {}
    for begin, end in parts:
        for sign, marker in ((-1, begin), (1, end)):
            for entry in at(marker, path):
                key = tuple(entry.get(name) for name in keys)
                numbers = Counter({name: sign * value for name, value in entry.items()
                                   if name not in keys})
                sums.setdefault(key, Counter()).update(numbers)
    return [{**{name: value for name, value in zip(keys, key) if value is not None}, **numbers}
            for key, numbers in sorted(sums.items(), key=lambda item: tuple(map(str, item[0])))
            if any(numbers.values())]
