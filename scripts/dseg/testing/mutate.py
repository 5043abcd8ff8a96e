# SPDX-License-Identifier: GPL-2.0-or-later
"""scripts/mutate: deliberate bugs, and which test catches each of them."""

import json
import os
import shutil
import subprocess
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

from .. import OUT, ROOT, Failure, run_main
from ..base import options
from ..base.atomically import filled, link, write_text
from ..base.locks import alone
from ..base.progress import run_logged
from ..guests.images import GUEST
from ..guests.programs import SMALL
from ..source.patches import OVERLAY
from ..source.tree import IN_USE, Tree
from .testrun import test_cases

LIST = ROOT / 'tests/mutants/mutants.toml'
COPY = OUT / 'mutate'               # of the project; its own out/ is in it
BUILD = COPY / 'build'
LOG = OUT / 'log' / 'mutate'
SUITES = {'unit': 300, 'bare-metal': 300, 'differential': 900}      # seconds at most
PYTEST_SECONDS = 900
BUILD_SECONDS = 3600
IN_COPY = 'DSEG_IN_MUTANTS_COPY'    # in the environment of what runs there
# Enough for a bug to show, in a tenth of the suite's time.
TRANSLATIONS = '100000'


@dataclass
class Mutant:
    """A deliberate bug."""
    name: str
    about: str
    file: str
    old: str
    new: str
    pytest: list = field(default_factory=list)  # its arguments, in tests/
    suites: list = field(default_factory=list)  # that can notice it

    def __post_init__(self):
        # Only pytest starts guests that have Linux.
        in_guests = self.file.startswith('linux/')
        self.suites = self.suites or (['unit'] if in_guests else list(SUITES))
        if others := set(self.suites) - set(SUITES):
            raise Failure(f'{LIST}: {self.name}: suites: {", ".join(sorted(others))}: use '
                          f'{", ".join(SUITES)}; tests of others are named by pytest')

    def changed(self, folder):
        """The text of its file in a folder with the project, without it and with it."""
        path = folder / self.file
        text = path.read_text() if path.is_file() else ''
        old, new = self.old.removeprefix('\n'), self.new.removeprefix('\n')
        if text.count(old) != 1:
            raise Failure(f'the bug {self.name} does not apply: {self.file} has what it replaces '
                          f'{text.count(old)} times, not once. Change it in {LIST}:\n\n{old}')
        return text, text.replace(old, new)

    def apply(self, folder):
        """Put it into the project in a folder. Returns how to take it out again."""
        path = folder / self.file
        before, after = self.changed(folder)
        path.write_text(after)
        return lambda: path.write_text(before)


def main(arguments):
    """What the command line asks for."""
    parser = options.Parser('mutate')
    parser.add_argument('--list', action='store_true')
    parser.add_argument('--check', action='store_true')
    parser.add_argument('--only', type=options.text, action='append')
    args = parser.parse_args(arguments)
    mutants = chosen(args.only)
    if args.list:
        for mutant in mutants:
            print(f'{mutant.name:36} {mutant.about}')
        return 0
    if args.check:
        if IN_COPY in os.environ:
            return 0            # of course it does not: it is in there
        for mutant in mutants:
            mutant.changed(ROOT)
        print(f'{len(mutants)} apply')
        return 0

    with alone(COPY):
        return try_all(mutants)


def try_all(mutants):
    """Whether the tests catch them, one after the other; returns the exit code."""
    make_copy(with_qemu=any(mutant.pytest or mutant.suites != ['unit'] for mutant in mutants))
    for mutant in mutants:
        mutant.changed(COPY)
    failed = run_tests('as it is', mutants)
    if failed:
        raise Failure(f'without any bug, {failed} fails: mend that first. More is in {LOG}')
    print('as it is: nothing fails', flush=True)
    caught = sum([try_one(mutant) for mutant in mutants])
    print(f'{caught} of {len(mutants)} caught', flush=True)
    return 0 if caught == len(mutants) else 1


