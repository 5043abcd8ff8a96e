/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the TLB hierarchy tells a caller who sees only a part of its hits, and what
 * it keeps for that one.
 */

#include <glib.h>
#include "tlb-fixture.h"

#define MIB (UINT64_C(1) << 20)
#define WAYS 4

/* One set of pages of 2 MiB for data and one for code, and L2 for 4 KiB and @l2. */
static DsegTlbGeometry geometry_of(DsegTlbPolicy policy, unsigned l2)
{
    return (DsegTlbGeometry) {
        .count = 5,
        .arrays = {
            { DSEG_TLB_PLACE_L1D, K4, WAYS, WAYS, policy },
            { DSEG_TLB_PLACE_L1D, M2, WAYS, WAYS, policy },
            { DSEG_TLB_PLACE_L1I, K4, WAYS, WAYS, policy },
            { DSEG_TLB_PLACE_L1I, M2, WAYS, WAYS, policy },
            { DSEG_TLB_PLACE_L2, K4 | l2, 64, WAYS, DSEG_TLB_LRU },
        },
    };
}

static uint64_t page(unsigned n)
{
    return n * 2 * MIB;
}

/* An access to page @n, and which pages are announced after it: "01", say. */
static char *announced(Tlb *t, DsegTlbKind kind, unsigned n)
{
    DsegTlbOutcome outcome = tlb_access(t, kind, page(n), (DsegTlbPage) {
        .size = DSEG_TLB_2M,
    });
    GString *names = g_string_new(NULL);

    g_array_set_size(t->gone, 0);
    dseg_tlb_hide_candidates(t->tlb, t->spot, outcome);
    for (unsigned i = 0; i < t->gone->len; i++) {
        g_string_append_printf(names, "%u",
                               (unsigned)(tlb_gone_at(t, i)->va / page(1)));
    }
    return g_string_free(names, false);
}

/* Each access of @trace, a digit, is followed by announcements of @expected. */
static void assert_announced(DsegTlbPolicy policy, unsigned l2,
                             DsegTlbKind kind, const char *trace,
                             const char *expected)
{
    const DsegTlbGeometry geometry = geometry_of(policy, l2);
    g_autoptr(Tlb) t = tlb_new(&geometry);
    g_auto(GStrv) words = g_strsplit(expected, " ", -1);

    g_assert_cmpuint(g_strv_length(words), ==, strlen(trace));
    for (unsigned i = 0; trace[i]; i++) {
        g_autofree char *names = announced(t, kind, trace[i] - '0');

        g_assert_cmpstr(names, ==, strcmp(words[i], ".") ? words[i] : "");
    }
    /* They all are still there. */
    g_assert_cmpuint(dseg_tlb_array_used(t->tlb, kind == DSEG_TLB_FETCH ? 3 : 1),
                     ==, WAYS);
}

/* Whoever falls behind the two used last, by a fill or by a hit. */
static void test_lru_where_a_miss_is_a_walk(void)
{
    assert_announced(DSEG_TLB_LRU, 0, DSEG_TLB_LOAD, "0123012345",
                     ". . 0 1 2 3 0 1 2 3");
    assert_announced(DSEG_TLB_LRU, 0, DSEG_TLB_LOAD, "01233323",
                     ". . 0 1 1 1 1 1");
}

/* A set that has had no miss for long does not need its order. */
static void test_lru_of_a_quiet_set(void)
{
    const DsegTlbGeometry geometry = geometry_of(DSEG_TLB_LRU, 0);
    g_autoptr(Tlb) t = tlb_new(&geometry);

    for (unsigned n = 0; n < WAYS; n++) {
        g_free(announced(t, DSEG_TLB_LOAD, n));
    }
    for (unsigned i = 1; i < DSEG_TLB_WATCHED_HITS; i++) {
        g_autofree char *names = announced(t, DSEG_TLB_LOAD, i % WAYS);

        g_assert_cmpstr(names, !=, "");
    }
    for (unsigned i = 0; i < 2 * WAYS; i++) {
        g_autofree char *names = announced(t, DSEG_TLB_LOAD, i % WAYS);

        g_assert_cmpstr(names, ==, "");
    }
    g_autofree char *names = announced(t, DSEG_TLB_LOAD, WAYS);
    g_assert_cmpstr(names, !=, "");
}

