# SPDX-License-Identifier: GPL-2.0-or-later
"""What all figures of a report have: plots below each other, with a title and a legend on top."""

from ..drawing.plotting import pyplot

# The colour-blind safe set of Okabe and Ito.
COLOURS = ('#0072b2', '#e69f00', '#009e73', '#cc79a7', '#56b4e9', '#d55e00', '#000000')
WIDTH = 10.0            # inches, of all figures
LEFT, BESIDE = 0.75, 0.95       # inches left of a plot, and on both sides of it


def stack(title, heights, *, above, below, legend_lines=1):
    """A figure with axes below each other, and room for a title and a legend on top; in inches."""
    head = 0.45 + 0.2 * legend_lines
    whole = head + sum(heights) + len(heights) * (above + below)
    figure = pyplot.figure(figsize=(WIDTH, whole))
    figure.text(0.3 / WIDTH, 1 - 0.1 / whole, title, va='top', fontsize=12)
    rows, y = [], whole - head
    for height in heights:
        y -= above + height
        rows.append(figure.add_axes((LEFT / WIDTH, y / whole, 1 - BESIDE / WIDTH, height / whole)))
        y -= below
    return figure, rows


def legend(figure, handles, labels, columns, size=9):
    """Below the title, and as that on the left, where a phone begins to show a wide figure."""
    figure.legend(handles, labels, loc='upper left', ncols=columns, frameon=False, fontsize=size,
                  bbox_to_anchor=(0.25 / WIDTH, 1 - 0.33 / figure.get_figheight()), borderaxespad=0,
                  columnspacing=1.2, handlelength=1.6)
