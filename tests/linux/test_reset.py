# SPDX-License-Identifier: GPL-2.0-or-later
"""A reset of the machine is the guests' affair, not the monitor's."""

from dseg.base.sizes import GiB, MiB
from dseg.experiments.measure import Walks
from dseg.stack.stack import Stack

SEGMENT = {'base': 0x7000_0000_0000, 'size': MiB, 'target': GiB,
           'world': 'native', 'cr3': 0x1000}


def test_reset_keeps_segments_and_escapes_and_counters_go_on(tmp_path):
    with Stack(cpu_extra='dseg=on', log_dir=tmp_path) as stack:
        stack.boot_l1()
        stack.qmp('x86-dseg-set', level='guest', **SEGMENT, force=True)
        stack.qmp('x86-dseg-escape-add', page=0x5000)
        # The stack runs with -no-reboot, which would end QEMU here.
        stack.qmp('set-action', reboot='reset')
        stack.qmp('stop')
        before = Walks.from_reply(stack.qmp('query-x86-dseg-walks'))
        stack.qmp('system_reset')
        stack.qmp('cont')
        stack.l1.expect(r'^l1# ', 120)

        [cpu] = stack.qmp('query-x86-dseg')
        assert cpu['guest'] == SEGMENT
        assert cpu['escapes'] == [0x5000]
        after = Walks.from_reply(stack.qmp('query-x86-dseg-walks'))
        assert before.count > 10_000
        assert after.count > before.count + 10_000
