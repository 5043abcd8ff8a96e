/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unit tests of the geometry of caches: latencies, and their order
 */

#include "caches-check.h"

static void test_latency(void)
{
    for (DsegCacheName i = 0; i < DSEG_CACHE__MAX; i++) {
        DsegCachesGeometry geometry = caches_with_line(64);
        DsegCacheGeometry *cache = &geometry.cache[i];

        geometry.memory = 65535;
        assert_right(&geometry);
        cache->latency = 0;
        assert_wrong_cache(&geometry, i, "latency: must be 1 to 65535");
        cache->latency = 65536;
        assert_wrong_cache(&geometry, i, "latency: must be 1 to 65535");
        cache->latency = UINT32_MAX;
        assert_wrong_cache(&geometry, i, "latency: must be 1 to 65535");
        for (DsegCacheName j = 0; j < DSEG_CACHE__MAX; j++) {
            geometry.cache[j].latency = 65535;
        }
        assert_right(&geometry);
    }
}

static void test_latency_of_memory(void)
{
    DsegCachesGeometry geometry = caches_with_line(64);

    geometry.memory = 1;
    assert_right(&geometry);
    geometry.memory = 65535;
    assert_right(&geometry);
    geometry.memory = 0;
    assert_wrong(&geometry, "caches.memory: must be 1 to 65535");
    geometry.memory = 65536;
    assert_wrong(&geometry, "caches.memory: must be 1 to 65535");
}

/* Pairs of a place and one above it; DSEG_CACHE__MAX is memory. */
static const struct {
    DsegCacheName above, below;
    const char *text;
} orders[] = {
    { DSEG_CACHE_L1D, DSEG_CACHE_L2,
      "caches.l2.latency: must be at least the latency of l1d (50)" },
    { DSEG_CACHE_L1I, DSEG_CACHE_L2,
      "caches.l2.latency: must be at least the latency of l1i (50)" },
    { DSEG_CACHE_L1D, DSEG_CACHE_LLC,
      "caches.llc.latency: must be at least the latency of l1d (50)" },
    { DSEG_CACHE_L1I, DSEG_CACHE_LLC,
      "caches.llc.latency: must be at least the latency of l1i (50)" },
    { DSEG_CACHE_L2, DSEG_CACHE_LLC,
      "caches.llc.latency: must be at least the latency of l2 (50)" },
    { DSEG_CACHE_L1D, DSEG_CACHE__MAX,
      "caches.memory: must be at least the latency of l1d (50)" },
    { DSEG_CACHE_L1I, DSEG_CACHE__MAX,
      "caches.memory: must be at least the latency of l1i (50)" },
    { DSEG_CACHE_L2, DSEG_CACHE__MAX,
      "caches.memory: must be at least the latency of l2 (50)" },
    { DSEG_CACHE_LLC, DSEG_CACHE__MAX,
      "caches.memory: must be at least the latency of llc (50)" },
};

/* L1D, which has to be there, and the two of a pair. */
static DsegCachesGeometry pair(DsegCacheName above, DsegCacheName below)
{
    DsegCachesGeometry geometry = caches_with_line(64);

    geometry.memory = 60;
    for (DsegCacheName i = DSEG_CACHE_L1I; i < DSEG_CACHE__MAX; i++) {
        geometry.cache[i].size = i == above || i == below ? 64 : 0;
    }
    geometry.cache[above].latency = 50;
    return geometry;
}

static void test_order_of_latencies(void)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(orders); i++) {
        DsegCacheName below = orders[i].below;
        DsegCachesGeometry geometry = pair(orders[i].above, below);
        uint32_t *latency = below == DSEG_CACHE__MAX ? &geometry.memory :
                            &geometry.cache[below].latency;

        *latency = 50;
        assert_right(&geometry);
        *latency = 49;
        assert_wrong(&geometry, orders[i].text);
        if (orders[i].above) {
            geometry.cache[orders[i].above].size = 0;
            assert_right(&geometry);
        }
    }
}

/* L1D and L1I are neither above the other. */
static void test_no_order_of_l1d_and_l1i(void)
{
    DsegCachesGeometry geometry = pair(DSEG_CACHE_L1I, DSEG_CACHE__MAX);

    geometry.cache[DSEG_CACHE_L1D].latency = 1;
    geometry.cache[DSEG_CACHE_L1I].latency = 12;
    assert_right(&geometry);
    geometry.cache[DSEG_CACHE_L1D].latency = 12;
    geometry.cache[DSEG_CACHE_L1I].latency = 1;
    assert_right(&geometry);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();

    g_test_add_func("/caches-latencies/latency-is-1-to-65535", test_latency);
    g_test_add_func("/caches-latencies/latency-of-memory-is-1-to-65535",
                    test_latency_of_memory);
    g_test_add_func("/caches-latencies/no-place-is-quicker-than-one-above",
                    test_order_of_latencies);
    g_test_add_func("/caches-latencies/l1d-and-l1i-are-side-by-side",
                    test_no_order_of_l1d_and_l1i);
    return g_test_run();
}
