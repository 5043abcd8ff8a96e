/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The policies of docs/spec/tlb.rst as naively as they can be put: the tree of
 * plru by recursion, and splitmix64 as registers.rst writes it
 */

#ifndef TEST_POLICIES_H
#define TEST_POLICIES_H

#include <stdbool.h>
#include <stdint.h>

/* Node @node has the ways from @first on, @count of them, below it. */
static inline void policy_point_away(bool *nodes, unsigned node, unsigned first,
                                     unsigned count, unsigned way)
{
    if (count > 1) {
        bool upper = way >= first + count / 2;

        nodes[node] = !upper;
        policy_point_away(nodes, 2 * node + upper,
                          upper ? first + count / 2 : first, count / 2, way);
    }
}

static inline unsigned policy_leads_to(const bool *nodes, unsigned node,
                                       unsigned first, unsigned count)
{
    if (count == 1) {
        return first;
    }
    return nodes[node]
           ? policy_leads_to(nodes, 2 * node + 1, first + count / 2, count / 2)
           : policy_leads_to(nodes, 2 * node, first, count / 2);
}

static inline uint64_t policy_next_random(uint64_t *state)
{
    uint64_t x, y, z;

    x = *state += UINT64_C(0x9e3779b97f4a7c15);
    y = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (y ^ (y >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

#endif
