# SPDX-License-Identifier: GPL-2.0-or-later
"""What costs a VM its VMM segment in the middle of a run, and what gives it a new one.

    give_way(guests.stack)
    happening = EVENTS['ksm'](guests)
    happening.lose()        # what happens to the VM: ((text, shell command for L1), ...)
    happening.restore()     # what undoes it, and the segment again

The last line that a command prints is how much it has done, for the text; nothing is an error.
"""

from types import SimpleNamespace

from ...base.sizes import MiB, size_text
from ...stack.ways import VMM
from ..tradeoffs import Range, vm as vms
from ..tradeoffs.sharing import KSM, SCAN, SCANS
from ..tradeoffs.swap import DEVICE, SAMPLE, make_device

BALLOON = 32 * MiB
ZRAM = '64M'
TARGET = '127.0.0.1:4446'       # in L1, of the VMM that a VM moves to
DOWNTIME = 10000        # ms that the VM may stand still to move: the program writes all the time
STANDING = f'kill -STOP {VMM}; {{}}; kill -CONT {VMM}'      # for the CPU's time
# A function of the shell that asks L2's VMM. QEMU drops what it has not answered when we hang up.
QMP = ('qmp() {{ {{ echo \'{{"execute":"qmp_capabilities"}}\'; echo "$1"; sleep 0.1; }} | '
       'nc 127.0.0.1 {port}; }}; ')
# The thread of L2's CPU has the CPU of L1 only while nobody else wants it.
GIVE_WAY = (QMP + 'renice 19 $(qmp \'{{"execute":"query-cpus-fast"}}\' | '
            'sed -n \'s/.*"thread-id": \\([0-9]*\\).*/\\1/p\')')


def qmp(command, until, port=vms.MONITOR_PORT):
    """Shell: a command of the VMM's monitor, then (query, text) until the reply has the text."""
    query, text = until
    return (QMP.format(port=port) + f"qmp '{command}' >/dev/null; "
            f"until qmp '{query}' | grep -qE '{text}'; do :; done")


def give_way(stack):
    """Have L1's orders come before L2, so that what takes L1 seconds takes L2 few rounds."""
    stack.run('l1', GIVE_WAY.format(port=vms.MONITOR_PORT))


class Ksm:
    """L1 merges equal pages."""

    def __init__(self, guests):
        pass

    def lose(self):
        scan = f'{SCAN} && until [ $(cat full_scans) -ge {SCANS} ]; do sleep 0.2; done'
        return [('KSM merges {} pages', f'{STANDING.format(scan)}; cat {KSM}/pages_sharing')]

    def restore(self):
        return [('KSM undoes that', f'{STANDING.format(f"echo 2 >{KSM}/run")}; echo 1'), attach()]


class Balloon:
    """L2 gives memory to its balloon."""

    def __init__(self, guests):
        self._memory = guests.stack.layout.l2_memory

    def lose(self):
        return [('the balloon takes {}', self._set(self._memory - BALLOON, BALLOON))]

    def restore(self):
        return [('the balloon gives back {}', self._set(self._memory, BALLOON)), attach()]

    @staticmethod
    def _set(left, moved):
        command = f'{{"execute":"balloon","arguments":{{"value":{left}}}}}'
        return (qmp(command, ('{"execute":"query-balloon"}', f'"actual": {left}'))
                + f'; echo {size_text(moved)}')


class Swap:
    """L1 swaps out pages of L2, whose VMM has given up the segment for that."""

    def __init__(self, guests):
        console = SimpleNamespace(run=lambda command: guests.stack.run('l1', command))
        self._vm = vms.Vm(SimpleNamespace(l1=console, layout=guests.stack.layout))

    def lose(self):
        memory = self._vm.hva(Range(0, self._vm.memory.bytes))
        out = (f'{make_device(ZRAM)} && swapon {DEVICE} && pages --pid {self._vm.pid} '
               f'--at {memory.start:#x} --bytes {memory.bytes} --page-out {SAMPLE} >/tmp/swapped')
        return [('the VMM gives up the segment', f'dseg-vm detach {VMM}; echo 1'),
                ('L1 swaps out {} pages', STANDING.format(out) + '; sed -n '
                 "'s/.*\"swapped\": \\([0-9]*\\).*/\\1/p' /tmp/swapped")]

    def restore(self):
        return [('the pages are swapped in', f'{STANDING.format(f"swapoff {DEVICE}")}; echo 1'),
                attach()]


class Migration:
    """L2 moves to another VMM in L1 while it runs."""

    def __init__(self, guests):
        pass

    def lose(self):
        port = vms.MONITOR_PORT
        there = (f"tr '\\0' '\\n' </proc/{VMM}/cmdline | sed 's/:{port},/:{port + 1},/' | "
                 "tr '\\n' '\\0' | "
                 "xargs -0 sh -c '\"$@\" -incoming defer >/tmp/target.log 2>&1 &' sh")
        ask = QMP.format(port=port + 1)
        ready = (f'echo {VMM} >/tmp/source; {there}; {ask}'
                 'until qmp \'{"execute":"query-status"}\' | grep -q inmigrate; do sleep 0.1; '
                 'done; '
                 f'{GIVE_WAY.format(port=port + 1)}; '
                 f'qmp \'{{"execute":"migrate-incoming","arguments":{{"uri":"tcp:{TARGET}"}}}}\' '
                 '| grep -c return')
        limits = ('{"execute":"migrate-set-parameters","arguments":{"max-bandwidth":0,'
                  f'"downtime-limit":{DOWNTIME}}}}}')
        query = '{"execute":"query-migrate"}'
        move = f'{{"execute":"migrate","arguments":{{"uri":"tcp:{TARGET}"}}}}'
        moved = (QMP.format(port=port) + f"qmp '{limits}' >/dev/null; "
                 + qmp(move, (query, '"status": "(completed|failed)"'))
                 + f"; qmp '{query}' | grep -q completed || exit 1")
        # The shell that waits for the source would say on L2's console that its VMM has ended.
        left = ('pid=$(cat /tmp/source); kill -9 $(sed -n "s/^PPid:.//p" /proc/$pid/status) $pid; '
                'while kill -0 $pid 2>/dev/null; do sleep 0.1; done; echo 1')
        return [('a VMM waits for the VM', ready), ('the VM moves there', f'{moved}; {left}')]

    def restore(self):
        return [attach()]


def attach():
    """The VM gets a segment again, wherever there is room for it now."""
    return ('the VM gets a new segment',
            STANDING.format(f'dseg-vm attach {VMM} && echo 1 >/tmp/attached')
            + '; cat /tmp/attached')


EVENTS = {'ksm': Ksm, 'balloon': Balloon, 'swap': Swap, 'migration': Migration}
