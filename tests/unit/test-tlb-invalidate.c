/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unit tests of the TLB hierarchy: each row of the table of invalidations in
 * docs/spec/tlb.rst, and what it leaves alone
 */

#include <string.h>

#include "tlb-fixture.h"

#define A UINT64_C(0xffff888000201000)
#define B (A + 0x1000)
#define C (A + 0x2000)
#define D (A + 0x3000) /* in the 2 MiB that A is in */

/* What there is before an operation: in L1 and L2, each under a letter. */
static const struct Resident {
    char name;
    uint32_t asid;
    uint16_t pcid;
    bool global;
    uint64_t va;
    DsegTlbSize size;
} residents[] = {
    { 'a', 0, 0, false, A, DSEG_TLB_4K },
    { 'b', 0, 0, true, B, DSEG_TLB_4K },
    { 'c', 0, 1, false, A, DSEG_TLB_4K },
    { 'd', 0, 1, true, C, DSEG_TLB_4K },
    { 'e', 0, 1, false, D, DSEG_TLB_2M },
    { 'f', 1, 0, false, A, DSEG_TLB_4K },
    { 'g', 1, 0, true, B, DSEG_TLB_4K },
    { 'h', 1, 1, false, A, DSEG_TLB_4K },
    { 'i', 1, 1, false, B + (1 << 30), DSEG_TLB_4K },
    { 'j', 2, 1, false, A, DSEG_TLB_4K },
};

static const DsegTlbGeometry geometry = {
    .count = 5,
    .arrays = {
        { DSEG_TLB_PLACE_L1I, K4, 4, 2, DSEG_TLB_LRU },
        { DSEG_TLB_PLACE_L1D, K4, 32, 8, DSEG_TLB_LRU },
        { DSEG_TLB_PLACE_L1D, M2 | G1, 4, 4, DSEG_TLB_LRU },
        { DSEG_TLB_PLACE_L2, K4 | M2, 64, 16, DSEG_TLB_LRU },
        { DSEG_TLB_PLACE_NESTED, K4, 4, 4, DSEG_TLB_LRU },
    },
};

static Tlb *populated(void)
{
    Tlb *t = tlb_new(&geometry);

    for (unsigned i = 0; i < G_N_ELEMENTS(residents); i++) {
        const struct Resident *r = &residents[i];

        t->space = (DsegTlbSpace) { .asid = r->asid, .pcid = r->pcid };
        g_assert_cmpint(tlb_access(t, DSEG_TLB_LOAD, r->va, (DsegTlbPage) {
            .size = r->size, .global = r->global,
        }), ==, DSEG_TLB_WALK);
    }
    g_array_set_size(t->gone, 0);
    return t;
}

/* As dseg_tlb_peek() sees it, and no page of another size in its place. */
static bool is_there(const Tlb *t, const struct Resident *r)
{
    DsegTlbSpace space = { .asid = r->asid, .pcid = r->pcid };
    DsegTlbPage page;

    return dseg_tlb_peek(t->tlb, space, r->va, DSEG_TLB_LOAD, &page) &&
           page.size == r->size;
}

static bool was_told(const Tlb *t, const struct Resident *r)
{
    unsigned told = 0;

    for (unsigned i = 0; i < t->gone->len; i++) {
        const Gone *gone = tlb_gone_at(t, i);

        told += gone->space.asid == r->asid && gone->space.pcid == r->pcid &&
                gone->global == r->global && gone->size == r->size &&
                gone->va == r->va >> dseg_tlb_size_shift(r->size)
                                  << dseg_tlb_size_shift(r->size);
    }
    g_assert_cmpuint(told, <=, 1);
    return told;
}

/* An operation, and the letters of what it removes. */
typedef struct Row {
    DsegTlbCause cause;
    const char *name;
    DsegTlbScope scope;
    const char *removes;
} Row;

#define CURRENT(a) .asids = DSEG_TLB_ASID_ONE, .asid = (a)
#define PCID(p) .one_pcid = true, .pcid = (p)
#define NOT_GLOBAL .globals = DSEG_TLB_GLOBAL_KEPT
#define ADDRESS(v) .one_page = true, .va = (v)

