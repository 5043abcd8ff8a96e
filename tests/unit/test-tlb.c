/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unit tests of the TLB hierarchy: what accesses do to it, worked out by hand
 * from docs/spec/tlb.rst
 */

#include "tlb-fixture.h"

#define KIB UINT64_C(1024)
#define PAGE (4 * KIB)
#define MIB (KIB * KIB)
#define GIB (KIB * MIB)

/* Replacement. */

/* L1D alone: @entries of 4 KiB pages, as array 1. */
static DsegTlbGeometry l1d(uint32_t entries, uint32_t ways,
                           DsegTlbPolicy policy)
{
    return (DsegTlbGeometry) {
        .count = 2,
        .arrays = {
            { DSEG_TLB_PLACE_L1I, K4, 1, 1, DSEG_TLB_LRU },
            { DSEG_TLB_PLACE_L1D, K4, entries, ways, policy },
        },
    };
}

/* Page number @name, a hexadecimal digit, as an address. */
static uint64_t page_at(char name)
{
    return g_ascii_xdigit_value(name) * PAGE;
}

/* The result of a load: h for a hit, . for a free place, or whom it cost. */
static char load_page(Tlb *t, char name)
{
    if (tlb_load(t, page_at(name) + 0x123, DSEG_TLB_4K) == DSEG_TLB_HIT_L1) {
        g_assert_cmpuint(t->gone->len, ==, 0);
        return 'h';
    }
    g_assert_cmpuint(t->gone->len, <=, 1);
    if (!t->gone->len) {
        return '.';
    }
    g_assert_cmpuint(tlb_gone_at(t, 0)->slot, ==, t->spot.slot);
    return "0123456789abcdef"[tlb_gone_at(t, 0)->va / PAGE % 16];
}

/* Loads the pages of @trace, in which - and a page means that it is removed. */
static void assert_trace(const DsegTlbGeometry *geometry, const char *trace,
                         const char *expected)
{
    g_autoptr(Tlb) t = tlb_new(geometry);
    g_autoptr(GString) results = g_string_new(NULL);

    for (; *trace; trace++) {
        if (*trace == '-') {
            tlb_invalidate_page(t, page_at(*++trace));
        } else {
            g_string_append_c(results, load_page(t, *trace));
        }
    }
    g_assert_cmpstr(results->str, ==, expected);
}

static void test_lru(void)
{
    DsegTlbGeometry geometry = l1d(4, 4, DSEG_TLB_LRU);

    assert_trace(&geometry, "123415362", "....h2h41");
    assert_trace(&geometry, "1234432156789", "....hhhh43215");
    geometry = l1d(3, 3, DSEG_TLB_LRU);
    assert_trace(&geometry, "123211145", "...hhhh32");
}

static void test_fifo(void)
{
    DsegTlbGeometry geometry = l1d(4, 4, DSEG_TLB_FIFO);

    assert_trace(&geometry, "12341561", "....h123");
    assert_trace(&geometry, "1234432156789", "....hhhh12345");
}

static void test_plru(void)
{
    DsegTlbGeometry geometry = l1d(4, 4, DSEG_TLB_PLRU);

    assert_trace(&geometry, "12341567", "....h324");
    geometry = l1d(8, 8, DSEG_TLB_PLRU);
    assert_trace(&geometry, "123456789abcd", "........15372");
    geometry = l1d(2, 2, DSEG_TLB_PLRU);
    assert_trace(&geometry, "12134", "..h21");
    geometry = l1d(1, 1, DSEG_TLB_PLRU);
    assert_trace(&geometry, "1213", ".121");
}

/* The tree of each set is its own. */
static void test_plru_sets(void)
{
    DsegTlbGeometry geometry = l1d(4, 2, DSEG_TLB_PLRU);

    assert_trace(&geometry, "0123054", "....h12");
}

/* The numbers of splitmix64 with seed 1234567, modulo ways: 0 1 0 1 2 0. */
static void test_random(void)
{
    DsegTlbGeometry geometry = l1d(3, 3, DSEG_TLB_RANDOM);

    geometry.seed = 1234567 - 1;    /* and it is array 1 */
    assert_trace(&geometry, "123456789", "...124536");
    /* Modulo 4: 1 1 3 3 1. */
    geometry.arrays[1].entries = geometry.arrays[1].ways = 4;
    assert_trace(&geometry, "1234156789", "....h25476");
}

/* Sets take turns with the numbers. */
static void test_random_is_the_arrays(void)
{
    DsegTlbGeometry geometry = l1d(6, 3, DSEG_TLB_RANDOM);

    geometry.seed = 1234567 - 1;
    assert_trace(&geometry, "0241356789a", "......03674");
}

static void test_random_is_for_full_sets(void)
{
    DsegTlbGeometry geometry = l1d(3, 3, DSEG_TLB_RANDOM);

    geometry.seed = 1234567 - 1;
    assert_trace(&geometry, "123-21456", "...h.14");
}

static void test_free_places_first(void)
{
    for (DsegTlbPolicy policy = 0; policy < DSEG_TLB_POLICY__MAX; policy++) {
        DsegTlbGeometry geometry = l1d(4, 4, policy);

        assert_trace(&geometry, "1234-3-21456", "....hh..");
    }
}

