# SPDX-License-Identifier: GPL-2.0-or-later
"""What tests of the TLB model share: traces, and a test for each geometry."""

import shutil

import pytest

from yardstick import geometries, is_blind, record


def pytest_generate_tests(metafunc):
    """A test is run for each geometry with the argument name, and with blind or cached for those
    only that are blind, or have caches (and are not blind)."""
    chosen = {
        'name': lambda name: not is_blind(name),
        'blind': is_blind,
        'cached': lambda name: not is_blind(name) and 'caches' in geometries()[name],
    }
    for argument, choose in chosen.items():
        if argument in metafunc.fixturenames:
            metafunc.parametrize(argument, filter(choose, geometries()))


@pytest.fixture(scope='session')
def trace(tmp_path_factory):
    """The trace of a program, made once."""
    folder = tmp_path_factory.mktemp('traces')
    made = {}

    def of(program):
        if program not in made:
            made[program] = record(program, folder / f'{program}.trace')
        return made[program]
    yield of
    shutil.rmtree(folder)       # some hundred megabytes
