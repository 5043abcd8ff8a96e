/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unit tests of the caches: which line has to go, and which lines share a set,
 * worked out by hand from docs/spec/caches.rst and tlb.rst
 */

#include "caches-fixture.h"

/* The line that is found after one trace and not after the other; .: none. */
static char lost(const DsegCachesGeometry *geometry, const char *before,
                 const char *after, bool fetch)
{
    char name = '.';

    for (const char *c = before; *c; c++) {
        if (g_ascii_isalnum(*c) &&
            caches_found(geometry, before, *c, fetch) != 'm' &&
            caches_found(geometry, after, *c, fetch) == 'm') {
            g_assert_true(name == '.' || name == *c);
            name = *c;
        }
    }
    return name;
}

/* A character a line: h for a hit, . for a free place, or whom it cost. */
static void assert_victims_of(const DsegCachesGeometry *geometry, bool fetch,
                              const char *trace, const char *expected)
{
    g_autoptr(GString) before = g_string_new(NULL);
    g_autoptr(GString) results = g_string_new(NULL);

    for (; *trace; trace++) {
        g_autoptr(GString) after = g_string_new(before->str);

        if (fetch && *trace != '-') {
            g_string_append_c(after, '!');
        }
        g_string_append_c(after, *trace);
        if (*trace != '-') {
            g_string_append_c(results, caches_found(geometry, before->str,
                                                    *trace, fetch) != 'm' ?
                              'h' : lost(geometry, before->str, after->str,
                                         fetch));
        }
        g_string_assign(before, after->str);
    }
    g_assert_cmpstr(results->str, ==, expected);
}

static void assert_victims(const DsegCachesGeometry *geometry,
                           const char *trace, const char *expected)
{
    assert_victims_of(geometry, false, trace, expected);
}

static void test_lru(void)
{
    DsegCachesGeometry geometry = l1d(1, 4, DSEG_TLB_LRU);

    assert_victims(&geometry, "123415362", "....h2h41");
    assert_victims(&geometry, "1234432156789", "....hhhh43215");
    geometry = l1d(1, 3, DSEG_TLB_LRU);
    assert_victims(&geometry, "123211145", "...hhhh32");
}

static bool load(DsegCaches *caches, uint64_t line)
{
    return dseg_caches_pass(caches, line * CACHES_LINE, false) == DSEG_PLACE_L1;
}

/* They are touched from the last to the first, so the last is the victim. */
static void test_lru_of_any_ways(void)
{
    for (unsigned ways = 1; ways <= 64; ways++) {
        DsegCachesGeometry geometry = l1d(1, ways, DSEG_TLB_LRU);
        g_autoptr(DsegCaches) caches = caches_new(&geometry);

        for (unsigned i = 0; i < ways; i++) {
            g_assert_false(load(caches, i));
        }
        for (unsigned i = ways; i--;) {
            g_assert_true(load(caches, i));
        }
        for (unsigned i = ways; i--;) {
            g_assert_false(load(caches, 100 + i));      /* for line i */
            for (unsigned j = i; j--;) {
                g_assert_true(load(caches, j));
            }
            for (unsigned j = ways; j-- > i;) {
                g_assert_true(load(caches, 100 + j));
            }
        }
        g_assert_false(load(caches, 0));
        assert_use(caches, DSEG_CACHE_L1D, ways, ways + 1, 0);
    }
}

static void test_plru(void)
{
    DsegCachesGeometry geometry = l1d(1, 4, DSEG_TLB_PLRU);

    assert_victims(&geometry, "12341567", "....h324");
    geometry = l1d(1, 8, DSEG_TLB_PLRU);
    assert_victims(&geometry, "123456789abcd", "........15372");
    geometry = l1d(1, 2, DSEG_TLB_PLRU);
    assert_victims(&geometry, "12134", "..h21");
    geometry = l1d(1, 1, DSEG_TLB_PLRU);
    assert_victims(&geometry, "1213", ".121");
}

