# SPDX-License-Identifier: GPL-2.0-or-later
"""scripts/experiment report: claims, met or not, and the numbers, figures and pages behind them."""

import sys

from ..base.atomically import write_text
from ..points.problems import Problems, Tables, be_tables
from . import claimed, claims, costs, forms, models, results, table, wanted


def check(tables, problems):
    """Add all that can't be understood of [[claim]] and [[figure]] of an experiment file.

    tables, problems: points.problems.Tables and Problems
    """
    claimed.check(be_tables(tables, problems, 'claim'), tables, problems)
    wanted.check(be_tables(tables, problems, 'figure'), tables, problems)


def tables_in(experiment):
    """The Tables of the experiment file, by what experiment.json has of it."""
    places = {tuple(int(part) if part.isdigit() else part for part in path.split('.')): place
              for path, place in experiment.get('where', {}).items()}
    return Tables(experiment['source'], experiment['file'], places)


def main(folder, options):
    """Print and write the report of a folder; 1 if a claim is not met, or a closed form is wrong.

    options: html, csv, json (files), svg, pdf (folders); costs (a preset) may be missing
    """
    experiment, found = results.read(folder, costs.preset(getattr(options, 'costs', None) or costs.DEFAULT))
    problems = Problems()
    check(tables_in(experiment), problems)
    problems.refuse()
    made, drawn = (experiment['file'].get(name, []) for name in ('claim', 'figure'))
    outcomes = claims.judge(made, found)
    write(experiment, found, outcomes, drawn, options)
    print(in_text(experiment, found, outcomes))
    wrong = wrong_forms(found)
    for text in wrong:
        print(f'experiment: {text}', file=sys.stderr)
    return 1 if wrong or any(each.state == claims.NOT_MET for each in outcomes) else 0


def write(experiment, found, outcomes, asked, options):
    """The files that were asked for."""
    if options.csv:
        write_text(options.csv, table.to_csv(table.COLUMNS, table.rows(found)))
    if options.json:
        write_text(options.json, table.to_json(found, outcomes))
    if not (options.html or options.svg or options.pdf):
        return
    from . import figures, html, pictures     # pylint: disable=import-outside-toplevel  (matplotlib)
    drawn = [(figure, pictures.keep(number, figure['title'], figures.make(figure, found), options))
             for number, figure in enumerate(asked, 1)]
    if options.html:
        write_text(options.html, html.page(experiment, found, outcomes, drawn))


def in_text(experiment, found, outcomes):
    """What a terminal shows."""
    measured = sum(point.record is not None for point in found.points)
    lines = [f'{experiment["title"]}: {measured} of {len(found.points)} points are measured', '',
             table.to_text(found), '',
             f'overhead, x0.5, x2: costs {found.costs.name!r}, and with all steps half and twice '
             f'as expensive; {models.PUBLISHED_ERRORS}']
    if found.leaves_data_out:
        lines += ['', models.LEFT_OUT]
    if outcomes:
        lines += ['', 'claims:']
    for each in outcomes:
        lines += [f'  {each.state:<12}  {each.claim["text"]} ({each.claim["source"]})',
                  f'                wanted {claims.bound(each.claim)}; found {each.found}']
    return '\n'.join(lines)


def wrong_forms(found):
    """The closed forms that do not hold, in words."""
    return [f'point {point.id} ({point.axes["workload"]} {point.axes["configuration"]}): '
            f'{form.name}: {form.left} is not {form.right}'
            for point in found.points if point.record
            for form in forms.broken(forms.forms(point.record, found.configuration(point)))]
