# SPDX-License-Identifier: GPL-2.0-or-later
"""From counts to overheads: direct costs of each step, and the linear models of the field.

An *overhead* is (E - I) / I: E is the time of execution, and I the ideal time, in which translation
is free. No model stands alone: the largest errors that are published of the linear ones are 25 % to
192 %.
"""

from dataclasses import dataclass
from typing import Callable, NamedTuple

from . import cached, counts
from .costs import BAND, L2_HIT

PUBLISHED_ERRORS = ('largest published errors of these models: 25 % to 192 % '
                    '(Agbarya and others, MICRO 2020, abstract)')
DISAGREE = 1.25         # the highest overhead of the models over the lowest, from which on they do
# The runs with pages of 4 KiB and of 2 MiB that the models take their coefficients from, by world.
BASELINES = {'native': ('native-4k', 'native-2m'), 'nested': ('4k+4k', '2m+2m'),
             'shadow': ('shadow-4k', 'shadow-2m')}
ARTIFACT = 'Mosmodel artifact, buildLinearModelsCoeffs.py'


@dataclass(frozen=True)
class Parts:
    """Cycles of a point."""
    guest: float        # steps in the guest's (or native) tables
    nested: float
    checks: float
    hits: float         # of the L2 TLB: of all software of the CPU, as the TLB does not tell apart
    ideal: float        # None with a clock that counts no instructions

    @property
    def walks(self):
        """Walk cycles: C of the linear models."""
        return self.guest + self.nested + self.checks

    @property
    def translation(self):
        return self.walks + self.hits

    @property
    def total(self):
        """Time of execution."""
        return None if self.ideal is None else self.ideal + self.translation

    def share(self, part):
        """A part over the ideal time; None if that is unknown."""
        return getattr(self, part) / self.ideal if self.ideal else None

    @property
    def overhead(self):
        return self.share('translation')


def direct(record, configuration, costs, everything=False):
    """The Parts of a point: each step costs what its level does.

    everything: the walks of all software of the CPU, not of the program alone
    """
    world, privilege = (None, None) if everything else (configuration.walk_world, 'user')
    guest = counts.steps(record, 'guest', world, privilege)
    nested = counts.steps(record, 'nested', world, privilege)
    return Parts(
        guest=sum(costs.step('guest', level) * count for level, count in guest.items()),
        nested=sum(costs.step('nested', level, target) * count
                   for (target, level), count in nested.items()),
        **others(record, world, privilege, costs))


def others(record, world, privilege, costs):
    """All Parts but those of steps, where data takes no time."""
    return {
        'checks': sum(costs.check(row['regime'], row['walks'], row['checks'])
                      for row in counts.rows(record, world, privilege)),
        'hits': L2_HIT * counts.lookups(record, 'hits', 'l2') if record['tlb'] else 0,
        'ideal': costs.cpi * record['instructions'] if record['instructions'] else None}


def measured(record, configuration, costs):
    """The Parts of a point with modelled caches: each step takes what it took in these."""
    found, world = record['caches'], configuration.walk_world
    parts = others(record, world, 'user', costs)
    if parts['ideal'] is not None:
        parts['ideal'] += cached.beyond_l1(found)
    return Parts(**{dimension: costs.factor * cached.cycles_of(
        found, cached.steps(found, world, 'user', dimension)) for dimension in ('guest', 'nested')},
                 **parts)


def parts_of(record, configuration, costs):
    """The Parts of a point by these costs."""
    return (measured if costs.is_measured else direct)(record, configuration, costs)


def band(record, configuration, costs):
    """The overheads if steps cost half and twice as much."""
    return tuple(parts_of(record, configuration, costs.times(factor)).overhead for factor in BAND)


class Run(NamedTuple):
    """What the linear models know of a run: cycles and counts."""
    r: float            # run time
    c: float            # walk cycles
    m: int              # misses of the L2 TLB
    h: int              # hits of the L2 TLB


