/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The rules of docs/spec/caches.rst, Geometry, once more, against the check of
 * geometries that are wrong in any way
 */

#include <stdlib.h>

#include "caches/geometry.h"
#include "random.h"

#define MOST (UINT64_C(1) << 32)    /* bytes of a cache */

static bool cache_is_right(const DsegCacheGeometry *cache, uint32_t line,
                           bool may_include)
{
    bool tree = cache->policy == DSEG_TLB_PLRU;

    return cache->ways >= 1 && cache->ways <= 64 && cache->size <= MOST &&
           cache->size % (cache->ways * line) == 0 &&
           cache->latency >= 1 && cache->latency <= 65535 &&
           (tree || cache->policy == DSEG_TLB_LRU ||
            cache->policy == DSEG_TLB_RANDOM) &&
           (!tree || __builtin_popcount(cache->ways) == 1) &&
           (!cache->inclusive || may_include);
}

/* L1D and L1I are above L2, that above LLC, and memory is below all. */
static bool latencies_are_right(const DsegCachesGeometry *g)
{
    for (DsegCacheName below = DSEG_CACHE_L2; below <= DSEG_CACHE__MAX;
         below++) {
        bool is_memory = below == DSEG_CACHE__MAX;
        uint32_t latency = is_memory ? g->memory : g->cache[below].latency;

        for (DsegCacheName above = 0; above < below; above++) {
            if ((is_memory || g->cache[below].size) && g->cache[above].size &&
                g->cache[above].latency > latency) {
                return false;
            }
        }
    }
    return true;
}

static bool is_right(const DsegCachesGeometry *g)
{
    bool valid = g->line >= 16 && g->line <= 4096 &&
                 __builtin_popcount(g->line) == 1 &&
                 g->cache[DSEG_CACHE_L1D].size &&
                 g->memory >= 1 && g->memory <= 65535;

    for (DsegCacheName i = 0; valid && i < DSEG_CACHE__MAX; i++) {
        valid = !g->cache[i].size ||
                cache_is_right(&g->cache[i], g->line, i >= DSEG_CACHE_L2);
    }
    return valid && latencies_are_right(g);
}

/* Changes a field of what is right. */
static void spoil(GRand *rand, DsegCachesGeometry *geometry)
{
    DsegCacheGeometry *cache = &geometry->cache[random_below(rand, 4)];

    switch (random_below(rand, 8)) {
    case 0:
        geometry->line = 1u << random_below(rand, 14);
        break;
    case 1:
        geometry->memory = random_bits(rand, random_below(rand, 19));
        break;
    case 2:
        cache->size = random_bool(rand) ? random_edge(rand) :
                      cache->ways * geometry->line * random_below(rand, 9);
        break;
    case 3:
        cache->ways = random_below(rand, 70);
        break;
    case 4:
        cache->policy = random_below(rand, 5);
        break;
    case 5:
        cache->latency = random_bits(rand, random_below(rand, 19));
        break;
    case 6:
        cache->inclusive = random_bool(rand);
        break;
    default:
        geometry->seed = random_u64(rand);
    }
}

static void test_random_geometries(void)
{
    const DsegCachesGeometry *preset = dseg_caches_preset("sandybridge-ep");
    g_autoptr(GRand) rand = random_new();
    unsigned seen[2] = { 0 };

    for (uint64_t n = random_rounds(100000); n && !g_test_failed(); n--) {
        DsegCachesGeometry geometry = *preset;
        char *text;

        for (unsigned i = 1 + random_below(rand, 3); i; i--) {
            spoil(rand, &geometry);
        }
        text = dseg_caches_geometry_check(&geometry);
        g_assert_cmpint(!text, ==, is_right(&geometry));
        g_assert_true(!text || g_str_has_prefix(text, "caches."));
        seen[!text]++;
        free(text);
    }
    random_assert_seen(seen, G_N_ELEMENTS(seen), 10000);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();

    g_test_add_func("/caches-rules/random-geometries", test_random_geometries);
    return g_test_run();
}
