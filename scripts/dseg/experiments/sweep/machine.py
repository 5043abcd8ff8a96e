# SPDX-License-Identifier: GPL-2.0-or-later
"""Measures a point: its program in its guests, between two markers.

The guests of a group boot once. Their state is kept, and each point goes on from there, with a QEMU
of its own: so a point does not depend on those before it.
"""

import random
import re
import time

from ...base.locks import alone
from ...base.sizes import MiB
from ...points.configurations import HUGE
from ...points.point import NO_REGION
from ...points.store import Store
from ...points.workloads import without_region
from ...reports.forms import broken, forms
from ...stack.console import CommandError, StackError
from ...stack.ways import VMM
from ..counted import counts, instructions, updates_of
from . import mapping
from .guests import ATTACH_SECONDS, Guests
from .remedies import REMEDIES
from .timeline import Timeline

UPDATES = updates_of(1)
AREA = 0x600000000000                           # of the workloads, by default
TIMEOUT = 3600
ROUND = re.compile(r'round 1 .* checksum ([0-9a-f]+) (ok|BAD) errors (\d+)$', re.M)
PAGE_FAULTS = re.compile(r'^marked: page faults minor (\d+) major (\d+)$', re.M)
NO_ROOM = re.compile(r'no region of .*')     # linux/workloads/common.c, linux/run/device.c
PAGE = 4096
LOWEST = 16 * MiB       # gPA: an escape is of memory that the kernel did not boot from


def measure_point(point, folder):
    """What a record has besides what the point itself has; raises Failure if it can't be."""
    store = Store(folder)
    place = store.place(point)
    place.mkdir(parents=True, exist_ok=True)
    begin = time.monotonic()
    with Guests(point, store.tlb(point), place / 'log', state=state_of(store, point)) as guests:
        escape_pages(guests, point)
        if point.axes['fragmentation']:
            guests.fragment(point.axes['fragmentation'], point.axes['fragments'] == 'movable')
        REMEDIES[point.axes['remedy']](guests)
        run = through_event if point.has_event else once
        found = {**run(guests, point), 'seconds': round(time.monotonic() - begin, 1)}
    if wrong := broken(forms({**found, 'inputs': point.inputs, 'axes': point.axes},
                             point.configuration)):
        raise StackError('closed forms do not hold:\n' + '\n'.join(
            f'  {form.name}: {form.left}, not {form.right}' for form in wrong))
    return found


def once(guests, point):
    """A record of one round; without a guest segment, if memory is too fragmented for it."""
    try:
        return one_round(guests, point, command_of(guests, point))
    except CommandError as error:
        why = NO_ROOM.search(error.output)
        if not point.axes['fragmentation'] or not why:
            raise
    return {**one_round(guests, point, command_of(guests, point, segment=False)),
            NO_REGION: why[0]}


def one_round(guests, point, command):
    """A record of a command."""
    tables = {'mapping': None, 'contiguity': None}
    # Where the memory of Debian's programs is, is theirs to know.
    at = None if point.inputs['programs'] else (
        UPDATES[0][1:], lambda marker: tables.update(what_tables_say(guests, point)))
    output = guests.run(command, TIMEOUT, at=at)
    return {**record(output, guests.stack.markers()), **tables}


def through_event(guests, point):
    """A record of many rounds, in the middle of which something happens: of their updates."""
    timeline = Timeline(guests, point.axes['event'])
    output = guests.run(command_of(guests, point), TIMEOUT, at=timeline.at)
    right, checksum = timeline.check(output)
    return {**record_of(timeline.parts, right, checksum, output),
            'timeline': timeline.as_record()}


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


def command_of(guests, point, segment=True):
    """The program between its markers, in the pages of the configuration, or without a segment."""
    configuration = guests.configuration
    nested = '--nested ' if guests.world == 'l2' else ''
    pages = f' --pages {configuration.guest.upper()}' if (
        configuration.guest in HUGE and not configuration.guest_segment) else ''
    command = point.inputs['command']
    if not segment:
        command = without_region(command)
    return f'marked {nested}{command}{pages}'


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
    found = ROUND.search(output)
    if not found:
        raise StackError(f'the program has not printed what it should:\n{output}')
    parts = [(markers[begin], markers[end]) for begin, end in UPDATES
             if begin in markers and end in markers]
    if not parts:
        raise StackError('the program has executed no markers')
    return record_of(parts, (found[2], found[3]) == ('ok', '0'), found[1], output)


def record_of(parts, right, checksum, output):
    """The same, of pairs of markers."""
    faults = PAGE_FAULTS.search(output)
    if not faults:
        raise StackError(f'the program has not printed its page faults:\n{output}')
    return {
        'data': 'right' if right else 'wrong',
        'checksum': checksum,
        'instructions': instructions(parts),
        **counts(parts),
        'page-faults': {'minor': int(faults[1]), 'major': int(faults[2])},
    }
