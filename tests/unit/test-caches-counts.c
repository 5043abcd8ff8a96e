/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unit tests of what the caches count: data and fetches, and the steps of
 * walks, each at its place, worked out by hand from docs/spec/caches.rst
 */

#include "caches-fixture.h"
#include "caches/counts.h"

/* Nothing but counts, so that a test may look at all of them at once. */
G_STATIC_ASSERT(sizeof(DsegCacheCounters) % sizeof(uint64_t) == 0);

static void assert_counters(DsegCaches *caches,
                            const DsegCacheCounters *expected)
{
    g_assert_cmpmem(dseg_caches_counters(caches), sizeof(*expected), expected,
                    sizeof(*expected));
}

/* Caches of one line each, but for L2, which has two. */
static const DsegCachesGeometry tiny = {
    .line = 64,
    .memory = 100,
    .cache = {
        [DSEG_CACHE_L1D] = { 64, 1, DSEG_TLB_LRU, 2, false },
        [DSEG_CACHE_L1I] = { 64, 1, DSEG_TLB_LRU, 3, false },
        [DSEG_CACHE_L2] = { 128, 2, DSEG_TLB_LRU, 10, false },
        [DSEG_CACHE_LLC] = { 256, 4, DSEG_TLB_LRU, 30, false },
    },
};

/* Data. */

static void test_data(void)
{
    g_autoptr(DsegCaches) caches = caches_new(&tiny);
    DsegCacheCounters expected = { 0 };

    dseg_caches_data(caches, 0x1000, DSEG_LOAD);     /* memory */
    dseg_caches_data(caches, 0x103f, DSEG_STORE);    /* L1D */
    dseg_caches_data(caches, 0x1008, DSEG_FETCH);    /* L2 */
    dseg_caches_data(caches, 0x1010, DSEG_FETCH);    /* L1I */
    dseg_caches_data(caches, 0x1040, DSEG_STORE);    /* memory */
    dseg_caches_data(caches, 0x1080, DSEG_STORE);    /* memory */
    dseg_caches_data(caches, 0x1000, DSEG_LOAD);     /* LLC */
    dseg_caches_data(caches, 0x1000, DSEG_LOAD);     /* L1D */

    expected.data[DSEG_LOAD][DSEG_PLACE_L1] = 1;
    expected.data[DSEG_LOAD][DSEG_PLACE_LLC] = 1;
    expected.data[DSEG_LOAD][DSEG_PLACE_MEMORY] = 1;
    expected.data[DSEG_STORE][DSEG_PLACE_L1] = 1;
    expected.data[DSEG_STORE][DSEG_PLACE_MEMORY] = 2;
    expected.data[DSEG_FETCH][DSEG_PLACE_L1] = 1;
    expected.data[DSEG_FETCH][DSEG_PLACE_L2] = 1;
    expected.cycles.data = 100 + 2 + 10 + 3 + 100 + 100 + 30 + 2;
    assert_counters(caches, &expected);
}

/* Each place of each kind of access, by itself. */
static void test_data_of_each_place(void)
{
    static const char *const before[] = { "0", "01", "0123", "" };
    static const unsigned data_cycles[] = { 2, 10, 30, 100 };
    static const unsigned fetch_cycles[] = { 3, 10, 30, 100 };

    for (DsegAccess a = 0; a < DSEG_ACCESS__MAX; a++) {
        for (DsegCachePlace p = 0; p < DSEG_PLACE__MAX; p++) {
            g_autoptr(DsegCaches) caches = caches_new(&tiny);
            DsegCacheCounters expected = { 0 };

            for (const char *c = before[p]; *c; c++) {
                caches_pass(caches, *c, a == DSEG_FETCH);
            }
            dseg_caches_data(caches, 0, a);
            expected.data[a][p] = 1;
            expected.cycles.data = a == DSEG_FETCH ? fetch_cycles[p]
                                                   : data_cycles[p];
            assert_counters(caches, &expected);
        }
    }
}

/* Walks. */

static DsegWalkEntries native_walk(uint64_t hpa)
{
    return (DsegWalkEntries) {
        .guest = { .count = 1, .leaf = 1, .hpa = { hpa } },
    };
}

/* L1D has what a walk has read, L1I has not. */
static void test_walks_are_data(void)
{
    g_autoptr(DsegCaches) caches = caches_new(&tiny);
    const DsegCycles *cycles = dseg_caches_cycles(caches);
    DsegWalkEntries entries = native_walk(0x2000);
    DsegCost cost = { .in_nested = false };

    dseg_caches_walk(caches, &entries, &cost, DSEG_FETCH, DSEG_USER);
    assert_use(caches, DSEG_CACHE_L1D, 1, 0, 0);
    assert_use(caches, DSEG_CACHE_L1I, 0, 0, 0);
    g_assert_cmpint(dseg_caches_pass(caches, 0x2000, false), ==, DSEG_PLACE_L1);
    g_assert_cmpint(dseg_caches_pass(caches, 0x2000, true), ==, DSEG_PLACE_L2);
    /* A walk for a fetch takes the cycles of L1D. */
    dseg_caches_walk(caches, &entries, &cost, DSEG_FETCH, DSEG_USER);
    dseg_caches_settle(caches);
    g_assert_cmpuint(cycles->walks[DSEG_NATIVE][DSEG_FETCH][DSEG_USER], ==,
                     100 + 2);
    g_assert_cmpuint(cycles->data, ==, 0);
}

