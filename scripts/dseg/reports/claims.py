# SPDX-License-Identifier: GPL-2.0-or-later
"""[[claim]] of an experiment file: met, not met, or not measured, with the numbers.

    check(claims, tables.place)             # bad keys
    for outcome in judge(claims, results):
        print(outcome.state, outcome.claim['text'], outcome.found)
"""

import math
from dataclasses import dataclass, field

from .. import Failure
from ..points.axes import value_text
from ..points.configurations import CONFIGURATIONS
from ..points.problems import dotted
from ..points.workloads import CLASSES
from . import falseescapes
from .results import AXES, SHARES, VALUES

MET, NOT_MET, NOT_MEASURED = 'met', 'not met', 'not measured'
SOURCES = ('poster', 'recalled', 'abstract', 'ours')
AVERAGES = ('each', 'geometric', 'mean')
BOUNDS = ('below', 'above', 'equals', 'order', 'theory')
THEORY = 'false-escape-share'     # the value that there is a theory of
RANDOM = ('seed', 'repeat')     # axes whose values are samples of one thing
KEYS = ('text', 'value', 'of', 'relative-to', 'average', *BOUNDS, 'tolerance', 'source')
NEEDED = ('text', 'value', 'source')
SELECTABLE = (*AXES, 'class')
NAMES = {'configuration': tuple(CONFIGURATIONS), 'class': CLASSES}    # others may be anything


@dataclass
class Outcome:
    """What has become of a claim."""
    claim: dict
    state: str
    found: str                                  # the numbers, in words
    rows: list = field(default_factory=list)    # (of what, number): those behind it


class Bad:
    """Says what is wrong with one of the tables of an experiment file."""

    def __init__(self, place, table, number):
        self.place, self.path = place, (table, number)

    def __call__(self, name, rule):
        path = (*self.path, name)
        return Failure(f'{self.place(*path)}: {dotted(*path)}: {rule}')


def check(claims, place):
    """Raise Failure for the first claim that can not be understood.

    place: where a key is, FILE:LINE, as points.problems.Tables.place() says it
    """
    for number, claim in enumerate(claims):
        bad = Bad(place, 'claim', number)
        check_keys(claim, KEYS, NEEDED, bad)
        for name, known in (('value', VALUES), ('source', SOURCES), ('average', AVERAGES)):
            if claim.get(name, next(iter(known))) not in known:
                raise bad(name, f'{claim[name]!r} is none of: ' + ', '.join(known))
        check_bound(claim, bad)
        for name in ('of', 'relative-to'):
            check_selection(claim.get(name, {}), name, bad)


def check_keys(table, known, needed, bad):
    """Every key is known, and those that are needed are there."""
    for name in table:
        if name not in known:
            raise bad(name, 'there is no such key; there are: ' + ', '.join(known))
    for name in needed:
        if name not in table:
            raise bad(name, 'this key is needed')


def check_selection(where, name, bad):
    """It is a table of axes."""
    if not isinstance(where, dict):
        raise bad(name, 'must be a table such as { configuration = "dd" }')
    for axis, values in where.items():
        if axis not in SELECTABLE:
            raise bad(name, f'there is no axis {axis}; there are: ' + ', '.join(SELECTABLE))
        for value in values if isinstance(values, list) else [values]:
            if value not in NAMES.get(axis, [value]):
                raise bad(name, f'there is no {axis} {value!r}; there are: '
                          + ', '.join(NAMES[axis]))


