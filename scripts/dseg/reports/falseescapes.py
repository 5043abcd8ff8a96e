# SPDX-License-Identifier: GPL-2.0-or-later
"""False escapes by theory: which pages pass the escape filter of docs/spec/registers.rst by chance.

A page that is put into a filter sets one bit of P in each of 4 partitions, each by a hash function
of its own; P is a quarter of the filter's size. In theory these functions are uniform and
independent. So with n pages in it

    q = (1 - 1/P)^n         a certain bit of a partition is still 0
    (1 - q)^4               a page that is not in it finds its four bits set, which is what passes

A run looks up N pages, page p in the share w_p of its lookups. The share of lookups that pass, S,
has the mean (1 - q)^4 over random sets of n pages. For its variance, two pages find the same bit of
a partition with probability 1/P, else two bits, both of which are set with probability
1 - 2q + (1 - 2/P)^n. So both pass with probability

    c = ((1 - q) / P + (1 - 1/P) (1 - 2q + (1 - 2/P)^n))^4
    Var S = W (1 - q)^4 + (1 - W) c - (1 - q)^8      with W, the sum of all w_p^2
"""

import math

PARTITIONS = 4
ENTRIES = 512           # of a page table
LEVELS = 4              # of page tables
PAGE = 4096


def share(escapes, bits):
    """The mean of S, with so many pages in a filter of so many bits."""
    return _set(escapes, bits) ** PARTITIONS


def deviation(escapes, bits, concentration):
    """The standard deviation of S from one set of pages to the next.

    concentration: W, the sum of squares of the shares of lookups that single pages have
    """
    one = PARTITIONS / bits
    both_bits = 1 - 2 * (1 - one) ** escapes + (1 - 2 * one) ** escapes
    both_pass = (one * _set(escapes, bits) + (1 - one) * both_bits) ** PARTITIONS
    variance = (concentration * share(escapes, bits) + (1 - concentration) * both_pass
                - share(escapes, bits) ** 2)
    return math.sqrt(max(0, variance))


def concentration_of(size, guest_segment):
    """W of a program that uses all pages of so many bytes alike.

    Without a guest segment a walk looks up the pages of the guest's tables, too: one of each level.
    Those of the upper levels are few, so that one set of pages may have all of the walks escape,
    and the next one none.
    """
    pages = [max(1, size // PAGE)]
    for _ in range(0 if guest_segment else LEVELS):
        pages.append(-(-pages[-1] // ENTRIES))
    return sum(1 / (len(pages) ** 2 * number) for number in pages)


def _set(escapes, bits):
    """The probability that a certain bit of a partition is set."""
    return 1 - (1 - PARTITIONS / bits) ** escapes
