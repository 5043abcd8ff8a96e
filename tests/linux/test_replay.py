# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs that QEMU records, to replay them (-icount rr=record)."""

import time

from dseg import patient
from dseg.stack.stack import Stack

QUERIES = 100
PAUSE = 0.03        # seconds


def test_queries_are_answered_while_a_boot_is_recorded(tmp_path):
    """Each has the CPU's thread do something, which needs a lock that the monitor's has then."""
    with Stack(cpu_extra='dseg=on,dseg-tlb=sandybridge-ep', holes=False,
               record=tmp_path / 'recording') as stack:
        stack.launch()
        lookups = []
        end = time.monotonic() + patient(60)
        # It counts nothing before the firmware has ended, as there is no paging.
        while len(lookups) < QUERIES or lookups[0] == lookups[-1]:
            assert time.monotonic() < end, 'the guest does not run meanwhile'
            model, = stack.qmp('query-x86-dseg-tlb')
            lookups.append(sum(row['count'] for row in model['hits'] + model['misses']))
            time.sleep(PAUSE)
    assert lookups == sorted(lookups)