static unsigned with_bits_reversed(unsigned number, unsigned bits)
{
    unsigned reversed = 0;

    for (unsigned i = 0; i < bits; i++) {
        reversed |= (number >> i & 1) << (bits - 1 - i);
    }
    return reversed;
}

/* Whether new caches have a line after those from 0 on, @count of them. */
static bool has_after(const DsegCachesGeometry *geometry, unsigned count,
                      unsigned line)
{
    g_autoptr(DsegCaches) caches = caches_new(geometry);

    for (unsigned i = 0; i < count; i++) {
        g_assert_false(load(caches, i));
    }
    return load(caches, line);
}

/*
 * A tree whose ways have been filled in order leads to way 0.  Each fill then
 * turns the bits that have led to it, so the next is half a tree away.
 */
static void test_plru_of_any_ways(void)
{
    for (unsigned bits = 0; bits <= 6; bits++) {
        unsigned ways = 1u << bits;
        DsegCachesGeometry geometry = l1d(1, ways, DSEG_TLB_PLRU);

        for (unsigned i = 0; i < ways; i++) {
            unsigned victim = with_bits_reversed(i, bits);

            g_assert_true(has_after(&geometry, ways + i, victim));
            g_assert_false(has_after(&geometry, ways + i + 1, victim));
        }
    }
}

/* The tree of each set is its own. */
static void test_plru_sets(void)
{
    DsegCachesGeometry geometry = l1d(2, 2, DSEG_TLB_PLRU);

    assert_victims(&geometry, "0123054", "....h12");
}

/* The numbers of splitmix64 with seed 1234567, modulo ways: 0 1 0 1 2 0. */
static void test_random(void)
{
    DsegCachesGeometry geometry = l1d(1, 3, DSEG_TLB_RANDOM);

    geometry.seed = 1234567;
    assert_victims(&geometry, "123456789", "...124536");
    /* Modulo 4: 1 1 3 3 1. */
    shape(&geometry, DSEG_CACHE_L1D, 1, 4, DSEG_TLB_RANDOM);
    assert_victims(&geometry, "1234156789", "....h25476");
}

/* With the cache's number its state is what it was for number 0 above. */
static void test_random_of_each_cache(void)
{
    for (DsegCacheName i = DSEG_CACHE_L1I; i < DSEG_CACHE__MAX; i++) {
        DsegCachesGeometry geometry = one_set(1, 0, 0, 0);

        shape(&geometry, i, 1, 3, DSEG_TLB_RANDOM);
        geometry.seed = 1234567 - i;
        assert_victims_of(&geometry, i == DSEG_CACHE_L1I, "123456789",
                          "...124536");
    }
}

/* All four at once: a number that one takes is none of another's. */
static void test_random_states_are_apart(void)
{
    DsegCachesGeometry geometry = one_set(1, 1, 1, 1);

    shape(&geometry, DSEG_CACHE_L2, 1, 2, DSEG_TLB_RANDOM);
    shape(&geometry, DSEG_CACHE_LLC, 1, 3, DSEG_TLB_RANDOM);
    geometry.seed = 1234567 - DSEG_CACHE_LLC;
    /* The LLC is as above; L1 and L2 have only lines that it has, or had. */
    geometry.cache[DSEG_CACHE_LLC].inclusive = true;
    assert_victims(&geometry, "123456789", "...124536");
}

/* Sets take turns with the numbers. */
static void test_random_is_the_caches(void)
{
    DsegCachesGeometry geometry = l1d(2, 3, DSEG_TLB_RANDOM);

    geometry.seed = 1234567;
    assert_victims(&geometry, "0241356789a", "......03674");
}

/* The numbers go on: 0, then 1 0. */
static void test_empty_leaves_random_alone(void)
{
    DsegCachesGeometry geometry = l1d(1, 3, DSEG_TLB_RANDOM);

    geometry.seed = 1234567;
    assert_victims(&geometry, "1234-56789", "...1...65");
}

static void test_free_places_first(void)
{
    static const DsegTlbPolicy policies[] = {
        DSEG_TLB_LRU, DSEG_TLB_PLRU, DSEG_TLB_RANDOM,
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(policies); i++) {
        DsegCachesGeometry geometry = l1d(1, 4, policies[i]);

        assert_victims(&geometry, "12341-12343", "....h....h");
    }
}

