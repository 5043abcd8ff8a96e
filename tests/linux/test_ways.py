# SPDX-License-Identifier: GPL-2.0-or-later
"""Each mode costs what the poster says where the guests' own kernels set it."""

import pytest

from dseg import OUT
from dseg.experiments.measure import measure
from dseg.stack.modes import MODES
from dseg.stack.stack import Stack
from dseg.stack.ways import Modified
from test_modes import assert_costs


@pytest.fixture(scope='module')
def machine():
    with Stack(cpu_extra='dseg=on', holes=False, log_dir=OUT / 'log/test-linux-ways') as stack:
        stack.boot_l1()
        stack.boot_l2()
        yield stack


@pytest.fixture(scope='module')
def way(machine):
    modified = Modified(machine, 'gups --bytes 64M --updates 200000')
    yield modified
    modified.leave()


def loaded(console):
    """Which of our modules a guest's kernel has."""
    return {name for name in ('dseg_guest', 'dseg_vmm') if name in console.run('lsmod')}


def expected_in_l1(mode):
    """Only the kernels that the mode modifies have a module."""
    names = {'dseg_vmm'} if mode.vmm else set()
    return names | {'dseg_guest'} if mode.guest and mode.world == 'native' else names


@pytest.mark.parametrize('mode', MODES)
def test_mode_by_modules_costs_what_the_poster_says(machine, way, mode):
    workload = way.enter(mode)
    assert_costs(measure(machine, workload, mode, rounds=2), mode)
    if workload.world == 'nested':      # else L1's shell is busy with the workload
        assert loaded(machine.l1) == expected_in_l1(MODES[mode])
    else:
        assert loaded(machine.l2) == set()


def test_no_register_is_left_once_the_modules_have_gone(machine, way):
    way.enter('dual-direct')
    way.leave()
    [cpu] = machine.qmp('query-x86-dseg')
    registers = cpu['registers']
    assert not any(registers[name] for name in ('cr9', 'cr10', 'vmm-base', 'vmm-limit'))