/* Of the free places, that of the lowest number; seen by which slot it is. */
static void test_free_place_of_the_lowest_number(void)
{
    DsegTlbGeometry geometry = l1d(4, 4, DSEG_TLB_LRU);
    g_autoptr(Tlb) t = tlb_new(&geometry);
    DsegTlbSlot slots[5];

    for (unsigned i = 1; i <= 4; i++) {
        tlb_load(t, i * PAGE, DSEG_TLB_4K);
        slots[i] = t->spot.slot;
    }
    tlb_invalidate_page(t, 4 * PAGE);
    tlb_invalidate_page(t, 2 * PAGE);
    tlb_load(t, 5 * PAGE, DSEG_TLB_4K);
    g_assert_cmpuint(t->spot.slot, ==, slots[2]);
    tlb_load(t, 6 * PAGE, DSEG_TLB_4K);
    g_assert_cmpuint(t->spot.slot, ==, slots[4]);
}

static void test_sets(void)
{
    DsegTlbGeometry geometry = l1d(8, 2, DSEG_TLB_LRU);

    assert_trace(&geometry, "0123456789", "........01");
    assert_trace(&geometry, "048c159d26", "..04..15..");
}

/* Pages of 2 MiB go by their own numbers: 0, 2 and 4 share a set. */
static void test_sets_of_large_pages(void)
{
    DsegTlbGeometry geometry = l1d(4, 4, DSEG_TLB_LRU);
    g_autoptr(Tlb) t = NULL;

    geometry.count = 3;
    geometry.arrays[2] = (DsegTlbArrayGeometry) {
        DSEG_TLB_PLACE_L1D, M2, 4, 2, DSEG_TLB_LRU,
    };
    t = tlb_new(&geometry);
    tlb_load(t, 0 * MIB, DSEG_TLB_2M);
    tlb_load(t, 4 * MIB, DSEG_TLB_2M);
    tlb_load(t, 2 * MIB, DSEG_TLB_2M);
    g_assert_cmpuint(t->gone->len, ==, 0);
    tlb_load(t, 8 * MIB, DSEG_TLB_2M);
    g_assert_cmpuint(t->gone->len, ==, 1);
    g_assert_cmphex(tlb_gone_at(t, 0)->va, ==, 0);
    g_assert_cmpuint(tlb_counters(t)->evictions[2], ==, 1);
    g_assert_cmpuint(dseg_tlb_array_used(t->tlb, 2), ==, 3);
}

/* Levels. */

/* A bit of everything. */
static const DsegTlbGeometry two_levels = {
    .count = 6,
    .arrays = {
        { DSEG_TLB_PLACE_L1D, K4, 2, 2, DSEG_TLB_LRU },
        { DSEG_TLB_PLACE_L1D, M2, 2, 2, DSEG_TLB_LRU },
        { DSEG_TLB_PLACE_L1I, K4, 2, 2, DSEG_TLB_LRU },
        { DSEG_TLB_PLACE_L2, K4, 4, 4, DSEG_TLB_LRU },
        { DSEG_TLB_PLACE_L2, M2 | G1, 4, 4, DSEG_TLB_LRU },
        { DSEG_TLB_PLACE_NESTED, K4, 4, 4, DSEG_TLB_LRU },
    },
};

static uint64_t sum(const uint64_t *counters, unsigned count)
{
    uint64_t total = 0;

    for (unsigned i = 0; i < count; i++) {
        total += counters[i];
    }
    return total;
}

static uint64_t hits(const Tlb *t, DsegTlbLevel level)
{
    return sum(tlb_counters(t)->hits[level][0],
               DSEG_TLB_KIND__MAX * DSEG_TLB_SIZE__MAX);
}

static uint64_t misses(const Tlb *t, DsegTlbLevel level)
{
    return sum(tlb_counters(t)->misses[level][0],
               DSEG_TLB_KIND__MAX * DSEG_TLB_SIZE__MAX);
}

static uint64_t walks(const Tlb *t)
{
    return sum(tlb_counters(t)->walks, DSEG_TLB_KIND__MAX);
}

static void assert_counts(const Tlb *t, unsigned l1_hits, unsigned l1_misses,
                          unsigned l2_hits, unsigned l2_misses)
{
    g_assert_cmpuint(hits(t, DSEG_TLB_L1), ==, l1_hits);
    g_assert_cmpuint(misses(t, DSEG_TLB_L1), ==, l1_misses);
    g_assert_cmpuint(hits(t, DSEG_TLB_L2), ==, l2_hits);
    g_assert_cmpuint(misses(t, DSEG_TLB_L2), ==, l2_misses);
}

static void test_levels(void)
{
    g_autoptr(Tlb) t = tlb_new(&two_levels);

    g_assert_cmpint(tlb_load(t, 1 * PAGE, DSEG_TLB_4K), ==, DSEG_TLB_WALK);
    g_assert_cmpint(tlb_load(t, 1 * PAGE + 8, DSEG_TLB_4K), ==,
                    DSEG_TLB_HIT_L1);
    g_assert_cmpint(tlb_load(t, 2 * PAGE, DSEG_TLB_4K), ==, DSEG_TLB_WALK);
    g_assert_cmpint(tlb_load(t, 3 * PAGE, DSEG_TLB_4K), ==, DSEG_TLB_WALK);
    g_assert_cmpint(tlb_load(t, 1 * PAGE, DSEG_TLB_4K), ==, DSEG_TLB_HIT_L2);
    g_assert_cmpint(tlb_load(t, 1 * PAGE, DSEG_TLB_4K), ==, DSEG_TLB_HIT_L1);
    assert_counts(t, 2, 4, 1, 3);
    g_assert_cmpuint(walks(t), ==, 3);
    g_assert_cmpuint(tlb_counters(t)->evictions[0], ==, 2);
    g_assert_cmpuint(tlb_counters(t)->evictions[3], ==, 0);
}