def run_of(record, parts, configuration):
    """The Run of a point, or None where its time is unknown. Misses are the program's walks."""
    if parts.total is None:
        return None
    hits = counts.lookups(record, 'hits', 'l2') if record['tlb'] else 0
    return Run(parts.total, parts.walks, counts.program(record, configuration)['walks'], hits)


# Each predicts the run time. A denominator of 0 means that the model has no coefficients.

def basu(run, four, _):
    return four.c / four.m * run.m + (four.r - four.c)


def gandhi(run, four, two):
    return four.c / four.m * run.m + (two.r - two.c)


def alam(run, _, two):
    return run.c + (two.r - two.c)


def pham(run, four, _):
    return L2_HIT * run.h + run.c + (four.r - four.c - L2_HIT * four.h)


def yaniv(run, four, two):
    slope = (four.r - two.r) / (four.c - two.c)
    return slope * run.c + (four.r - slope * four.c)


class Model(NamedTuple):
    """A linear model. R: run time, C: walk cycles, M: L2 TLB misses, H: L2 TLB hits."""
    name: str
    formula: str
    source: str
    function: Callable


MODELS = {model.name.lower(): model for model in (
    Model('Basu', 'R = (C4k / M4k) M + (R4k - C4k)', f'Basu and others, ISCA 2013; {ARTIFACT}',
          basu),
    Model('Gandhi', 'R = (C4k / M4k) M + (R2m - C2m)', f'Gandhi and others, MICRO 2014; {ARTIFACT}',
          gandhi),
    Model('Alam', 'R = C + (R2m - C2m)', f'Alam and others, ISCA 2017; {ARTIFACT}', alam),
    Model('Pham', 'R = 7 H + C + (R4k - C4k - 7 H4k)',
          f'Pham and others, MICRO 2015; {ARTIFACT}', pham),
    Model('Yaniv', 'R = A C + (R4k - A C4k), A = (R4k - R2m) / (C4k - C2m)',
          f'Yaniv and Tsafrir, SIGMETRICS 2016; {ARTIFACT}', yaniv),
)}
DIRECT_FORMULA = ('T = cycles of each step and check + 7 for each hit of the L2 TLB; '
                  'I = instructions of all software x CPI; overhead = T / I')
MEASURED_FORMULA = ('T = cycles of each step in the cache in which it was found, and of checks and '
                    'hits as above; I = instructions of all software x CPI + what data took beyond '
                    'a hit of L1; overhead = T / I. Two walkers that overlap fully are x0.5 of '
                    '--costs measured')
LEFT_OUT = ('In mode inclusive data that hits L1 of the TLB passes the caches only in sweeps of pages. '
            'What is left out makes walks too quick and data quicker still, so that overheads are '
            'too large, mostly: docs/caches.md has by how much. Mode exact leaves nothing out.')
IDEAL_FORMULA = 'overhead = R / (R2m - T2m) - 1: the ideal time is that of the 2M run'


def predict(name, run, four, two):
    """The run time by a model; None where it has no coefficients."""
    try:
        return MODELS[name].function(run, four, two)
    except ZeroDivisionError:
        return None


def overheads(run, four, two, ideal):
    """The overhead by each linear model; None where there is none.

    run, four, two: of the point, and of its baselines; each may be None
    ideal: time of the 2M run without translation
    """
    if None in (run, four, two, ideal):
        return dict.fromkeys(MODELS)
    found = {name: predict(name, run, four, two) for name in MODELS}
    return {name: None if time is None else time / ideal - 1 for name, time in found.items()}


def disagree(found):
    """Whether overheads of several models do: by sign, or by a factor of more than DISAGREE."""
    known = [value for value in found if value is not None]
    if len(known) < 2:
        return False
    low, high = min(known), max(known)
    return high > DISAGREE * low if low > 0 else high > 0 or low < 0
