# SPDX-License-Identifier: GPL-2.0-or-later
"""What the tests share: the running stack, workloads in it, QEMU without it.

Booting takes most of the time, so one stack serves all tests of a session;
each test finds it without segments and escapes.
"""

import os
from contextlib import contextmanager, suppress

import pytest

from dseg import OUT
from dseg.stack.stack import FIRMWARE_DIRS, Machine, MonitorError, Stack, qemu_binary
from dseg.stack.workload import Workload

# A table much larger than what QEMU's TLB holds, and rounds that are short.
GUPS = 'gups --bytes 64M --updates 200000'


def pytest_collection_modifyitems(items):
    """The longest file is the first, or one stack would be left with it in the end."""
    items.sort(key=lambda item: item.path.name != 'test_tradeoffs.py')


@contextmanager
def boot(cpus):
    """A stack with L1 and L2; its output goes to out/log for later."""
    worker = os.environ.get('PYTEST_XDIST_WORKER', '')
    with Stack(cpu_extra='dseg=on', l1_cpus=cpus, l2_cpus=cpus,
               log_dir=OUT / f'log/test-linux-smp{cpus}{worker}') as stack:
        stack.boot_l1()
        stack.boot_l2()
        yield stack


booted = []             # the stack of the session, if there is one


@pytest.fixture(scope='session')
def session_stack():
    with boot(cpus=1) as stack:
        booted.append(stack)
        yield stack
        booted.remove(stack)


@pytest.fixture(scope='module', autouse=True)
def stack_rests(request):
    """No CPU time goes to the session's stack, which is never quite idle, where no test uses it."""
    users = [item for item in request.session.items
             if item.path == request.path and 'session_stack' in item.fixturenames]
    resting = [] if users else list(booted)
    for stack in resting:
        with suppress(MonitorError):    # those that use it will tell
            stack.qmp('stop')
    yield
    for stack in resting:
        with suppress(MonitorError):
            stack.qmp('cont')


@pytest.fixture(scope='module')
def smp_session_stack():
    with boot(cpus=2) as stack:
        yield stack


def clean(stack):
    stack.qmp('x86-dseg-clear')
    stack.qmp('x86-dseg-escape-clear')
    return stack


@pytest.fixture
def stack(session_stack):
    """One CPU in L1 and in L2, no segments, no escapes."""
    yield clean(session_stack)
    clean(session_stack)


@pytest.fixture
def smp_stack(smp_session_stack):
    """The same with two CPUs in each."""
    yield clean(smp_session_stack)
    clean(smp_session_stack)


@pytest.fixture(scope='module')
def gups(session_stack):
    """GUPS in L2."""
    workload = Workload(session_stack, 'nested', GUPS)
    yield workload
    workload.stop()


@pytest.fixture(scope='module')
def native_gups(session_stack):
    """GUPS in L1."""
    workload = Workload(session_stack, 'native', GUPS)
    yield workload
    workload.stop()


@pytest.fixture(scope='module')
def one_page(session_stack):
    """GUPS in L2, on a table of one page: each walk to it is that one's."""
    workload = Workload(session_stack, 'nested',
                        'gups --bytes 4K --updates 200000')
    yield workload
    workload.stop()


@pytest.fixture
def bare_qemu():
    """Starts QEMU without guests, and stopped; returns its Machine."""
    machines = []

    def start(cpu, *args):
        firmware = [word for folder in FIRMWARE_DIRS
                    for word in ('-L', folder)]
        machine = Machine(str(qemu_binary()), args=[
            '-S', '-nodefaults', '-no-user-config', '-machine', 'q35',
            '-m', '256M', '-cpu', cpu, *firmware, *args])
        machines.append(machine)
        machine.launch()
        return machine

    yield start
    for machine in machines:
        machine.shutdown()