def check_bound(claim, bad):
    """There is one bound, and what goes with it."""
    bounds = [name for name in BOUNDS if name in claim]
    if len(bounds) != 1:
        raise bad(bounds[1] if bounds else 'below', 'one of these is needed, and no more: '
                  + ', '.join(BOUNDS))
    if ('tolerance' in claim) != (bounds == ['equals']):
        raise bad('tolerance', 'equals needs it, and nothing else has it')
    for name in ('below', 'above', 'equals', 'tolerance', 'theory'):
        if name in claim and (isinstance(claim[name], bool)
                              or not isinstance(claim[name], (int, float))):
            raise bad(name, f'must be a number, not {claim[name]!r}')
    if 'order' in claim:
        order = claim['order']
        if not (isinstance(order, list) and len(order) > 1
                and all(isinstance(name, str) for name in order)):
            raise bad('order', 'must be a list of two or more configurations')
        check_selection({'configuration': order}, 'order', bad)
        if 'configuration' in claim.get('of', {}):
            raise bad('of', 'order names the configurations, so this may not')
        if 'relative-to' not in claim and claim['value'] == 'slowdown':
            raise bad('relative-to', 'a slowdown needs what it is relative to')
    elif 'theory' in claim and claim['value'] != THEORY:
        raise bad('value', f'there is a theory of {THEORY} only')
    elif 'theory' in claim and (name := next((name for name in ('average', 'relative-to')
                                              if name in claim), None)):
        raise bad(name, 'theory is of means of the value itself, so this may not be')
    elif 'of' not in claim:
        raise bad('of', 'this key is needed')
    elif claim['value'] == 'slowdown' and 'relative-to' not in claim:
        raise bad('relative-to', 'a slowdown needs what it is relative to')


def judge(claims, results):
    """The Outcome of each claim, in order."""
    kinds = {'order': judge_order, 'theory': judge_theory}
    return [next((kinds[name] for name in kinds if name in claim), judge_bound)(claim, results)
            for claim in claims]


def number_of(claim, results, point):
    """The value of a point, or how far above its baseline it is; None if it is not known."""
    if point is None or 'relative-to' not in claim:
        return results.value(point, claim['value'])
    return results.against(point, results.other(point, claim['relative-to']), claim['value'])


def judge_bound(claim, results):
    """A claim about values, or their average."""
    points = results.select(claim['of'])
    varying = varying_axes(points)
    if len({point.axes['configuration'] for point in points}) > 1:
        varying.append('configuration')
    rows = [(name_of(point, varying), number_of(claim, results, point)) for point in points]
    if missing := not_measured(claim, rows):
        return missing
    average = claim.get('average', 'each')
    numbers = [number for _, number in rows]
    if average != 'each':
        number = mean(numbers, average, is_share(claim))
        state = MET if holds(claim, number) else NOT_MET
        return Outcome(claim, state, f'{average} mean of {len(rows)}: {say(claim, number)}', rows)
    failed = [row for row in rows if not holds(claim, row[1])]
    low, high = min(numbers), max(numbers)
    found = f'{say(claim, low)} to {say(claim, high)} in {len(rows)} points'
    if failed:
        found += '; not for ' + some([f'{name} ({say(claim, number)})' for name, number in failed])
    return Outcome(claim, NOT_MET if failed else MET, found, rows)


def judge_order(claim, results):
    """A claim about an ascending order of configurations."""
    order, average = claim['order'], claim.get('average', 'each')
    points = results.select({**claim.get('of', {}), 'configuration': order})
    varying = varying_axes(points)
    by_case = {}        # by the other axes: numbers in order
    for point in points:
        by_case.setdefault(name_of(point, varying), [
            number_of(claim, results, results.other(point, {'configuration': name}))
            for name in order])
    rows = [(f'{case}: {name}', number) for case, numbers in by_case.items()
            for name, number in zip(order, numbers)]
    if missing := not_measured(claim, rows):
        return missing
    if average != 'each':
        by_case = {f'{average} mean': [mean(column, average, is_share(claim))
                                       for column in zip(*by_case.values())]}
    failed = {case: numbers for case, numbers in by_case.items()
              if any(left >= right for left, right in zip(numbers, numbers[1:]))}
    shown = failed or dict([next(iter(by_case.items()))])
    said = [f'{case}: ' + ' then '.join(f'{name} {say(claim, number)}'
                                        for name, number in zip(order, numbers))
            for case, numbers in shown.items()]
    found = f'ascending in {len(by_case) - len(failed)} of {len(by_case)}; {some(said)}'
    return Outcome(claim, NOT_MET if failed else MET, found, rows)


