/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unit tests of what the caches count: data and fetches, and the steps of
 * walks, each at its place, worked out by hand from docs/spec/caches.rst
 */

#include "caches-fixture.h"
#include "caches/counts.h"

/* Nothing but counts, so that a test may look at all of them at once. */
G_STATIC_ASSERT(sizeof(DsegCacheCounters) % sizeof(uint64_t) == 0);

static void assert_same(const DsegCacheCounters *a, const DsegCacheCounters *b)
{
    g_assert_cmpmem(a, sizeof(*a), b, sizeof(*b));
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
    DsegCacheCounters counters = { 0 }, expected = { 0 };

    dseg_caches_data(caches, &counters, 0x1000, DSEG_LOAD);     /* memory */
    dseg_caches_data(caches, &counters, 0x103f, DSEG_STORE);    /* L1D */
    dseg_caches_data(caches, &counters, 0x1008, DSEG_FETCH);    /* L2 */
    dseg_caches_data(caches, &counters, 0x1010, DSEG_FETCH);    /* L1I */
    dseg_caches_data(caches, &counters, 0x1040, DSEG_STORE);    /* memory */
    dseg_caches_data(caches, &counters, 0x1080, DSEG_STORE);    /* memory */
    dseg_caches_data(caches, &counters, 0x1000, DSEG_LOAD);     /* LLC */
    dseg_caches_data(caches, &counters, 0x1000, DSEG_LOAD);     /* L1D */

    expected.data[DSEG_LOAD][DSEG_PLACE_L1] = 1;
    expected.data[DSEG_LOAD][DSEG_PLACE_LLC] = 1;
    expected.data[DSEG_LOAD][DSEG_PLACE_MEMORY] = 1;
    expected.data[DSEG_STORE][DSEG_PLACE_L1] = 1;
    expected.data[DSEG_STORE][DSEG_PLACE_MEMORY] = 2;
    expected.data[DSEG_FETCH][DSEG_PLACE_L1] = 1;
    expected.data[DSEG_FETCH][DSEG_PLACE_L2] = 1;
    expected.cycles.data = 100 + 2 + 10 + 3 + 100 + 100 + 30 + 2;
    assert_same(&counters, &expected);
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
            DsegCacheCounters counters = { 0 }, expected = { 0 };

            for (const char *c = before[p]; *c; c++) {
                caches_pass(caches, *c, a == DSEG_FETCH);
            }
            dseg_caches_data(caches, &counters, 0, a);
            expected.data[a][p] = 1;
            expected.cycles.data = a == DSEG_FETCH ? fetch_cycles[p]
                                                   : data_cycles[p];
            assert_same(&counters, &expected);
        }
    }
}

/* The order of a walk's references. */

/*
 * A step as two digits: the level of the guest's entry that is to be found, 0
 * for the final address; and that of the nested table, 0 for the entry itself.
 * With one dimension the latter is 0.
 */
static void parse_step(const char *text, unsigned *guest, unsigned *nested)
{
    *guest = g_ascii_digit_value(text[0]);
    *nested = g_ascii_digit_value(text[1]);
}

/* Where a walk's entries have the one of a step. */
static uint64_t *hpa_of(DsegWalkEntries *entries, const char *text)
{
    DsegEntries *guest = &entries->guest, *nested;
    unsigned g, n, i;

    parse_step(text, &g, &n);
    i = g ? guest->leaf + guest->count - 1 - g : guest->count;
    if (!n) {
        return &guest->hpa[i];
    }
    nested = &entries->nested[i];
    return &nested->hpa[nested->leaf + nested->count - 1 - n];
}

static uint64_t *count_of(DsegCacheCounters *counters, bool in_nested,
                          const char *text, unsigned place)
{
    unsigned g, n;

    parse_step(text, &g, &n);
    return n ? &counters->nested[DSEG_USER][g][n][place] :
           &counters->guest[in_nested ? DSEG_WORLD_NESTED : DSEG_WORLD_NATIVE]
                           [DSEG_USER][g][place];
}

