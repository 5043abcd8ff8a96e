# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether the file of a TLB's geometry obeys the rules: asks QEMU, which alone has them.

    if can_be_asked():
        problem = broken_rule(text)
"""

import functools
import os
import re
import subprocess
import tempfile
from pathlib import Path

from ... import ROOT, Failure, patient
from ...base import processes
from ...stack.counting import counting
from ...stack.stack import qemu_binary

SECONDS = 60            # that a QEMU without a machine may take to begin and end
NAME = 'geometry.json'  # in a folder of its own, as no name with a comma can be in -cpu
WORDS = ('-S', '-M', 'none', '-nodefaults', '-display', 'none', '-monitor', 'stdio',
         '-cpu', f'qemu64,apic-id=0,{counting(NAME)}')
REFUSAL = re.compile(rf"^.*: CPU property 'dseg-tlb': file '{NAME}': (.*)$", re.M)
# What has the rules: a QEMU of ours that is older may have others.
EXTENSION = ROOT / 'target-i386-ext'
SOURCES = ('x86-dseg.json', 'cpu/tlb-properties.c', 'tlb/*.[ch]', 'caches/*.[ch]')


class NoAnswer(Failure):
    """There is no QEMU that knows geometries."""


@functools.cache
def broken_rule(text):
    """What is wrong with a file of that text, its key and the rule; None if nothing is.

    Raises NoAnswer where QEMU can't say.
    """
    qemu = qemu_binary().absolute()
    with tempfile.TemporaryDirectory(prefix='dseg-') as folder:
        (Path(folder) / NAME).write_text(text)
        try:
            done = processes.run([qemu, *WORDS], input=b'quit\n', timeout=patient(SECONDS),
                                 capture_output=True, cwd=folder)
        except subprocess.TimeoutExpired as error:
            raise NoAnswer(f'{qemu} has not said within {patient(SECONDS)} s whether a geometry '
                           'is right: try again when this machine has less to do') from error
    said = done.stderr.decode(errors='replace').strip()
    if done.returncode == 0:
        return None
    if found := REFUSAL.search(said):
        return found[1]
    raise NoAnswer(f'{qemu} can\'t say whether a geometry is right: run scripts/build-qemu; it '
                   f'said: {said.rpartition(chr(10))[2] or "nothing"}')


def can_be_asked():
    """Whether there is a QEMU with the rules of today; that of DSEG_QEMU is what it is."""
    qemu = qemu_binary()
    if not qemu.is_file() or not (os.environ.get('DSEG_QEMU') or _is_new_enough(qemu)):
        return False
    try:
        broken_rule('{}')
    except NoAnswer:
        return False
    return True


def _is_new_enough(qemu):
    made = qemu.stat().st_mtime
    return all(file.stat().st_mtime <= made for pattern in SOURCES for file in EXTENSION.glob(pattern))
