# SPDX-License-Identifier: GPL-2.0-or-later
"""The figures that an experiment file wants (wanted.py); the same input gives the same file.

    figure = make(wanted, results)
    plotting.save(figure, 'name.pdf')
"""

from collections import Counter
from statistics import mean

from ..drawing.plotting import CHECKS, GUEST, NESTED, SETTINGS, TEXT, plain, pyplot
from ..points.axes import value_text
from . import costs, curves, heatmap, stepcells
from .layout import COLOURS, WIDTH, legend, stack
from .noise import half_interval
from .table import differing, special

HITS = '#bbbbbb'
PARTS = (('guest', 'guest (or native) dimension', GUEST), ('nested', 'nested dimension', NESTED),
         ('checks', 'checks', CHECKS), ('hits', 'hits of the L2 TLB', HITS))
BARS = 64               # the most in a row
EVENT = 0.18            # inches of a line that says what happened


def make(wanted, results):
    """The figure; None where nothing that it would show is measured."""
    points = [point for point in results.select(wanted.get('where', {})) if point.record]
    with pyplot.rc_context(SETTINGS):
        draw = {'overhead-bars': bars, 'lines': curves.lines, 'timeline': timeline, 'steps': steps}
        return draw[wanted['kind']](wanted, results, points)


def bars(wanted, results, points):
    """Overheads: a group of bars for each workload, a bar for each configuration."""
    points, chosen = with_overhead(wanted, results, points)
    if not points:
        return None
    groups = {}             # by workload: the shares of each part, by what the bar is called
    for point in points:
        bar = groups.setdefault(point.axes['workload'], {}).setdefault(name_bar(results, point), [])
        bar.append(shares_of(results.parts(point, chosen)))
    return in_groups(wanted['title'], groups, draw_bar, lambda bar: [bar])


def shares_of(parts):
    """Of each of PARTS over the ideal time."""
    return [parts.share(part) for part, *_ in PARTS]


def in_groups(title, groups, draw, bars_of, *, y='overhead', room=0.25, most=BARS):
    """A figure with a group of places for each workload, in rows.

    groups: by workload what is at each place, by its name
    draw: draws that: (axes, x, what, whether it is the first, the highest bar of the row)
    bars_of: the bars of a place; each is a list of repeats, which are lists of parts
    room: above the highest bar, as a share of it; most: places in a row
    """
    in_rows = into_rows(groups, most)
    below = 0.15 + 0.066 * max(len(name) for group in groups.values() for name in group)
    figure, rows = stack(title, [1.8] * len(in_rows), above=0.3, below=below)
    places = max(len_of(groups, names) for names in in_rows)
    for axes, names in zip(rows, in_rows):
        highest = max(top_of(bar) for name in names for place in groups[name].values()
                      for bar in bars_of(place)) or 0.01
        draw_row(axes, {name: groups[name] for name in names}, draw, highest)
        axes.set_xlim(-0.8, max(places, 12) - 0.2)
        finish_row(axes, y, highest, room)
    legend(figure, *rows[0].get_legend_handles_labels(), columns=4)
    return figure


def with_overhead(wanted, results, points):
    """The points that a figure has bars of, and the costs that they have them by."""
    chosen = costs.preset(wanted['costs']) if 'costs' in wanted else results.costs
    value = 'measured-overhead' if chosen.is_measured else 'overhead'
    return [point for point in points if results.value(point, value) is not None], chosen


def name_bar(results, point):
    """What a bar is called: repeats share one."""
    words = [results.label(point.axes['configuration'])]
    words += [f'{axis} {value_text(point.axes[axis])}' for axis in differing(results)
              if axis != 'repeat']
    return ', '.join(words)


def len_of(groups, names):
    """Places of a row: its bars, and one between two groups."""
    return sum(len(groups[name]) for name in names) + len(names) - 1


def into_rows(groups, most):
    """The workloads of each row: as few rows as so many places in one allow."""
    found = [[]]
    for name in groups:
        if found[-1] and len_of(groups, [*found[-1], name]) > most:
            found.append([])
        found[-1].append(name)
    return found


def top_of(repeats):
    """Where a bar and its interval end."""
    sums = [sum(repeat) for repeat in repeats]
    return mean(sums) + half_interval(sums)


def draw_row(axes, groups, draw, highest):
    """Some workloads beside each other."""
    at, ticks, names = 0, [], []
    for workload, group in groups.items():
        axes.text(at + (len(group) - 1) / 2, 1.02, workload, ha='center', va='bottom', weight='bold',
                  transform=axes.get_xaxis_transform())
        for name, place in group.items():
            draw(axes, at, place, not ticks, highest)
            ticks.append(at)
            names.append(name)
            at += 1
        at += 1
    axes.set_xticks(ticks, names, rotation=90, fontsize=7.5)