/* Only what would have to go next. */
static void test_lru_where_a_miss_finds_l2(void)
{
    assert_announced(DSEG_TLB_LRU, M2, DSEG_TLB_LOAD, "0123041",
                     ". . . 0 . 2 3");
}

/* After a fill all others, after a hit none. */
static void test_code_and_plru_where_a_miss_is_a_walk(void)
{
    assert_announced(DSEG_TLB_LRU, 0, DSEG_TLB_FETCH, "01234",
                     ". 0 01 012 123");
    assert_announced(DSEG_TLB_PLRU, 0, DSEG_TLB_LOAD, "0123210",
                     ". 0 01 012 . . .");
}

/* Hits do not matter. */
static void test_fifo_and_random(void)
{
    assert_announced(DSEG_TLB_FIFO, 0, DSEG_TLB_LOAD, "0123012", ". . . . . . .");
    assert_announced(DSEG_TLB_RANDOM, 0, DSEG_TLB_LOAD, "0123012",
                     ". . . . . . .");
}

static uint64_t data_at(const Tlb *t, DsegTlbKind kind, uint64_t va)
{
    DsegTlbFound found;

    g_assert_true(dseg_tlb_find(t->tlb, t->space, va, kind, &found));
    return found.data[DSEG_TLB_DATA - 1];
}

static DsegTlbPage with_data(uint64_t data)
{
    return (DsegTlbPage) { .size = DSEG_TLB_4K,
                           .data[DSEG_TLB_DATA - 1] = data };
}

/* What a walk finds anew is kept, where it was found, at either level. */
static void test_hit_takes_data(void)
{
    const DsegTlbGeometry geometry = geometry_of(DSEG_TLB_LRU, 0);
    g_autoptr(Tlb) t = tlb_new(&geometry);

    tlb_access(t, DSEG_TLB_LOAD, 0, with_data(1));
    g_assert_cmpuint(data_at(t, DSEG_TLB_LOAD, 0), ==, 1);
    tlb_access(t, DSEG_TLB_LOAD, 0, with_data(2));
    g_assert_cmpuint(data_at(t, DSEG_TLB_LOAD, 0), ==, 2);

    /* L2 has been filled with the first; L1I gets what the hit of L2 brings. */
    g_assert_cmpuint(data_at(t, DSEG_TLB_FETCH, 0), ==, 1);
    g_assert_cmpint(tlb_access(t, DSEG_TLB_FETCH, 0, with_data(3)), ==,
                    DSEG_TLB_HIT_L2);
    g_assert_cmpuint(data_at(t, DSEG_TLB_FETCH, 0), ==, 3);
    g_assert_cmpuint(data_at(t, DSEG_TLB_LOAD, 0), ==, 2);
}

/* An access that has not translated leaves it. */
static void test_hit_without_page_keeps_data(void)
{
    const DsegTlbGeometry geometry = geometry_of(DSEG_TLB_LRU, 0);
    g_autoptr(Tlb) t = tlb_new(&geometry);

    tlb_access(t, DSEG_TLB_LOAD, 0, with_data(1));
    g_assert_cmpint(dseg_tlb_access(t->tlb, t->space, 0, DSEG_TLB_LOAD, NULL,
                                    &t->spot), ==, DSEG_TLB_HIT_L1);
    g_assert_cmpuint(data_at(t, DSEG_TLB_LOAD, 0), ==, 1);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/tlb/announced/lru/walk", test_lru_where_a_miss_is_a_walk);
    g_test_add_func("/tlb/announced/lru/quiet", test_lru_of_a_quiet_set);
    g_test_add_func("/tlb/announced/lru/l2", test_lru_where_a_miss_finds_l2);
    g_test_add_func("/tlb/announced/all-others",
                    test_code_and_plru_where_a_miss_is_a_walk);
    g_test_add_func("/tlb/announced/none", test_fifo_and_random);
    g_test_add_func("/tlb/data/hit", test_hit_takes_data);
    g_test_add_func("/tlb/data/kept", test_hit_without_page_keeps_data);
    return g_test_run();
}