/*
 * In a cache of one line, step 2k + 1 is found if step 2k has the same line and
 * is just before it; with a @shift of 1, step 2k + 2 after 2k + 1.  Both
 * together fix the order.
 */
static void assert_order_shifted(const DsegWalkEntries *shape,
                                 const DsegCost *cost, const char *order,
                                 const char *spared, unsigned shift)
{
    DsegCachesGeometry geometry = tiny;
    g_autoptr(DsegCaches) caches = NULL;
    g_auto(GStrv) steps = g_strsplit(order, " ", 0);
    g_auto(GStrv) others = g_strsplit(spared, " ", 0);
    DsegWalkEntries entries = *shape;
    DsegCacheCounters counters = { 0 }, expected = { 0 };
    uint64_t cycles = 0;

    for (DsegCacheName i = DSEG_CACHE_L1I; i < DSEG_CACHE__MAX; i++) {
        geometry.cache[i].size = 0;
    }
    caches = caches_new(&geometry);
    for (unsigned i = 0; steps[i]; i++) {
        bool found = i && (i + shift) % 2;

        *hpa_of(&entries, steps[i]) = (i + shift) / 2 * 64 + i % 8 * 8;
        *count_of(&expected, cost->in_nested, steps[i],
                  found ? DSEG_PLACE_L1 : DSEG_PLACE_MEMORY) += 1;
        cycles += found ? 2 : 100;
    }
    for (unsigned i = 0; others[i]; i++) {
        *count_of(&expected, cost->in_nested, others[i],
                  DSEG_PLACE_SPARED) += 1;
    }
    expected.cycles.walks[dseg_cost_regime(cost)][DSEG_STORE][DSEG_USER] =
        cycles;
    dseg_caches_walk(caches, &counters, &entries, cost, DSEG_STORE, DSEG_USER);
    assert_same(&counters, &expected);
}

static void assert_order(const DsegWalkEntries *shape, const DsegCost *cost,
                         const char *order, const char *spared)
{
    assert_order_shifted(shape, cost, order, spared, 0);
    assert_order_shifted(shape, cost, order, spared, 1);
}

/* What makes the regime of a walk. */
static DsegCost cost_of(bool in_nested, bool guest_hit, unsigned gpas,
                        unsigned vmm_hits)
{
    return (DsegCost) {
        .in_nested = in_nested, .out_guest_hit = guest_hit, .out_gpas = gpas,
        .out_vmm_hits = vmm_hits,
    };
}

static void test_order_native(void)
{
    DsegWalkEntries four = { .guest = { .count = 4, .leaf = 1 } };
    DsegWalkEntries large = { .guest = { .count = 3, .leaf = 3 } };
    DsegCost cost = cost_of(false, false, 0, 0);

    assert_order(&four, &cost, "40 30 20 10", "");
    assert_order(&large, &cost, "50 40 30", "");
}

static void test_order_of_24(void)
{
    DsegWalkEntries entries = {
        .guest = { .count = 4, .leaf = 1 },
        .gpas = 5,
        .nested = {
            { .count = 4, .leaf = 1 }, { .count = 4, .leaf = 1 },
            { .count = 4, .leaf = 1 }, { .count = 4, .leaf = 1 },
            { .count = 4, .leaf = 1 },
        },
    };
    DsegCost cost = cost_of(true, false, 5, 0);

    assert_order(&entries, &cost,
                 "44 43 42 41 40 34 33 32 31 30 24 23 22 21 20 14 13 12 11 10 "
                 "04 03 02 01", "");
}

static void test_order_of_35(void)
{
    DsegWalkEntries entries = { .guest = { .count = 5, .leaf = 1 }, .gpas = 6 };
    DsegCost cost = cost_of(true, false, 6, 0);

    for (unsigned i = 0; i < 6; i++) {
        entries.nested[i] = (DsegEntries) { .count = 5, .leaf = 1 };
    }
    assert_order(&entries, &cost,
                 "55 54 53 52 51 50 45 44 43 42 41 40 35 34 33 32 31 30 "
                 "25 24 23 22 21 20 15 14 13 12 11 10 05 04 03 02 01", "");
}

