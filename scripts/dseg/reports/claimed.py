# SPDX-License-Identifier: GPL-2.0-or-later
"""[[claim]] of an experiment file: what it may say. claims.py has whether it is met."""

from .results import VALUES
from .rules import Bad, check_keys, check_selection, check_text, check_value, check_word

SOURCES = ('poster', 'recalled', 'abstract', 'ours')
AVERAGES = ('each', 'geometric', 'mean')
BOUNDS = ('below', 'above', 'equals', 'order', 'theory')
NUMBERS = ('below', 'above', 'equals', 'tolerance', 'theory')
THEORY = 'false-escape-share'     # the value that there is a theory of
KEYS = ('text', 'value', 'of', 'relative-to', 'average', *BOUNDS, 'tolerance', 'source')
NEEDED = ('text', 'value', 'source')


def check(claims, tables, problems):
    """Add all that can not be understood. tables: of the experiment file"""
    for number, claim in enumerate(claims):
        bad = Bad(problems, tables, 'claim', number)
        check_keys(claim, KEYS, NEEDED, bad)
        check_text(claim, 'text', bad)
        for name, known in (('value', VALUES), ('source', SOURCES), ('average', AVERAGES)):
            check_word(claim, name, known, bad)
        check_bound(claim, bad)
        for name in ('of', 'relative-to'):
            check_selection(claim, name, bad)


def check_bound(claim, bad):
    """There is one bound, and what goes with it."""
    bounds = [name for name in BOUNDS if name in claim]
    if len(bounds) != 1:
        bad(bounds[1] if bounds else 'below', 'one of these is needed, and no more: '
            + ', '.join(BOUNDS))
    if ('tolerance' in claim) != ('equals' in claim):
        bad('tolerance', 'equals needs it, and nothing else has it')
    for name in NUMBERS:
        if name in claim and not is_number(claim[name]):
            bad(name, f'must be a number, not {claim[name]!r}')
    if 'order' in claim:
        check_order(claim, bad)
    elif 'of' not in claim:
        bad('of', 'this key is needed')
    if 'theory' in claim:
        check_theory(claim, bad)
    elif claim.get('value') == 'slowdown' and 'relative-to' not in claim:
        bad('relative-to', 'a slowdown needs what it is relative to')


def is_number(value):
    """Not true, and neither inf nor nan."""
    return type(value) in (int, float) and abs(value) < float('inf')


def check_order(claim, bad):
    """It is of configurations, which nothing else names."""
    order = claim['order']
    if not (isinstance(order, list) and len(order) > 1
            and all(isinstance(name, str) for name in order)):
        bad('order', 'must be a list of two or more configurations')
    else:
        for name in order:
            check_value('configuration', name, 'order', bad)
    if isinstance(claim.get('of'), dict) and 'configuration' in claim['of']:
        bad('of', 'order names the configurations, so this may not')


def check_theory(claim, bad):
    """There is one of the value, and of nothing that is made of it."""
    if claim.get('value', THEORY) != THEORY:
        bad('value', f'there is a theory of {THEORY} only')
    for name in ('average', 'relative-to'):
        if name in claim:
            bad(name, 'theory is of means of the value itself, so this may not be')
