# SPDX-License-Identifier: GPL-2.0-or-later
"""The two ways into a mode: by modules in the guests' kernels, or from outside.

    way = Modified(stack, 'gups --bytes 64M')
    workload = way.enter('dual-direct')
    print(measure(stack, workload, 'dual-direct', rounds=2))
    way.leave()

Modified: what the poster calls guest OS and VMM modifications are two modules for Debian's kernel,
dseg-guest and dseg-vmm, loaded where the mode requires them and nowhere else. The workload is a
modified program, too: where there is a guest segment it asks for a primary region.

Unmodified: nothing in the guests knows of segments; the monitor sets them. It must know where
memory is, so both kernels leave holes in their memory maps.
"""

from .modes import MODES, set_mode
from .workload import Workload

VMM = '$(pidof qemu-system-x86_64)'     # L2's, in L1
ATTACH_TIMEOUT = 300


class Unmodified:
    """Modes that QEMU's monitor sets while the same workload goes on."""
    holes = True            # what the stack needs

    def __init__(self, stack, command):
        """command: a workload and its options"""
        self._stack = stack
        self._command = command
        self._workload = None

    def enter(self, mode):
        """The workload, running in that mode."""
        world = MODES[mode].world
        if self._workload and self._workload.world != world:
            self.leave()
        if not self._workload:
            self._workload = Workload(self._stack, world, self._command)
        set_mode(self._stack, mode, self._workload.area)
        return self._workload

    def prepare(self, mode):
        """That mode without a workload, so without a guest segment."""
        set_mode(self._stack, mode)

    def escape(self, page):
        """Put a page (gPA) into the escape filter; clear_escapes() undoes it."""
        self._stack.qmp('x86-dseg-escape-add', page=page)

    def clear_escapes(self):
        self._stack.qmp('x86-dseg-escape-clear')

    def leave(self):
        """End the workload, and all segments."""
        self._stack.qmp('x86-dseg-clear')
        if self._workload:
            self._workload.stop()
        self._workload = None


class Modified:
    """Modes that the guests' kernels set: a workload goes on while only the VMM's part changes."""
    holes = False

    def __init__(self, stack, command):
        """command: a workload and its options"""
        self._stack = stack
        self._command = command
        self._workload = None
        self._attached = False

    def enter(self, mode):
        """The workload, running in that mode."""
        wanted = MODES[mode]
        before = self._workload
        if before and (before.world, before.primary) != (wanted.world, wanted.guest):
            self._stop()
        self._set_vmm_segment(wanted.vmm)
        if not self._workload:
            self._start(wanted)
        return self._workload

    def prepare(self, mode):
        """That mode for programs that ask for a primary region by themselves."""
        wanted = MODES[mode]
        self._set_vmm_segment(wanted.vmm)
        if wanted.guest:
            self._console(wanted.world).run('modprobe dseg-guest')

    def unprepare(self, mode):
        """Undo that."""
        self._set_vmm_segment(False)
        if MODES[mode].guest:
            self._console(MODES[mode].world).run('rmmod dseg-guest')

    def escape(self, page):
        """Put a page (gPA) into the escape filter; clear_escapes() undoes it."""
        self._dseg_vm(f'escape {VMM} {page:#x}')

    def clear_escapes(self):
        self._dseg_vm(f'unescape {VMM}')

    def leave(self):
        """End the workload, and all segments."""
        self._stop()
        self._set_vmm_segment(False)

    def _start(self, mode):
        if mode.guest:
            self._console(mode.world).run('modprobe dseg-guest')
        self._workload = Workload(self._stack, mode.world, self._command, primary=mode.guest)

    def _stop(self):
        if not self._workload:
            return
        self._workload.stop()
        if self._workload.primary:
            self._console(self._workload.world).run('rmmod dseg-guest')
        self._workload = None

    def _set_vmm_segment(self, wanted):
        if wanted == self._attached:
            return
        if wanted:
            self._stack.l1.run('modprobe dseg-vmm')
            self._dseg_vm(f'attach {VMM}')
        else:
            self._dseg_vm(f'detach {VMM}')
            self._stack.l1.run('rmmod dseg-vmm')
        self._attached = wanted

    def _dseg_vm(self, arguments):
        self._stack.l1.run(f'dseg-vm {arguments}', timeout=ATTACH_TIMEOUT)

    def _console(self, world):
        return self._stack.l2 if world == 'nested' else self._stack.l1
