# SPDX-License-Identifier: GPL-2.0-or-later
"""The page of a report: claims, figures, all models, points, closed forms, provenance."""

import re
from collections import Counter
from html import escape

from . import behind, claims, costs, forms, models, table
from .page import details, make_table, picture, whole

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
    return whole(experiment['title'], summary(experiment, results, outcomes), parts)


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
        text = picture(number, wanted['title'], svg, CAPTIONS.get(wanted['kind']))
        if svg:
            text += details('The table behind it', make_table(*behind.table(wanted, results)))
        parts.append(text)
    return ''.join(parts) or '<p>This experiment has no figures.</p>\n'


NO_MODEL = '-'      # where there are none to compare


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
    verdicts = [row[-1] for row in rows]
    compared = len(verdicts) - verdicts.count(NO_MODEL)
    return (f'<p>No model stands alone: {models.PUBLISHED_ERRORS}. In {verdicts.count("disagree")} of '
            f'the {compared} points for which there is more than one they disagree: the highest '
            f'overhead is more than {models.DISAGREE} times the lowest. Linear models need the runs '
            'with pages of 4 KiB and of 2 MiB.</p>\n'
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
    found = [direct, *linear.values()]
    verdict = 'disagree' if models.disagree(found) else 'agree'
    if found.count(None) >= len(found) - 1:
        verdict = NO_MODEL
    return (point.axes['workload'], table.special(results, point),
            *map(table.share, (direct, low, high, *others, *by_caches(results, point),
                               *linear.values())),
            verdict)


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
    found = {point.id: point.origin for point in results.points if point.record}
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
