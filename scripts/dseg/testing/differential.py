# SPDX-License-Identifier: GPL-2.0-or-later
"""Run the differential test: QEMU against a reference translator, on random page tables.

--translations and --seed can come from the environment too, as DSEG_TRANSLATIONS and DSEG_SEED:

example: DSEG_TRANSLATIONS=10000000 DSEG_SEED=random scripts/test differential
         PYTHONPATH=scripts /usr/bin/python3 -m dseg.testing.differential --seed 7 build/tests/differential
"""

import argparse
import os
import random
import shlex
import subprocess

from .. import OUT, Failure, run_main
from ..base.processes import dying_with_us
from . import baremetal

TRANSLATIONS = 1_000_000
SEED = '1'
WORLDS = 1_000_000  # from where one part begins to where the next one does
SLOWEST = 500       # translations a second, on a machine that is busy


def main(arguments):
    """Boot the test with its options, and end as it does."""
    parser = argparse.ArgumentParser(prog='python3 -m dseg.testing.differential', description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('program', help='the ELF file, from tests/differential')
    parser.add_argument('--translations', type=int, metavar='N',
                        default=os.environ.get('DSEG_TRANSLATIONS', TRANSLATIONS),
                        help=f'how many to compare (default: {TRANSLATIONS})')
    parser.add_argument('--seed', default=os.environ.get('DSEG_SEED', SEED), metavar='S',
                        help=f'of all that is random: a number, or "random" (default: {SEED})')
    parser.add_argument('--first', type=int, default=0, metavar='W',
                        help='begin with this world: that of a mismatch, to repeat it')
    parser.add_argument('--part', type=part, default=(1, 1), metavar='I/N',
                        help='only the I-th of N equal parts, which can run at the same time')
    parser.add_argument('--phys-bits', type=int, default=40, choices=range(36, 48),
                        metavar='36..47', help='MAXPHYADDR of the CPU (default: 40)')
    parser.add_argument('--filter-bits', type=int, default=256, choices=(64, 128, 256, 512, 1024),
                        help='of the escape filter (default: 256)')
    parser.add_argument('--qemu', metavar='FILE',
                        default=os.environ.get('DSEG_QEMU', OUT / 'qemu/qemu-system-x86_64'),
                        help='default: $DSEG_QEMU, or the one that scripts/build-qemu has built')
    options = parser.parse_args(arguments)
    options.dseg = f'on,phys-bits={options.phys_bits},dseg-filter-bits={options.filter_bits}'
    if options.seed == 'random':
        options.seed = random.getrandbits(63)
    number, parts = options.part
    options.translations = int(options.translations) // parts
    options.first += (number - 1) * WORLDS
    run(options)
    return 0


def part(text):
    """(I, N) of "I/N"."""
    number, parts = map(int, text.split('/'))
    if not 1 <= number <= parts:
        raise ValueError
    return number, parts


def run(options):
    """Run it, with its output on stdout."""
    command = [str(word) for word in baremetal.command(options)] + ['-append', (
        f'translations={options.translations} seed={options.seed} first={options.first}')]
    timeout = 60 + options.translations / SLOWEST
    try:
        code = subprocess.run(dying_with_us(command), stdin=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, check=False, timeout=timeout).returncode
    except subprocess.TimeoutExpired:
        raise Failure(f'no end after {timeout:.0f} s, which is less than {SLOWEST} translations a '
                      'second: is the machine busy with something else?') from None
    if code != baremetal.PASSED:
        raise Failure(f'failed: QEMU ended with {code}, which is {baremetal.PASSED} if all is well, 3 after '
                      'mismatches, 255 or 0 after a crash. To repeat a mismatch, give its seed and '
                      'world to --seed and --first: ' + shlex.join(command))


if __name__ == '__main__':
    run_main('dseg.testing.differential', main)
