# SPDX-License-Identifier: GPL-2.0-or-later
"""Every shell script of the project stops at the first error, and passes shellcheck."""

import subprocess

import pytest

from conftest import ROOT, SECONDS

# Read by other shells, which have options of their own.
SOURCED = {'scripts/lib/setup.sh', 'linux/init/profile'}


def shell_scripts():
    for folder in ('.ci', 'hw', 'linux', 'qemu-patches', 'scripts', 'target-i386-ext', 'tests'):
        for path in sorted((ROOT / folder).rglob('*')):
            name = str(path.relative_to(ROOT))
            if path.is_file() and (name in SOURCED or path.suffix == '.sh' or
                                   path.read_bytes()[:32].startswith((b'#!/bin/sh', b'#!/bin/bash'))):
                yield name


SCRIPTS = list(shell_scripts())


def test_the_scripts_are_found():
    assert {'.ci/run', 'scripts/demo', 'scripts/lib/private-apt', 'linux/init/l2'} < set(SCRIPTS)


@pytest.mark.parametrize('name', [name for name in SCRIPTS if name not in SOURCED])
def test_it_stops_at_the_first_error(name):
    lines = (ROOT / name).read_text().splitlines()
    commands = [line for line in lines if line and not line.startswith('#')]
    assert commands[0] == 'set -eu'
    assert lines[0] == '#!/bin/sh'


@pytest.mark.parametrize('name', [name for name in SCRIPTS if name.count('/') == 1 and
                                  name.startswith('scripts/')])
def test_it_takes_no_program_from_the_caller_and_ends_with_its_steps(name):
    text = (ROOT / name).read_text()
    assert '. "$(/usr/bin/dirname "$(/usr/bin/realpath "$0")")/lib/setup.sh"\n' in text
    assert '$DSEG_ROOT/scripts/' not in text        # run_step does that


def test_shellcheck_finds_nothing():
    done = subprocess.run(['shellcheck', '--shell=sh', *SCRIPTS], cwd=ROOT, check=False, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=2 * SECONDS)
    assert done.stdout == ''
    assert done.returncode == 0
