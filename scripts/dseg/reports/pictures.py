# SPDX-License-Identifier: GPL-2.0-or-later
"""The files of figures that a report is asked for."""

import re
from pathlib import Path

from ..base.atomically import beside
from ..drawing import plotting

FORMATS = ('svg', 'pdf')


def keep(number, title, figure, options):
    """Write a figure into the folders that the options name; returns its SVG. None is none."""
    if figure is None:
        return None
    for suffix in FORMATS:
        if folder := getattr(options, suffix):
            Path(folder).mkdir(parents=True, exist_ok=True)
            with beside(Path(folder) / f'{number}-{plain_name(title)}.{suffix}') as part:
                plotting.save(figure, part)
    text = plotting.svg(figure)
    plotting.pyplot.close(figure)
    return text


def plain_name(title):
    """A title as a part of a file's name."""
    return re.sub(r'[^a-z0-9]+', '-', title.lower()).strip('-')[:60] or 'figure'
