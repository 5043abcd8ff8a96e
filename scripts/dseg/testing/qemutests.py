# SPDX-License-Identifier: GPL-2.0-or-later
"""scripts/qemu-tests: QEMU's own tests, on stock QEMU and on the patched one."""

import json
import os
import re
import subprocess
from collections import Counter

from .. import OUT, ROOT, Failure, run_main
from ..base import options, processes
from ..base.atomically import beside, write_text

TESTS = ('qmp-cmd', 'test-hmp', 'qom', 'device-introspect', 'cpu-plug', 'migration')
FIRMWARE_DIRS = ('/usr/share/seabios', '/usr/share/qemu', '/usr/lib/ipxe/qemu')
TIMEOUT = 1800
CASE = re.compile(r'^(ok|not ok) \d+ (\S+)(.*# SKIP)?', re.M)


def parse_arguments(arguments):
    parser = options.Parser('qemu-tests')
    parser.add_argument('--json', type=options.new_file)
    parser.add_argument('tests', nargs='*', default=TESTS)
    args = parser.parse_args(arguments)
    for test in args.tests:
        if test not in TESTS:
            parser.error(f'there is no test {test!r}; there are: {" ".join(TESTS)}')
    return args


def main(arguments):
    """What the command line asks for."""
    args = parse_arguments(arguments)
    results = {}
    for name, stock in (('stock/qemu', ['--stock']), ('qemu', [])):
        build(args.tests, stock)
        results[name] = {test: run(name, test) for test in args.tests}
    print(f'\n{table(results)}\n')
    if args.json:
        write_text(args.json, json.dumps(results, indent=1) + '\n')
    worse = list(regressions(results))
    for case in worse:
        print(f'qemu-tests: passes on stock only: {case}')
    print(f'{len(worse)} test cases pass on stock QEMU only')
    return 1 if worse else 0


def program(test):
    """The name of its executable."""
    return test if test.startswith('test-') else f'{test}-test'


def build(tests, stock):
    """QEMU and the test programs, which are the same for both."""
    targets = [f'tests/qtest/{program(test)}' for test in tests]
    if processes.run([ROOT / 'scripts/build-qemu', *stock, '--targets', *targets]).returncode:
        raise Failure('scripts/build-qemu failed; correct that and start again')


def run(name, test):
    """The outcome of each test case of one program."""
    folder = OUT / name
    print(f'{name}: {test}', flush=True)
    env = dict(os.environ, QTEST_QEMU_BINARY=firmware_wrapper(folder),
               PYTHON='/usr/bin/python3', G_TEST_DBUS_DAEMON='')
    log = OUT / 'log' / f'qtest-{name.replace("/", "-")}-{test}.log'
    with open(log, 'w', encoding='utf-8') as output:
        try:
            code = processes.run([folder / 'tests/qtest' / program(test), '--tap', '-k'],
                                 cwd=folder, env=env, stdout=output, stderr=subprocess.STDOUT,
                                 timeout=TIMEOUT).returncode
        except subprocess.TimeoutExpired:
            raise Failure(f'{test} took more than {TIMEOUT} s; see {log}') from None
    cases = {case: 'skip' if skipped else outcome
             for outcome, case, skipped in CASE.findall(log.read_text(errors='replace'))}
    if not cases:
        raise Failure(f'{test} on {name} had no test cases (exit code {code}); see {log}')
    if code and 'not ok' not in cases.values():
        cases[f'ends with {code}'] = 'not ok'
    return cases


def firmware_wrapper(folder):
    """Debian's source has no firmware, and the tests do not say -L."""
    words = ' '.join(f'-L {directory}' for directory in FIRMWARE_DIRS)
    # The tests take the name of the target from the end of the file's name.
    wrapper = folder / 'with-firmware' / 'qemu-system-x86_64'
    wrapper.parent.mkdir(exist_ok=True)
    with beside(wrapper) as part:
        part.write_text(f'#!/bin/sh\nexec {folder}/qemu-system-x86_64 {words} "$@"\n')
        part.chmod(0o755)
    return str(wrapper)


def table(results):
    """Passed, failed and skipped test cases of each program."""
    lines = [f'{"test":<20}' + ''.join(f'{name:>28}' for name in results),
             f'{"":<20}' + f'{"passed":>12}{"failed":>8}{"skipped":>8}' * len(results)]
    for test in next(iter(results.values())):
        line = f'{test:<20}'
        for result in results.values():
            count = Counter(result[test].values())
            line += f'{count["ok"]:>12}{count["not ok"]:>8}{count["skip"]:>8}'
        lines.append(line)
    return '\n'.join(lines)


def regressions(results):
    """Test cases that pass on stock QEMU, and not on the patched one."""
    for test, stock in results['stock/qemu'].items():
        patched = results['qemu'][test]
        for case, outcome in stock.items():
            if outcome == 'ok' and patched.get(case) != 'ok':
                yield f'{test} {case}'


if __name__ == '__main__':
    run_main('qemu-tests', main)
