# SPDX-License-Identifier: GPL-2.0-or-later
"""Matplotlib without anybody's settings, and with its caches in our folder."""

import io
import os

from .. import OUT

os.environ['MPLCONFIGDIR'] = str(OUT / 'matplotlib')      # not the user's; read when it is imported
# pylint: disable=wrong-import-position
import matplotlib  # noqa: E402

matplotlib.rcdefaults()       # not a style of the current folder's or the user's
matplotlib.use('Agg')
from matplotlib import patches, pyplot  # noqa: E402  (after the backend is chosen)

__all__ = ['CHECKS', 'GUEST', 'NESTED', 'SETTINGS', 'TEXT', 'matplotlib', 'patches', 'plain', 'pyplot',
           'save', 'svg']

# From the colour-blind safe set of Okabe and Ito.
GUEST, NESTED, CHECKS, TEXT = '#0072b2', '#e69f00', '#009e73', '#222222'
# Texts are outlines, so that they look the same where a font is missing.
SETTINGS = {'svg.fonttype': 'path', 'svg.hashsalt': 'dseg', 'pdf.fonttype': 42, 'font.size': 9,
            'text.color': TEXT, 'axes.labelcolor': TEXT, 'xtick.color': TEXT, 'ytick.color': TEXT}
# Nor has a file the time when it was drawn: the same figure gives the same file.
UNNAMED = {'svg': ('Date', 'Creator'), 'pdf': ('CreationDate', 'Creator', 'Producer'), 'png': ()}


def plain(axes):
    """Without what is around a plot for no reason."""
    axes.spines[['top', 'right']].set_visible(False)
    axes.tick_params(axis='y', length=0)


def save(figure, file):
    """Write the figure; the suffix, svg, pdf or png, is the format."""
    write(figure, file, str(file).rpartition('.')[2])


def svg(figure):
    """The figure as text."""
    file = io.StringIO()
    write(figure, file, 'svg')
    return file.getvalue()


def write(figure, file, form):
    """The figure in a format into a file, by its name or opened."""
    with pyplot.rc_context(SETTINGS):
        figure.savefig(file, format=form, dpi=150, metadata=dict.fromkeys(UNNAMED[form]))
