# SPDX-License-Identifier: GPL-2.0-or-later
"""The memory map may change while a CPU is about to access a device: it accesses that device."""

TIMEOUT = 60.0          # a float: event_wait() takes an int for forever
CHANGES = 200
FRAMES = [address << 20 for address in range(32, 64)]   # of the RAM, left alone by the guest
READS, DIFFERENT = 1, 2                                 # labels of device-reads.c


def test_device_is_read_while_the_memory_map_changes(start):
    machine = start('device-reads', '-device', 'dseg-bad-frames')
    machine.cmd('cont')
    assert machine.event_wait('X86_DSEG_MARKER', timeout=TIMEOUT)['data']['label'] == READS
    for _ in range(CHANGES):
        machine.cmd('dseg-bad-frames-add', frames=FRAMES)
        machine.cmd('dseg-bad-frames-remove', frames=FRAMES)
    labels = [event['data']['label'] for event in machine.get_qmp_events()
              if event['event'] == 'X86_DSEG_MARKER']
    assert DIFFERENT not in labels
    assert machine.cmd('query-status')['running']