def chosen(names):
    """The bugs asked for, or all."""
    with open(LIST, 'rb') as file:
        known = {name: Mutant(name, **fields) for name, fields in tomllib.load(file).items()}
    for name in names or ():
        if name not in known:
            raise Failure(f'there is no bug {name!r}: see scripts/mutate --list')
    return [known[name] for name in names or known]


def try_one(mutant):
    """Whether the tests catch one bug; says which test did."""
    undo = mutant.apply(COPY)
    try:
        test = run_tests(mutant.name, [mutant])
    finally:
        undo()
    print(f'{mutant.name}: ' + (f'caught by {test}' if test else 'NOT CAUGHT'), flush=True)
    return bool(test)


def environment():
    """That of the copy."""
    env = dict(os.environ, DSEG_ROOT=str(COPY), DSEG_OUT=str(COPY / 'out'),
               PYTHONPATH=str(COPY / 'scripts'), PYTHONDONTWRITEBYTECODE='1',
               DSEG_TRANSLATIONS=TRANSLATIONS, **{IN_COPY: '1'})
    env.pop('DSEG_QEMU', None)
    return env


def run(title, command, seconds):
    """Run a command in the copy, with its output in a log of its own."""
    run_logged(title, command, LOG / f'{title.replace(": ", ".").replace(" ", "-")}.log',
               timeout=seconds, cwd=COPY, env=environment())


def make_copy(with_qemu):
    """Make the copy, or bring it up to date: the project's files, and where tests run QEMU, its
    source and the guests."""
    names = set(project_files(ROOT))
    for name in set(project_files(COPY)) - names:
        (COPY / name).unlink()
    for name in names:
        copy_file(ROOT / name, COPY / name)
    if with_qemu:
        with Tree.in_use().lock(shared=True):
            copy_tree()
        with alone(GUEST), alone(SMALL.image):
            copy_guests()


def project_files(folder):
    """The files of the project in a folder, without what is built; also where git has not been."""
    for place, folders, files in os.walk(folder):
        here = Path(place).relative_to(folder)
        folders[:] = [name for name in folders if name not in ('.git', '__pycache__')
                      and str(here / name) not in ('out', 'build')]
        yield from (here / name for name in files)


def copy_file(source, target):
    """Copy a file unless it is the same already, so that nothing is built again for it."""
    if target.exists() and target.read_bytes() == source.read_bytes():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, target)


def copy_tree():
    """Copy QEMU's patched source, which then has the copy's files in the place of ours."""
    tree = Tree.in_use()
    target = COPY / 'out/src' / tree.path.name
    stamp = COPY / 'out/src/copied'
    state = f'{tree.path} {tree.head()}\n' + tree.git('diff', 'HEAD')
    if not stamp.exists() or stamp.read_bytes() != state.encode():
        stamp.unlink(missing_ok=True)
        target.mkdir(parents=True, exist_ok=True)
        run('Copying the source of QEMU',
            ['sh', '-c', 'tar -C "$1" --exclude=./.git -cf - . | tar -C "$2" -xf -', 'sh',
             tree.path, target], 600)
        write_text(stamp, state)
    for name, path in OVERLAY.items():
        if (target / name).is_symlink():
            link(target / name, COPY / path.relative_to(ROOT))
    link(COPY / 'out' / IN_USE.name, Path('src') / tree.path.name)


def copy_guests():
    """Copy the guests, of which the copy makes anew what depends on its files."""
    if (COPY / 'out/guest').is_symlink():       # an earlier version's
        (COPY / 'out/guest').unlink()
    for name in ('guest', 'downloads'):
        if (COPY / 'out' / name).exists() or not (OUT / name).exists():
            continue
        new = COPY / 'out' / f'{name}.part'
        shutil.rmtree(new, ignore_errors=True)
        run(f'Copying out/{name}', ['cp', '--archive', '--reflink=auto', OUT / name, new], 600)
        new.rename(COPY / 'out' / name)


