# SPDX-License-Identifier: GPL-2.0-or-later
"""scripts/test: run the suites that tests/meson.build knows, and count their test cases."""

import json
import os
import subprocess
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field

from .. import OUT, ROOT, Failure, run_main
from ..base import options
from ..base.atomically import filled
from ..base.locks import alone
from ..base.processes import run, running
from ..base.progress import run_logged
from . import coverage

BUILD = ROOT / 'build'


@dataclass
class Results:
    """What has come out so far, of all suites together."""
    passed: int = 0
    skipped: int = 0
    failed: list = field(default_factory=list)      # their names

    def summary(self):
        """The last line of the output."""
        skipped = f', {self.skipped} skipped' if self.skipped else ''
        return f'{self.passed} passed, {len(self.failed)} failed{skipped}'


def parse_arguments(arguments):
    parser = options.Parser('test')
    parser.add_argument('--coverage', action='store_true')
    parser.add_argument('--json', type=options.new_file)
    parser.add_argument('suites', nargs='*')
    args = parser.parse_args(arguments)
    if args.json and not args.coverage:
        parser.error('--json FILE is for --coverage')
    return args


def main(arguments):
    """What the command line asks for."""
    args = parse_arguments(arguments)
    results = Results()
    try:
        with alone_in_build():
            configure(BUILD)
            suites = chosen(args.suites)
        if args.coverage:
            with alone(coverage.PLAIN):
                run_for_coverage(suites, results, args.json)
        else:
            for suite in suites:
                with alone_in_build():
                    run_suite(suite, results)
    except Failure as failure:
        print(f'\n{failure}')
        results.failed.append('set-up')
    show_failed(results, coverage.TESTS if args.coverage else BUILD)
    print(results.summary(), flush=True)
    return 0 if results.passed and not results.failed else 1


def alone_in_build():
    """The lock of build/: that folder itself, which runs with another DSEG_OUT have, too."""
    BUILD.mkdir(exist_ok=True)
    return alone(BUILD, BUILD)


def configure(build, *settings):
    """Make the build directory, or bring it up to date."""
    with filled(build):
        run_logged(f'Configuring {build.name}',
                   ['meson', 'setup', '--reconfigure', build, ROOT, *settings],
                   OUT / 'log' / 'configure.log', timeout=300,
                   hint=f'If nothing else helps, remove {build} and try again.')


def chosen(names):
    """The suites asked for, or all."""
    known = known_suites()
    for name in names:
        if name not in known:
            raise SystemExit(f'test: there is no suite {name!r}; there are: {" ".join(known)}')
    return names or known


def known_suites():
    """The suites of tests/meson.build, in its order."""
    tests = json.loads(subprocess.run(['meson', 'introspect', '--tests', BUILD], check=True,
                                      stdout=subprocess.PIPE, timeout=60).stdout)
    return list(dict.fromkeys(suite.partition(':')[2] for test in tests for suite in test['suite']))


def run_suite(suite, results, *, build=BUILD, env=None):
    """Run one suite after its set-up, and add up its results."""
    print(f'\nSuite {suite}', flush=True)
    failed_step = set_up(suite, build)
    if failed_step:
        results.failed.append(f'{suite}: its set-up, at the step {failed_step}')
        return
    logs = build / 'meson-logs'
    for old in logs.glob(f'{suite}.*'):
        old.unlink()
    code = run(['meson', 'test', '-C', build, '--suite', suite, '--logbase', suite,
                '--print-errorlogs'], env={**os.environ, **(env or {})}).returncode
    failed_before = len(results.failed)
    for name, outcome in test_cases(suite, logs):
        if outcome == 'passed':
            results.passed += 1
        elif outcome == 'skipped':
            results.skipped += 1
        else:
            results.failed.append(f'{suite}: {name}')
    if code and len(results.failed) == failed_before:
        results.failed.append(f'{suite}: meson test ended with exit code {code}')


def run_for_coverage(suites, results, file):
    """Run the suites, built for gcov, and show which lines of ours they reach together.

    The plain C counts in a build of its own, all else in QEMU; libFuzzer's programs count nothing.
    """
    suites = [suite for suite in suites if suite not in ('fuzz', 'mutants', 'scripts')]
    folders = []
    if 'unit' in suites:
        configure(coverage.PLAIN, '-Db_coverage=true', '-Dbuildtype=debug')
        coverage.forget(coverage.PLAIN)
        run_suite('unit', results, build=coverage.PLAIN)
        folders.append(coverage.PLAIN)
    others = [suite for suite in suites if suite != 'unit']
    if others:
        configure(coverage.TESTS)
        # The tree with the patches, from the first suite's set-up.
        if set_up(others[0], coverage.TESTS):
            raise Failure(f'the set-up of the suite {others[0]} failed')
        qemu = coverage.build_qemu()
        coverage.forget(coverage.QEMU)
        for suite in others:
            run_suite(suite, results, build=coverage.TESTS, env={'DSEG_QEMU': str(qemu)})
        folders.append(coverage.QEMU / 'libqemu-x86_64-softmmu.a.p')
    coverage.show(folders, suites, file)


def set_up(suite, build):
    """Make what a suite needs, if it has a target for that. Returns the step that failed."""
    target = f'{suite}-setup'
    ninja = ['ninja', '-C', build]
    if subprocess.run([*ninja, '-t', 'query', target], check=False, capture_output=True).returncode:
        return None
    failed_step = target
    # Only ninja's own lines come this way: progress and errors go to stderr.
    with running([*ninja, target], stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            print(line, end='', flush=True)
            if line.startswith('FAILED: '):
                failed_step = line.removeprefix('FAILED: ').strip()
        process.wait()
    return failed_step if process.returncode else None


def test_cases(suite, logs):
    """(name, outcome) of every test case of a suite that has run."""
    report = logs / f'{suite}.json'
    if not report.exists():
        return
    for line in report.read_text().splitlines():
        test = json.loads(line)
        program = test['name'].rpartition(' / ')[2]
        cases = list(cases_of(suite, test['name'], program, logs))
        yield from cases
        result = test['result']
        if not cases and result in ('OK', 'SKIP'):
            yield program, 'passed' if result == 'OK' else 'skipped'
        elif result != 'OK' and 'failed' not in (outcome for _, outcome in cases):
            yield f'{program} ended with {result}', 'failed'


def cases_of(suite, full_name, program, logs):
    """(name, outcome) of the cases of one test program of a suite, as far as it got."""
    own_report = logs / f'{suite}.{program}.xml'
    if own_report.exists():
        for case in ElementTree.parse(own_report).iter('testcase'):
            yield f'{case.get("classname")}.{case.get("name")}', outcome_of(case)
        return
    for group in ElementTree.parse(logs / f'{suite}.junit.xml').iter('testsuite'):
        if group.get('name').endswith(full_name):
            for case in group.iter('testcase'):
                # Meson puts a number before the name.
                yield f'{program} {case.get("name").partition(" ")[2]}', outcome_of(case)


def outcome_of(case):
    """What has become of one test case."""
    found = {child.tag for child in case}
    if found & {'failure', 'error'}:
        return 'failed'
    return 'skipped' if 'skipped' in found else 'passed'


def show_failed(results, build):
    """Name what failed, and say what to do next."""
    if not results.failed:
        print()
        return
    print('\nFailed:')
    for name in results.failed:
        print(f'  {name}')
    print(f'\nAll output of a suite is in {build}/meson-logs/SUITE.txt. One test program alone:\n'
          f'  meson test -C {build} --suite SUITE PROGRAM -v\n')


if __name__ == '__main__':
    run_main('test', main)
