# SPDX-License-Identifier: GPL-2.0-or-later
"""Software that uses direct segments, as the guest of a stock KVM in L1.

The program is tests/bare-metal/under-kvm.c: its own test cases are these.
"""

import base64
import gzip
import os
from pathlib import Path

from dseg import ROOT
from dseg.testing import baremetal

# Where meson builds it, in case that pytest was started without meson.
PROGRAM = Path(os.environ.get('DSEG_UNDER_KVM',
                              ROOT / 'build/tests/bare-metal-under-kvm'))
LINE = 600      # characters: a shell's terminal takes no longer lines than 1024

# Its first tables say that the CPU is in L1, as its own hypervisor would.
RUN = ('qemu-system-x86_64 -accel kvm -cpu host -m 64M -nodefaults '
       '-M microvm,rtc=on,x-option-roms=off -bios qboot.rom -no-reboot -display none '
       '-L /usr/share/qemu -debugcon stdio '
       '-device isa-debug-exit,iobase=0xf4,iosize=4 -kernel /tmp/program')


def send(console, path, data):
    """Writes a file in a guest."""
    text = base64.b64encode(gzip.compress(data)).decode()
    console.run(f': >{path}.gz64')
    for at in range(0, len(text), LINE):
        console.run(f'echo {text[at:at + LINE]} >>{path}.gz64')
    console.run(f'base64 -d {path}.gz64 | gunzip >{path}; rm {path}.gz64')


def test_cr9_to_cr13_work_without_exits_and_the_msrs_do_not(session_stack):
    console = session_stack.l1
    send(console, '/tmp/program', PROGRAM.read_bytes())
    output = console.run(f'{RUN}; echo ended with $?', timeout=120)
    results = [line for line in output.splitlines()
               if line.startswith(('ok ', 'not ok '))]
    assert results and not [r for r in results if r.startswith('not')], output
    assert f'ended with {baremetal.PASSED}' in output
