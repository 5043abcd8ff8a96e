# SPDX-License-Identifier: GPL-2.0-or-later
"""[[claim]] of an experiment file: met, not met, or not measured, with the numbers.

    for outcome in judge(claims, results):
        print(outcome.state, outcome.claim['text'], outcome.found)
"""

import math
from dataclasses import dataclass, field

from ..points.axes import value_text
from . import falseescapes
from .results import AXES, SHARES

MET, NOT_MET, NOT_MEASURED = 'met', 'not met', 'not measured'
RANDOM = ('seed', 'repeat')     # axes whose values are samples of one thing


@dataclass
class Outcome:
    """What has become of a claim."""
    claim: dict
    state: str
    found: str                                  # the numbers, in words
    rows: list = field(default_factory=list)    # (of what, number): those behind it


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
