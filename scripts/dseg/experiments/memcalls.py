# SPDX-License-Identifier: GPL-2.0-or-later
"""Random calls that concern memory, with and without dseg-run, in L1: is all that they say the same?

The calls are those of tests/memcalls, which prints no address, so that the two runs of one seed
print the same but for faults of dseg-run. A run that differs is repeated with fewer and fewer
calls.
"""

import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from .. import ROOT, patient, positive_number, run_main
from ..base import options
from ..base.progress import Line
from ..base.sizes import MiB
from ..guests.images import compiler
from ..stack.stack import CommandError, Stack

SOURCES = ROOT / 'tests/memcalls'
REGION = 64                     # MiB; the allocator has some of it for itself
CALLS = 24                      # of each sequence
BATCH = 4                       # sequences of one process, as many as tests/memcalls has in a round
HANGS = 30                      # seconds for one sequence
SLOW = 5                        # times as long as usual takes a machine with much else to do
LONGEST = 1500                  # for a batch, on such a machine
SERIAL = 'memcalls'
PROGRAM = '/tmp/memcalls'
FOUND = 10                      # differences after which a long run ends
TEXT = 4000                     # characters of a difference that are shown


def disk(folder):
    """QEMU's arguments for a disk with the program, and with room for it to write to before that."""
    program = Path(folder) / 'memcalls'
    subprocess.run([*compiler(), '-Werror', '-pthread', '-s', '-o', program,
                    *sorted(SOURCES.glob('*.c'))], check=True, timeout=300)
    image = Path(folder) / 'memcalls.img'
    with open(image, 'wb') as file:
        file.truncate(MiB)
        file.seek(MiB)
        file.write(program.read_bytes())
        file.truncate(2 * MiB)
    name = str(image).replace(',', ',,')
    return ['-drive', f'file={name},format=raw,if=none,id={SERIAL}',
            '-device', f'virtio-blk-pci,drive={SERIAL},serial={SERIAL}']


@dataclass
class Difference:
    """What a program could tell dseg-run by."""
    arguments: str      # of memcalls
    text: str           # lines with - are those of a run without dseg-run, with + of one under it

    def __str__(self):
        return f'memcalls {self.arguments}\n{self.text}'


