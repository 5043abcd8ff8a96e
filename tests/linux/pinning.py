# SPDX-License-Identifier: GPL-2.0-or-later
"""Where L2 runs: it reads the counters of whichever CPU of L1 it is on."""


def pin_l2(l1, cpus):
    """Have all threads of L2's VMM run on those CPUs of L1 only, a mask in hexadecimal."""
    l1.run('for task in /proc/$(pidof qemu-system-x86_64)/task/*; do '
           f'taskset -p {cpus} ${{task##*/}} >/dev/null || [ ! -d $task ] || exit; done')
