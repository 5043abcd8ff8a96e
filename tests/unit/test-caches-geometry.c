/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unit tests of the geometry of caches: every rule of docs/spec/caches.rst
 */

#include "caches-check.h"

#define KIB UINT64_C(1024)
#define MIB (KIB * KIB)
#define MOST (UINT64_C(1) << 32)    /* bytes of a cache */

/* What is right, for a test to spoil a field of it. */
static DsegCachesGeometry right(void)
{
    return (DsegCachesGeometry) {
        .line = 64,
        .memory = 200,
        .cache = {
            [DSEG_CACHE_L1D] = { 32 * KIB, 8, DSEG_TLB_PLRU, 4, false },
            [DSEG_CACHE_L1I] = { 24 * KIB, 6, DSEG_TLB_LRU, 5, false },
            [DSEG_CACHE_L2] = { 256 * KIB, 4, DSEG_TLB_RANDOM, 12, true },
            [DSEG_CACHE_LLC] = { 20 * MIB, 20, DSEG_TLB_LRU, 30, true },
        },
    };
}

static void test_right(void)
{
    DsegCachesGeometry geometry = right();

    assert_right(&geometry);
}

static void test_names(void)
{
    static const char *const names[] = { "l1d", "l1i", "l2", "llc" };

    for (DsegCacheName i = 0; i < DSEG_CACHE__MAX; i++) {
        g_assert_cmpstr(dseg_cache_names[i], ==, names[i]);
    }
}

static void test_line(void)
{
    static const uint32_t wrong[] = {
        0, 1, 8, 15, 17, 24, 48, 65, 96, 4095, 4097, 6144, 8192, 1u << 31,
        UINT32_MAX,
    };

    for (uint32_t line = 16; line <= 4096; line *= 2) {
        DsegCachesGeometry geometry = caches_with_line(line);

        assert_right(&geometry);
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(wrong); i++) {
        DsegCachesGeometry geometry = right();

        geometry.line = wrong[i];
        assert_wrong(&geometry,
                     "caches.line: must be a power of two from 16 to 4096");
    }
}

static void test_l1d(void)
{
    DsegCachesGeometry geometry = right();

    geometry.cache[DSEG_CACHE_L1D].size = 0;
    assert_wrong(&geometry, "caches.l1d.size: must be at least 1 line");
}

/* Any of the other three, whatever else is said of one that is absent. */
static void test_absent(void)
{
    static const DsegCacheGeometry absent = {
        .ways = 65, .policy = DSEG_TLB_FIFO, .latency = 70000,
        .inclusive = true,
    };

    for (unsigned there = 0; there < 8; there++) {
        DsegCachesGeometry geometry = right();

        for (unsigned i = 0; i < 3; i++) {
            if (!(there >> i & 1)) {
                geometry.cache[DSEG_CACHE_L1I + i] = absent;
            }
        }
        assert_right(&geometry);
    }
}

static void test_ways(void)
{
    for (DsegCacheName i = 0; i < DSEG_CACHE__MAX; i++) {
        DsegCachesGeometry geometry = right();
        DsegCacheGeometry *cache = &geometry.cache[i];

        cache->policy = DSEG_TLB_LRU;
        cache->size = 64 * 64;
        cache->ways = 64;
        assert_right(&geometry);
        cache->ways = 1;
        assert_right(&geometry);
        cache->ways = 0;
        assert_wrong_cache(&geometry, i, "ways: must be 1 to 64");
        cache->size = 65 * 64;
        cache->ways = 65;
        assert_wrong_cache(&geometry, i, "ways: must be 1 to 64");
        cache->ways = UINT32_MAX;
        assert_wrong_cache(&geometry, i, "ways: must be 1 to 64");
    }
}

static void test_most_bytes(void)
{
    for (DsegCacheName i = 0; i < DSEG_CACHE__MAX; i++) {
        DsegCachesGeometry geometry = right();
        DsegCacheGeometry *cache = &geometry.cache[i];

        cache->ways = 8;
        cache->size = MOST;
        assert_right(&geometry);
        cache->size = MOST + 8 * 64;
        assert_wrong_cache(&geometry, i, "size: must be at most 4294967296");
        cache->size = UINT64_MAX;
        assert_wrong_cache(&geometry, i, "size: must be at most 4294967296");
    }
}

