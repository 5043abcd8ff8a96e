/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The edges of a Kronecker graph.
 *
 * An edge is drawn by going down the levels of its matrix of neighbours, from
 * quadrant to quadrant. A path is what happens in four levels: the quadrants'
 * bits for u, followed by those for v.
 */
#include "kronecker.h"

#include <stdbool.h>

#define LEVELS KRONECKER_LEVELS
#define PATHS KRONECKER_PATHS
#define PATH_BITS (2 * LEVELS)
#define ONE (1 << 24)         /* what a limit is a share of */
#define DRAW_BITS 32          /* for a choice of both */

enum kind { EDGES = 100, NAMES };

/* How likely a path is. */
static double share(unsigned path)
{
    static const double quadrants[2][2] = { { 0.57, 0.19 }, { 0.19, 0.05 } };
    double product = 1;

    for (unsigned level = 0; level < LEVELS; level++) {
        product *= quadrants[path >> (LEVELS + level) & 1][path >> level & 1];
    }
    return product;
}

/*
 * The path with the least share gets what is missing from that with the most,
 * until all are even. 1 is an even share.
 */
static void make_paths(struct kronecker *k)
{
    double shares[PATHS];
    bool even[PATHS] = { false };

    for (unsigned i = 0; i < PATHS; i++) {
        shares[i] = share(i) * PATHS;
    }
    for (unsigned round = 0; round < PATHS; round++) {
        int least = -1, most = -1;

        for (int i = 0; i < PATHS; i++) {
            if (!even[i]) {
                least = least < 0 || shares[i] < shares[least] ? i : least;
                most = most < 0 || shares[i] > shares[most] ? i : most;
            }
        }
        even[least] = true;
        k->paths[least].limit = shares[least] * ONE;
        k->paths[least].alias = most;
        shares[most] -= 1 - shares[least];
    }
}

void kronecker_init(struct kronecker *k, uint64_t seed, unsigned scale)
{
    k->seed = seed;
    k->scale = scale;
    k->names = make_order(seed, NAMES, 1ull << scale);
    make_paths(k);
}

struct edge kronecker_edge(const struct kronecker *k, uint64_t i)
{
    uint64_t state = sequence(k->seed, EDGES, i), random = 0, u = 0, v = 0;
    unsigned done = 0;

    while (done < k->scale) {
        uint32_t path;

        random = done % (2 * LEVELS) ? random >> DRAW_BITS
                                     : random_number(&state);
        path = random & (PATHS - 1);
        if ((uint32_t)random >> PATH_BITS >= k->paths[path].limit) {
            path = k->paths[path].alias;
        }
        u = u << LEVELS | path >> LEVELS;
        v = v << LEVELS | (path & ((1 << LEVELS) - 1));
        done += LEVELS;
    }
    u >>= done - k->scale;
    v >>= done - k->scale;
    return (struct edge){ in_order(&k->names, u), in_order(&k->names, v) };
}
