# SPDX-License-Identifier: GPL-2.0-or-later
"""What can be done about fragments before a program starts: REMEDIES[name](guests)."""

from ..selfballoon import BLOCK
from .events import qmp

SECONDS = 600
TOTAL = "awk '/^MemTotal/ { print $2 }' /proc/meminfo"


def compact(guests):
    """Have the kernel that the program runs under make large free blocks of small ones."""
    guests.run('echo 1 >/proc/sys/vm/compact_memory', SECONDS)


def self_balloon(guests):
    """Have L2's balloon take fragments, and give L2 as much new memory in one piece, for them.

    As scripts/self-balloon does. That needs Python, which these guests lack.
    """
    size = -(-guests.work // BLOCK) * BLOCK
    total = int(guests.run(TOTAL, SECONDS))
    left = guests.stack.layout.l2_memory - size
    for order in (
            qmp(f'{{"execute":"balloon","arguments":{{"value":{left}}}}}',
                ('{"execute":"query-balloon"}', f'"actual": {left}')),
            qmp('{"execute":"object-add","arguments":{"qom-type":"memory-backend-ram",'
                f'"id":"more","size":{size}}}}}',
                ('{"execute":"query-memdev"}', '"id": "more"')),
            # A NUMA node of its own, which nothing is taken from as long as the other has memory.
            qmp('{"execute":"device_add","arguments":{"driver":"pc-dimm","id":"dimm",'
                '"memdev":"more","node":1}}',
                ('{"execute":"query-memory-devices"}', '"id": "dimm"'))):
        guests.stack.run('l1', order, SECONDS)
    guests.run(f'until [ $({TOTAL}) -ge {total} ]; do sleep 0.1; done', SECONDS)


REMEDIES = {'none': lambda guests: None, 'compaction': compact, 'self-balloon': self_balloon}
