/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unit tests of the caches: where lines are found, worked out by hand from
 * docs/spec/caches.rst
 */

#include "caches-fixture.h"

/* Where things are found, and what that fills. */

static void test_each_place(void)
{
    DsegCachesGeometry geometry = one_set(2, 0, 4, 8);

    assert_trace(&geometry, "0012034120", "m1mm2mm333");
}

static void test_l1s_are_apart(void)
{
    DsegCachesGeometry geometry = one_set(1, 1, 2, 0);

    assert_trace(&geometry, "0!0!00", "m211");
    assert_trace(&geometry, "!00!00", "m211");
    /* What evicts from one does not from the other. */
    assert_trace(&geometry, "0!0!10!1", "m2m11");
}

static void test_memory_fills_all_of_the_path(void)
{
    DsegCachesGeometry geometry = one_set(2, 2, 4, 8);
    g_autoptr(DsegCaches) caches = caches_new(&geometry);

    g_assert_cmpint(caches_pass(caches, '0', false), ==, 'm');
    assert_use(caches, DSEG_CACHE_L1D, 1, 0, 0);
    assert_use(caches, DSEG_CACHE_L1I, 0, 0, 0);
    assert_use(caches, DSEG_CACHE_L2, 1, 0, 0);
    assert_use(caches, DSEG_CACHE_LLC, 1, 0, 0);
    g_assert_cmpint(caches_pass(caches, '1', true), ==, 'm');
    assert_use(caches, DSEG_CACHE_L1D, 1, 0, 0);
    assert_use(caches, DSEG_CACHE_L1I, 1, 0, 0);
    assert_use(caches, DSEG_CACHE_L2, 2, 0, 0);
    assert_use(caches, DSEG_CACHE_LLC, 2, 0, 0);
}

static void test_llc_fills_those_above(void)
{
    DsegCachesGeometry geometry = one_set(1, 0, 1, 4);
    g_autoptr(DsegCaches) caches = caches_new(&geometry);
    g_autofree char *places = caches_run(caches, "010");

    g_assert_cmpstr(places, ==, "mm3");
    assert_use(caches, DSEG_CACHE_L1D, 1, 2, 0);
    assert_use(caches, DSEG_CACHE_L2, 1, 2, 0);
    assert_use(caches, DSEG_CACHE_LLC, 2, 0, 0);
}

static void test_l2_fills_l1_alone(void)
{
    DsegCachesGeometry geometry = one_set(1, 0, 2, 1);
    g_autoptr(DsegCaches) caches = caches_new(&geometry);
    g_autofree char *places = caches_run(caches, "010");

    g_assert_cmpstr(places, ==, "mm2");
    assert_use(caches, DSEG_CACHE_L1D, 1, 2, 0);
    assert_use(caches, DSEG_CACHE_L2, 2, 0, 0);
    assert_use(caches, DSEG_CACHE_LLC, 1, 1, 0);    /* has line 1 */
}

static void test_hit_of_l1_does_not_touch_l2(void)
{
    DsegCachesGeometry geometry = one_set(2, 0, 2, 0);

    /* 0 is the oldest of L2, though the newest of L1. */
    assert_found(&geometry, "0102", "012", "121");
}

static void test_hit_of_l2_does_not_touch_llc(void)
{
    DsegCachesGeometry geometry = one_set(1, 0, 2, 2);

    assert_found(&geometry, "0102", "012", "231");
}

static void test_some_are_absent(void)
{
    DsegCachesGeometry geometry = one_set(1, 0, 0, 2);

    assert_trace(&geometry, "0010120", "m1m33mm");
    geometry = one_set(1, 0, 2, 0);
    assert_trace(&geometry, "0010120", "m1m22mm");
    geometry = one_set(1, 0, 0, 0);
    assert_trace(&geometry, "0010", "m1mm");
    geometry = one_set(1, 1, 0, 0);
    assert_trace(&geometry, "!0!0!10!0", "m1mmm");
    geometry = one_set(1, 1, 0, 2);
    assert_trace(&geometry, "!0!1!00!0", "mm331");
}

