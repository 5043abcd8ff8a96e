# SPDX-License-Identifier: GPL-2.0-or-later
"""One HTML file with all of a report: no script, nothing from a network, for phones and paper."""

import re
from collections import Counter
from html import escape

from . import behind, claims, costs, forms, models, table

STYLE = '''
:root { color-scheme: light; }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem; max-width: 72rem; background: #fff; color: #1a1a1a;
  font: 16px/1.5 system-ui, "DejaVu Sans", sans-serif; overflow-wrap: break-word; }
h1 { font-size: 1.6rem; line-height: 1.2; margin: 0 0 .5rem; }
h2 { font-size: 1.25rem; margin: 2.2rem 0 .6rem; border-bottom: 1px solid #999; }
h3 { font-size: 1rem; margin: 1.4rem 0 .4rem; }
h2, h3 { break-after: avoid; }
p { max-width: 46rem; margin: .5rem 0; }
nav a { margin-right: 1rem; white-space: nowrap; }
a { color: #004a80; }
figcaption { font-size: .85rem; }
figure { margin: 1rem 0; break-inside: avoid; }
.wide { overflow-x: auto; }
.wide svg { display: block; width: 100%; min-width: 44rem; height: auto; }
table { border-collapse: collapse; font-size: .85rem; margin: .3rem 0; }
th, td { padding: .15rem .6rem .15rem 0; text-align: left; vertical-align: top; }
th { border-bottom: 1px solid #666; }
td { border-bottom: 1px solid #ddd; }
.n { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
.k { white-space: nowrap; }
.t { min-width: 14rem; }
.met { color: #005f3c; font-weight: bold; white-space: nowrap; }
.not-met { color: #a30000; font-weight: bold; white-space: nowrap; }
.not-measured { color: #555; font-weight: bold; white-space: nowrap; }
summary { cursor: pointer; padding: .3rem 0; }
code { font-size: .85em; overflow-wrap: anywhere; }
@media (max-width: 40rem) {
  .claims thead { display: none; } .claims tr, .claims td { display: block; border: 0; }
  .claims tr { padding: .4rem 0; border-bottom: 1px solid #ddd; }
  .claims td::before { content: attr(data-name); color: #555; font-weight: normal; }
}
@media print {
  body { max-width: none; padding: 0; font-size: 10pt; }
  .wide { overflow: visible; } .wide svg { min-width: 0; }
  table { font-size: 6.5pt; } nav { display: none; } tr { break-inside: avoid; }
  .t { min-width: 0; } td, th { padding-right: .25rem; }
  details::details-content { content-visibility: visible; display: block; }
}
'''
NUMBER = re.compile(r'-?[\d.]+(?:[eE][+-]?\d+)? ?%?|-')
CAPTIONS = {
    'timeline': 'Walks of the updates of each round. Where there are none, the VM stands still.',
    'overhead-bars': 'Time of translation over ideal time. The numbers are percent. Each row has a '
                     'scale of its own.',
    'steps': 'The program\'s walks. A column is an entry of the guest\'s tables, by level; above '
             'it are the nested entries that lead to it, the root\'s first. In each cell are cycles '
             'per walk, and the shares of this step that were found in each place.'}
MARKS = {claims.MET: '✓', claims.NOT_MET: '✗', claims.NOT_MEASURED: '?'}


def page(experiment, results, outcomes, drawn):
    """The text of the file.

    experiment: what experiment.json has
    drawn: (the [[figure]], its SVG or None) of each
    """
    parts = [('claims', 'Claims', claims_part(outcomes)),
             ('figures', 'Figures', figures_part(results, drawn)),
             ('models', 'Models', models_part(results)),
             ('points', 'Points', points_part(results)),
             ('forms', 'Closed forms', forms_part(results)),
             ('provenance', 'Provenance', provenance_part(experiment, results))]
    title = escape(experiment['title'])
    links = ' '.join(f'<a href="#{name}">{about}</a>' for name, about, _ in parts)
    body = '\n'.join(f'<section id="{name}"><h2>{about}</h2>\n{text}</section>'
                     for name, about, text in parts)
    return (f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f'<title>{title}</title>\n<style>{STYLE}</style></head>\n<body>\n<h1>{title}</h1>\n'
            f'{summary(experiment, results, outcomes)}<nav>{links}</nav>\n{body}\n</body></html>\n')


def summary(experiment, results, outcomes):
    """The state of all in a few lines."""
    measured = sum(point.record is not None for point in results.points)
    failed = sum(bool(point.error) for point in results.points)
    states = Counter(each.state for each in outcomes)
    sizes = ', '.join(dict.fromkeys(str(point.axes.get('size')) for point in results.points))
    said = ', '.join(f'{states[state]} {state}' for state in MARKS)
    return (f'<p>{measured} of {len(results.points)} points of <code>{escape(experiment["source"])}'
            f'</code>, size {escape(sizes)}, are measured; {failed} failed. '
            f'Claims: {said}.</p>\n')


