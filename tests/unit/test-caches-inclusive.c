/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unit tests of the caches: what an inclusive one takes away from those above,
 * worked out by hand from docs/spec/caches.rst
 */

#include "caches-fixture.h"

static void test_not_inclusive(void)
{
    DsegCachesGeometry geometry = one_set(2, 0, 0, 2);
    g_autoptr(DsegCaches) caches = caches_new(&geometry);
    g_autofree char *places = caches_run(caches, "0102");

    g_assert_cmpstr(places, ==, "mm1m");
    assert_use(caches, DSEG_CACHE_L1D, 2, 1, 0);
    assert_use(caches, DSEG_CACHE_LLC, 2, 1, 0);
    assert_found(&geometry, "0102", "012", "131");
}

/* What has been lost is free before L1 looks for a place, so it evicts none. */
static void test_last_cache_is_filled_first(void)
{
    DsegCachesGeometry geometry = one_set(2, 0, 0, 2);
    g_autoptr(DsegCaches) caches = NULL;
    g_autofree char *places = NULL;

    geometry.cache[DSEG_CACHE_LLC].inclusive = true;
    caches = caches_new(&geometry);
    places = caches_run(caches, "0102");
    g_assert_cmpstr(places, ==, "mm1m");
    assert_use(caches, DSEG_CACHE_L1D, 2, 0, 1);
    assert_use(caches, DSEG_CACHE_LLC, 2, 1, 0);
    assert_found(&geometry, "0102", "012", "m11");
}

static void test_l2_inclusive(void)
{
    DsegCachesGeometry geometry = one_set(2, 2, 2, 8);
    g_autoptr(DsegCaches) caches = NULL;
    g_autofree char *places = NULL;

    geometry.cache[DSEG_CACHE_L2].inclusive = true;
    caches = caches_new(&geometry);
    places = caches_run(caches, "0!0102");
    g_assert_cmpstr(places, ==, "m2m1m");
    assert_use(caches, DSEG_CACHE_L1D, 2, 0, 1);
    assert_use(caches, DSEG_CACHE_L1I, 0, 0, 1);
    assert_use(caches, DSEG_CACHE_L2, 2, 1, 0);
    assert_use(caches, DSEG_CACHE_LLC, 3, 0, 0);
    assert_found(&geometry, "0!0102", "012", "311");
    g_assert_cmpint(caches_found(&geometry, "0!0102", '0', true), ==, '3');
}

/* L2 need not have what L1 loses. */
static void test_llc_inclusive(void)
{
    DsegCachesGeometry geometry = one_set(2, 2, 1, 2);
    g_autoptr(DsegCaches) caches = NULL;
    g_autofree char *places = NULL;

    geometry.cache[DSEG_CACHE_LLC].inclusive = true;
    caches = caches_new(&geometry);
    places = caches_run(caches, "0!0102");
    g_assert_cmpstr(places, ==, "m2m1m");
    assert_use(caches, DSEG_CACHE_L1D, 2, 0, 1);
    assert_use(caches, DSEG_CACHE_L1I, 0, 0, 1);
    assert_use(caches, DSEG_CACHE_L2, 1, 2, 0);
    assert_use(caches, DSEG_CACHE_LLC, 2, 1, 0);
    assert_found(&geometry, "0!0102", "012", "m11");
    g_assert_cmpint(caches_found(&geometry, "0!0102", '0', true), ==, 'm');
}

/* L1 need not have what L2 loses. */
static void test_llc_inclusive_of_l2(void)
{
    DsegCachesGeometry geometry = one_set(1, 0, 2, 2);
    g_autoptr(DsegCaches) caches = NULL;
    g_autofree char *places = NULL;

    geometry.cache[DSEG_CACHE_LLC].inclusive = true;
    caches = caches_new(&geometry);
    places = caches_run(caches, "012");
    g_assert_cmpstr(places, ==, "mmm");
    assert_use(caches, DSEG_CACHE_L1D, 1, 2, 0);
    assert_use(caches, DSEG_CACHE_L2, 2, 0, 1);
    assert_use(caches, DSEG_CACHE_LLC, 2, 1, 0);
    assert_found(&geometry, "012", "012", "m21");
}

