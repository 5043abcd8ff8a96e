# SPDX-License-Identifier: GPL-2.0-or-later
"""What holds for the walk counters at any moment."""

from dseg.experiments.measure import Walks
from dseg.reports.counts import FIELDS


def assert_consistent(cpu):
    """Of one entry of the reply to query-x86-dseg-walks."""
    for field in FIELDS:
        regimes = sum(r[field] for r in cpu['regimes'])
        assert regimes == cpu['total'][field], field
    for world in 'native', 'nested':
        for privilege in 'user', 'kernel':
            assert_histograms_add_up(
                Walks.from_reply([cpu], world, privilege))
    for dimension in 'guest', 'nested':
        pages = sum(p[dimension] for p in cpu['pages'])
        assert pages == cpu['total']['walks'], dimension


def assert_histograms_add_up(walks):
    total, refs, checks = walks.total, walks.refs, walks.checks
    assert sum(walks.regimes.values()) == total['walks']
    assert sum(refs.values()) == total['walks']
    assert sum(g * n for (g, _), n in refs.items()) == total['guest-refs']
    assert sum(r * n for (_, r), n in refs.items()) == total['nested-refs']
    assert sum(checks.values()) == total['walks']
    assert sum(c * n for c, n in checks.items()) == total['checks']
    assert total['false-escapes'] <= total['escapes']
    assert total['escapes'] <= total['filter-lookups']