def finish_row(axes, y, highest, room):
    """Each row has a scale of its own."""
    axes.set_ylim(0, (1 + room) * highest)
    axes.yaxis.set_major_formatter(lambda value, _: f'{100 * value:g} %')
    axes.set_ylabel(y)
    plain(axes)
    axes.tick_params(axis='x', length=0)
    axes.grid(axis='y', color='#dddddd', linewidth=0.6)
    axes.set_axisbelow(True)


def draw_bar(axes, at, repeats, labelled, highest):
    """One bar of stacked parts, with its height in numbers above it."""
    height, top = draw_parts(axes, at, 0.8, repeats, labelled)
    text = f'{100 * height:.1f}' if height < 1 else f'{100 * height:.0f}'
    axes.text(at, top + 0.015 * highest, text, rotation=90, ha='center', va='bottom', fontsize=6.5)


def draw_parts(axes, at, width, repeats, labelled, parts=PARTS, **style):
    """One bar of stacked parts, means of repeats, and an interval; returns its height and its top."""
    bottom = 0
    for (_, about, colour), share in zip(parts, map(mean, zip(*repeats))):
        axes.bar(at, share, width, bottom=bottom, color=colour, label=about if labelled else None,
                 **style)
        bottom += share
    half = top_of(repeats) - bottom
    if half > 0:
        axes.errorbar(at, bottom, half, color=TEXT, elinewidth=0.8, capsize=1.5)
    return bottom, bottom + half


def timeline(wanted, results, points):
    """Walks second by second, by regime, and what happened: a row for each point that has it.

    Of record['timeline']: {"samples": [{"at": seconds, "walks": {regime: number}}],
    "events": [{"at": seconds, "until": seconds, "text": ...}]}, the last but one if it takes time
    """
    points = [point for point in points if point.record.get('timeline', {}).get('samples')]
    if not points:
        return None
    regimes = Counter()
    for point in points:
        for sample in point.record['timeline']['samples']:
            regimes.update(sample['walks'])
    regimes = [regime for regime in sorted(regimes) if regimes[regime]]
    heights = [1.8 + EVENT * len(point.record['timeline'].get('events', [])) for point in points]
    figure, rows = stack(wanted['title'], heights, above=0.3, below=0.5)
    for axes, point, height in zip(rows, points, heights):
        draw_timeline(axes, point.record['timeline'], regimes, height)
        axes.set_title(f'{point.axes["workload"]}, {special(results, point)}', fontsize=9, pad=4)
    legend(figure, *rows[0].get_legend_handles_labels(), columns=7)
    return figure


def with_pauses(found):
    """The samples of a timeline, and one without a walk for each event in which there is none."""
    samples = list(found['samples'])
    for event in found.get('events', []):
        end = event.get('until', event['at'])
        if end > event['at'] and not any(event['at'] < sample['at'] <= end
                                         for sample in found['samples']):
            samples.append({'at': end, 'walks': {}})
    return sorted(samples, key=lambda sample: sample['at'])


def draw_timeline(axes, found, regimes, inches):
    """The walks of one point, and its events, each on a line of its own above them."""
    samples = with_pauses(found)
    times = [sample['at'] for sample in samples]
    axes.stackplot(times, [[sample['walks'].get(regime, 0) for sample in samples]
                           for regime in regimes], colors=COLOURS, labels=regimes, step='pre')
    highest = max(sum(sample['walks'].values()) for sample in found['samples']) or 1
    events = found.get('events', [])
    top = highest * inches / 1.7
    for number, event in enumerate(sorted(events, key=lambda event: event['at'])):
        height = top * (1 - EVENT * (number + 0.5) / inches)
        axes.plot([event['at']] * 2, [0, height], color=TEXT, linewidth=0.8)
        late = event['at'] > (times[0] + times[-1]) / 2
        axes.annotate(event['text'], (event['at'], height), (-4 if late else 4, 0),
                      textcoords='offset points', ha='right' if late else 'left', va='center',
                      fontsize=7.5, bbox={'facecolor': 'white', 'edgecolor': 'none', 'pad': 0.5})
    axes.set_xlim(times[0], times[-1])
    axes.set_ylim(0, top)
    axes.set_xlabel('seconds')
    axes.set_ylabel('walks per sample')
    plain(axes)


def steps(wanted, results, points):
    """A heat map of the steps of walks for each point with modelled caches."""
    maps = {}
    for point in points:
        cells = stepcells.of_point(results, point)
        if cells and cells.cells:
            maps[f'{point.axes["workload"]}, {special(results, point)}'] = cells
    return heatmap.draw(wanted['title'], maps, WIDTH) if maps else None
