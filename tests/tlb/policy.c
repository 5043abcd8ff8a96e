/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What replacement policies remember. */
#include "policy.h"

bool is_power_of_2(uint64_t n)
{
    return n && !(n & (n - 1));
}

void tree_touch(bool *bits, unsigned ways, unsigned way)
{
    unsigned node = 1;

    for (unsigned half = ways / 2; half >= 1; half /= 2) {
        bool upper = way & half;

        bits[node] = !upper;
        node = 2 * node + upper;
    }
}

unsigned tree_victim(const bool *bits, unsigned ways)
{
    unsigned node = 1, way = 0;

    for (unsigned half = ways / 2; half >= 1; half /= 2) {
        way += bits[node] ? half : 0;
        node = 2 * node + bits[node];
    }
    return way;
}

uint64_t next_random(uint64_t *state)
{
    uint64_t x = *state += 0x9e3779b97f4a7c15ull;
    uint64_t y = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
    uint64_t z = (y ^ (y >> 27)) * 0x94d049bb133111ebull;

    return z ^ (z >> 31);
}