static void test_absent_ones_are_not_used(void)
{
    DsegCachesGeometry geometry = one_set(1, 0, 0, 0);
    g_autoptr(DsegCaches) caches = caches_new(&geometry);
    g_autofree char *places = caches_run(caches, "012");

    g_assert_cmpstr(places, ==, "mmm");
    assert_use(caches, DSEG_CACHE_L1D, 1, 2, 0);
    for (DsegCacheName i = DSEG_CACHE_L1I; i < DSEG_CACHE__MAX; i++) {
        assert_use(caches, i, 0, 0, 0);
    }
}

/* Lines. */

static void test_lines(void)
{
    for (uint32_t line = 16; line <= 4096; line *= 2) {
        DsegCachesGeometry geometry = l1d(1, 1, DSEG_TLB_LRU);
        g_autoptr(DsegCaches) caches = NULL;
        uint64_t hpa = UINT64_C(0xabcde) * line;

        geometry.line = line;
        shape(&geometry, DSEG_CACHE_L1D, 2, 2, DSEG_TLB_LRU);
        caches = caches_new(&geometry);
        g_assert_cmphex(dseg_caches_line(caches, hpa - 1), ==, 0xabcdd);
        g_assert_cmphex(dseg_caches_line(caches, hpa), ==, 0xabcde);
        g_assert_cmphex(dseg_caches_line(caches, hpa + line - 1), ==, 0xabcde);
        g_assert_cmphex(dseg_caches_line(caches, hpa + line), ==, 0xabcdf);
        g_assert_cmpint(dseg_caches_pass(caches, hpa, false), ==,
                        DSEG_PLACE_MEMORY);
        g_assert_cmpint(dseg_caches_pass(caches, hpa + line - 1, false), ==,
                        DSEG_PLACE_L1);
        g_assert_cmpint(dseg_caches_pass(caches, hpa + line, false), ==,
                        DSEG_PLACE_MEMORY);
        g_assert_cmpint(dseg_caches_pass(caches, hpa - 1, false), ==,
                        DSEG_PLACE_MEMORY);
        g_assert_cmpint(dseg_caches_pass(caches, hpa + line / 2, false), ==,
                        DSEG_PLACE_L1);
    }
}

/* Each bit of an hPA above its line tells lines apart; 0 is a line, too. */
static void test_each_bit_of_an_address(void)
{
    DsegCachesGeometry geometry = l1d(1, 64, DSEG_TLB_LRU);
    g_autoptr(DsegCaches) caches = caches_new(&geometry);

    g_assert_cmpint(dseg_caches_pass(caches, 0, false), ==, DSEG_PLACE_MEMORY);
    for (unsigned bit = 0; bit < 52; bit++) {
        g_assert_cmpint(dseg_caches_pass(caches, UINT64_C(1) << bit, false), ==,
                        bit < 6 ? DSEG_PLACE_L1 : DSEG_PLACE_MEMORY);
    }
    assert_use(caches, DSEG_CACHE_L1D, 1 + 52 - 6, 0, 0);
}

/* The rest. */

static void test_latency(void)
{
    DsegCachesGeometry geometry = one_set(1, 1, 1, 1);
    g_autoptr(DsegCaches) caches = caches_new(&geometry);

    for (unsigned fetch = 0; fetch < 2; fetch++) {
        g_assert_cmpuint(dseg_caches_latency(caches, DSEG_PLACE_L1, fetch), ==,
                         fetch ? 3 : 2);
        g_assert_cmpuint(dseg_caches_latency(caches, DSEG_PLACE_L2, fetch), ==,
                         10);
        g_assert_cmpuint(dseg_caches_latency(caches, DSEG_PLACE_LLC, fetch), ==,
                         30);
        g_assert_cmpuint(dseg_caches_latency(caches, DSEG_PLACE_MEMORY, fetch),
                         ==, 100);
    }
}

