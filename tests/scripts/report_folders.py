# SPDX-License-Identifier: GPL-2.0-or-later
"""Folders of runs for the tests of what reports show: fixtures, to be imported."""

from types import SimpleNamespace

import pytest

from dseg.points import workloads
from sample_runs import CLASSES, make_folder, matrix

SMALL = matrix(['gups', 'zstd'], ['native-4k', 'native-2m', '4k+4k', '2m+2m', 'dd'])
MET = {'text': 'a <claim> & more', 'value': 'refs-per-walk', 'of': {'configuration': '4k+4k'},
       'above': 20, 'source': 'poster'}
BARS = {'kind': 'overhead-bars', 'title': 'Overheads & <bars>'}
LINES = {'kind': 'lines', 'title': 'By workload', 'x': 'workload', 'y': 'refs-per-walk'}
FILE = {'title': 'A <sample> & its title', 'claim': [MET], 'figure': [BARS, LINES]}


@pytest.fixture(autouse=True)
def classes(monkeypatch):
    """The workloads of the samples are not those that ship."""
    monkeypatch.setattr(workloads, 'read', lambda: {
        name: SimpleNamespace(kind=kind) for name, kind in CLASSES.items()})


@pytest.fixture
def folder(tmp_path):
    """The maker of a folder of a run."""
    def make(name='run', all_axes=None, file=None, **more):
        (tmp_path / name).mkdir()
        return make_folder(tmp_path / name, SMALL if all_axes is None else all_axes,
                           FILE if file is None else file, **more)
    return make
