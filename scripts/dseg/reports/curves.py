# SPDX-License-Identifier: GPL-2.0-or-later
"""A figure of a value by an axis: lines by one of numbers, marks by one of words."""

import textwrap
from itertools import cycle, product
from statistics import mean

from ..drawing.plotting import plain
from ..points.axes import value_text
from . import falseescapes
from .claimed import THEORY
from .claims import name_of, varying_axes
from .layout import BESIDE, COLOURS, WIDTH, legend, stack
from .noise import half_interval
from .results import SHARES, VALUES

DASHES, MARKERS = ('-', '--', ':'), 'osv^D'
FILTER_AXES = 'escapes', 'filter-bits'      # what false escapes depend on in theory
TICK, TICK_LINE = 14, 0.14      # characters of a line below a mark, and inches of one more
LETTER = 0.075          # inches of one, about


def lines(wanted, results, points):
    """A value by an axis: of one with numbers a line for each curve; of others marks, as nothing is
    between two words."""
    x, y = wanted['x'], wanted['y']
    curves = curves_of(wanted, results, points)
    if not curves:
        return None
    places = list(dict.fromkeys(point.axes[x] for point in points))
    if y == THEORY:
        curves.update(theory(x, points))
    numeric = all(type(place) in (int, float) for place in places)
    words = [] if numeric else [tick(results, x, place) for place in places]
    columns = max(1, min(6, 110 // (7 + max(map(len, curves)))))
    figure, (axes,) = stack(wanted['title'], [3.6], above=0.1, below=below_ticks(words),
                            legend_lines=-(-len(curves) // columns))
    for number, (curve, style) in enumerate(zip(curves.items(), styles())):
        if numeric:
            draw_line(axes, *curve, *style)
        else:
            draw_marks(axes, *curve, *style, places, (number + 1) / (len(curves) + 1) - 0.5)
    if wanted.get('scale') == 'log':
        make_logarithmic(axes, places, [value for curve in curves.values()
                                        for value in map(mean, curve.values()) if value > 0])
    else:
        axes.set_ylim(bottom=0)
    finish(axes, f'{y} ({VALUES[y]})', percent=y in SHARES)
    axes.set_xlabel(x)
    if words:
        name_places(axes, words)
    if any(curves):
        legend(figure, *axes.get_legend_handles_labels(), columns, size=8)
    return figure


def curves_of(wanted, results, points):
    """By name, for each configuration and for what else differs: values of repeats by place.

    What is the axis, or is averaged over, is in no name.
    """
    x, y = wanted['x'], wanted['y']
    others = [axis for axis in varying_axes(points)
              if axis not in (x, 'repeat', wanted.get('over'))]
    curves = {}
    for point in points:
        value = results.value(point, y)
        if value is not None:
            label = '' if x == 'configuration' else results.label(point.axes['configuration'])
            name = ', '.join(filter(None, [label, name_of(point, others)]))
            curves.setdefault(name, {}).setdefault(point.axes[x], []).append(value)
    return curves


def styles():
    """(dash and colour, marker) of one curve after the other, without end."""
    return zip(cycle(product(DASHES, COLOURS)), cycle(MARKERS))


def draw_line(axes, name, curve, dash_and_colour, marker):
    """Through the means of a curve, with intervals."""
    dash, colour = dash_and_colour
    draw_curve(axes, name, curve, [(place, place) for place in sorted(curve)], dash, colour, marker)


def draw_marks(axes, name, curve, dash_and_colour, marker, places, beside):
    """The means of a curve, with intervals, so far beside the middles of their places."""
    draw_curve(axes, name, curve, [(place, at + beside) for at, place in enumerate(places)
                                   if place in curve], 'none', dash_and_colour[1], marker, clip_on=False)


def draw_curve(axes, name, curve, order, dash, colour, marker, **style):
    """order: places, and where they are"""
    axes.errorbar([at for _, at in order], [mean(curve[place]) for place, _ in order],
                  [half_interval(curve[place]) for place, _ in order], linestyle=dash, color=colour,
                  marker=marker, markersize=4, elinewidth=0.8, capsize=2, label=name, **style)


def name_places(axes, words):
    """Words below the places of marks, and lines between these."""
    turned = not fit_beside(words)
    axes.set_xticks(range(len(words)), words, rotation=90 if turned else 0)
    axes.set_xlim(-0.5, len(words) - 0.5)
    axes.tick_params(axis='x', length=0)
    axes.grid(visible=False, axis='x')
    for boundary in range(1, len(words)):
        axes.axvline(boundary - 0.5, color='#dddddd', linewidth=0.6)


def fit_beside(words):
    """Whether these texts have room beside each other below the whole width."""
    return LETTER * (1 + longest_line(words)) <= (WIDTH - BESIDE) / max(1, len(words))


def longest_line(words):
    """Characters of it."""
    return max((len(line) for text in words for line in text.split('\n')), default=0)


def below_ticks(words):
    """Inches for texts below a plot, and for what it is by."""
    if fit_beside(words):
        return 0.5 + TICK_LINE * max((text.count('\n') for text in words), default=0)
    return 0.4 + LETTER * longest_line(words)


def theory(x, points):
    """Curves of false escapes by theory: one for each size of the filter, or number in it."""
    if x not in FILTER_AXES:
        return {}
    other = FILTER_AXES[1 - FILTER_AXES.index(x)]
    curves = {}
    for point in points:
        name = f'theory, {other} {point.axes[other]}' if other in varying_axes(points) else 'theory'
        curves.setdefault(name, {})[point.axes[x]] = [
            falseescapes.share(*(point.axes[axis] for axis in FILTER_AXES))]
    return curves


def make_logarithmic(axes, places, values):
    """In both directions: what is not above 0 lies below the plot. values: those that are"""
    axes.set_xscale('log', base=2)
    axes.set_xticks(places, map(str, places))
    axes.minorticks_off()
    if values:
        axes.set_yscale('log', nonpositive='clip')
        axes.set_ylim(min(values) / 2, 2 * max(values))


def tick(results, x, place):
    """A value of an axis in words: of a file the name alone, in short lines."""
    if x == 'configuration':
        return results.label(place)
    return textwrap.fill(value_text(place).rpartition('/')[2].removesuffix('.json'), TICK)


def finish(axes, y, percent):
    """What all plots of lines have."""
    axes.set_ylabel(y)
    if percent:
        axes.yaxis.set_major_formatter(lambda value, _: percent_mark(value))
    axes.grid(color='#dddddd', linewidth=0.6)
    plain(axes)
    axes.tick_params(axis='y', length=0)


def percent_mark(value):
    """A short mark of a percentage: there is no room for many zeros."""
    text = f'{100 * value:g}' if not 0 < value < 1e-4 else f'{100 * value:.0e}'.replace('e-0', 'e-')
    return f'{text} %'