static void test_empty(void)
{
    DsegCachesGeometry geometry = one_set(1, 1, 2, 3);
    g_autoptr(DsegCaches) caches = NULL;
    g_autofree char *places = NULL, *more = NULL;

    geometry.cache[DSEG_CACHE_L2].inclusive = true;
    caches = caches_new(&geometry);
    places = caches_run(caches, "0!123-");
    g_assert_cmpstr(places, ==, "mmmm");
    assert_use(caches, DSEG_CACHE_L1D, 0, 1, 1);
    assert_use(caches, DSEG_CACHE_L1I, 0, 0, 1);
    assert_use(caches, DSEG_CACHE_L2, 0, 2, 0);
    assert_use(caches, DSEG_CACHE_LLC, 0, 1, 0);
    more = caches_run(caches, "3!2!1");
    g_assert_cmpstr(more, ==, "mmm");
    assert_use(caches, DSEG_CACHE_L1D, 0, 1, 2);
    assert_use(caches, DSEG_CACHE_L1I, 1, 1, 1);
    assert_use(caches, DSEG_CACHE_L2, 2, 3, 0);
    assert_use(caches, DSEG_CACHE_LLC, 3, 1, 0);
}

static void test_reset(void)
{
    DsegCachesGeometry geometry = one_set(2, 0, 0, 2);
    g_autoptr(DsegCaches) caches = NULL;
    g_autofree char *places = NULL, *more = NULL;

    geometry.cache[DSEG_CACHE_LLC].inclusive = true;
    caches = caches_new(&geometry);
    places = caches_run(caches, "01023");
    assert_use(caches, DSEG_CACHE_L1D, 2, 0, 2);
    assert_use(caches, DSEG_CACHE_LLC, 2, 2, 0);
    dseg_caches_reset(caches);
    assert_use(caches, DSEG_CACHE_L1D, 2, 0, 0);
    assert_use(caches, DSEG_CACHE_LLC, 2, 0, 0);
    more = caches_run(caches, "324");
    g_assert_cmpstr(more, ==, "11m");
    assert_use(caches, DSEG_CACHE_L1D, 2, 0, 1);
    assert_use(caches, DSEG_CACHE_LLC, 2, 1, 0);
}

static void test_geometry_is_copied(void)
{
    DsegCachesGeometry geometry = one_set(2, 1, 3, 4);
    const DsegCachesGeometry original = geometry;
    g_autoptr(DsegCaches) caches = caches_new(&geometry);
    const DsegCachesGeometry *copy = dseg_caches_geometry(caches);

    geometry = one_set(1, 0, 0, 0);
    g_assert_cmpuint(copy->line, ==, original.line);
    g_assert_cmpuint(copy->memory, ==, original.memory);
    for (DsegCacheName i = 0; i < DSEG_CACHE__MAX; i++) {
        g_assert_cmpuint(copy->cache[i].size, ==, original.cache[i].size);
        g_assert_cmpuint(copy->cache[i].ways, ==, original.cache[i].ways);
    }
    dseg_caches_free(NULL);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();

    g_test_add_func("/caches/each-place", test_each_place);
    g_test_add_func("/caches/l1d-and-l1i-are-apart", test_l1s_are_apart);
    g_test_add_func("/caches/memory-fills-all-of-the-path",
                    test_memory_fills_all_of_the_path);
    g_test_add_func("/caches/llc-fills-those-above",
                    test_llc_fills_those_above);
    g_test_add_func("/caches/l2-fills-l1-alone", test_l2_fills_l1_alone);
    g_test_add_func("/caches/hit-of-l1-does-not-touch-l2",
                    test_hit_of_l1_does_not_touch_l2);
    g_test_add_func("/caches/hit-of-l2-does-not-touch-llc",
                    test_hit_of_l2_does_not_touch_llc);
    g_test_add_func("/caches/some-are-absent", test_some_are_absent);
    g_test_add_func("/caches/absent-ones-are-not-used",
                    test_absent_ones_are_not_used);
    g_test_add_func("/caches/lines-of-16-to-4096", test_lines);
    g_test_add_func("/caches/each-bit-of-an-address",
                    test_each_bit_of_an_address);
    g_test_add_func("/caches/latency-of-the-place", test_latency);
    g_test_add_func("/caches/empty-keeps-the-counts", test_empty);
    g_test_add_func("/caches/reset-keeps-the-lines", test_reset);
    g_test_add_func("/caches/geometry-is-copied", test_geometry_is_copied);
    return g_test_run();
}
