# SPDX-License-Identifier: GPL-2.0-or-later
"""QEMU with a program of this folder, and with its monitor."""

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from dseg.stack.stack import Machine, qemu_binary
from dseg.testing import baremetal

BUILD = Path(os.environ.get('DSEG_MONITOR_BUILD',
                            Path(__file__).parents[2] / 'build/tests'))


@pytest.fixture
def start(tmp_path):
    """Starts a program and returns the Machine, which the command "cont" lets run.

    When the program ends, the machine stops, with the event STOP.
    """
    machines = []

    def start_program(name, *args, dseg='on'):
        options = SimpleNamespace(qemu=qemu_binary(), dseg=dseg, program=BUILD / f'monitor-{name}')
        words = [*map(str, baremetal.command(options)), '-S', '-action', 'shutdown=pause', *args]
        if '-icount' in args:
            words[words.index('tcg,thread=multi')] = 'tcg'      # QEMU counts in one thread only
        machine = Machine(words[0], args=words[1:], log_dir=str(tmp_path))
        machines.append(machine)
        machine.launch()
        return machine

    yield start_program
    for machine in machines:
        machine.shutdown(hard=True)
