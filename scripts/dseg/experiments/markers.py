# SPDX-License-Identifier: GPL-2.0-or-later
"""The labels of the markers that programs execute: linux/workloads/common.h and marked.c."""

PROGRAM = (0x200, 0x201)        # the begin and the end of a program in L1, by the command marked
FIRST, OF_ROUND = 0x100, 4      # of workloads; as many of each round
ROUNDS = 4                      # so many have labels of their own, then they come again


def updates_of(number):
    """Where the updates of a round begin and end: two pairs, of which only gups has the second."""
    first = FIRST + OF_ROUND * (number % ROUNDS)
    return (first, first + 1), (first + 2, first + 3)
