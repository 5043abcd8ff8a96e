# SPDX-License-Identifier: GPL-2.0-or-later
"""The modes of the poster, set from outside in guests that know nothing.

A mode is which segments are set. The VMM's covers L2's memory and is known
from the layout of the stack. The guest's covers the work area of a workload
that runs, and belongs to its address space, which is found by its CR3.
"""

import time
from dataclasses import dataclass

from .stack import MonitorError, StackError

SAMPLES = 200           # the most that find_cr3() takes, ...
SAMPLE_INTERVAL = 0.05  # ... and how long it waits between two, in seconds


class ModeError(StackError):
    """A mode could not be set."""


@dataclass(frozen=True)
class Mode:
    world: str      # where the workload runs: 'nested' (L2) or 'native' (L1)
    guest: bool     # which segments are set
    vmm: bool
    refs: int       # of most walks, with 4-level tables and 4 KiB pages
    checks: int     # base-bound checks of most walks


MODES = {
    'base': Mode('nested', False, False, 24, 0),
    'vmm-direct': Mode('nested', False, True, 4, 5),
    'guest-direct': Mode('nested', True, False, 4, 1),
    'dual-direct': Mode('nested', True, True, 0, 1),
    'native': Mode('native', False, False, 4, 0),
    'native-direct': Mode('native', True, False, 0, 1),
}


def without_guest_segment(name):
    """The mode that is left where there is no guest segment."""
    wanted = MODES[name]
    return next(left for left, mode in MODES.items() if not mode.guest
                and (mode.world, mode.vmm) == (wanted.world, wanted.vmm))


@dataclass(frozen=True)
class WorkArea:
    """The memory of a workload."""
    world: str
    va: int
    pa: int         # None if it is not linear in its physical address space
    bytes: int


def set_mode(stack, name, area=None, cr3=None):
    """Sets the segments of a mode and removes others, while guests run.

    area: of the workload that runs; only for modes with a guest segment
    cr3: of the workload, if it is known; else it is looked for
    Returns the CR3, or None in modes without a guest segment.
    """
    mode = MODES[name]
    if mode.guest and not (area and area.world == mode.world):
        raise ModeError(f'{name} needs a workload that runs in '
                        f'{"L2" if mode.world == "nested" else "L1"}')
    if mode.vmm:
        stack.qmp('x86-dseg-set', **vmm_segment(stack.layout))
    else:
        stack.qmp('x86-dseg-clear', level='vmm')
    if not mode.guest:
        stack.qmp('x86-dseg-clear', level='guest')
        return None
    if cr3 is None:
        return find_cr3(stack, area)    # leaves the segment set
    set_guest_segment(stack, area, cr3)
    return cr3


def vmm_segment(layout):
    """Of L2's memory, as arguments of x86-dseg-set."""
    return {'level': 'vmm', 'base': layout.vmm_base, 'size': layout.vmm_size,
            'target': layout.vmm_target}


def guest_segment(area, cr3):
    """Of a work area, as arguments of x86-dseg-set."""
    return {'level': 'guest', 'base': area.va, 'size': area.bytes,
            'target': area.pa, 'world': area.world, 'cr3': cr3}


def set_guest_segment(stack, area, cr3):
    """Sets it if the page tables map all of the work area, else removes it."""
    checks = stack.qmp('x86-dseg-set', **guest_segment(area, cr3))
    if not all(c['mapped'] == c['pages'] for c in checks):
        stack.qmp('x86-dseg-clear', level='guest')
        raise ModeError(f'CR3 {cr3:#x} maps only a part of the work area: '
                        f'{checks}')


def find_cr3(stack, area):
    """Finds the CR3 of the workload with that work area.

    Looks again and again at what the CPUs run in user mode, and lets QEMU
    compare the guest segment with those page tables. It stays set.
    """
    refused = {}
    for _ in range(SAMPLES):
        for cr3 in user_cr3s(stack, area.world):
            try:
                set_guest_segment(stack, area, cr3)
                return cr3
            except (MonitorError, ModeError) as error:
                refused[cr3] = error
        time.sleep(SAMPLE_INTERVAL)
    reasons = ''.join(f'\n  CR3 {c:#x}: {e}' for c, e in refused.items())
    raise ModeError(f'no program in {SAMPLES} samples maps '
                    f'{area}{reasons or "; no CPU was in user mode there"}')


def user_cr3s(stack, world):
    """The CR3s of the programs that the CPUs run at this moment."""
    return {cpu['cr3'] for cpu in stack.qmp('query-x86-dseg')
            if cpu['cpl'] == 3 and cpu['guest-mode'] == (world == 'nested')}