/* The guest's page is of 2 MiB; nested ones are of 1 GiB, a segment, 2 MiB. */
static void test_order_of_large_pages(void)
{
    DsegWalkEntries entries = {
        .guest = { .count = 3, .leaf = 2 },
        .gpas = 4,
        .nested = {
            { .count = 2, .leaf = 3 }, { .count = 0 },
            { .count = 4, .leaf = 1 }, { .count = 3, .leaf = 2 },
        },
    };
    DsegCost cost = cost_of(true, false, 4, 1);

    g_assert_cmpint(dseg_cost_regime(&cost), ==, DSEG_MIXED);
    assert_order(&entries, &cost,
                 "44 43 40 30 24 23 22 21 20 04 03 02", "");
}

static void test_order_of_one_dimension_of_two(void)
{
    DsegWalkEntries vmm_direct = {
        .guest = { .count = 4, .leaf = 1 }, .gpas = 5,
    };
    DsegWalkEntries guest_direct = {
        .gpas = 1, .nested = { { .count = 4, .leaf = 1 } },
    };
    DsegCost cost = cost_of(true, false, 5, 5);

    assert_order(&vmm_direct, &cost, "40 30 20 10", "");
    cost = cost_of(true, true, 1, 0);
    assert_order(&guest_direct, &cost, "04 03 02 01", "");
    /* A guest without paging. */
    cost = cost_of(true, false, 1, 0);
    assert_order(&guest_direct, &cost, "04 03 02 01", "");
}

static void test_segments_alone_pass_nothing(void)
{
    g_autoptr(DsegCaches) caches = caches_new(&tiny);
    DsegCacheCounters counters = { 0 }, expected = { 0 };
    DsegWalkEntries native = { .gpas = 0 }, nested = { .gpas = 1 };
    DsegCost cost = cost_of(false, true, 0, 0);

    dseg_caches_walk(caches, &counters, &native, &cost, DSEG_LOAD, DSEG_USER);
    cost = cost_of(true, true, 1, 1);
    dseg_caches_walk(caches, &counters, &nested, &cost, DSEG_LOAD, DSEG_USER);
    assert_same(&counters, &expected);
    assert_use(caches, DSEG_CACHE_L1D, 0, 0, 0);
}

/* The walk began below level 3; the nested TLB had the gPA of level 2. */
static void test_order_without_the_spared(void)
{
    DsegWalkEntries entries = {
        .guest = { .count = 4, .leaf = 1, .spared = 2 },
        .gpas = 5,
        .nested = {
            { .count = 4, .leaf = 1, .spared = 4 },
            { .count = 3, .leaf = 2, .spared = 3 },
            { .count = 4, .leaf = 1, .spared = 4 },
            { .count = 4, .leaf = 1, .spared = 3 },
            { .count = 3, .leaf = 2, .spared = 1 },
        },
    };
    DsegCost cost = cost_of(true, false, 3, 0);

    assert_order(&entries, &cost, "20 11 10 03 02",
                 "44 43 42 41 40 34 33 32 30 24 23 22 21 14 13 12 04");
}

static void test_order_without_the_spared_native(void)
{
    DsegWalkEntries entries = {
        .guest = { .count = 5, .leaf = 1, .spared = 4 },
    };
    DsegCost cost = cost_of(false, false, 0, 0);

    assert_order(&entries, &cost, "10", "50 40 30 20");
}

