# SPDX-License-Identifier: GPL-2.0-or-later
"""scripts/soak, for a short time: what comes and goes at random does no damage."""

import pytest

from dseg import OUT
from dseg.experiments import soak

SEED = 2014
MINUTES = 1
BOOT = 180      # seconds on a busy machine


@pytest.fixture(scope='module')
def work():
    with soak.machine(OUT / 'log/test-linux-soak') as stack:
        stack.boot_l1(timeout=BOOT)
        yield soak.soak(stack, SEED, MINUTES)


def test_nothing_is_damaged_or_lost(work):
    assert not work.problems, '\n'.join(work.problems)


def test_there_were_segments_to_damage(work):
    assert work.regions > 0 and work.segments > 0 and work.compared > 10000, soak.report(work)
    assert work.rounds['process'] > 0 and work.rounds['vm'] > 0, soak.report(work)