static void test_multiple(void)
{
    for (DsegCacheName i = 0; i < DSEG_CACHE__MAX; i++) {
        DsegCachesGeometry geometry = right();
        DsegCacheGeometry *cache = &geometry.cache[i];

        cache->policy = DSEG_TLB_LRU;
        for (cache->ways = 3; cache->ways <= 4; cache->ways++) {
            g_autofree char *rule = g_strdup_printf(
                "size: must be a multiple of ways (%u) times line (64)",
                cache->ways);
            uint64_t set = cache->ways * 64;

            for (unsigned sets = 1; sets <= 7; sets++) {
                cache->size = sets * set;
                assert_right(&geometry);
                cache->size = sets * set - 1;
                assert_wrong_cache(&geometry, i, rule);
                cache->size = sets * set + 1;
                assert_wrong_cache(&geometry, i, rule);
                cache->size = sets * set - 64;
                assert_wrong_cache(&geometry, i, rule);
            }
            cache->size = 1;
            assert_wrong_cache(&geometry, i, rule);
        }
    }
}

static void test_policies(void)
{
    static const DsegTlbPolicy wrong[] = {
        DSEG_TLB_FIFO, DSEG_TLB_POLICY__MAX, UINT_MAX,
    };

    for (DsegCacheName i = 0; i < DSEG_CACHE__MAX; i++) {
        DsegCachesGeometry geometry = right();
        DsegCacheGeometry *cache = &geometry.cache[i];

        cache->ways = 4;
        cache->policy = DSEG_TLB_LRU;
        assert_right(&geometry);
        cache->policy = DSEG_TLB_PLRU;
        assert_right(&geometry);
        cache->policy = DSEG_TLB_RANDOM;
        assert_right(&geometry);
        for (unsigned j = 0; j < G_N_ELEMENTS(wrong); j++) {
            cache->policy = wrong[j];
            assert_wrong_cache(&geometry, i,
                               "policy: must be lru, plru or random");
        }
    }
}

static void test_plru(void)
{
    for (DsegCacheName i = 0; i < DSEG_CACHE__MAX; i++) {
        DsegCachesGeometry geometry = right();
        DsegCacheGeometry *cache = &geometry.cache[i];

        for (cache->ways = 1; cache->ways <= 64; cache->ways++) {
            cache->size = 5 * 64 * cache->ways;
            cache->policy = DSEG_TLB_PLRU;
            if (__builtin_popcount(cache->ways) == 1) {
                assert_right(&geometry);
            } else {
                assert_wrong_cache(&geometry, i,
                                   "ways: must be a power of two for plru");
            }
            cache->policy = DSEG_TLB_RANDOM;
            assert_right(&geometry);
        }
    }
}

static void test_inclusive(void)
{
    for (unsigned inclusive = 0; inclusive < 4; inclusive++) {
        DsegCachesGeometry geometry = right();

        geometry.cache[DSEG_CACHE_L2].inclusive = inclusive & 1;
        geometry.cache[DSEG_CACHE_LLC].inclusive = inclusive & 2;
        assert_right(&geometry);
        geometry.cache[DSEG_CACHE_L1D].inclusive = true;
        assert_wrong(&geometry,
                     "caches.l1d.inclusive: there is no cache above it");
        geometry.cache[DSEG_CACHE_L1D].inclusive = false;
        geometry.cache[DSEG_CACHE_L1I].inclusive = true;
        assert_wrong(&geometry,
                     "caches.l1i.inclusive: there is no cache above it");
    }
}

static void test_any_seed(void)
{
    DsegCachesGeometry geometry = right();

    geometry.seed = UINT64_MAX;
    assert_right(&geometry);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();

    g_test_add_func("/caches-geometry/right", test_right);
    g_test_add_func("/caches-geometry/names", test_names);
    g_test_add_func("/caches-geometry/line-is-a-power-of-two-16-to-4096",
                    test_line);
    g_test_add_func("/caches-geometry/l1d-has-to-be-there", test_l1d);
    g_test_add_func("/caches-geometry/l1i-l2-and-llc-may-be-absent",
                    test_absent);
    g_test_add_func("/caches-geometry/ways-are-1-to-64", test_ways);
    g_test_add_func("/caches-geometry/size-is-at-most-4-gib", test_most_bytes);
    g_test_add_func("/caches-geometry/size-is-a-multiple-of-a-way-of-lines",
                    test_multiple);
    g_test_add_func("/caches-geometry/policy-is-lru-plru-or-random",
                    test_policies);
    g_test_add_func("/caches-geometry/ways-of-plru-are-a-power-of-two",
                    test_plru);
    g_test_add_func("/caches-geometry/only-l2-and-llc-can-be-inclusive",
                    test_inclusive);
    g_test_add_func("/caches-geometry/any-seed", test_any_seed);
    return g_test_run();
}