def judge_theory(claim, results):
    """A claim that means over random sets are those of theory, to so many standard errors."""
    points = results.select(claim['of'])
    varying = [axis for axis in varying_axes(points) if axis not in RANDOM]
    if len({point.axes['configuration'] for point in points}) > 1:
        varying.append('configuration')
    cases = {}
    for point in points:
        cases.setdefault(name_of(point, varying), []).append(point)
    rows = [(name, number_of(claim, results, point)) for name, case in cases.items()
            for point in case]
    if missing := not_measured(claim, rows):
        return missing
    rows, failed, said = [], [], []
    for name, case in cases.items():
        number = sum(number_of(claim, results, point) for point in case) / len(case)
        wanted, error = theory_of(results, case)
        rows += [(name, number), (f'{name}, by theory', wanted)]
        said.append(f'{name}: {number:.4%}, by theory {wanted:.4%} ± {claim["theory"] * error:.4%}')
        if abs(number - wanted) > claim['theory'] * error:
            failed.append(said[-1])
    found = f'within in {len(cases) - len(failed)} of {len(cases)}; {some(failed or said)}'
    return Outcome(claim, NOT_MET if failed else MET, found, rows)


def theory_of(results, points):
    """(mean, standard error of the mean) of the share of false escapes in points of random sets."""
    escapes, bits = points[0].axes['escapes'], points[0].axes['filter-bits']
    errors = [falseescapes.deviation(escapes, bits, falseescapes.concentration_of(
        point.record['inputs']['work'], results.configuration(point).guest_segment))
              for point in points]
    return falseescapes.share(escapes, bits), math.hypot(*errors) / len(errors)


def not_measured(claim, rows):
    """The Outcome if a number is missing; else None."""
    if not rows:
        return Outcome(claim, NOT_MEASURED, 'no point of this experiment is meant')
    missing = list(dict.fromkeys(name for name, number in rows if number is None))
    if not missing:
        return None
    return Outcome(claim, NOT_MEASURED, f'{len(missing)} missing: {some(missing)}', rows)


def some(names):
    """The first of them, and how many there are besides."""
    return ', '.join(names[:8]) + (f' and {len(names) - 8} more' if len(names) > 8 else '')


def varying_axes(points):
    """The axes, but for the configuration, that tell points apart; the workload always."""
    return [axis for axis in AXES if axis == 'workload' or axis != 'configuration'
            and len({str(point.axes.get(axis)) for point in points}) > 1]


def name_of(point, axes):
    """A point by these axes: "gups", "gups, escapes 2"."""
    words = [('' if axis == 'workload' else f'{axis} ') + value_text(point.axes[axis])
             for axis in axes]
    return ', '.join(words)


def is_share(claim):
    """Whether its number is one that 1 is added to for a ratio."""
    return claim['value'] in SHARES or 'relative-to' in claim


def mean(numbers, average, share):
    """Their average; the geometric one of shares is that of the ratios that they stand for."""
    if average == 'mean':
        return sum(numbers) / len(numbers)
    ratios = [1 + number for number in numbers] if share else numbers
    if min(ratios) <= 0:
        return -1.0 if share else 0.0
    found = math.exp(sum(map(math.log, ratios)) / len(ratios))
    return found - 1 if share else found


def holds(claim, number):
    """Whether a number is within the bound."""
    if 'below' in claim:
        return number < claim['below']
    if 'above' in claim:
        return number > claim['above']
    return abs(number - claim['equals']) <= claim['tolerance']


def say(claim, number):
    """A number of a claim, for people."""
    if is_share(claim):
        return f'{number:.2%}'
    return f'{number:.3f}' if isinstance(number, float) else str(number)


def bound(claim):
    """The bound in words."""
    if 'order' in claim:
        return ' < '.join(claim['order'])
    if 'theory' in claim:
        return f'theory ± {claim["theory"]:g} standard errors'
    if 'equals' in claim:
        return f'{say(claim, claim["equals"])} ± {say(claim, claim["tolerance"])}'
    name = 'below' if 'below' in claim else 'above'
    return f'{name} {say(claim, claim[name])}'
