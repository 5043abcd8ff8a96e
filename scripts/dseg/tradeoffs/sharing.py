# SPDX-License-Identifier: GPL-2.0-or-later
"""Page sharing: L1's kernel merges pages of L2 with equal ones of a second VM (KSM)."""

import time
from contextlib import contextmanager

from . import Counts, Outcome

KSM = '/sys/kernel/mm/ksm'
SCANS = 3               # whole ones, after which all has been merged that can be
SCAN_SECONDS = 400
TWIN = '/tmp/twin'      # pipes to the second VM's console, and its VMM's monitor


def attempt(stack, vm, inside, work, command, segment_kept=lambda: True):
    """Let KSM run while L2 and a second VM have the same program in memory.

    inside: a range of L2's gPA: what the VMM segment covers, or in modes without one any part
    work: the program in L2; command: the same, whose data is the same in every VM
    """
    areas = [[inside], vm.memory.without(inside)]
    present = [vm.count(ranges).get('present', 0) for ranges in areas]
    with twin(stack.l1, command, work), ksm(stack.l1):
        merged = [vm.count(ranges).get('merged', 0) for ranges in areas]
        right = work.is_right() and twin_is_right(stack.l1)
    counts = [Counts(*pair) for pair in zip(present, merged)]
    return Outcome(*counts, right, segment_kept())


@contextmanager
def twin(console, command, work):
    """A second VM with a program in it."""
    console.run(f'rm -f {TWIN}*; mkfifo {TWIN}.in {TWIN}.out; cat {TWIN}.out >{TWIN}.text & '
                f'L2_CONSOLE=pipe:{TWIN} L2_QMP={TWIN}.qmp l2 >{TWIN}.log 2>&1 &')
    try:
        with work.paused():             # for the CPU's time
            wait_for_text(console, 'l2#')
        console.run(f'echo "{command} --rounds 0" >{TWIN}.in')
        wait_for_text(console, 'round 1 ')
        yield
    finally:
        console.run(f'for p in $(pidof qemu-system-x86_64); do grep -q unix:{TWIN}.qmp, '
                    '/proc/$p/cmdline && kill $p; done; sleep 1')


def wait_for_text(console, text):
    console.run(f'for i in $(seq 300); do grep -q "{text}" {TWIN}.text && break; sleep 1; '
                f'done; grep -q "{text}" {TWIN}.text || {{ cat {TWIN}.log; false; }}', timeout=360)


def twin_is_right(console):
    return int(console.run(f'grep -c BAD {TWIN}.text; true')) == 0


@contextmanager
def ksm(console):
    """KSM has merged what it can; afterwards all pages are separate again."""
    scans = int(console.run(f'cat {KSM}/full_scans'))
    console.run(f'echo 10000 >{KSM}/pages_to_scan; echo 1 >{KSM}/run')
    try:
        end = time.monotonic() + SCAN_SECONDS
        while (int(console.run(f'cat {KSM}/full_scans')) < scans + SCANS
               and time.monotonic() < end):
            time.sleep(1)
        console.run(f'echo 0 >{KSM}/run')
        yield
    finally:
        console.run(f'echo 2 >{KSM}/run', timeout=240)
