# SPDX-License-Identifier: GPL-2.0-or-later
"""Deliberate bugs: what their list may have."""

import pytest

from dseg import Failure
from dseg.testing import mutate


def bug(**fields):
    return mutate.Mutant('bug', about='', file='tests/a.c', old='a', new='b', **fields)


@pytest.mark.parametrize('suite', ['tlb', 'linux', 'unti'])
def test_bug_that_no_suite_of_mutate_could_notice_is_refused(suite):
    with pytest.raises(Failure, match=f'bug: suites: {suite}: use unit, bare-metal, differential; '):
        bug(suites=['unit', suite])


def test_bug_may_name_each_suite_of_mutate():
    assert bug(suites=list(mutate.SUITES)).suites == bug().suites
