# SPDX-License-Identifier: GPL-2.0-or-later
"""A mode made by the modules, with a segment that leaves some memory outside, and all experiments.

    with Twin(stack, PROGRAM) as twin:
        with Setting(stack, 'vmm-direct', twin) as setting:
            print(setting.run('ballooning').verdict)
"""

import json

from ...base.sizes import MiB
from ...stack.modes import MODES
from ...stack.stack import CommandError
from ..measure import Walks
from . import Range, ballooning, guest_swapping, sharing, vmm_swapping
from .vm import Vm
from .work import Work

# Short rounds, after each of which all of the data is verified.
PROGRAM = 'chase --bytes 16M --updates 20000'
OTHER_PROGRAM = 'chase --bytes 8M --updates 20000 --at 0x610000000000'
PROGRAM_MEMORY = Range(0x600000000000, 16 * MiB)
OTHER_MEMORY = Range(0x610000000000, 8 * MiB)
LOWEST = 16 * MiB               # where the VMM segment may begin; the kernel boots from below
ATTACH_SECONDS = 300


class Setting:
    """A mode in a stack without holes, with a program in L2 that is to use it."""

    def __init__(self, stack, mode, twin):
        """twin: a VM with PROGRAM in it, to share pages with"""
        self._stack = stack
        self._wanted = MODES[mode]
        self._vm = Vm(stack)
        self._work = None
        self._segment = None    # gPA: the VMM segment, or in modes without one a range like it
        self._lost = False      # an experiment has ended the VMM segment
        self._experiments = {
            'guest swapping': self._guest_swapping,
            'VMM swapping': lambda: vmm_swapping.attempt(
                stack, self._vm, self._covered(), self._work, self.is_in_force),
            'ballooning': lambda: ballooning.attempt(
                stack, self._vm, self._segment, self._work, self.is_in_force),
            'page sharing': lambda: sharing.attempt(
                stack.l1, self._vm, twin, self._covered(), self._work, self.is_in_force),
        }

    def __enter__(self):
        primary = ''
        if self._wanted.guest:
            self._stack.l2.run('modprobe dseg-guest')
            primary = ' --primary'
        self._work = Work(self._stack.l2, PROGRAM + primary)
        # Half of the memory, with a page of the program, which is contiguous in a primary region.
        half = self._vm.memory.bytes // 2
        page = self._work.physical_address(PROGRAM_MEMORY.start)
        start = max(page - PROGRAM_MEMORY.bytes, LOWEST)
        self._segment = Range(min(start, self._vm.memory.end - half), half)
        self._attach()
        return self

    def __exit__(self, *exception):
        self._work.stop()
        self._detach()
        if self._wanted.guest:
            self._stack.l2.run('rmmod dseg-guest')

    def run(self, name):
        """One of: guest swapping, VMM swapping, ballooning, page sharing."""
        if self._lost:
            self._detach()
            self._attach()
        outcome = self._experiments[name]()
        self._lost = not outcome.segment_kept
        return outcome

    def is_in_force(self):
        """Whether all segments of the mode are still there."""
        return (not self._wanted.vmm or self._has_vmm_segment()) and (
            not self._wanted.guest or self._has_guest_segment())

    def _has_vmm_segment(self):
        vms = json.loads(self._stack.l1.run('dseg-vm list --json'))['vms']
        return any(vm['pid'] == self._vm.pid and vm['state'] == 'active' for vm in vms)

    def _has_guest_segment(self):
        """Whether the program's walks go through it: only one program has any."""
        before = self._stack.qmp('query-x86-dseg-walks')
        self._work.is_right()
        found = Walks.from_reply(self._stack.qmp('query-x86-dseg-walks'), 'nested', 'user',
                                 since=before).regimes
        return found['guest-direct'] + found['dual-direct'] > 0

    def _attach(self):
        if self._wanted.vmm:
            self._stack.l1.run(
                'modprobe dseg-vmm && dseg-vm attach '
                f'--gpa {self._segment.start:#x} --size {self._segment.bytes} {self._vm.pid}',
                ATTACH_SECONDS)

    def _detach(self):
        if self._wanted.vmm:
            try:
                self._stack.l1.run(f'dseg-vm detach {self._vm.pid}', ATTACH_SECONDS)
            except CommandError:
                pass                # it has ended by itself
            self._stack.l1.run('rmmod dseg-vmm')

    def _covered(self):
        """The gPA that segments cover: the VMM's, else what the guest's leads to."""
        if self._wanted.guest and not self._wanted.vmm:
            return Range(self._work.physical_address(PROGRAM_MEMORY.start), PROGRAM_MEMORY.bytes)
        return self._segment

    def _guest_swapping(self):
        with Work(self._stack.l2, OTHER_PROGRAM) as other:
            return guest_swapping.attempt(self._stack, (self._work, PROGRAM_MEMORY),
                                          (other, OTHER_MEMORY), self.is_in_force)