/* A hit of L1 is unseen by L2: there 1 is the oldest, though used always. */
static void test_levels_are_not_inclusive(void)
{
    g_autoptr(Tlb) t = tlb_new(&two_levels);

    for (unsigned i = 2; i <= 5; i++) {
        tlb_load(t, 1 * PAGE, DSEG_TLB_4K);
        tlb_load(t, i * PAGE, DSEG_TLB_4K);
    }
    g_assert_cmpint(tlb_load(t, 1 * PAGE, DSEG_TLB_4K), ==, DSEG_TLB_HIT_L1);
    g_assert_cmpuint(tlb_counters(t)->evictions[3], ==, 1);
    tlb_load(t, 6 * PAGE, DSEG_TLB_4K);
    tlb_load(t, 7 * PAGE, DSEG_TLB_4K);
    g_assert_cmpint(tlb_load(t, 1 * PAGE, DSEG_TLB_4K), ==, DSEG_TLB_WALK);
}

/* Loads and stores share what fetches do not; L2 is for all. */
static void test_kinds(void)
{
    const DsegTlbPage page = { .size = DSEG_TLB_4K, .store = true };
    g_autoptr(Tlb) t = tlb_new(&two_levels);

    g_assert_cmpint(tlb_access(t, DSEG_TLB_LOAD, PAGE, page), ==,
                    DSEG_TLB_WALK);
    g_assert_cmpint(tlb_access(t, DSEG_TLB_STORE, PAGE, page), ==,
                    DSEG_TLB_HIT_L1);
    g_assert_cmpint(tlb_access(t, DSEG_TLB_FETCH, PAGE, page), ==,
                    DSEG_TLB_HIT_L2);
    g_assert_cmpint(tlb_access(t, DSEG_TLB_FETCH, PAGE, page), ==,
                    DSEG_TLB_HIT_L1);
    g_assert_cmpuint(tlb_counters(t)->walks[DSEG_TLB_LOAD], ==, 1);
    g_assert_cmpuint(tlb_counters(t)->hits[0][DSEG_TLB_STORE][0], ==, 1);
    g_assert_cmpuint(tlb_counters(t)->misses[0][DSEG_TLB_FETCH][0], ==, 1);
    g_assert_cmpuint(tlb_counters(t)->hits[1][DSEG_TLB_FETCH][0], ==, 1);
    g_assert_cmpuint(tlb_counters(t)->hits[0][DSEG_TLB_FETCH][0], ==, 1);
    assert_counts(t, 2, 2, 1, 1);
}

static void test_split_l2(void)
{
    DsegTlbGeometry geometry = two_levels;
    const DsegTlbPage page = { .size = DSEG_TLB_4K };
    g_autoptr(Tlb) t = NULL;

    geometry.arrays[3].place = DSEG_TLB_PLACE_L2D;
    geometry.arrays[4] = (DsegTlbArrayGeometry) {
        DSEG_TLB_PLACE_L2I, K4, 4, 4, DSEG_TLB_LRU,
    };
    t = tlb_new(&geometry);
    tlb_access(t, DSEG_TLB_LOAD, PAGE, page);
    g_assert_cmpint(tlb_access(t, DSEG_TLB_FETCH, PAGE, page), ==,
                    DSEG_TLB_WALK);
    g_assert_cmpuint(dseg_tlb_array_used(t->tlb, 3), ==, 1);
    g_assert_cmpuint(dseg_tlb_array_used(t->tlb, 4), ==, 1);
}

static void test_no_l2(void)
{
    DsegTlbGeometry geometry = two_levels;
    g_autoptr(Tlb) t = NULL;

    geometry.count = 3;
    t = tlb_new(&geometry);
    tlb_load(t, 1 * PAGE, DSEG_TLB_4K);
    tlb_load(t, 1 * PAGE, DSEG_TLB_4K);
    tlb_load(t, 2 * PAGE, DSEG_TLB_4K);
    assert_counts(t, 1, 2, 0, 2);
    g_assert_cmpuint(walks(t), ==, 2);
}

/* Page sizes. */

