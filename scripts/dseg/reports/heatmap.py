# SPDX-License-Identifier: GPL-2.0-or-later
"""Draws the steps of walks as heat maps: the darker, the more cycles a step takes per walk.

    figure = draw('GUPS', {'gups, 4K+4K': cells}, width=10)
"""

from matplotlib.colors import LinearSegmentedColormap, Normalize

from ..drawing.plotting import TEXT, pyplot
from .stepcells import column_name, row_name

# Black text can be read on each of them.
COLOURS = LinearSegmentedColormap.from_list('cycles', ('#ffffff', '#ffd9a0', '#f0a030'))
NOTHING, LINES = '#eeeeee', '#888888'
BESIDE = 2              # maps in a row
CELL = 0.52             # inches, of the height of a cell
LINE = 3                # texts of a cell, at most
HEAD, ABOVE, BELOW = 0.75, 0.6, 0.1     # inches: of the figure; of a map, for its names
LEFT, RIGHT = 0.95, 0.15                # beside each map


def draw(title, maps, width):
    """The figure. maps: title to Cells; width: inches"""
    highest = max(cell.cycles for cells in maps.values() for cell in cells.cells.values()) or 1
    colours = Normalize(0, highest)
    names = list(maps)
    in_rows = [names[at:at + BESIDE] for at in range(0, len(names), BESIDE)]
    heights = [CELL * max(len(maps[name].rows) for name in row) for row in in_rows]
    whole = HEAD + sum(heights) + len(heights) * (ABOVE + BELOW)
    figure = pyplot.figure(figsize=(width, whole))
    figure.text(0.3 / width, 1 - 0.1 / whole, title, va='top', fontsize=12)
    figure.text(0.3 / width, 1 - 0.38 / whole, 'cycles of a step per walk, and where it found its '
                f'entry; white is 0, the darkest {highest:.3g}; no walk has a step that is grey',
                va='top', fontsize=9)
    y = whole - HEAD
    for row, height in zip(in_rows, heights):
        y -= ABOVE + height
        for place, name in enumerate(row):
            own = CELL * len(maps[name].rows)
            left = place * width / BESIDE + LEFT
            draw_map(figure.add_axes((left / width, (y + height - own) / whole,
                                      (width / BESIDE - LEFT - RIGHT) / width, own / whole)),
                     name, maps[name], colours)
        y -= BELOW
    return figure


def draw_map(axes, title, cells, colours):
    """The cells of one program."""
    for down, row in enumerate(cells.rows):
        for across, column in enumerate(cells.columns):
            draw_cell(axes, across, down, cells.cells.get((row, column)), colours)
    axes.set_xlim(0, len(cells.columns))
    axes.set_ylim(len(cells.rows), 0)
    axes.set_xticks([at + 0.5 for at in range(len(cells.columns))],
                    list(map(column_name, cells.columns)), fontsize=7.5)
    axes.set_yticks([at + 0.5 for at in range(len(cells.rows))],
                    list(map(row_name, cells.rows)), fontsize=7.5)
    axes.tick_params(length=0, top=True, bottom=False, labeltop=True, labelbottom=False)
    axes.set_title(f'{title}: {cells.cycles:.1f} cycles of steps per walk', fontsize=9, pad=6,
                   loc='left')


def draw_cell(axes, across, down, cell, colours):
    """A step, or the place of one that no walk has."""
    axes.add_patch(pyplot.Rectangle((across, down), 1, 1, edgecolor=LINES, linewidth=0.6,
                                    facecolor=COLOURS(colours(cell.cycles)) if cell else NOTHING))
    if cell:
        text = '\n'.join([f'{cell.cycles:.2f}', *cell.texts[:LINE]])
        axes.text(across + 0.5, down + 0.5, text, ha='center', va='center', fontsize=6,
                  linespacing=1.05, color=TEXT)