static const Row rows[] = {
    { DSEG_TLB_MOV_CR3, "mov-cr3/host",
      { CURRENT(0), PCID(0), NOT_GLOBAL }, "a" },
    { DSEG_TLB_MOV_CR3, "mov-cr3/host-other-pcid",
      { CURRENT(0), PCID(1), NOT_GLOBAL }, "ce" },
    { DSEG_TLB_MOV_CR3, "mov-cr3/guest",
      { CURRENT(1), PCID(1), NOT_GLOBAL }, "hi" },
    { DSEG_TLB_MOV_CR3, "mov-cr3/pcid-without-entries",
      { CURRENT(1), PCID(0xfff), NOT_GLOBAL }, "" },
    { DSEG_TLB_INVLPG, "invlpg/4k",
      { CURRENT(0), PCID(0), ADDRESS(A + 0xfff) }, "a" },
    { DSEG_TLB_INVLPG, "invlpg/4k-and-2m",
      { CURRENT(0), PCID(1), ADDRESS(A) }, "ce" },
    { DSEG_TLB_INVLPG, "invlpg/global-of-another-pcid-and-2m",
      { CURRENT(0), PCID(1), ADDRESS(B) }, "be" },
    { DSEG_TLB_INVLPG, "invlpg/global-of-another-pcid",
      { CURRENT(1), PCID(7), ADDRESS(B) }, "g" },
    { DSEG_TLB_INVLPG, "invlpg/page-without-entries",
      { CURRENT(0), PCID(0), ADDRESS(D) }, "" },
    { DSEG_TLB_INVPCID_ADDRESS, "invpcid-address",
      { CURRENT(0), PCID(1), NOT_GLOBAL, ADDRESS(B) }, "e" },
    { DSEG_TLB_INVPCID_ADDRESS, "invpcid-address/keeps-global",
      { CURRENT(1), PCID(0), NOT_GLOBAL, ADDRESS(B) }, "" },
    { DSEG_TLB_INVPCID_CONTEXT, "invpcid-context",
      { CURRENT(0), PCID(1), NOT_GLOBAL }, "ce" },
    { DSEG_TLB_INVPCID_ALL, "invpcid-all", { CURRENT(0) }, "abcde" },
    { DSEG_TLB_INVPCID_ALL_NONGLOBAL, "invpcid-all-nonglobal",
      { CURRENT(0), NOT_GLOBAL }, "ace" },
    { DSEG_TLB_INVPCID_ALL_NONGLOBAL, "invpcid-all-nonglobal/guest",
      { CURRENT(1), NOT_GLOBAL }, "fhi" },
    { DSEG_TLB_INVLPGA, "invlpga",
      { CURRENT(1), ADDRESS(A) }, "fh" },
    { DSEG_TLB_INVLPGA, "invlpga/global",
      { CURRENT(1), ADDRESS(B) }, "g" },
    { DSEG_TLB_INVLPGA, "invlpga/host",
      { CURRENT(0), ADDRESS(A) }, "ace" },
    { DSEG_TLB_TLB_CONTROL, "tlb-control/1", { 0 }, "abcdefghij" },
    { DSEG_TLB_TLB_CONTROL, "tlb-control/3", { CURRENT(1) }, "fghi" },
    { DSEG_TLB_TLB_CONTROL, "tlb-control/7",
      { CURRENT(1), NOT_GLOBAL }, "fhi" },
    { DSEG_TLB_CR0, "cr0", { CURRENT(2) }, "j" },
    { DSEG_TLB_CR4, "cr4", { CURRENT(0) }, "abcde" },
    { DSEG_TLB_GUEST_SEGMENT, "guest-segment", { CURRENT(1) }, "fghi" },
    { DSEG_TLB_VMM_SEGMENT, "vmm-segment",
      { .asids = DSEG_TLB_ASID_GUESTS }, "fghij" },
    { DSEG_TLB_PAGE_FAULT, "page-fault",
      { CURRENT(2), PCID(1), ADDRESS(A) }, "j" },
    { DSEG_TLB_MONITOR, "monitor", { 0 }, "abcdefghij" },
    { DSEG_TLB_RESET, "reset", { 0 }, "abcdefghij" },
};