/* L1D has no 1 GiB, L1I no 2 MiB either; L2 has all. */
static void test_pieces(void)
{
    const DsegTlbPage page = { .size = DSEG_TLB_1G };
    const uint64_t va = 5 * GIB + 7 * 2 * MIB + 9 * PAGE + 1;
    DsegTlbPage found;
    g_autoptr(Tlb) t = tlb_new(&two_levels);

    g_assert_cmpint(tlb_access(t, DSEG_TLB_LOAD, va, page), ==, DSEG_TLB_WALK);
    g_assert_true(dseg_tlb_peek(t->tlb, t->space, va, DSEG_TLB_LOAD, &found));
    g_assert_cmpint(found.size, ==, DSEG_TLB_2M);
    g_assert_cmpuint(dseg_tlb_array_used(t->tlb, 1), ==, 1);
    g_assert_cmpuint(dseg_tlb_array_used(t->tlb, 4), ==, 1);
    g_assert_cmpuint(tlb_counters(t)->misses[0][DSEG_TLB_LOAD][DSEG_TLB_1G],
                     ==, 1);

    g_assert_true(dseg_tlb_peek(t->tlb, t->space, va, DSEG_TLB_FETCH, &found));
    g_assert_cmpint(found.size, ==, DSEG_TLB_1G);
    g_assert_cmpint(tlb_access(t, DSEG_TLB_FETCH, va, page), ==,
                    DSEG_TLB_HIT_L2);
    g_assert_true(dseg_tlb_peek(t->tlb, t->space, va, DSEG_TLB_FETCH, &found));
    g_assert_cmpint(found.size, ==, DSEG_TLB_4K);
    g_assert_cmpuint(tlb_counters(t)->misses[0][DSEG_TLB_FETCH][DSEG_TLB_1G],
                     ==, 1);
    g_assert_cmpuint(tlb_counters(t)->hits[1][DSEG_TLB_FETCH][DSEG_TLB_1G],
                     ==, 1);

    /* The same pieces hit; others come from L2, each as its own. */
    g_assert_cmpint(tlb_access(t, DSEG_TLB_LOAD, va + MIB, page), ==,
                    DSEG_TLB_HIT_L1);
    g_assert_cmpuint(tlb_counters(t)->hits[0][DSEG_TLB_LOAD][DSEG_TLB_2M],
                     ==, 1);
    g_assert_cmpint(tlb_access(t, DSEG_TLB_LOAD, va + 2 * MIB, page), ==,
                    DSEG_TLB_HIT_L2);
    g_assert_cmpint(tlb_access(t, DSEG_TLB_FETCH, va + PAGE, page), ==,
                    DSEG_TLB_HIT_L2);
    g_assert_cmpuint(walks(t), ==, 1);
}

/* What L2 has no array for it does not take, not even in part. */
static void test_size_that_l2_lacks(void)
{
    DsegTlbGeometry geometry = two_levels;
    g_autoptr(Tlb) t = NULL;

    geometry.arrays[4].sizes = G1;
    t = tlb_new(&geometry);
    g_assert_cmpint(tlb_load(t, 2 * MIB, DSEG_TLB_2M), ==, DSEG_TLB_WALK);
    g_assert_cmpuint(dseg_tlb_array_used(t->tlb, 1), ==, 1);
    g_assert_cmpuint(dseg_tlb_array_used(t->tlb, 3), ==, 0);
    g_assert_cmpuint(dseg_tlb_array_used(t->tlb, 4), ==, 0);
    g_assert_cmpint(tlb_access(t, DSEG_TLB_FETCH, 2 * MIB, (DsegTlbPage) {
        .size = DSEG_TLB_2M,
    }), ==, DSEG_TLB_WALK);
}

/*
 * A 4 KiB entry and one of 2 MiB around it, which takes a page table that has
 * changed: the smaller one is found, and it alone.
 */
static void test_smaller_size_first(void)
{
    g_autoptr(Tlb) t = tlb_new(&two_levels);
    DsegTlbPage found;

    tlb_access(t, DSEG_TLB_LOAD, 0, (DsegTlbPage) { .size = DSEG_TLB_4K });
    tlb_access(t, DSEG_TLB_LOAD, PAGE, (DsegTlbPage) {
        .size = DSEG_TLB_2M, .store = true,
    });
    g_assert_true(dseg_tlb_peek(t->tlb, t->space, 0, DSEG_TLB_LOAD, &found));
    g_assert_cmpint(found.size, ==, DSEG_TLB_4K);
    g_assert_false(tlb_has(t, DSEG_TLB_STORE, 0));
    g_assert_cmpint(tlb_access(t, DSEG_TLB_STORE, 0, (DsegTlbPage) {
        .size = DSEG_TLB_4K,
    }), ==, DSEG_TLB_WALK);
}

/* Stores. */

static void test_first_store_is_a_walk(void)
{
    const DsegTlbPage clean = { .size = DSEG_TLB_4K };
    g_autoptr(Tlb) t = tlb_new(&two_levels);

    tlb_access(t, DSEG_TLB_LOAD, PAGE, clean);
    g_assert_true(tlb_has(t, DSEG_TLB_LOAD, PAGE));
    g_assert_false(tlb_has(t, DSEG_TLB_STORE, PAGE));
    g_assert_cmpint(tlb_access(t, DSEG_TLB_STORE, PAGE, clean), ==,
                    DSEG_TLB_WALK);
    g_assert_cmpuint(t->gone->len, ==, 1);
    g_assert_cmpint(tlb_access(t, DSEG_TLB_STORE, PAGE, clean), ==,
                    DSEG_TLB_HIT_L1);
    g_assert_cmpuint(tlb_counters(t)->dirty_misses[DSEG_TLB_L1], ==, 1);
    g_assert_cmpuint(tlb_counters(t)->dirty_misses[DSEG_TLB_L2], ==, 1);
    assert_counts(t, 1, 2, 0, 2);
    g_assert_cmpuint(dseg_tlb_array_used(t->tlb, 0), ==, 1);
    g_assert_cmpuint(dseg_tlb_array_used(t->tlb, 3), ==, 1);
    g_assert_cmpuint(tlb_counters(t)->evictions[0], ==, 0);
    g_assert_cmpuint(tlb_counters(t)->evictions[3], ==, 0);
    g_assert_cmpuint(sum(tlb_counters(t)->invalidated, DSEG_TLB_CAUSE__MAX),
                     ==, 0);
}

