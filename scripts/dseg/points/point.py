# SPDX-License-Identifier: GPL-2.0-or-later
"""A point: one combination of an experiment, known by a hash of all that can change its numbers."""

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import cached_property

from .axes import EVENT_ROUNDS, PAPER_FILTER
from .configurations import CONFIGURATIONS
from .memory import Memory, memory_of

SCHEMA = 1                                              # of records
DIGITS = 16
NO_REGION = 'no-region'         # of a record: why fragments of memory left no guest segment
BOOT = ('qemu', 'kernel', 'ramdisk')                     # inputs that are files which a boot reads
PROGRAMS = 'programs'                                   # one that only some boots read


def identity(value):
    """The same for what is the same, in whatever order its keys are."""
    text = json.dumps(value, sort_keys=True, separators=(',', ':'), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:DIGITS]


@dataclass(frozen=True)
class Point:
    """Its axes, defaults filled in, and its inputs: what else can change its numbers.

    inputs: schema; command, a line for the guest's shell; work, the bytes of its work area;
        memory, those of L1 and L2 and of the disk of programs; geometry, the hash of a TLB's file,
        or None; programs, that of the disk, or None if the workload needs none; and hashes of the
        files of BOOT
    """
    axes: dict
    inputs: dict

    @cached_property
    def id(self):
        return identity({'axes': self.axes, 'inputs': self.inputs})

    @cached_property
    def group(self):
        """The same for points that can start from one boot."""
        return identity({'configuration': self.axes['configuration'], 'clock': self.axes['clock'],
                         'monitor': self.has_monitor, 'grows': self.grows, **self._filter,
                         'memory': self.inputs['memory'], 'schema': self.inputs['schema'],
                         **{name: self.inputs.get(name) for name in (*BOOT, PROGRAMS)}})

    @property
    def _filter(self):
        """The size of the escape filter where it is not the paper's, as in older folders."""
        bits = self.axes.get('filter-bits', PAPER_FILTER)
        return {} if bits == PAPER_FILTER else {'filter-bits': bits}

    @property
    def configuration(self):
        return CONFIGURATIONS[self.axes['configuration']]

    @property
    def has_event(self):
        """Whether something happens to L2 in the middle of the run."""
        return self.axes['event'] != 'none'

    @property
    def grows(self):
        """Whether L2 gets more memory while it runs."""
        return self.axes['remedy'] == 'self-balloon'

    @property
    def has_monitor(self):
        """Whether L1 asks L2's VMM for something."""
        return self.has_event or self.grows

    @property
    def memory(self):
        return Memory(**self.inputs['memory'])

    def __str__(self):
        """For people: what is most often looked for, and the number."""
        return f'{self.axes["workload"]} {self.axes["configuration"]} ({self.id})'


def make(axes, workload, built, geometry):
    """The Point of a combination.

    workload: its Workload
    built: the hashes of the files of BOOT, and of PROGRAMS
    geometry: the hash of the TLB's file, or None
    """
    configuration = CONFIGURATIONS[axes['configuration']]
    size = workload.sizes[axes['size']]
    memory = memory_of(configuration, size.memory, workload.programs, axes['event'])
    rounds = 1 if axes['event'] == 'none' else EVENT_ROUNDS
    return Point(axes, {
        'schema': SCHEMA, 'work': size.memory, 'geometry': geometry, **built,
        PROGRAMS: built.get(PROGRAMS) if workload.programs else None,
        'command': workload.command_line(axes['size'], axes['seed'], configuration.guest_segment,
                                         rounds),
        'memory': asdict(memory)})
