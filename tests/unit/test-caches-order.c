/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unit tests of the caches: the order in which the references of a walk pass,
 * worked out by hand from docs/spec/caches.rst
 */

#include "caches-fixture.h"
#include "caches/counts.h"

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
    DsegCachesGeometry geometry = one_set(1, 0, 0, 0);
    g_autoptr(DsegCaches) caches = caches_new(&geometry);
    g_auto(GStrv) steps = g_strsplit(order, " ", 0);
    g_auto(GStrv) others = g_strsplit(spared, " ", 0);
    DsegWalkEntries entries = *shape;
    DsegCacheCounters expected = { 0 };
    uint64_t cycles = 0;

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
    dseg_caches_walk(caches, &entries, cost, DSEG_STORE, DSEG_USER);
    g_assert_cmpmem(dseg_caches_counters(caches), sizeof(expected), &expected,
                    sizeof(expected));
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
    DsegCachesGeometry geometry = one_set(1, 0, 0, 0);
    g_autoptr(DsegCaches) caches = caches_new(&geometry);
    DsegCacheCounters expected = { 0 };
    DsegWalkEntries native = { .gpas = 0 }, nested = { .gpas = 1 };
    DsegCost cost = cost_of(false, true, 0, 0);

    dseg_caches_walk(caches, &native, &cost, DSEG_LOAD, DSEG_USER);
    cost = cost_of(true, true, 1, 1);
    dseg_caches_walk(caches, &nested, &cost, DSEG_LOAD, DSEG_USER);
    g_assert_cmpmem(dseg_caches_counters(caches), sizeof(expected), &expected,
                    sizeof(expected));
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

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();

    g_test_add_func("/caches-order/order-native", test_order_native);
    g_test_add_func("/caches-order/order-of-24", test_order_of_24);
    g_test_add_func("/caches-order/order-of-35", test_order_of_35);
    g_test_add_func("/caches-order/order-of-large-pages",
                    test_order_of_large_pages);
    g_test_add_func("/caches-order/order-of-one-dimension-of-two",
                    test_order_of_one_dimension_of_two);
    g_test_add_func("/caches-order/segments-alone-pass-nothing",
                    test_segments_alone_pass_nothing);
    g_test_add_func("/caches-order/order-without-the-spared",
                    test_order_without_the_spared);
    g_test_add_func("/caches-order/order-without-the-spared-native",
                    test_order_without_the_spared_native);
    return g_test_run();
}
