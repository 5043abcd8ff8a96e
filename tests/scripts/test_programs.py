# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian's programs as workloads: who needs their disk, and what their driver refuses."""

import os
import subprocess

import pytest

from dseg import ROOT
from dseg.experiments.sweep import needs
from dseg.points import workloads

FOLDER = ROOT / 'linux/programs'
SECONDS = 60


def program(*words):
    """The driver of the guests, on this machine; returns (exit code, what it prints)."""
    done = subprocess.run(['sh', FOLDER / 'program', *words], check=False, text=True, timeout=SECONDS,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          env={'PATH': os.environ['PATH'], 'PROGRAMS_FOLDER': str(FOLDER)})
    return done.returncode, done.stdout


@pytest.mark.parametrize('words, told', [
    (['none'], 'there is no program \'none\''), (['../init/rc'], 'there is no program'),
    (['zstd', '--updates', '3'], '--bytes and --updates are needed'),
    (['zstd', '--bytes', '1M'], '--bytes and --updates are needed'),
    (['zstd', '--bytes', '1T'], "'1T' is no size"), (['zstd', '--bytes', '1MM'], "'1MM' is no size"),
    (['zstd', '--bytes', ''], "'' is no size"), (['zstd', '--bytes', 'M'], "'M' is no size"),
    (['zstd', '--updates', '1K'], "'1K' is no number"), (['zstd', '--seed', '-1'], "'-1' is no number"),
    (['zstd', '--bytes'], '--bytes needs a value'),
    (['zstd', '--all', '1'], "unexpected argument '--all'"),
])
def test_what_can_not_run_is_named_before_anything_is_done(words, told):
    code, output = program(*words)
    assert code == 2 and output.startswith(f'program: {told}') and output.count('\n') == 1


def test_help_names_every_program():
    code, output = program('--help')
    assert code == 0 and all(len(line) <= 100 for line in output.splitlines())
    named = {line.split()[0] for line in output.splitlines() if line.startswith('  ') and line[2] != '-'}
    assert named == {file.stem for file in FOLDER.glob('*.sh')}


def test_each_driver_has_a_workload_that_needs_the_disk_of_programs():
    found = {name: workload.command.split()[:2] for name, workload in workloads.read().items()
             if workload.programs}
    assert found == {file.stem: ['program', file.stem] for file in FOLDER.glob('*.sh')}


@pytest.mark.parametrize('name, told', [('programs', 'build-programs\n'), ('smoke', '')])
def test_the_disk_is_made_where_a_workload_needs_it(name, told, capsys):
    needs.main(['run', str(ROOT / f'experiments/{name}.toml'), '--size', 'smoke'])
    assert capsys.readouterr().out == told