static void test_row(gconstpointer data)
{
    const Row *row = data;
    unsigned removed = strlen(row->removes);
    g_autoptr(Tlb) t = populated();
    const DsegTlbCounters *counters = tlb_counters(t);

    dseg_tlb_invalidate(t->tlb, row->cause, &row->scope);
    for (unsigned i = 0; i < G_N_ELEMENTS(residents); i++) {
        const struct Resident *r = &residents[i];
        bool goes = strchr(row->removes, r->name);

        g_test_message("%c", r->name);
        g_assert_cmpint(is_there(t, r), ==, !goes);
        g_assert_cmpint(was_told(t, r), ==, goes);
    }
    g_assert_cmpuint(t->gone->len, ==, removed);
    g_assert_cmpuint(dseg_tlb_array_used(t->tlb, 1) +
                     dseg_tlb_array_used(t->tlb, 2), ==,
                     G_N_ELEMENTS(residents) - removed);
    g_assert_cmpuint(dseg_tlb_array_used(t->tlb, 3), ==,
                     G_N_ELEMENTS(residents) - removed);
    for (DsegTlbCause c = 0; c < DSEG_TLB_CAUSE__MAX; c++) {
        g_assert_cmpuint(counters->invalidations[c], ==, c == row->cause);
        g_assert_cmpuint(counters->invalidated[c], ==,
                         c == row->cause ? 2 * removed : 0);
    }
    for (unsigned i = 0; i < geometry.count; i++) {
        g_assert_cmpuint(counters->evictions[i], ==, 0);
    }
}

static void test_every_cause_has_a_row(void)
{
    unsigned seen = 0;

    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        seen |= 1 << rows[i].cause;
    }
    g_assert_cmphex(seen, ==, (1 << DSEG_TLB_CAUSE__MAX) - 1);
}

/* L1 alone has lost an entry before: one that is removed counts as one. */
static void test_counts_entries_of_each_level(void)
{
    const DsegTlbScope all = { .asids = DSEG_TLB_ASID_ALL };
    g_autoptr(Tlb) t = tlb_new(&geometry);

    tlb_access(t, DSEG_TLB_FETCH, A, (DsegTlbPage) { .size = DSEG_TLB_4K });
    tlb_access(t, DSEG_TLB_LOAD, A, (DsegTlbPage) { .size = DSEG_TLB_4K });
    tlb_access(t, DSEG_TLB_LOAD, B, (DsegTlbPage) { .segments_only = true });
    dseg_tlb_invalidate(t->tlb, DSEG_TLB_RESET, &all);
    g_assert_cmpuint(tlb_counters(t)->invalidated[DSEG_TLB_RESET], ==, 4);
    dseg_tlb_invalidate(t->tlb, DSEG_TLB_RESET, &all);
    g_assert_cmpuint(tlb_counters(t)->invalidated[DSEG_TLB_RESET], ==, 4);
    g_assert_cmpuint(tlb_counters(t)->invalidations[DSEG_TLB_RESET], ==, 2);
}

/* Pieces of larger pages: an address of the page removes them all. */

#define PAGE UINT64_C(0x1000)
#define LARGE UINT64_C(0xffff888000200000) /* a page of 2M */
#define NEXT (LARGE + (1 << 21))           /* the page after it */

static void assert_told(const Tlb *t, uint64_t va, DsegTlbSize size,
                        unsigned expected)
{
    unsigned told = 0;

    for (unsigned i = 0; i < t->gone->len; i++) {
        const Gone *gone = tlb_gone_at(t, i);

        told += gone->va == va && gone->size == size &&
                gone->space.asid == t->space.asid &&
                gone->space.pcid == t->space.pcid;
    }
    g_assert_cmpuint(told, ==, expected);
}

static void access_piece(Tlb *t, DsegTlbKind kind, uint64_t va,
                         DsegTlbSize size, unsigned lg_mapping)
{
    g_assert_cmpint(tlb_access(t, kind, va, (DsegTlbPage) {
        .size = size, .store = true, .lg_mapping = lg_mapping,
    }), ==, DSEG_TLB_WALK);
}

static void load_piece(Tlb *t, uint64_t va)
{
    access_piece(t, DSEG_TLB_LOAD, va, DSEG_TLB_4K, 21);
}

static void assert_removed(const Tlb *t, uint64_t l1, uint64_t l2)
{
    g_assert_cmpuint(t->gone->len, ==, l1);
    g_assert_cmpuint(tlb_counters(t)->invalidated[DSEG_TLB_INVLPG], ==,
                     l1 + l2);
}

/* Only L2 has pages of 2M: L1 has pieces of them. */
static const DsegTlbGeometry small_l1 = {
    .count = 3,
    .arrays = {
        { DSEG_TLB_PLACE_L1I, K4, 4, 2, DSEG_TLB_LRU },
        { DSEG_TLB_PLACE_L1D, K4, 8, 2, DSEG_TLB_LRU },
        { DSEG_TLB_PLACE_L2, M2, 4, 4, DSEG_TLB_LRU },
    },
};

