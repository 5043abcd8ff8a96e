# SPDX-License-Identifier: GPL-2.0-or-later
"""A CPU may go whenever a command waits for another: the command leaves it out, or says so."""

import pytest

CPUS = 16               # those of each machine go one by one: TCG can't plug in others for them
TIMEOUT = 60.0          # a float: event_wait() takes an int for forever
PAGE = 4096


def unplug_meanwhile(machine, last, command):
    """Unplug the last CPU, and give the command before the guest has let go of it, perhaps."""
    slots = machine.cmd('query-hotpluggable-cpus')
    path = next(s['qom-path'] for s in slots if s['props']['socket-id'] == last)
    machine.cmd('device_del', id=path)
    command(machine, last)
    assert machine.event_wait('DEVICE_DELETED', timeout=TIMEOUT)


def query_stats(machine, last):
    stats = machine.cmd('query-stats', target='vcpu', providers=[{'provider': 'x86-dseg'}])
    assert len(stats) in (last, last + 1)


def set_segment(machine, last):
    """Which world, is asked of all CPUs first."""
    machine.cmd('x86-dseg-set', level='guest', base=0x7000_0000_0000, size=PAGE,
                target=0x100_0000, force=True)


def translate(machine, last):
    """For the CPU that goes: an answer, or that it has gone."""
    reply = machine.qmp('x86-dseg-translate', address=0, cpu=last)
    if 'error' in reply:
        assert reply['error']['desc'] in (f'cpu: CPU {last} has been unplugged',
                                          f'cpu: there is no CPU {last}')
    else:
        assert reply['return']['cpu'] == last and 'mapping' in reply['return']


@pytest.mark.parametrize('command', [query_stats, set_segment, translate])
def test_cpu_that_goes_while_a_command_waits_is_left_out(start, command):
    machine = start('ejects', '-smp', f'{CPUS},sockets={CPUS}')
    machine.cmd('cont')
    assert machine.event_wait('X86_DSEG_MARKER', timeout=TIMEOUT)
    for last in range(CPUS - 1, 0, -1):
        unplug_meanwhile(machine, last, command)
    assert [cpu['cpu'] for cpu in machine.cmd('query-x86-dseg')] == [0]
