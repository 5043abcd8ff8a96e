# SPDX-License-Identifier: GPL-2.0-or-later
"""The escape filter as docs/spec/registers.rst has it."""

HASHES, KEY_BITS = 4, 40
MASK = 2**64 - 1
PAGE = 4096


def splitmix64(state):
    """Its outputs."""
    while True:
        state = (state + 0x9e3779b97f4a7c15) & MASK
        y = (state ^ state >> 30) * 0xbf58476d1ce4e5b9 & MASK
        z = (y ^ y >> 27) * 0x94d049bb133111eb & MASK
        yield z ^ z >> 31


def constants():
    """Those of each hash function."""
    outputs = (output >> 56 for output in splitmix64(0x64736567) if output >> 58)
    return [[next(outputs) for _ in range(KEY_BITS)] for _ in range(HASHES)]


ROWS = constants()


def filter_bits(gpa, size=256):
    """The bit of each partition that a page has in a filter of so many bits."""
    bits = [0] * HASHES
    for i, row in enumerate(ROWS):
        for j, constant in enumerate(row):
            if gpa // PAGE >> j & 1:
                bits[i] ^= constant
    return [bit * size // (256 * HASHES) for bit in bits]


def words_of(pages, size):
    """All 64-bit words of a filter with those pages (gPAs)."""
    words = [0] * (size // 64)
    for gpa in pages:
        for partition, hash_ in enumerate(filter_bits(gpa, size)):
            bit = partition * size // HASHES + hash_
            words[bit // 64] |= 1 << bit % 64
    return words