/* Walks, otherwise. */

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
    DsegCacheCounters counters = { 0 };
    DsegWalkEntries entries = native_walk(0x2000);
    DsegCost cost = cost_of(false, false, 0, 0);

    dseg_caches_walk(caches, &counters, &entries, &cost, DSEG_FETCH, DSEG_USER);
    assert_use(caches, DSEG_CACHE_L1D, 1, 0, 0);
    assert_use(caches, DSEG_CACHE_L1I, 0, 0, 0);
    g_assert_cmpint(dseg_caches_pass(caches, 0x2000, false), ==, DSEG_PLACE_L1);
    g_assert_cmpint(dseg_caches_pass(caches, 0x2000, true), ==, DSEG_PLACE_L2);
    /* A walk for a fetch takes the cycles of L1D. */
    dseg_caches_walk(caches, &counters, &entries, &cost, DSEG_FETCH, DSEG_USER);
    g_assert_cmpuint(counters.cycles.walks[DSEG_NATIVE][DSEG_FETCH][DSEG_USER],
                     ==, 100 + 2);
    g_assert_cmpuint(counters.cycles.data, ==, 0);
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
                DsegCacheCounters counters = { 0 }, expected = { 0 };
                DsegWalkEntries entries = native_walk(0x2000);
                DsegWorld world = regimes[r].in_nested ? DSEG_WORLD_NESTED
                                                       : DSEG_WORLD_NATIVE;

                dseg_caches_walk(caches, &counters, &entries, &regimes[r], a,
                                 p);
                expected.guest[world][p][1][DSEG_PLACE_MEMORY] = 1;
                expected.cycles.walks[r][a][p] = 100;
                assert_same(&counters, &expected);
            }
        }
    }
}

static void test_nested_steps_by_privilege(void)
{
    for (DsegPrivilege p = 0; p < DSEG_PRIVILEGE__MAX; p++) {
        g_autoptr(DsegCaches) caches = caches_new(&tiny);
        DsegCacheCounters counters = { 0 }, expected = { 0 };
        DsegWalkEntries entries = {
            .gpas = 1,
            .nested = { { .count = 1, .leaf = 3, .hpa = { 0x40 } } },
        };

        dseg_caches_walk(caches, &counters, &entries, &regimes[DSEG_BASE],
                         DSEG_LOAD, p);
        expected.nested[p][0][3][DSEG_PLACE_MEMORY] = 1;
        expected.cycles.walks[DSEG_BASE][DSEG_LOAD][p] = 100;
        assert_same(&counters, &expected);
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
        DsegCacheCounters counters = { 0 }, expected = { 0 };
        DsegWalkEntries entries = {
            .guest = { .count = 1, .leaf = 2, .hpa = { 0x20 } },
            .gpas = 2,
            .nested = { { .count = 1, .leaf = 1, .hpa = { 0x18 } } },
        };

        dseg_caches_walk(caches, &counters, &entries, &regimes[DSEG_MIXED],
                         DSEG_LOAD, DSEG_KERNEL);
        expected.nested[DSEG_KERNEL][2][1][place] = 1;
        expected.guest[DSEG_WORLD_NESTED][DSEG_KERNEL][2][DSEG_PLACE_L1] = 1;
        expected.cycles.walks[DSEG_MIXED][DSEG_LOAD][DSEG_KERNEL] =
            cycles[place] + 2;
        assert_same(&counters, &expected);
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
    g_test_add_func("/caches-counts/order-native", test_order_native);
    g_test_add_func("/caches-counts/order-of-24", test_order_of_24);
    g_test_add_func("/caches-counts/order-of-35", test_order_of_35);
    g_test_add_func("/caches-counts/order-of-large-pages",
                    test_order_of_large_pages);
    g_test_add_func("/caches-counts/order-of-one-dimension-of-two",
                    test_order_of_one_dimension_of_two);
    g_test_add_func("/caches-counts/segments-alone-pass-nothing",
                    test_segments_alone_pass_nothing);
    g_test_add_func("/caches-counts/order-without-the-spared",
                    test_order_without_the_spared);
    g_test_add_func("/caches-counts/order-without-the-spared-native",
                    test_order_without_the_spared_native);
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
