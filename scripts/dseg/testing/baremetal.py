# SPDX-License-Identifier: GPL-2.0-or-later
"""Run a program of tests/bare-metal in QEMU: its test cases (TAP) go to stdout.

example: PYTHONPATH=scripts /usr/bin/python3 -m dseg.testing.baremetal build/tests/bare-metal-runtime
"""

import argparse
import os
import shlex
import subprocess
import sys
from pathlib import Path

from .. import OUT, Failure, positive_number, run_main
from ..base.processes import dying_with_us

# All that the tests use besides SVM; EPYC's other features that TCG lacks do not matter.
CPU = 'EPYC,+svm,+npt,+la57,+pku,+smep,+smap,+pcid,+invpcid,+flushbyasid'
FIRMWARE = ('/usr/share/seabios', '/usr/share/qemu')
PASSED = 2 * 16 + 1     # isa-debug-exit, of QUIT_PASSED


def main(arguments):
    """Boot the program, and end as it does."""
    parser = argparse.ArgumentParser(prog='python3 -m dseg.testing.baremetal', description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('program', help='the ELF file, from tests/bare-metal')
    parser.add_argument('--dseg', choices=('on', 'off'), default='on',
                        help='does the CPU have direct segments (default: on)')
    parser.add_argument('--cpu', default='', metavar='FEATURES',
                        help='more of what -cpu takes: --cpu=-pcid,-invpcid')
    parser.add_argument('--cpus', type=int, default=2, metavar='N', help='default: 2')
    parser.add_argument('--device', action='append', default=[], metavar='DEVICE',
                        help='one more device, as QEMU has it: --device edu')
    parser.add_argument('--timeout', type=positive_number, default=60, metavar='SECONDS')
    parser.add_argument('--qemu', metavar='FILE',
                        default=os.environ.get('DSEG_QEMU', OUT / 'qemu/qemu-system-x86_64'),
                        help='default: $DSEG_QEMU, or the one that scripts/build-qemu has built')
    options = parser.parse_args(arguments)
    words = command(options, options.device, options.cpu, options.cpus)

    try:
        run = subprocess.run(dying_with_us(words), stdin=subprocess.DEVNULL,
                             stderr=subprocess.PIPE, check=False, timeout=options.timeout)
    except subprocess.TimeoutExpired:
        raise Failure(f'no end after {options.timeout} s; the case that hangs is the one after '
                      'the last that is shown') from None
    if run.returncode != PASSED:
        sys.stderr.buffer.write(run.stderr)
        raise Failure(f'failed: QEMU ended with {run.returncode}, which is {PASSED} if all is '
                      'well, 3 if test cases have failed, 255 or 0 after a crash. To see more: '
                      + shlex.join(map(str, words)) + ' -d int -D LOG')
    return 0


def command(options, devices=(), cpu='', cpus=2):
    """QEMU's command line."""
    if not Path(options.qemu).exists():
        raise Failure(f'there is no {options.qemu}: run scripts/build-qemu')
    firmware = [word for folder in FIRMWARE for word in ('-L', folder)]
    more = [word for device in devices for word in ('-device', device)]
    return [options.qemu, *firmware, '-M', 'pc', '-accel', 'tcg,thread=multi', '-m', '64M',
            '-smp', str(cpus),
            '-cpu', ','.join(filter(None, [CPU, f'dseg={options.dseg}', cpu])),
            '-nodefaults', '-no-reboot', '-display', 'none',
            '-device', 'isa-debug-exit,iobase=0xf4,iosize=4',
            '-debugcon', 'stdio', *more, '-kernel', options.program]


if __name__ == '__main__':
    run_main('dseg.testing.baremetal', main)
