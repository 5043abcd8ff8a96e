# SPDX-License-Identifier: GPL-2.0-or-later
"""Which steps, besides those that all need, make what an experiment needs; scripts/experiment asks.

usage: python3 -m dseg.experiments.sweep.needs run FILE [OPTION]...
"""

from ... import run_main
from .commands import parse_arguments


def main(arguments):
    """Print their names; the arguments are those of scripts/experiment run."""
    args = parse_arguments(arguments)
    if any(args.workloads[axes['workload']].programs for axes in args.experiment.combinations):
        print('build-programs')
    return 0


if __name__ == '__main__':
    run_main('experiment', main)