class Comparison:
    """Runs the program in L1, with and without."""

    def __init__(self, l1, seed):
        self._l1 = l1
        self._seed = seed
        self.sequences = 0      # compared
        self.lines = 0
        self.kept = 0           # sequences after which memory still came from the region
        self.edges = 0          # areas across the edge of the region
        self.differences = []
        self._disk = l1.run(f'for d in /sys/block/vd*; do [ "$(cat $d/serial)" = {SERIAL} ] && '
                            'echo /dev/${d##*/}; done; true').strip()
        l1.run(f'dd if={self._disk} of={PROGRAM} bs=1M skip=1 2>/dev/null && '
               f'chmod +x {PROGRAM}')

    def batch(self, first, count=BATCH, more=''):
        """Compare some sequences; returns whether all were the same."""
        arguments = f'--seed {self._seed} --first {first} --sequences {count} {more}'.strip()
        text = self._differ(arguments)
        self.sequences += count
        self.lines += int(self._l1.run('wc -l </tmp/memcalls.plain'))
        self.kept += self._told('region kept')
        self.edges += self._told('edge')
        if text:
            self.differences.append(self._shrink(Difference(arguments, text)))
        return not text

    def _told(self, what):
        """How often the program under dseg-run has told that."""
        return int(self._l1.run(f'grep -cx "{what}" /tmp/memcalls.err || true'))

    def _differ(self, arguments):
        """What the runs with these arguments differ in, or ''. What only was slow may be slower."""
        text = self._try_both(arguments, HANGS)
        return self._try_both(arguments, SLOW * HANGS) if 'HANGS' in text else text

    def _try_both(self, arguments, seconds):
        """The same, if a sequence of calls hangs after so many seconds."""
        command = (f'{PROGRAM} {arguments} --disk {self._disk} --calls {CALLS} '
                   f'--patience {int(patient(seconds))}')
        self._l1.run(f'debian {command} >/tmp/memcalls.plain 2>/tmp/memcalls.err; '
                     'echo "exit code $?" >>/tmp/memcalls.plain; '
                     f'dseg-run --size {REGION}M --report /tmp/memcalls.json {command} --region '
                     f'{REGION * MiB} >/tmp/memcalls.run 2>/tmp/memcalls.err; '
                     'echo "exit code $?" >>/tmp/memcalls.run', LONGEST)
        try:
            self._l1.run('cmp -s /tmp/memcalls.plain /tmp/memcalls.run')
        except CommandError:
            return self._l1.run('diff -U 2 /tmp/memcalls.plain /tmp/memcalls.run | tail -n +3 | '
                                f'head -c {TEXT}; '
                                'echo "the end without: $(tail -n 1 /tmp/memcalls.plain)"; '
                                'echo "the end with: $(tail -n 1 /tmp/memcalls.run)"; '
                                'tail -n 3 /tmp/memcalls.err')
        return ''

    def _shrink(self, difference):
        """The same with one sequence, and with as few calls as show it."""
        found = re.search(r'^[-+](\d+)[. ]', difference.text, re.M)
        if not found:
            return difference
        alone = f'--seed {self._seed} --first {found[1]} --sequences 1'
        text = self._differ(alone)
        if not text:
            return difference           # what came before matters
        left = list(range(1, CALLS + 1))
        smallest = Difference(alone, text)
        last = re.search(rf'^[-+]{found[1]}\.(\d+)', text, re.M)
        tries = [[n for n in left if n <= int(last[1])]] if last else []
        tries += [None] * CALLS
        for number, fewer in zip(range(CALLS + 1, 0, -1), tries):
            fewer = fewer or [n for n in left if n != number]
            if fewer == left:
                continue
            skipped = ''.join(f'{n},' for n in range(1, CALLS + 1) if n not in fewer)
            if text := self._differ(f'{alone} --skip {skipped}'):
                left = fewer
                smallest = Difference(f'{alone} --skip {skipped}', text)
        return smallest

    def report(self):
        """For people."""
        return (f'{self.sequences} sequences, {self.lines} lines compared, {self.kept} with the '
                f'region to the end, {self.edges} areas across its edge, '
                f'{len(self.differences)} differences')


def parse_arguments(arguments):
    parser = options.Parser('scripts/compare-run')
    parser.add_argument('--minutes', type=positive_number, default=2)
    parser.add_argument('--seed', type=int, default=int(time.time()))
    parser.add_argument('--first', type=int, default=0)
    parser.add_argument('--logs', type=options.new_folder)
    return parser.parse_args(arguments)


def main(arguments):
    """What the command line asks for."""
    args = parse_arguments(arguments)
    print(f'seed {args.seed}', flush=True)
    folder = tempfile.mkdtemp(prefix='dseg-memcalls-')
    try:
        comparison = compare(args, folder)
    finally:
        shutil.rmtree(folder)
    print(comparison.report())
    return 1 if comparison.differences else 0


def compare(args, folder):
    """Returns the Comparison, after so many minutes or so many differences."""
    with Stack(cpu_extra='dseg=on,dseg-verify=on', l1_cpus=2, holes=False, log_dir=args.logs,
               extra_args=disk(folder)) as stack:
        stack.boot_l1()
        stack.l1.run('modprobe dseg-guest')
        comparison = Comparison(stack.l1, args.seed)
        line = Line('Comparing')
        end = time.monotonic() + 60 * args.minutes
        first = args.first
        while time.monotonic() < end and len(comparison.differences) < FOUND:
            if not comparison.batch(first):
                print(f'compare-run: {comparison.differences[-1]}', file=sys.stderr, flush=True)
            first += BATCH
            line.show(f'{comparison.sequences} sequences')
        line.end('done')
        return comparison


if __name__ == '__main__':
    run_main('compare-run', main)
