# SPDX-License-Identifier: GPL-2.0-or-later
"""scripts/try-programs: large programs in L1, as users start them, with and without dseg-run.

Each is a script of tests/large, and prints what it has computed, which has to be the same. They
are more, and slower, than tests/linux has time for. Each has a machine of its own: the memory of
one that hangs, and what it leaves behind, are no trouble of the next.
"""

import json
import subprocess
import sys
import tarfile
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

from .. import ROOT, Failure, run_main
from ..base import options
from ..base.atomically import write_text
from ..base.progress import Line
from ..base.sizes import MiB
from ..guests.images import compiler
from ..guests.programs import LARGE
from ..stack.stack import CommandError, Stack, TimeOut

SOURCES = ROOT / 'tests/large'
L1_MEMORY = '4G'
LONGEST = 900           # seconds for one run of a program
SERIAL = 'large'
REPORT = '/tmp/report.json'
LAST_LINES = 30         # of what a program prints, where it went wrong
REFUSES = 1             # exit code of a program that does not run with preloaded libraries
REFUSAL = 'runtime does not come first'


@dataclass(frozen=True)
class Program:
    """What to run, and with what region."""
    name: str
    size: str = '128M'
    refuses: bool = False       # docs/dseg-run.md says that it does not run


PROGRAMS = (
    Program('postgresql'),
    Program('mariadb', '256M'),
    Program('node', '256M'),
    Program('java', '256M'),
    Program('go'),
    Program('asan', refuses=True),
    Program('python'),
)


@dataclass
class Run:
    """One run of a program."""
    code: int
    output: str
    seconds: float


@dataclass
class Result:
    """A program with and without dseg-run."""
    name: str
    verdict: str = ''           # RIGHT, DOCUMENTED, or what is wrong
    plain: Run = None
    under: Run = None
    report: dict = field(default_factory=dict)      # of its first process
    mismatches: int = 0         # translations that were not as the page tables say

    RIGHT = 'right'
    DOCUMENTED = 'refuses, as documented'

    @property
    def is_right(self):
        return self.verdict in (self.RIGHT, self.DOCUMENTED)


def disk(folder):
    """QEMU's arguments for a disk with the scripts, and with what is compiled for them."""
    binary = folder / 'asan'
    try:
        subprocess.run([*compiler(), '-fsanitize=address', '-o', binary, SOURCES / 'asan.c'],
                       check=True, timeout=120)
    except (OSError, subprocess.SubprocessError) as error:
        raise Failure(f'{SOURCES / "asan.c"} does not compile with AddressSanitizer (package '
                      f'libasan of the compiler?): {error}') from error
    image = folder / 'large.tar'        # whose size is a multiple of 512, as a disk's
    with tarfile.open(image, 'w') as archive:
        for file in (*sorted(SOURCES.glob('*.sh')), binary):
            archive.add(file, f'large/{file.name}')
    name = str(image).replace(',', ',,')
    return ['-drive', f'file={name},format=raw,if=none,id={SERIAL},readonly=on',
            '-device', f'virtio-blk-pci,drive={SERIAL},serial={SERIAL}']


def run(l1, program, prefix, line):
    """Run the program's script after another, or without."""
    line.show(f'{program.name} {"under dseg-run" if prefix else "by itself"}')
    # A region counts against what may be locked.
    command = f'ulimit -l unlimited; RUN="{prefix}" debian sh /tmp/large/{program.name}.sh'
    start = time.monotonic()
    try:
        code, output = 0, l1.run(f'{command} 2>&1', LONGEST)
    except CommandError as error:
        code, output = error.code, error.output
    return Run(code, output, time.monotonic() - start)


def verdict_on(program, plain, under):
    """Compares the two runs."""
    if plain.code:
        return f'fails by itself, with exit code {plain.code}'
    if program.refuses:
        refused = under.code == REFUSES and REFUSAL in under.output
        return Result.DOCUMENTED if refused else 'DOES NOT REFUSE as documented'
    if under.code:
        return f'FAILS under dseg-run, with exit code {under.code}'
    # What dseg-run itself says is no output of the program.
    lines = [line for line in under.output.splitlines() if not line.startswith('dseg-run: ')]
    return Result.RIGHT if lines == plain.output.splitlines() else 'ANOTHER RESULT under dseg-run'


