/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The edges of a Kronecker graph, as Graph500 specifies it: quadrants with
 * A = 0.57, B = C = 0.19, D = 0.05, and the numbers of vertices scrambled.
 */
#ifndef WORKLOADS_KRONECKER_H
#define WORKLOADS_KRONECKER_H

#include "numbers.h"

#include <stdint.h>

/* The levels of quadrants that one draw decides, and how many paths there are. */
#define KRONECKER_LEVELS 4
#define KRONECKER_PATHS (1 << 2 * KRONECKER_LEVELS)

struct kronecker {
    uint64_t seed;
    unsigned scale;       /* 2^scale vertices; up to 31 */
    struct order names;   /* of the vertices */
    /*
     * Walker's alias method: an even choice of i is i if another number is below
     * the limit, else the alias.
     */
    struct {
        uint32_t limit;   /* of 2^24 */
        uint32_t alias;
    } paths[KRONECKER_PATHS];
};

struct edge {
    uint32_t u, v;
};

void kronecker_init(struct kronecker *k, uint64_t seed, unsigned scale);

/* The @i-th edge, which is always the same. */
struct edge kronecker_edge(const struct kronecker *k, uint64_t i);

#endif