static void test_dirty_page_is_ready_for_stores(void)
{
    g_autoptr(Tlb) t = tlb_new(&two_levels);

    tlb_load(t, PAGE, DSEG_TLB_4K);
    g_assert_true(tlb_has(t, DSEG_TLB_STORE, PAGE));
    g_assert_cmpint(tlb_access(t, DSEG_TLB_STORE, PAGE, (DsegTlbPage) {
        .size = DSEG_TLB_4K,
    }), ==, DSEG_TLB_HIT_L1);
}

/* L1D still has a page as clean, when a fetch has brought a dirty one to L2. */
static void test_store_finds_l2_dirty(void)
{
    const DsegTlbPage clean = { .size = DSEG_TLB_4K };
    const DsegTlbPage dirty = { .size = DSEG_TLB_4K, .store = true };
    DsegTlbGeometry geometry = two_levels;
    g_autoptr(Tlb) t = NULL;

    geometry.arrays[3].entries = geometry.arrays[3].ways = 1;
    t = tlb_new(&geometry);
    tlb_access(t, DSEG_TLB_LOAD, 1 * PAGE, clean);
    tlb_access(t, DSEG_TLB_LOAD, 2 * PAGE, clean);
    g_assert_cmpint(tlb_access(t, DSEG_TLB_FETCH, 1 * PAGE, dirty), ==,
                    DSEG_TLB_WALK);
    g_assert_true(tlb_has(t, DSEG_TLB_STORE, 1 * PAGE));
    g_assert_cmpint(tlb_access(t, DSEG_TLB_STORE, 1 * PAGE, clean), ==,
                    DSEG_TLB_HIT_L2);
    g_assert_cmpuint(t->gone->len, ==, 1);
    g_assert_cmpuint(tlb_counters(t)->dirty_misses[DSEG_TLB_L1], ==, 1);
    g_assert_cmpuint(tlb_counters(t)->dirty_misses[DSEG_TLB_L2], ==, 0);
    g_assert_cmpint(tlb_access(t, DSEG_TLB_STORE, 1 * PAGE, clean), ==,
                    DSEG_TLB_HIT_L1);
}

/* Tags. */

static void test_asid(void)
{
    g_autoptr(Tlb) t = tlb_new(&two_levels);

    t->space.asid = UINT32_MAX;
    tlb_load(t, PAGE, DSEG_TLB_4K);
    t->space.asid = 0;
    g_assert_cmpint(tlb_load(t, PAGE, DSEG_TLB_4K), ==, DSEG_TLB_WALK);
    t->space.asid = UINT32_MAX;
    g_assert_cmpint(tlb_load(t, PAGE, DSEG_TLB_4K), ==, DSEG_TLB_HIT_L1);
}

static void test_pcid(void)
{
    g_autoptr(Tlb) t = tlb_new(&two_levels);

    t->space.pcid = 0xfff;
    tlb_load(t, PAGE, DSEG_TLB_4K);
    t->space.pcid = 0x7ff;
    g_assert_cmpint(tlb_load(t, PAGE, DSEG_TLB_4K), ==, DSEG_TLB_WALK);
    t->space.pcid = 0xfff;
    g_assert_cmpint(tlb_load(t, PAGE, DSEG_TLB_4K), ==, DSEG_TLB_HIT_L1);
}

/* Global pages are for every process, but for no other VM. */
static void test_global(void)
{
    const DsegTlbPage page = { .size = DSEG_TLB_4K, .global = true };
    g_autoptr(Tlb) t = tlb_new(&two_levels);
    DsegTlbPage found;

    t->space = (DsegTlbSpace) { .asid = 1, .pcid = 2 };
    tlb_access(t, DSEG_TLB_LOAD, PAGE, page);
    t->space.pcid = 3;
    g_assert_true(dseg_tlb_peek(t->tlb, t->space, PAGE, DSEG_TLB_LOAD, &found));
    g_assert_true(found.global);
    g_assert_cmpint(tlb_access(t, DSEG_TLB_LOAD, PAGE, page), ==,
                    DSEG_TLB_HIT_L1);
    t->space.asid = 2;
    g_assert_false(tlb_has(t, DSEG_TLB_LOAD, PAGE));

    /* A copy belongs to whoever filled L2. */
    t->space.asid = 1;
    tlb_access(t, DSEG_TLB_FETCH, PAGE, page);
    tlb_invalidate_page(t, PAGE);
    g_assert_cmpuint(t->gone->len, ==, 2);
    for (unsigned i = 0; i < 2; i++) {
        g_assert_cmpuint(tlb_gone_at(t, i)->space.pcid, ==, 2);
        g_assert_true(tlb_gone_at(t, i)->global);
    }
}

/*
 * A page that is global for one process and not for another: both entries match
 * the second one's accesses.  The way of the lower number is found.
 */