static void test_pieces_that_l1_has_made(void)
{
    g_autoptr(Tlb) t = tlb_new(&small_l1);

    /* Each in a set of its own: by a walk, and two copies of L2. */
    g_assert_cmpint(tlb_load(t, LARGE, DSEG_TLB_2M), ==, DSEG_TLB_WALK);
    g_assert_cmpint(tlb_load(t, LARGE + PAGE, DSEG_TLB_2M), ==,
                    DSEG_TLB_HIT_L2);
    g_assert_cmpint(tlb_load(t, NEXT - PAGE, DSEG_TLB_2M), ==,
                    DSEG_TLB_HIT_L2);
    g_assert_cmpint(tlb_load(t, NEXT, DSEG_TLB_2M), ==, DSEG_TLB_WALK);
    tlb_invalidate_page(t, LARGE + 9 * PAGE);
    assert_removed(t, 3, 1);
    assert_told(t, LARGE, DSEG_TLB_4K, 1);
    assert_told(t, LARGE + PAGE, DSEG_TLB_4K, 1);
    assert_told(t, NEXT - PAGE, DSEG_TLB_4K, 1);
    g_assert_false(tlb_has(t, DSEG_TLB_LOAD, LARGE));
    g_assert_cmpint(tlb_load(t, NEXT, DSEG_TLB_2M), ==, DSEG_TLB_HIT_L1);
    g_assert_cmpuint(dseg_tlb_array_used(t->tlb, 2), ==, 1);
}

/* As nested page tables make them. */
static void test_pieces_of_nested_tables(void)
{
    g_autoptr(Tlb) t = tlb_new(&geometry);

    load_piece(t, LARGE);
    load_piece(t, LARGE + PAGE);
    load_piece(t, NEXT - PAGE);
    load_piece(t, NEXT);
    load_piece(t, LARGE - PAGE);
    access_piece(t, DSEG_TLB_FETCH, LARGE + 2 * PAGE, DSEG_TLB_4K, 21);
    tlb_invalidate_page(t, LARGE + 9 * PAGE);
    assert_removed(t, 4, 4);
    assert_told(t, LARGE, DSEG_TLB_4K, 1);
    assert_told(t, LARGE + PAGE, DSEG_TLB_4K, 1);
    assert_told(t, LARGE + 2 * PAGE, DSEG_TLB_4K, 1);
    assert_told(t, NEXT - PAGE, DSEG_TLB_4K, 1);
    for (DsegTlbKind kind = 0; kind < DSEG_TLB_KIND__MAX; kind++) {
        g_assert_false(tlb_has(t, kind, LARGE));
        g_assert_false(tlb_has(t, kind, LARGE + PAGE));
        g_assert_false(tlb_has(t, kind, LARGE + 2 * PAGE));
        g_assert_false(tlb_has(t, kind, NEXT - PAGE));
    }
    g_assert_cmpint(tlb_load(t, NEXT, DSEG_TLB_4K), ==, DSEG_TLB_HIT_L1);
    g_assert_cmpint(tlb_load(t, LARGE - PAGE, DSEG_TLB_4K), ==,
                    DSEG_TLB_HIT_L1);
    g_assert_cmpuint(dseg_tlb_array_used(t->tlb, 3), ==, 2);
}

/* Of a page of 1G: pieces of 4K and of 2M. */
static void test_pieces_of_several_sizes(void)
{
    const uint64_t gib = UINT64_C(1) << 30, huge = LARGE & -gib;
    g_autoptr(Tlb) t = tlb_new(&geometry);

    access_piece(t, DSEG_TLB_LOAD, huge + PAGE, DSEG_TLB_4K, 30);
    access_piece(t, DSEG_TLB_LOAD, LARGE, DSEG_TLB_2M, 30);
    access_piece(t, DSEG_TLB_LOAD, huge + gib, DSEG_TLB_2M, 30);
    tlb_invalidate_page(t, huge + gib - 1);
    assert_removed(t, 2, 2);
    assert_told(t, huge + PAGE, DSEG_TLB_4K, 1);
    assert_told(t, LARGE, DSEG_TLB_2M, 1);
    g_assert_true(tlb_has(t, DSEG_TLB_LOAD, huge + gib));
}

