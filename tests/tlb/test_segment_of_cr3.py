# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest segment of the monitor's that is for one CR3 translates there alone, wherever it is in
the TLB: segment-of-cr3.c switches between two address spaces, and looks."""

import json
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from dseg.stack.stack import Machine, qemu_binary
from dseg.testing import baremetal

BUILD = Path(os.environ.get('DSEG_TLB_BUILD', Path(__file__).parents[2] / 'build/tests'))
PAGE = 4096
DATA = 1024 << 30       # of segment-of-cr3.c: the page, and what the segment maps it to
TARGET = (32 << 20) + 2 * PAGE
TIMEOUT = 60.0          # a float: event_wait() takes an int for forever
CASES = 5

ARRAYS = [{'level': level, 'pages': ['4k', '2m'], 'entries': 64, 'ways': 4}
          for level in ('l1d', 'l1i')] + [
         {'level': 'l2', 'pages': ['4k', '2m'], 'entries': 512, 'ways': 4}]


def features(segments, mode, folder):
    """What -cpu has to say for a TLB with segments beside L1 or L2, or for none."""
    if not segments:
        return 'on'
    file = folder / 'geometry.json'
    file.write_text(json.dumps({'arrays': ARRAYS, 'segments': segments}))
    return f'on,dseg-tlb={file},dseg-tlb-mode={mode}'


def command(dseg):
    """QEMU's words for the program; it has one CPU."""
    options = SimpleNamespace(qemu=qemu_binary(), dseg=dseg, program=BUILD / 'tlb-segment-of-cr3')
    return [*map(str, baremetal.command(options)), '-smp', '1', '-S',
            '-action', 'shutdown=pause']


@pytest.mark.parametrize('segments, mode', [
    (None, None), ('l1', 'inclusive'), ('l1', 'exact'), ('l2', 'inclusive'), ('l2', 'exact'),
])
def test_a_segment_of_one_cr3_translates_in_that_address_space_alone(segments, mode, tmp_path):
    words = command(features(segments, mode, tmp_path))
    machine = Machine(words[0], args=words[1:], log_dir=str(tmp_path))
    try:
        machine.launch()
        machine.cmd('cont')     # not before QEMU sends us events
        machine.event_wait('X86_DSEG_MARKER', timeout=TIMEOUT)
        cpu, = machine.cmd('query-x86-dseg')
        machine.cmd('x86-dseg-set', level='guest', base=DATA, size=PAGE, target=TARGET,
                    cr3=cpu['cr3'], force=True)
        machine.event_wait('STOP', timeout=TIMEOUT)
    finally:
        machine.shutdown()
    output = machine.get_log()
    assert f'# {CASES} passed, 0 failed\n' in output, output