static void test_two_that_match(void)
{
    const DsegTlbPage global = { .size = DSEG_TLB_4K, .global = true };
    const DsegTlbPage local = { .size = DSEG_TLB_4K };
    DsegTlbPage found;

    for (unsigned first = 0; first < 2; first++) {
        g_autoptr(Tlb) t = tlb_new(&two_levels);

        t->space.pcid = 1;
        if (first) {
            tlb_load(t, 9 * PAGE, DSEG_TLB_4K);
        }
        tlb_access(t, DSEG_TLB_LOAD, PAGE, local);
        if (first) {
            tlb_invalidate_page(t, 9 * PAGE);
        }
        t->space.pcid = 2;
        tlb_access(t, DSEG_TLB_LOAD, PAGE, global);
        g_assert_cmpuint(dseg_tlb_array_used(t->tlb, 0), ==, 2);
        t->space.pcid = 1;
        g_assert_true(dseg_tlb_peek(t->tlb, t->space, PAGE, DSEG_TLB_LOAD,
                                    &found));
        g_assert_cmpint(found.global, ==, first);
    }
}

/* The whole address counts, the half that it is in too. */
static void test_all_address_bits(void)
{
    for (unsigned bit = 12; bit < 64; bit++) {
        g_autoptr(Tlb) t = tlb_new(&two_levels);

        tlb_load(t, PAGE ^ UINT64_C(1) << bit, DSEG_TLB_4K);
        g_assert_false(tlb_has(t, DSEG_TLB_LOAD, PAGE));
        g_assert_true(tlb_has(t, DSEG_TLB_LOAD, PAGE ^ UINT64_C(1) << bit));
    }
}

/* Segments. */

static const DsegTlbPage by_segments = { .segments_only = true };

static void test_segments_beside_l2(void)
{
    g_autoptr(Tlb) t = tlb_new(&two_levels);

    g_assert_cmpint(tlb_access(t, DSEG_TLB_LOAD, PAGE, by_segments), ==,
                    DSEG_TLB_HIT_SEGMENT);
    g_assert_cmpuint(t->spot.slot, !=, DSEG_TLB_NO_SLOT);
    g_assert_cmpuint(dseg_tlb_array_used(t->tlb, 0), ==, 1);
    g_assert_cmpuint(dseg_tlb_array_used(t->tlb, 3), ==, 0);
    /* Stores may use it at once. */
    g_assert_cmpint(tlb_access(t, DSEG_TLB_STORE, PAGE, by_segments), ==,
                    DSEG_TLB_HIT_L1);
    g_assert_cmpint(tlb_access(t, DSEG_TLB_FETCH, PAGE, by_segments), ==,
                    DSEG_TLB_HIT_SEGMENT);
    assert_counts(t, 1, 2, 0, 2);
    g_assert_cmpuint(walks(t), ==, 0);
    g_assert_cmpuint(tlb_counters(t)->segment_hits[DSEG_TLB_LOAD], ==, 1);
    g_assert_cmpuint(tlb_counters(t)->segment_hits[DSEG_TLB_FETCH], ==, 1);
    g_assert_cmpuint(sum(tlb_counters(t)->segment_hits_l1, DSEG_TLB_KIND__MAX),
                     ==, 0);
}

/* An entry that a walk had left in L2 is found before the segment is. */
static void test_segments_after_l2(void)
{
    const DsegTlbPage page = { .size = DSEG_TLB_4K };
    g_autoptr(Tlb) t = tlb_new(&two_levels);

    tlb_access(t, DSEG_TLB_LOAD, PAGE, page);
    g_assert_cmpint(tlb_access(t, DSEG_TLB_FETCH, PAGE, by_segments), ==,
                    DSEG_TLB_HIT_L2);
}

static void test_segments_beside_l1(void)
{
    DsegTlbGeometry geometry = two_levels;
    g_autoptr(Tlb) t = NULL;

    geometry.segments_beside_l1 = true;
    t = tlb_new(&geometry);
    tlb_load(t, PAGE, DSEG_TLB_4K);
    dseg_tlb_counters_reset(t->tlb);
    for (DsegTlbKind kind = 0; kind < DSEG_TLB_KIND__MAX; kind++) {
        for (unsigned i = 1; i <= 2; i++) {
            g_assert_cmpint(tlb_access(t, kind, i * PAGE, by_segments), ==,
                            DSEG_TLB_HIT_SEGMENT_L1);
            g_assert_cmpuint(t->spot.slot, ==, DSEG_TLB_NO_SLOT);
        }
        g_assert_cmpuint(tlb_counters(t)->segment_hits_l1[kind], ==, 2);
    }
    assert_counts(t, 0, 0, 0, 0);
    g_assert_cmpuint(sum(tlb_counters(t)->segment_hits, DSEG_TLB_KIND__MAX),
                     ==, 0);
    g_assert_cmpuint(dseg_tlb_array_used(t->tlb, 0), ==, 1);
    /* What segments do not translate goes on as before. */
    g_assert_cmpint(tlb_load(t, PAGE, DSEG_TLB_4K), ==, DSEG_TLB_HIT_L1);
    g_assert_cmpint(tlb_load(t, 3 * PAGE, DSEG_TLB_4K), ==, DSEG_TLB_WALK);
}

/* What the caller is told. */

static void test_gone_names_the_entry(void)
{
    g_autoptr(Tlb) t = tlb_new(&two_levels);
    DsegTlbSlot slot;
    const Gone *gone;

    t->space = (DsegTlbSpace) { .asid = 7, .pcid = 9 };
    tlb_access(t, DSEG_TLB_FETCH, 5 * GIB + 3 * PAGE + 5, (DsegTlbPage) {
        .size = DSEG_TLB_2M,
    });
    slot = t->spot.slot;
    tlb_invalidate_page(t, 5 * GIB + 3 * PAGE);
    g_assert_cmpuint(t->gone->len, ==, 1);
    gone = tlb_gone_at(t, 0);
    g_assert_cmpuint(gone->slot, ==, slot);
    g_assert_cmpuint(gone->space.asid, ==, 7);
    g_assert_cmpuint(gone->space.pcid, ==, 9);
    g_assert_false(gone->global);
    g_assert_cmphex(gone->va, ==, 5 * GIB + 3 * PAGE);
    g_assert_cmpint(gone->size, ==, DSEG_TLB_4K);
    g_assert_true(gone->fetch);
}