/* One walk of each regime: by its cost. */
static const DsegCost regimes[DSEG_REGIME__MAX] = {
    [DSEG_NATIVE] = { .in_nested = false },
    [DSEG_NATIVE_DIRECT] = { .out_guest_hit = true },
    [DSEG_BASE] = { .in_nested = true, .out_gpas = 2 },
    [DSEG_VMM_DIRECT] = {
        .in_nested = true, .out_gpas = 2, .out_vmm_hits = 2,
    },
    [DSEG_GUEST_DIRECT] = {
        .in_nested = true, .out_guest_hit = true, .out_gpas = 1,
    },
    [DSEG_DUAL_DIRECT] = {
        .in_nested = true, .out_guest_hit = true, .out_gpas = 1,
        .out_vmm_hits = 1,
    },
    [DSEG_MIXED] = { .in_nested = true, .out_gpas = 2, .out_vmm_hits = 1 },
};

static void test_cycles_by_regime_access_and_privilege(void)
{
    for (DsegRegime r = 0; r < DSEG_REGIME__MAX; r++) {
        for (DsegAccess a = 0; a < DSEG_ACCESS__MAX; a++) {
            for (DsegPrivilege p = 0; p < DSEG_PRIVILEGE__MAX; p++) {
                g_autoptr(DsegCaches) caches = caches_new(&tiny);
                DsegCacheCounters expected = { 0 };
                DsegWalkEntries entries = native_walk(0x2000);
                DsegWorld world = regimes[r].in_nested ? DSEG_WORLD_NESTED
                                                       : DSEG_WORLD_NATIVE;

                dseg_caches_walk(caches, &entries, &regimes[r], a,
                                 p);
                expected.guest[world][p][1][DSEG_PLACE_MEMORY] = 1;
                expected.cycles.walks[r][a][p] = 100;
                assert_counters(caches, &expected);
            }
        }
    }
}

static void test_nested_steps_by_privilege(void)
{
    for (DsegPrivilege p = 0; p < DSEG_PRIVILEGE__MAX; p++) {
        g_autoptr(DsegCaches) caches = caches_new(&tiny);
        DsegCacheCounters expected = { 0 };
        DsegWalkEntries entries = {
            .gpas = 1,
            .nested = { { .count = 1, .leaf = 3, .hpa = { 0x40 } } },
        };

        dseg_caches_walk(caches, &entries, &regimes[DSEG_BASE],
                         DSEG_LOAD, p);
        expected.nested[p][0][3][DSEG_PLACE_MEMORY] = 1;
        expected.cycles.walks[DSEG_BASE][DSEG_LOAD][p] = 100;
        assert_counters(caches, &expected);
    }
}

/* Each of the four places, for steps of either dimension. */
static void test_steps_of_each_place(void)
{
    static const char *const before[] = { "0", "01", "0123", "" };
    static const unsigned cycles[] = { 2, 10, 30, 100 };

    for (DsegCachePlace place = 0; place < DSEG_PLACE__MAX; place++) {
        g_autoptr(DsegCaches) caches = caches_new(&tiny);
        g_autofree char *found = caches_run(caches, before[place]);
        DsegCacheCounters expected = { 0 };
        DsegWalkEntries entries = {
            .guest = { .count = 1, .leaf = 2, .hpa = { 0x20 } },
            .gpas = 2,
            .nested = { { .count = 1, .leaf = 1, .hpa = { 0x18 } } },
        };

        dseg_caches_walk(caches, &entries, &regimes[DSEG_MIXED],
                         DSEG_LOAD, DSEG_KERNEL);
        expected.nested[DSEG_KERNEL][2][1][place] = 1;
        expected.guest[DSEG_WORLD_NESTED][DSEG_KERNEL][2][DSEG_PLACE_L1] = 1;
        expected.cycles.walks[DSEG_MIXED][DSEG_LOAD][DSEG_KERNEL] =
            cycles[place] + 2;
        assert_counters(caches, &expected);
    }
}

static void test_walk_cycles(void)
{
    DsegCycles cycles = { .data = UINT64_C(1) << 60 };
    uint64_t digit = 1;

    for (DsegRegime r = 0; r < DSEG_REGIME__MAX; r++) {
        for (DsegAccess a = 0; a < DSEG_ACCESS__MAX; a++) {
            for (DsegPrivilege p = 0; p < DSEG_PRIVILEGE__MAX; p++) {
                cycles.walks[r][a][p] = digit;
                digit <<= 1;
            }
        }
    }
    g_assert_cmphex(dseg_caches_walk_cycles(&cycles), ==, digit - 1);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();

    g_test_add_func("/caches-counts/data-by-kind-and-place", test_data);
    g_test_add_func("/caches-counts/data-of-each-place",
                    test_data_of_each_place);
    g_test_add_func("/caches-counts/walks-are-data", test_walks_are_data);
    g_test_add_func("/caches-counts/cycles-by-regime-access-and-privilege",
                    test_cycles_by_regime_access_and_privilege);
    g_test_add_func("/caches-counts/nested-steps-by-privilege",
                    test_nested_steps_by_privilege);
    g_test_add_func("/caches-counts/steps-of-each-place",
                    test_steps_of_each_place);
    g_test_add_func("/caches-counts/walk-cycles-are-a-sum",
                    test_walk_cycles);
    return g_test_run();
}