def make_table(header, rows, texts=()):
    """A table that scrolls sideways; texts: columns whose cells may be long."""
    def cell(column, text):
        text = str(text)
        kind = 't' if column in texts else 'n' if NUMBER.fullmatch(text) else 'k'
        return f'<td class="{kind}">{escape(text)}</td>'
    numeric = {column for column in range(len(header))
               if rows and all(NUMBER.fullmatch(str(row[column])) for row in rows)}
    head = ''.join(f'<th{" class=n" if column in numeric else ""}>{escape(name)}</th>'
                   for column, name in enumerate(header))
    body = ''.join('<tr>' + ''.join(cell(*each) for each in enumerate(row)) + '</tr>\n'
                   for row in rows)
    return (f'<div class="wide"><table><thead><tr>{head}</tr></thead>\n'
            f'<tbody>{body}</tbody></table></div>\n')


def details(about, text):
    """What a click shows."""
    return f'<details><summary>{escape(about)}</summary>\n{text}</details>\n'


def claims_part(outcomes):
    """Each claim, met or not, with its numbers."""
    if not outcomes:
        return '<p>This experiment claims nothing.</p>\n'
    head, lines = ('', 'claim', 'bound', 'found', 'whose'), []
    for each in outcomes:
        cells = (f'{MARKS[each.state]} {each.state}', each.claim['text'], claims.bound(each.claim),
                 each.found, each.claim['source'])
        kinds = (each.state.replace(' ', '-'), 't', 't', 't', 'k')
        lines.append('<tr>' + ''.join(
            f'<td class="{kind}"{named(name)}>{escape(cell)}</td>'
            for name, kind, cell in zip(head, kinds, cells)) + '</tr>\n')
    heads = ''.join(f'<th>{name}</th>' for name in head)
    rows = [(number, name, '-' if value is None else claims.say(each.claim, value))
            for number, each in enumerate(outcomes, 1) for name, value in each.rows]
    return ('<p>Whose a claim is: the poster\'s, of the paper\'s abstract, ours, or recalled from '
            'the paper without its text at hand.</p>\n'
            f'<div class="wide"><table class="claims"><thead><tr>{heads}</tr></thead>\n'
            f'<tbody>{"".join(lines)}</tbody></table></div>\n'
            + details('The numbers behind the claims',
                      make_table(('claim', 'of', 'number'), rows)))


def named(name):
    """What says on a phone, where the table has no head, which column a cell is of."""
    return f' data-name="{name}: "' if name not in ('', 'claim') else ''


def figures_part(results, drawn):
    """Each figure with the table behind it."""
    parts = []
    for number, (wanted, svg) in enumerate(drawn, 1):
        name = escape(wanted['title'], quote=True)
        if svg is None:
            parts.append(f'<h3>{name}</h3><p>Nothing that this figure shows is measured.</p>\n')
            continue
        parts.append(f'<figure><div class="wide">{embedded(svg, f"f{number}-", name)}</div>'
                     f'{caption(wanted)}</figure>\n'
                     + details('The table behind it', make_table(*behind.table(wanted, results))))
    return ''.join(parts) or '<p>This experiment has no figures.</p>\n'


def caption(wanted):
    """What a figure does not say of itself."""
    about = CAPTIONS.get(wanted['kind'])
    return f'<figcaption>{about}</figcaption>' if about else ''


def embedded(svg, prefix, name):
    """An SVG as a part of the page: its names are its own, and its size is that of the place."""
    svg = svg[svg.index('<svg'):]
    svg = re.sub(r'\b(id=")([^"]+")', rf'\1{prefix}\2', svg)
    svg = re.sub(r'(href="#|url\(#)', rf'\1{prefix}', svg)
    svg = re.sub(r'<metadata>.*?</metadata>', '', svg, flags=re.S)
    svg = re.sub(r'<!--.*?-->\s*', '', svg, flags=re.S)
    head, rest = svg.split('>', 1)
    head = re.sub(r' (?:width|height)="[^"]*"', '', head)
    return f'{head} role="img" aria-label="{name}">{rest}'


def models_part(results):
    """All models side by side, with formulas and sources."""
    formulas = [('Direct', models.DIRECT_FORMULA, 'this project')]
    if results.has_caches:
        formulas.append(('Measured', models.MEASURED_FORMULA, 'this project'))
    formulas += [(model.name, model.formula, model.source) for model in models.MODELS.values()]
    header = ('workload', 'configuration', 'direct', 'x0.5', 'x2',
              *(f'with {name} costs' for name in costs.PRESETS if name != results.costs.name),
              *(table.BY_CACHES if results.has_caches else ()),
              *(model.name for model in models.MODELS.values()), 'models')
    rows = [models_row(results, point) for point in results.points if point.record]
    differ = sum(row[-1] == 'disagree' for row in rows)
    return (f'<p>No model stands alone: {models.PUBLISHED_ERRORS}. In {differ} of {len(rows)} '
            'points they disagree: the highest overhead is more than '
            f'{models.DISAGREE} times the lowest.</p>\n'
            + make_table(('model', 'formula', 'source'), formulas, texts=(1, 2))
            + f'<p>R is run time, C cycles of walks, M misses and H hits of the L2 TLB; 4k and 2m '
            f'are the runs with these pages. {escape(models.IDEAL_FORMULA)}. M and C are the '
            'program\'s; H is that of all software of the CPU.</p>\n' + about_caches(results)
            + make_table(header, rows) + costs_part())