/* Nobody has to listen. */
static void test_gone_may_be_null(void)
{
    DsegTlb *tlb = dseg_tlb_new(&two_levels, NULL, NULL);
    const DsegTlbPage page = { .size = DSEG_TLB_4K };
    DsegTlbSpot spot;

    for (uint64_t va = 0; va < 16 * PAGE; va += PAGE) {
        dseg_tlb_access(tlb, (DsegTlbSpace) { 0 }, va, DSEG_TLB_LOAD, &page,
                        &spot);
    }
    g_assert_cmpuint(dseg_tlb_counters(tlb)->evictions[0], ==, 14);
    dseg_tlb_free(tlb);
    dseg_tlb_free(NULL);
}

static void test_slots_are_unique(void)
{
    g_autoptr(Tlb) t = tlb_new(&two_levels);
    bool seen[6] = { false };

    g_assert_cmpuint(dseg_tlb_l1_slots(t->tlb), ==, 6);
    for (unsigned i = 0; i < 2; i++) {
        tlb_load(t, GIB + i * PAGE, DSEG_TLB_4K);
        g_assert_cmpuint(t->spot.slot, <, 6);
        g_assert_false(seen[t->spot.slot]);
        seen[t->spot.slot] = true;
        tlb_load(t, 2 * i * MIB, DSEG_TLB_2M);
        g_assert_cmpuint(t->spot.slot, <, 6);
        g_assert_false(seen[t->spot.slot]);
        seen[t->spot.slot] = true;
        tlb_access(t, DSEG_TLB_FETCH, GIB + i * PAGE, (DsegTlbPage) { 0 });
        g_assert_cmpuint(t->spot.slot, <, 6);
        g_assert_false(seen[t->spot.slot]);
        seen[t->spot.slot] = true;
    }
}

static void test_hit_tells_the_slot_of_its_fill(void)
{
    g_autoptr(Tlb) t = tlb_new(&two_levels);
    DsegTlbSlot slot;

    tlb_load(t, 1 * PAGE, DSEG_TLB_4K);
    tlb_load(t, 2 * PAGE, DSEG_TLB_4K);
    slot = t->spot.slot;
    tlb_load(t, 1 * PAGE, DSEG_TLB_4K);
    g_assert_cmpuint(t->spot.slot, !=, slot);
    tlb_load(t, 2 * PAGE, DSEG_TLB_4K);
    g_assert_cmpuint(t->spot.slot, ==, slot);
}

/* Looking is no touch, and counts nothing. */
static void test_peek_changes_nothing(void)
{
    DsegTlbGeometry geometry = l1d(2, 2, DSEG_TLB_LRU);
    g_autoptr(Tlb) t = tlb_new(&geometry);

    tlb_load(t, 1 * PAGE, DSEG_TLB_4K);
    tlb_load(t, 2 * PAGE, DSEG_TLB_4K);
    g_assert_true(tlb_has(t, DSEG_TLB_LOAD, 1 * PAGE));
    g_assert_false(tlb_has(t, DSEG_TLB_LOAD, 3 * PAGE));
    assert_counts(t, 0, 2, 0, 2);
    tlb_load(t, 3 * PAGE, DSEG_TLB_4K);
    g_assert_cmphex(tlb_gone_at(t, 0)->va, ==, 1 * PAGE);
}

/* What a peek has found is not what an access finds that comes later. */
static void test_peek_is_of_its_moment(void)
{
    g_autoptr(Tlb) t = tlb_new(&two_levels);

    tlb_load(t, PAGE, DSEG_TLB_4K);
    g_assert_true(tlb_has(t, DSEG_TLB_LOAD, PAGE));
    tlb_invalidate_page(t, PAGE);
    g_assert_cmpint(tlb_load(t, PAGE, DSEG_TLB_4K), ==, DSEG_TLB_WALK);

    g_assert_false(tlb_has(t, DSEG_TLB_LOAD, 2 * PAGE));
    tlb_access(t, DSEG_TLB_FETCH, 2 * PAGE, (DsegTlbPage) { 0 });
    g_assert_cmpint(tlb_load(t, 2 * PAGE, DSEG_TLB_4K), ==, DSEG_TLB_HIT_L2);

    g_assert_true(tlb_has(t, DSEG_TLB_LOAD, 2 * PAGE));
    g_assert_cmpint(tlb_load(t, 3 * PAGE, DSEG_TLB_4K), ==, DSEG_TLB_WALK);
    g_assert_true(tlb_has(t, DSEG_TLB_LOAD, 2 * PAGE));
    t->space.pcid = 1;
    g_assert_cmpint(tlb_load(t, 2 * PAGE, DSEG_TLB_4K), ==, DSEG_TLB_WALK);
    g_assert_true(tlb_has(t, DSEG_TLB_LOAD, 2 * PAGE));
    t->space.asid = 1;
    g_assert_cmpint(tlb_load(t, 2 * PAGE, DSEG_TLB_4K), ==, DSEG_TLB_WALK);
}

