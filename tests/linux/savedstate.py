# SPDX-License-Identifier: GPL-2.0-or-later
"""The state of a machine without guests: saved into a file, and loaded by another QEMU."""

import time

from dseg import patient


def save_small(machine, path):
    machine.cmd('migrate', uri=f'file:{path}')
    deadline = time.monotonic() + patient(60)
    while machine.cmd('query-migrate').get('status') != 'completed':
        assert time.monotonic() < deadline
        time.sleep(0.05)


def load_small(bare_qemu, cpu, path):
    """What a QEMU that loads the state says, and whether it could."""
    machine = bare_qemu(cpu, '-incoming', 'defer')
    machine.cmd('migrate-incoming', uri=f'file:{path}', exit_on_error=False)
    deadline = time.monotonic() + patient(60)
    while True:
        info = machine.cmd('query-migrate')
        if info.get('status') in ('completed', 'failed'):
            break
        assert time.monotonic() < deadline
        time.sleep(0.05)
    machine.shutdown()
    return info['status'], machine.get_log()


def subsection(data, name):
    """Where the version and the fields of a subsection are."""
    idstr = bytes([len(name)]) + name.encode()
    at = data.index(idstr)
    assert data.count(idstr) == 1
    return at + len(idstr)