static void test_both_inclusive(void)
{
    DsegCachesGeometry geometry = one_set(2, 2, 2, 2);
    g_autoptr(DsegCaches) caches = NULL;
    g_autofree char *places = NULL;

    geometry.cache[DSEG_CACHE_L2].inclusive = true;
    geometry.cache[DSEG_CACHE_LLC].inclusive = true;
    caches = caches_new(&geometry);
    places = caches_run(caches, "0!012");
    g_assert_cmpstr(places, ==, "m2mm");
    assert_use(caches, DSEG_CACHE_L1D, 2, 0, 1);
    assert_use(caches, DSEG_CACHE_L1I, 0, 0, 1);
    assert_use(caches, DSEG_CACHE_L2, 2, 0, 1);
    assert_use(caches, DSEG_CACHE_LLC, 2, 1, 0);
}

/* L2 is smaller than L1, so it is L2 that decides what L1 has. */
static void test_both_inclusive_l2_evicts(void)
{
    DsegCachesGeometry geometry = one_set(3, 3, 2, 3);
    g_autoptr(DsegCaches) caches = NULL;
    g_autofree char *places = NULL;

    geometry.cache[DSEG_CACHE_L2].inclusive = true;
    geometry.cache[DSEG_CACHE_LLC].inclusive = true;
    caches = caches_new(&geometry);
    places = caches_run(caches, "0!0123432");
    g_assert_cmpstr(places, ==, "m2mmmm13");
    assert_use(caches, DSEG_CACHE_L1D, 2, 0, 4);
    assert_use(caches, DSEG_CACHE_L1I, 0, 0, 1);
    assert_use(caches, DSEG_CACHE_L2, 2, 4, 0);
    assert_use(caches, DSEG_CACHE_LLC, 3, 2, 0);
}

/*
 * An L1D beside which a fetch of line 8 + n takes line n away: it evicts it
 * from an inclusive LLC of eight sets.
 */
static DsegCachesGeometry takes_away(unsigned ways, DsegTlbPolicy policy)
{
    DsegCachesGeometry geometry = one_set(1, 1, 0, 1);

    shape(&geometry, DSEG_CACHE_L1D, 1, ways, policy);
    shape(&geometry, DSEG_CACHE_LLC, 8, 1, DSEG_TLB_LRU);
    geometry.cache[DSEG_CACHE_LLC].inclusive = true;
    return geometry;
}

static void test_lost_ways_are_free(void)
{
    DsegCachesGeometry geometry = takes_away(4, DSEG_TLB_LRU);

    /* Of 0 1 2 3 the newest is taken away; all but that stay. */
    assert_found(&geometry, "0123!b4", "01234", "111m1");
}

/* The numbers of splitmix64 with seed 1234567, modulo 3: 0 1 0 1 2 0. */
static void test_lowest_free_way_first(void)
{
    DsegCachesGeometry geometry = takes_away(3, DSEG_TLB_RANDOM);

    geometry.seed = 1234567;
    /* 1 2 3 lose way 2 and way 0; 4 takes way 0, and 6 its place. */
    assert_found(&geometry, "123!b!94567", "24567", "33111");
}

static void test_tree_stays_when_a_way_is_lost(void)
{
    DsegCachesGeometry geometry = takes_away(4, DSEG_TLB_PLRU);

    /* 4 takes the way of 3; 0 was the last to be touched on the other side. */
    assert_found(&geometry, "01230!b45", "012345", "131m11");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();

    g_test_add_func("/caches-inclusive/not-inclusive-takes-nothing-away",
                    test_not_inclusive);
    g_test_add_func("/caches-inclusive/last-cache-is-filled-first",
                    test_last_cache_is_filled_first);
    g_test_add_func("/caches-inclusive/l2-inclusive-takes-from-both-l1s",
                    test_l2_inclusive);
    g_test_add_func("/caches-inclusive/llc-inclusive-takes-from-both-l1s",
                    test_llc_inclusive);
    g_test_add_func("/caches-inclusive/llc-inclusive-takes-from-l2",
                    test_llc_inclusive_of_l2);
    g_test_add_func("/caches-inclusive/both-inclusive-llc-takes-from-three",
                    test_both_inclusive);
    g_test_add_func("/caches-inclusive/both-inclusive-l2-takes-from-l1s",
                    test_both_inclusive_l2_evicts);
    g_test_add_func("/caches-inclusive/lost-ways-are-free",
                    test_lost_ways_are_free);
    g_test_add_func("/caches-inclusive/lowest-free-way-first",
                    test_lowest_free_way_first);
    g_test_add_func("/caches-inclusive/tree-stays-when-a-way-is-lost",
                    test_tree_stays_when_a_way_is_lost);
    return g_test_run();
}
