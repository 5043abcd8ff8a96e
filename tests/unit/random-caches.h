/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random geometries of caches, small enough that all of their lines are met
 */

#ifndef TEST_RANDOM_CACHES_H
#define TEST_RANDOM_CACHES_H

#include "caches/caches.h"
#include "random.h"

static inline DsegCacheGeometry random_cache(GRand *rand, uint32_t line,
                                             uint32_t latency)
{
    static const DsegTlbPolicy policies[] = {
        DSEG_TLB_LRU, DSEG_TLB_PLRU, DSEG_TLB_RANDOM,
    };
    DsegTlbPolicy policy = policies[random_below(rand, 3)];
    uint32_t sets = 1 + random_below(rand, 7);
    uint32_t ways = policy == DSEG_TLB_PLRU ? 1u << random_below(rand, 5) :
                    random_below(rand, 8) ? 1 + random_below(rand, 8) :
                    9 + random_below(rand, 16);

    return (DsegCacheGeometry) {
        .size = (uint64_t)sets * ways * line,
        .ways = ways,
        .policy = policy,
        .latency = latency,
    };
}

/* L1I only where @l1i is; all places have latencies of their own. */
static inline DsegCachesGeometry random_caches(GRand *rand, bool l1i)
{
    DsegCachesGeometry geometry = {
        .line = 16u << random_below(rand, 9),
        .seed = random_u64(rand),
    };
    uint32_t latency = 0;

    for (DsegCacheName i = 0; i < DSEG_CACHE__MAX; i++) {
        bool there = i == DSEG_CACHE_L1D || random_below(rand, 4);

        latency += 1 + random_below(rand, 50);
        if (i == DSEG_CACHE_L1I ? l1i : there) {
            geometry.cache[i] = random_cache(rand, geometry.line, latency);
            geometry.cache[i].inclusive =
                i >= DSEG_CACHE_L2 && random_bool(rand);
        }
    }
    geometry.memory = latency + 1 + random_below(rand, 50);
    return geometry;
}

static inline unsigned random_caches_lines(const DsegCachesGeometry *geometry)
{
    uint64_t bytes = 0;

    for (DsegCacheName i = 0; i < DSEG_CACHE__MAX; i++) {
        bytes += geometry->cache[i].size;
    }
    return bytes / geometry->line;
}

/* Of so many lines; some are neighbours, others far away. */
static inline uint64_t random_caches_hpa(GRand *rand,
                                         const DsegCachesGeometry *geometry,
                                         unsigned lines)
{
    uint64_t hpa = (uint64_t)random_below(rand, lines) * geometry->line +
                   random_below(rand, geometry->line);

    return random_below(rand, 8) ? hpa : hpa + (UINT64_C(1) << 46);
}

#endif
