# SPDX-License-Identifier: GPL-2.0-or-later
"""What is said of tables of an experiment file that can't be."""

from pathlib import Path

from dseg.points.problems import Problems, Tables, parse
from dseg.reports import report


def problems_of_figure(figure):
    """Each as a line, of a [[figure]] in line 3 of x.toml."""
    return problems_of(Tables(Path('x.toml'), {'figure': [figure]}, {('figure', 0): 'x.toml:3'}))


def problems_of_file(file):
    """Of the claims and figures in a file."""
    return problems_of(parse(file))


def problems_of(tables):
    found = Problems()
    report.check(tables, found)
    return found
