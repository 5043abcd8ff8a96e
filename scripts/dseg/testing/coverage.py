# SPDX-License-Identifier: GPL-2.0-or-later
"""scripts/test --coverage: which lines of target-i386-ext/ the suites execute, together."""

import json
import subprocess
from pathlib import Path

from .. import OUT, ROOT, Failure
from ..base.atomically import write_text
from ..base.progress import run_logged
from ..source import build
from ..source.tree import Tree

OURS = ROOT / 'target-i386-ext'
PLAIN = OUT / 'coverage'                # the suite unit, with the plain C in it
TESTS = OUT / 'coverage-tests'          # the other suites; not build/, which others may be using
QEMU = OUT / 'qemu-coverage'
COMPILER = ROOT / 'scripts/lib/cc-coverage'


def build_qemu():
    """The patched QEMU once more, with counters in our files. Returns the program."""
    tree = Tree.in_use()
    env = build.build_environment()
    build.configure(tree, QEMU, pkgversion='dseg-coverage', env=env,
                    more=[f'--cc={COMPILER}'])
    run_logged(f'Building {QEMU.name} {tree.version}', ['ninja', '-C', QEMU, build.BINARY],
               OUT / 'log' / f'build-{QEMU.name}.log', timeout=build.BUILD_SECONDS, env=env,
               hint=f'For a fresh start: rm -rf {QEMU}')
    return QEMU / build.BINARY


def forget(folder):
    """Set the counters of a build to zero."""
    for counts in folder.rglob('*.gcda'):
        counts.unlink()


def measure(folders):
    """How often each line was executed: {file: {line: count}}, of all files of ours.

    A file that is in none of the programs has no lines.
    """
    lines = {str(path.relative_to(OURS)): {} for path in sorted(OURS.rglob('*.[ch]'))}
    for folder in folders:
        for notes in sorted(folder.rglob('*.gcno')):
            for report in gcov(notes):
                add_report(report, lines)
    return {name: counts for name, counts in lines.items()
            if counts or name.endswith('.c')}


def gcov(notes):
    """gcov's reports on one object file."""
    done = subprocess.run(['gcov', '--json-format', '--stdout', notes], cwd=notes.parent,
                          check=False, capture_output=True, text=True, timeout=60)
    if done.returncode:
        raise Failure(f'gcov failed on {notes}:\n{done.stderr.strip()}')
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{')]


def add_report(report, lines):
    """Add the counts of one report: a header has been compiled many times."""
    folder = Path(report['current_working_directory'])
    for file in report['files']:
        path = (folder / file['file']).resolve()
        if not path.is_relative_to(OURS):
            continue
        counts = lines[str(path.relative_to(OURS))]
        for line in file['lines']:
            number = line['line_number']
            counts[number] = counts.get(number, 0) + line['count']


def summary(lines):
    """The table's rows: one for each file, then the total."""
    rows = []
    for name, counts in sorted(lines.items()):
        missed = sorted(number for number, count in counts.items() if not count)
        rows.append({'file': name, 'lines': len(counts), 'covered': len(counts) - len(missed),
                     'uncovered': missed})
    total = {'file': 'total', 'uncovered': []}
    for key in ('lines', 'covered'):
        total[key] = sum(row[key] for row in rows)
    for row in [*rows, total]:
        row['percent'] = round(100 * row['covered'] / row['lines'], 1) if row['lines'] else None
    return rows, total


def ranges(numbers):
    """'3-5 9' for 3, 4, 5, 9."""
    found = []
    for number in numbers:
        if found and number == found[-1][1] + 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    return ' '.join(f'{first}-{last}' if last > first else str(first) for first, last in found)


def print_table(rows, total):
    """For people."""
    print(f'\n{"file":30} {"lines":>6} {"covered":>8} {"percent":>8}  lines not covered')
    for row in [*rows, total]:
        if row['percent'] is None:
            print(f'{row["file"]:30} {"-":>6} {"-":>8} {"-":>8}  in no program here')
            continue
        print(f'{row["file"]:30} {row["lines"]:6} {row["covered"]:8} {row["percent"]:8.1f}'
              f'  {ranges(row["uncovered"])}'.rstrip())


def show(folders, suites, file=None):
    """Print the coverage that the suites had in the builds; also into a file as JSON."""
    rows, total = summary(measure(folders))
    if not total['lines']:
        raise Failure('no line of target-i386-ext was counted: is gcov that of the compiler?')
    print_table(rows, total)
    if file:
        report = {'suites': suites, 'files': rows,
                  'total': {key: total[key] for key in ('lines', 'covered', 'percent')}}
        write_text(file, json.dumps(report, indent=2) + '\n')