def about_caches(results):
    """What the columns of modelled caches say."""
    if not results.has_caches:
        return ''
    return ('<p>"measured" is the overhead by modelled caches, "from direct" how far it is above '
            f'that by costs direct. {models.LEFT_OUT if results.leaves_data_out else ""}</p>\n')


def models_row(results, point):
    """The overheads of a point by all models."""
    direct = results.parts(point).overhead
    linear = results.models(point)
    low, high = models.band(point.record, results.configuration(point), results.costs)
    others = [results.parts(point, preset).overhead for name, preset in costs.PRESETS.items()
              if name != results.costs.name]
    differ = models.disagree([direct, *linear.values()])
    return (point.axes['workload'], table.special(results, point),
            *map(table.share, (direct, low, high, *others, *by_caches(results, point),
                               *linear.values())),
            'disagree' if differ else 'agree')


def by_caches(results, point):
    """Those of table.BY_CACHES, if there are any."""
    if not results.has_caches:
        return ()
    return results.value(point, 'measured-overhead'), results.measured_from_direct(point)


def costs_part():
    """What steps cost in each preset, and why."""
    names = {'guest': 'guest or native', 'final': 'nested, to the final address',
             'table': 'nested, to a guest\'s table'}
    rows = []
    for preset in costs.PRESETS.values():
        for (kind, level), (place, why) in preset.placement.items():
            rows.append((preset.name, names[kind], level, place,
                         preset.latencies[place], why))
    about = [(preset.name, preset.about, preset.source)
             for preset in (*costs.PRESETS.values(), costs.MEASURED)]
    checks = ', '.join(f'{cycles} for a walk that is {regime}'
                       for regime, cycles in costs.CHECKED_WALK.items())
    return details('What a step costs', make_table(('costs', 'what they say', 'source'), about,
                                                   texts=(1, 2))
                   + make_table(('costs', 'dimension', 'level', 'place', 'cycles', 'why'), rows)
                   + f'<p>Checks, in cycles (recalled): {checks}; {costs.OTHER_CHECK} for each '
                   f'other check. A hit of the L2 TLB costs {costs.L2_HIT}. An instruction takes 1 '
                   'cycle if its translation is free.</p>\n')


def points_part(results):
    """The main numbers of each point, and why some have none."""
    header = table.header(results)
    columns = len(header) - len(models.MODELS)
    rows = [table.shown(results, point)[:columns] for point in results.points]
    failed = [(point.axes['workload'], table.special(results, point), point.error)
              for point in results.points if point.error]
    text = make_table(header[:columns], rows)
    if failed:
        text = '<h3>Failed</h3>\n' + make_table(('workload', 'configuration', 'why'), failed,
                                                texts=(2,)) + text
    return ('<p>Walks, references and checks are those of the program; #VMEXITs are all. '
            'x0.5 and x2 are the overheads if all steps cost half and twice as much.</p>\n' + text)


def forms_part(results):
    """How many points each closed form was looked at in, and where it does not hold."""
    looked, wrong = Counter(), []
    for point in results.points:
        if point.record:
            for form in forms.forms(point.record, results.configuration(point)):
                name = re.sub(r' \(.*\)$', '', form.name)
                looked[name] += 1
                if form.left != form.right:
                    wrong.append((point.axes['workload'], table.special(results, point), form.name,
                                  form.left, form.right))
    text = f'<p>{sum(looked.values())} equations were looked at; {len(wrong)} do not hold.</p>\n'
    if wrong:
        text += make_table(('workload', 'configuration', 'form', 'left', 'right'), wrong)
    return text + details('The forms', make_table(('form', 'how often'), list(looked.items())))


def provenance_part(experiment, results):
    """What all points have in common, and what each has of its own."""
    found = {point.id: flat({**point.provenance, 'axes': {}})
             for point in results.points if point.record}
    names = list(dict.fromkeys(name for each in found.values() for name in each))
    values = {name: {str(each.get(name, '-')) for each in found.values()} for name in names}
    common = [('experiment', experiment['source'])]
    common += [(name, min(values[name])) for name in names if len(values[name]) == 1]
    own = [name for name in names if len(values[name]) > 1]
    rows = [(point.axes['workload'], table.special(results, point), point.id,
             *(found[point.id].get(name, '-') for name in own))
            for point in results.points if point.record]
    return (make_table(('of all points', ''), common, texts=(1,))
            + details('Of each point', make_table(('workload', 'configuration', 'id', *own), rows)))


def flat(tables, before=''):
    """Tables in tables as one, with names such as qemu.version."""
    found = {}
    for name, value in tables.items():
        if isinstance(value, dict):
            found.update(flat(value, f'{before}{name}.'))
        else:
            text = ' '.join(map(str, value)) if isinstance(value, list) else value
            found[f'{before}{name}'] = text
    return found