/* Of the same address, but of another kind. */
static void test_peek_is_of_its_kind(void)
{
    const DsegTlbPage clean = { .size = DSEG_TLB_4K };
    g_autoptr(Tlb) t = tlb_new(&two_levels);

    tlb_access(t, DSEG_TLB_LOAD, PAGE, clean);
    g_assert_true(tlb_has(t, DSEG_TLB_LOAD, PAGE));
    g_assert_cmpint(tlb_access(t, DSEG_TLB_FETCH, PAGE, clean), ==,
                    DSEG_TLB_HIT_L2);
    g_assert_cmpint(tlb_access(t, DSEG_TLB_FETCH, PAGE, clean), ==,
                    DSEG_TLB_HIT_L1);
    g_assert_true(tlb_has(t, DSEG_TLB_LOAD, PAGE));
    g_assert_cmpint(tlb_access(t, DSEG_TLB_STORE, PAGE, clean), ==,
                    DSEG_TLB_WALK);
}

static void test_counters_reset(void)
{
    static const DsegTlbCounters none;
    g_autoptr(Tlb) t = tlb_new(&two_levels);

    tlb_load(t, PAGE, DSEG_TLB_4K);
    tlb_access(t, DSEG_TLB_FETCH, PAGE, by_segments);
    tlb_invalidate_page(t, 2 * PAGE);
    dseg_tlb_counters_reset(t->tlb);
    g_assert_cmpmem(tlb_counters(t), sizeof(none), &none, sizeof(none));
    g_assert_true(tlb_has(t, DSEG_TLB_LOAD, PAGE));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();

    g_test_add_func("/tlb/lru-gives-up-the-oldest-touch", test_lru);
    g_test_add_func("/tlb/fifo-gives-up-the-oldest-fill", test_fifo);
    g_test_add_func("/tlb/plru-follows-its-tree", test_plru);
    g_test_add_func("/tlb/plru-has-a-tree-for-each-set", test_plru_sets);
    g_test_add_func("/tlb/random-is-splitmix64", test_random);
    g_test_add_func("/tlb/random-state-is-the-array's",
                    test_random_is_the_arrays);
    g_test_add_func("/tlb/random-is-for-full-sets",
                    test_random_is_for_full_sets);
    g_test_add_func("/tlb/free-places-first", test_free_places_first);
    g_test_add_func("/tlb/free-place-of-the-lowest-number",
                    test_free_place_of_the_lowest_number);
    g_test_add_func("/tlb/set-is-page-number-modulo-sets", test_sets);
    g_test_add_func("/tlb/set-is-by-the-page's-own-size",
                    test_sets_of_large_pages);
    g_test_add_func("/tlb/l2-hit-fills-l1", test_levels);
    g_test_add_func("/tlb/l1-hit-is-unseen-by-l2",
                    test_levels_are_not_inclusive);
    g_test_add_func("/tlb/fetches-have-an-l1-of-their-own", test_kinds);
    g_test_add_func("/tlb/l2-for-one-kind", test_split_l2);
    g_test_add_func("/tlb/without-l2-an-l1-miss-is-an-l2-miss", test_no_l2);
    g_test_add_func("/tlb/l1-takes-pieces", test_pieces);
    g_test_add_func("/tlb/l2-takes-no-pieces", test_size_that_l2_lacks);
    g_test_add_func("/tlb/smaller-size-first", test_smaller_size_first);
    g_test_add_func("/tlb/first-store-is-a-walk", test_first_store_is_a_walk);
    g_test_add_func("/tlb/dirty-page-is-ready-for-stores",
                    test_dirty_page_is_ready_for_stores);
    g_test_add_func("/tlb/dirty-miss-of-l1-alone", test_store_finds_l2_dirty);
    g_test_add_func("/tlb/asid-tells-apart", test_asid);
    g_test_add_func("/tlb/pcid-tells-apart", test_pcid);
    g_test_add_func("/tlb/global-is-for-all-pcids-of-an-asid", test_global);
    g_test_add_func("/tlb/lowest-way-of-two-that-match", test_two_that_match);
    g_test_add_func("/tlb/all-address-bits-count", test_all_address_bits);
    g_test_add_func("/tlb/segments-beside-l2", test_segments_beside_l2);
    g_test_add_func("/tlb/l2-hit-is-before-segments", test_segments_after_l2);
    g_test_add_func("/tlb/segments-beside-l1", test_segments_beside_l1);
    g_test_add_func("/tlb/gone-names-the-entry", test_gone_names_the_entry);
    g_test_add_func("/tlb/gone-may-be-null", test_gone_may_be_null);
    g_test_add_func("/tlb/slots-are-unique", test_slots_are_unique);
    g_test_add_func("/tlb/hit-tells-the-slot-of-its-fill",
                    test_hit_tells_the_slot_of_its_fill);
    g_test_add_func("/tlb/peek-changes-nothing", test_peek_changes_nothing);
    g_test_add_func("/tlb/peek-is-of-its-moment", test_peek_is_of_its_moment);
    g_test_add_func("/tlb/peek-is-of-its-kind", test_peek_is_of_its_kind);
    g_test_add_func("/tlb/counters-reset-keeps-entries", test_counters_reset);
    return g_test_run();
}
