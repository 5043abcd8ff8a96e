# SPDX-License-Identifier: GPL-2.0-or-later
"""Matplotlib without anybody's settings, and with its caches in our folder."""

import os

from .. import OUT

os.environ['MPLCONFIGDIR'] = str(OUT / 'matplotlib')      # not the user's; read when it is imported
# pylint: disable=wrong-import-position
import matplotlib  # noqa: E402

matplotlib.rcdefaults()       # not a style of the current folder's or the user's
matplotlib.use('Agg')
from matplotlib import patches, pyplot  # noqa: E402  (after the backend is chosen)

__all__ = ['matplotlib', 'patches', 'pyplot']