def attempt(program, result, stack, line):
    """Fills the result in as far as the program gets."""
    l1 = stack.l1
    l1.run('modprobe dseg-guest; chmod 1777 /tmp')      # databases run as an ordinary user
    l1.run('for d in /sys/block/vd*; do [ "$(cat $d/serial)" != ' + SERIAL + ' ] || '
           'tar xf /dev/${d##*/} -C /tmp; done; test -e /tmp/large/common.sh')
    result.plain = run(l1, program, '', line)
    # The same files again.
    l1.run('cd /tmp && ls | grep -vx large | xargs rm -rf')
    result.under = run(l1, program, f'dseg-run --size {program.size} --report {REPORT}', line)
    report = json.loads(l1.run(f'cat {REPORT} 2>/dev/null || echo null'))
    if report and report['programs']:
        result.report = report['programs'][0]
    result.verdict = verdict_on(program, result.plain, result.under)


def try_one(program, arguments, logs, line):
    """Boots an L1, and runs the program in it both ways."""
    result = Result(program.name)
    line.show(f'{program.name}: L1 boots')
    with Stack(cpu_extra='dseg=on,dseg-verify=on', l1_memory=L1_MEMORY, l1_cpus=2, holes=False,
               programs=LARGE.image, extra_args=arguments,
               log_dir=logs and logs / program.name) as stack:
        stack.boot_l1()
        try:
            attempt(program, result, stack, line)
        except TimeOut:
            where = 'under dseg-run' if result.plain else 'by itself'
            result.verdict = f'DOES NOT END {where}'
        else:
            result.mismatches = sum(cpu['mismatches'] for cpu in stack.qmp('query-x86-dseg-walks'))
            if result.mismatches:
                result.verdict = f'{result.mismatches} TRANSLATIONS DIFFER from the page tables'
    return result


ROW = '{:<11} {:>8} {:>10} {:>17} {:>7}  {}'


def row(result):
    """A line of the table."""
    seconds = [f'{run.seconds:.1f} s' if run else '-' for run in (result.plain, result.under)]
    memory, share = '-', '-'
    if result.report:
        given, asked = (result.report[name] / MiB for name in ('given', 'asked'))
        memory, share = f'{given:.1f} of {asked:.1f}', f'{result.report["direct_share"] or 0:.1%}'
    return ROW.format(result.name, *seconds, memory, share, result.verdict)


def show_trouble(result):
    """What the two runs have printed in the end."""
    for what, run_ in (('by itself', result.plain), ('under dseg-run', result.under)):
        if run_:
            print(f'{result.name} {what}, exit code {run_.code}:', *run_.output.splitlines()
                  [-LAST_LINES:], sep='\n  ', file=sys.stderr, flush=True)


def parse_arguments(arguments):
    names = [program.name for program in PROGRAMS]
    parser = options.Parser('scripts/try-programs')
    parser.add_argument('--json', type=options.new_file)
    parser.add_argument('--logs', type=options.new_folder)
    parser.add_argument('name', nargs='*')
    args = parser.parse_args(arguments)
    for name in args.name:
        if name not in names:
            parser.error(f'there is no program {name!r}: choose from {", ".join(names)}')
    args.programs = [program for program in PROGRAMS if program.name in (args.name or names)]
    return args


def main(arguments):
    """What the command line asks for."""
    args = parse_arguments(arguments)
    with tempfile.TemporaryDirectory(prefix='dseg-large-') as folder:
        results = try_all(args.programs, disk(Path(folder)), args.logs)
    right = sum(result.is_right for result in results)
    if args.json:
        document = {'schema': 1, 'programs': [asdict(result) for result in results]}
        write_text(args.json, json.dumps(document, indent=1) + '\n')
    print(f'{right} of {len(results)} right or as documented')
    return 0 if right == len(results) else 1


def try_all(chosen, arguments, logs):
    """The table, a line as soon as it is known."""
    print(ROW.format('program', 'without', 'with', 'MiB in the region', 'direct', 'result'))
    results = []
    line = Line('Trying', at_once=True)
    for program in chosen:
        results.append(try_one(program, arguments, logs, line))
        print(row(results[-1]), flush=True)
        if not results[-1].is_right:
            show_trouble(results[-1])
    line.end('done')
    return results


if __name__ == '__main__':
    run_main('try-programs', main)