/* L1 has lost a piece, and got it back from L2. */
static void test_copy_of_a_piece_is_one(void)
{
    g_autoptr(Tlb) t = tlb_new(&geometry);

    load_piece(t, LARGE);
    for (unsigned i = 0; i < 8; i++) {
        /* All of the same set of L1D. */
        tlb_load(t, NEXT + i * 4 * PAGE, DSEG_TLB_4K);
    }
    g_assert_cmpint(tlb_load(t, LARGE, DSEG_TLB_4K), ==, DSEG_TLB_HIT_L2);
    tlb_invalidate_page(t, LARGE + 9 * PAGE);
    assert_removed(t, 1, 1);
    assert_told(t, LARGE, DSEG_TLB_4K, 1);
}

/* Pages of 4K in the same 2M are none. */
static void test_neighbours_are_no_pieces(void)
{
    g_autoptr(Tlb) t = tlb_new(&geometry);

    load_piece(t, LARGE);
    tlb_load(t, LARGE + PAGE, DSEG_TLB_4K);
    access_piece(t, DSEG_TLB_LOAD, LARGE + 2 * PAGE, DSEG_TLB_4K, 12);
    tlb_invalidate_page(t, LARGE + PAGE);
    /* Two mappings in the tables now contain that address. */
    assert_removed(t, 2, 2);
    g_assert_false(tlb_has(t, DSEG_TLB_LOAD, LARGE));
    g_assert_false(tlb_has(t, DSEG_TLB_LOAD, LARGE + PAGE));
    g_assert_true(tlb_has(t, DSEG_TLB_LOAD, LARGE + 2 * PAGE));
}

/* Space and global count for pieces as they do for pages. */
static void test_pieces_of_other_spaces_stay(void)
{
    g_autoptr(Tlb) t = tlb_new(&geometry);
    DsegTlbScope scope = {
        CURRENT(1), PCID(1), NOT_GLOBAL, ADDRESS(LARGE + 9 * PAGE),
    };

    for (unsigned i = 0; i < 4; i++) {
        t->space = (DsegTlbSpace) { .asid = i >> 1, .pcid = i & 1 };
        load_piece(t, LARGE + i * PAGE);
    }
    tlb_access(t, DSEG_TLB_LOAD, LARGE + 4 * PAGE, (DsegTlbPage) {
        .global = true, .lg_mapping = 21,
    });
    g_array_set_size(t->gone, 0);
    dseg_tlb_invalidate(t->tlb, DSEG_TLB_INVPCID_ADDRESS, &scope);
    g_assert_cmpuint(t->gone->len, ==, 1);
    assert_told(t, LARGE + 3 * PAGE, DSEG_TLB_4K, 1);
    g_array_set_size(t->gone, 0);
    scope = (DsegTlbScope) { CURRENT(1), ADDRESS(LARGE + 9 * PAGE) };
    dseg_tlb_invalidate(t->tlb, DSEG_TLB_INVLPGA, &scope);
    g_assert_cmpuint(t->gone->len, ==, 2);
    assert_told(t, LARGE + 4 * PAGE, DSEG_TLB_4K, 1);
    g_assert_cmpuint(dseg_tlb_array_used(t->tlb, 3), ==, 2);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();

    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *path = g_strdup_printf("/tlb-invalidate/%s",
                                                rows[i].name);

        g_test_add_data_func(path, &rows[i], test_row);
    }
    g_test_add_func("/tlb-invalidate/every-cause-has-a-row",
                    test_every_cause_has_a_row);
    g_test_add_func("/tlb-invalidate/counts-entries-of-each-level",
                    test_counts_entries_of_each_level);
    g_test_add_func("/tlb-invalidate/pieces/that-l1-has-made",
                    test_pieces_that_l1_has_made);
    g_test_add_func("/tlb-invalidate/pieces/of-nested-tables",
                    test_pieces_of_nested_tables);
    g_test_add_func("/tlb-invalidate/pieces/of-several-sizes",
                    test_pieces_of_several_sizes);
    g_test_add_func("/tlb-invalidate/pieces/copies-are-pieces",
                    test_copy_of_a_piece_is_one);
    g_test_add_func("/tlb-invalidate/pieces/neighbours-are-none",
                    test_neighbours_are_no_pieces);
    g_test_add_func("/tlb-invalidate/pieces/of-other-spaces-stay",
                    test_pieces_of_other_spaces_stay);
    return g_test_run();
}