def build_qemu(name):
    """Build the copy's QEMU."""
    run(f'{name}: build', ['/usr/bin/python3', '-m', 'dseg.source.build'], BUILD_SECONDS)


def build_guests(name):
    """Make the copy's guests, whose programs and modules may have had another bug before."""
    for step in ('images', 'programs'):
        run(f'{name}: build {step}', ['/usr/bin/python3', '-m', f'dseg.guests.{step}'], BUILD_SECONDS)


def build_tests(name, suites):
    """Build what the tests of these suites run."""
    with filled(BUILD):
        if not (BUILD / 'build.ninja').exists():
            run(f'{name}: configure', ['meson', 'setup', BUILD, COPY], 300)
        run(f'{name}: configure', ['ninja', '-C', BUILD, 'build.ninja'], 300)
    files = {target['id']: target['filename'] for target in introspect('--targets')}
    needed = {file for test in introspect('--tests')
              if test['suite'][0].partition(':')[2] in suites
              for target in test['depends'] for file in files[target]}
    run(f'{name}: build tests',
        ['ninja', '-C', BUILD, *sorted(os.path.relpath(file, BUILD) for file in needed)],
        BUILD_SECONDS)


def introspect(what):
    """What meson knows of the copy's build."""
    return json.loads(subprocess.run(['meson', 'introspect', what, BUILD], check=True,
                                     stdout=subprocess.PIPE, timeout=60).stdout)


def run_tests(name, mutants):
    """The first test that fails of those for these bugs, or None. Each thing is built when the
    first test needs it, so that a quick test spares the rest."""
    suites = [suite for suite in SUITES if any(suite in mutant.suites for mutant in mutants)]
    build_tests(name, suites)
    has_qemu = False
    for suite in suites:
        if suite != 'unit' and not has_qemu:
            build_qemu(name)
            has_qemu = True
        failed = run_suite(name, suite, SUITES[suite])
        if failed:
            return failed
    tests = sorted({test for mutant in mutants for test in mutant.pytest})
    if not tests:
        return None
    build_qemu(name)
    build_guests(name)
    return run_pytest(name, tests)


def run_suite(name, suite, seconds):
    """The first test of a suite that fails, or None."""
    logs = BUILD / 'meson-logs'
    for old in logs.glob(f'{suite}.*'):
        old.unlink()
    try:
        run(f'{name}: {suite}', ['meson', 'test', '-C', BUILD, '--no-rebuild', '--suite', suite,
                                 '--logbase', suite, '--maxfail', '1'], seconds)
    except Failure as failure:
        failed = [case for case, outcome in test_cases(suite, logs) if outcome == 'failed']
        # Those that were stopped after the first have failed too.
        failed.sort(key=lambda case: 'ended with' in case)
        return f'{suite}: {first(failed, failure)}'
    return None


def run_pytest(name, tests):
    """The first of these tests that fails, or None."""
    log = LOG / f'{name.replace(" ", "-")}.pytest.log'
    try:
        # The suite tlb's own programs have nothing of the code that bugs are put into.
        run(f'{name}: pytest', ['env', f'DSEG_TLB_BUILD={ROOT / "build/tests"}',
                                '/usr/bin/python3', '-m', 'pytest', '-x', '-q', '--color=no',
                                *(f'tests/{test}' for test in tests)],
            PYTEST_SECONDS * len(tests))
    except Failure as failure:
        failed = [line.split()[1] for line in log.read_text(errors='replace').splitlines()
                  if line.startswith(('FAILED ', 'ERROR '))]
        return f'pytest: {first(failed, failure)}'
    return None


def first(failed, failure):
    """The test that caught a bug. It may also be that none came to its end."""
    if failed:
        return failed[0]
    if 'nothing after' in str(failure):
        return 'no end in time'
    raise failure


if __name__ == '__main__':
    run_main('mutate', main)
