# SPDX-License-Identifier: GPL-2.0-or-later
"""What a guest's memory is used for: has all of it come back?"""

import re
import time
from dataclasses import dataclass

from ..base.sizes import MiB

# Of /proc/meminfo: what is in use by somebody that the kernel knows.
KNOWN = ('Buffers', 'Cached', 'SwapCached', 'AnonPages', 'Slab', 'PageTables', 'SecPageTables',
         'Percpu', 'VmallocUsed')

# Objects that have been freed go back first, which KASAN keeps for a while; then the counters of each
# CPU are brought in. Frames in the CPUs' own lists are free, too.
READ = ('sync; echo 3 >/proc/sys/vm/drop_caches; '
        'for file in /sys/kernel/slab/*/shrink; do echo 1 >$file; done; '
        'sleep 0.5; echo 1 >/proc/sys/vm/stat_refresh; '
        'cat /proc/meminfo; '
        "awk '$1 == \"count:\" { n += $2 } END { print \"Lists: \" 4 * n \" kB\" }' /proc/zoneinfo")
TRIES = 30
SETTLED = MiB // 4      # what becomes free within two seconds once nothing more does


@dataclass
class Memory:
    """In bytes, page caches dropped.

    free: what nobody uses
    unaccounted: neither free nor of a kind that the kernel counts: frames of drivers, and those
    that have been lost
    """
    free: int
    unaccounted: int

    @classmethod
    def of(cls, console):
        """Of one guest, once nothing more becomes free."""
        now = cls._read(console)
        for _ in range(TRIES):
            before = now
            time.sleep(2)
            now = cls._read(console)
            if now.free - before.free < SETTLED:
                break
        return now

    @classmethod
    def _read(cls, console):
        fields = {name: int(kib) << 10 for name, kib in
                  re.findall(r'^(\w+):\s+(\d+) kB', console.run(READ, timeout=120), re.M)}
        free = fields['MemFree'] + fields['Lists']
        return cls(free, fields['MemTotal'] - free - sum(fields.get(name, 0) for name in KNOWN))

    def lost_since(self, before):
        """Bytes that are not free any longer, and bytes that are unaccounted for."""
        return before.free - self.free, self.unaccounted - before.unaccounted
