# SPDX-License-Identifier: GPL-2.0-or-later
"""The axes of an experiment: which there are, their values and their defaults."""

import re
import tomllib
from dataclasses import dataclass
from typing import Any, Callable

from .configurations import CONFIGURATIONS

PRESETS = ('sandybridge-ep', 'sapphire-rapids', 'genoa')     # target-i386-ext/tlb/presets.c
SIZES = ('smoke', 'small', 'paper')
MOST_ESCAPES = 64
FILTER_BITS = (64, 128, 256, 512, 1024)     # of the escape filter: docs/spec/registers.rst
PAPER_FILTER = 256
FRAGMENTS = ('pinned', 'movable')
REMEDIES = ('none', 'compaction', 'self-balloon')
EVENTS = ('none', 'ksm', 'balloon', 'swap', 'migration')
EVENT_ROUNDS = 60           # of a workload in which there is an event
REQUIRED = object()


@dataclass(frozen=True)
class Axis:
    """One of them."""
    name: str
    values: str                     # what there is, for people
    check: Callable[[Any], Any]     # the value as points have it, or None if it can't be
    default: Any = REQUIRED

    def parse(self, text):
        """The value that a word of a command line stands for; None if it can't be."""
        try:
            value = tomllib.loads(f'value = {text}')['value']
        except tomllib.TOMLDecodeError:
            value = text
        found = self.check(value)
        return self.check(text) if found is None else found


def _one_of(words):
    return lambda value: value if isinstance(value, str) and value in words else None


def _one_of_numbers(numbers):
    return lambda value: value if type(value) is int and value in numbers else None


def _whole(low, high):
    return lambda value: value if type(value) is int and low <= value <= high else None


def _switch(value):
    return value if isinstance(value, bool) else None


def value_text(value):
    """A value as files of experiments have it, but for quotes."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _share(value):
    """0 and 0.0 are the same point."""
    return float(value) if type(value) in (int, float) and 0 <= value <= 1 else None


def _geometry(value):
    if not isinstance(value, str):
        return None
    return value if value in PRESETS or re.search(r'.\.json$', value) else None


def all_axes(workloads):
    """Each by its name, for the workloads that there are."""
    return {axis.name: axis for axis in (
        Axis('workload', ', '.join(workloads), _one_of(workloads)),
        Axis('configuration', ', '.join(CONFIGURATIONS), _one_of(CONFIGURATIONS)),
        Axis('tlb', f'{", ".join(PRESETS)}, or a file NAME.json', _geometry, PRESETS[0]),
        Axis('tlb-mode', 'inclusive, exact', _one_of(('inclusive', 'exact')), 'inclusive'),
        Axis('caches', 'false, true', _switch, False),
        Axis('escapes', f'a whole number from 0 to {MOST_ESCAPES}', _whole(0, MOST_ESCAPES), 0),
        Axis('filter-bits', ', '.join(map(str, FILTER_BITS)), _one_of_numbers(FILTER_BITS),
             PAPER_FILTER),
        Axis('fragmentation', 'a number from 0.0 to 1.0', _share, 0.0),
        Axis('fragments', ', '.join(FRAGMENTS), _one_of(FRAGMENTS), FRAGMENTS[0]),
        Axis('remedy', ', '.join(REMEDIES), _one_of(REMEDIES), REMEDIES[0]),
        Axis('event', ', '.join(EVENTS), _one_of(EVENTS), EVENTS[0]),
        Axis('size', ', '.join(SIZES), _one_of(SIZES), 'small'),
        Axis('clock', 'instructions, host', _one_of(('instructions', 'host')), 'instructions'),
        Axis('seed', 'a whole number from 0 to 2^63 - 1', _whole(0, 2**63 - 1), 1),
        Axis('repeat', 'a whole number from 1 to 1000', _whole(1, 1000), 1),
    )}