/* Sets. */

/* One way a set: lines meet that are a multiple of sets apart. */
static void test_set_is_the_line_modulo_sets(void)
{
    const uint64_t far = (UINT64_C(1) << 52) / CACHES_LINE - 40;

    for (unsigned sets = 1; sets <= 17; sets++) {
        DsegCachesGeometry geometry = l1d(sets, 1, DSEG_TLB_LRU);

        for (unsigned i = 1; i <= 34; i++) {
            g_autoptr(DsegCaches) caches = caches_new(&geometry);

            load(caches, 3);
            load(caches, 3 + i);
            g_assert_cmpint(load(caches, 3), ==, i % sets != 0);
            load(caches, far);
            load(caches, far + i);
            g_assert_cmpint(load(caches, far), ==, i % sets != 0);
        }
    }
}

static void test_sets_of_any_number(void)
{
    DsegCachesGeometry geometry = l1d(3, 1, DSEG_TLB_LRU);

    assert_victims(&geometry, "0123450", "...0123");
    geometry = l1d(3, 2, DSEG_TLB_LRU);
    assert_victims(&geometry, "012345067", "......h31");
    geometry = l1d(5, 2, DSEG_TLB_PLRU);
    assert_victims(&geometry, "05a16b5", "..0..1h");
    geometry = one_set(1, 0, 0, 1);
    shape(&geometry, DSEG_CACHE_LLC, 3, 1, DSEG_TLB_LRU);
    assert_trace(&geometry, "012012301", "mmm333mm3");
}

/* 2^32 bytes: more than 32 bits can say. */
static void test_largest_cache(void)
{
    DsegCachesGeometry geometry = l1d(1, 1, DSEG_TLB_LRU);
    g_autoptr(DsegCaches) caches = NULL;
    const uint64_t bytes = UINT64_C(1) << 32;

    geometry.line = 4096;
    shape(&geometry, DSEG_CACHE_L1D, 1 << 14, 64, DSEG_TLB_LRU);
    g_assert_cmpuint(geometry.cache[DSEG_CACHE_L1D].size, ==, bytes);
    caches = caches_new(&geometry);
    for (uint64_t hpa = 0; hpa < bytes; hpa += 1 << 20) {
        dseg_caches_pass(caches, hpa, false);
    }
    assert_use(caches, DSEG_CACHE_L1D, 4096, 0, 0);
    for (uint64_t hpa = 0; hpa < bytes; hpa += 1 << 20) {
        g_assert_cmpint(dseg_caches_pass(caches, hpa, false), ==,
                        DSEG_PLACE_L1);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();

    g_test_add_func("/caches-policies/lru", test_lru);
    g_test_add_func("/caches-policies/lru-of-1-to-64-ways",
                    test_lru_of_any_ways);
    g_test_add_func("/caches-policies/plru", test_plru);
    g_test_add_func("/caches-policies/plru-of-1-to-64-ways",
                    test_plru_of_any_ways);
    g_test_add_func("/caches-policies/plru-by-set", test_plru_sets);
    g_test_add_func("/caches-policies/random", test_random);
    g_test_add_func("/caches-policies/random-seed-of-each-cache",
                    test_random_of_each_cache);
    g_test_add_func("/caches-policies/random-states-are-apart",
                    test_random_states_are_apart);
    g_test_add_func("/caches-policies/random-is-the-caches",
                    test_random_is_the_caches);
    g_test_add_func("/caches-policies/empty-leaves-random-alone",
                    test_empty_leaves_random_alone);
    g_test_add_func("/caches-policies/free-places-first",
                    test_free_places_first);
    g_test_add_func("/caches-policies/set-is-the-line-modulo-sets",
                    test_set_is_the_line_modulo_sets);
    g_test_add_func("/caches-policies/sets-of-any-number",
                    test_sets_of_any_number);
    g_test_add_func("/caches-policies/largest-cache", test_largest_cache);
    return g_test_run();
}
