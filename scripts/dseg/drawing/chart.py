# SPDX-License-Identifier: GPL-2.0-or-later
"""Draws what scripts/demo has measured."""

from .plotting import GUEST, NESTED, plain, pyplot, save

SPEED = '#999999'


def draw(results, file, title):
    """Writes a chart of @results, one row each; @file's suffix is the format.
    """
    figure, (refs, speed) = pyplot.subplots(
        1, 2, sharey=True, layout='constrained',
        figsize=(10, 1.9 + 0.42 * len(results)),
        gridspec_kw={'width_ratios': (3, 2)})
    figure.suptitle(title)
    draw_refs(refs, results)
    draw_speed(speed, results)
    refs.invert_yaxis()     # the first result on top
    save(figure, file)
    pyplot.close(figure)


def draw_refs(axes, results):
    names = [r.name for r in results]
    guest = [r.walks.mean('guest-refs') for r in results]
    nested = [r.walks.mean('nested-refs') for r in results]
    axes.barh(names, guest, color=GUEST, label='guest (or native) dimension')
    bars = axes.barh(names, nested, left=guest, color=NESTED,
                     label='nested dimension')
    axes.bar_label(bars, [refs_label(r) for r in results], padding=4)
    axes.set_xlabel('memory references per page walk (mean)')
    axes.set_xticks(range(0, 25, 4))
    axes.set_xlim(0, 1.7 * max(max(g + n for g, n in zip(guest, nested)), 1))
    axes.legend(loc='upper left', bbox_to_anchor=(0, -0.2), ncol=2,
                frameon=False)
    plain(axes)


def refs_label(result):
    walks = result.walks
    return (f'{walks.refs_mean:.2f} (typical: {walks.refs_typical}, with '
            f'{counted(walks.checks_typical, "check")})')


def counted(number, noun):
    return f'{number} {noun}' if number == 1 else f'{number} {noun}s'


def draw_speed(axes, results):
    millions = [r.updates_per_s / 1e6 for r in results]
    bars = axes.barh([r.name for r in results], millions, color=SPEED)
    axes.bar_label(bars, [f'{m:.2f}' for m in millions], padding=4)
    axes.set_xlabel('million updates/s, as emulated')
    axes.set_xlim(0, 1.2 * max(millions))
    plain(axes)
