/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unit tests of walk caches and the nested TLB: by hand, and against a naive
 * model of docs/spec/tlb.rst
 */

#include <string.h>

#include "random.h"
#include "tlb-fixture.h"
#include "tlb-model.h"
#include "tlb/walk-caches.h"

#define PAGE UINT64_C(0x1000)
#define MIB UINT64_C(0x100000)
#define GIB UINT64_C(0x40000000)
#define TIB UINT64_C(0x10000000000)

enum { PML5E, PML4E, PDPTE, PDE };

static DsegTlbGeometry plain(void)
{
    return (DsegTlbGeometry) {
        .count = 2,
        .arrays = {
            { DSEG_TLB_PLACE_L1D, K4, 4, 4, DSEG_TLB_LRU },
            { DSEG_TLB_PLACE_L1I, K4, 4, 4, DSEG_TLB_LRU },
        },
    };
}

/* Two entries a level, in the first dimension. */
static DsegTlbGeometry guest_caches(void)
{
    DsegTlbGeometry geometry = plain();

    for (unsigned i = 0; i < DSEG_TLB_WALK_LEVELS; i++) {
        geometry.guest_walk_cache[i] = 2;
    }
    return geometry;
}

static DsegTlbGeometry nested_caches(void)
{
    DsegTlbGeometry geometry = plain();

    for (unsigned i = 0; i < DSEG_TLB_WALK_LEVELS; i++) {
        geometry.nested_walk_cache[i] = 2;
    }
    return geometry;
}

/* 8 gPAs of 4 KiB and 2 of 2 MiB. */
static DsegTlbGeometry nested_tlb(void)
{
    DsegTlbGeometry geometry = plain();

    geometry.arrays[2] = (DsegTlbArrayGeometry) {
        DSEG_TLB_PLACE_NESTED, K4, 8, 8, DSEG_TLB_LRU,
    };
    geometry.arrays[3] = (DsegTlbArrayGeometry) {
        DSEG_TLB_PLACE_NESTED, M2, 2, 2, DSEG_TLB_LRU,
    };
    geometry.count = 4;
    return geometry;
}

static const DsegTlbWalkCounters *walk_counters(const Tlb *t)
{
    return dseg_tlb_walk_counters(t->tlb);
}

/* The first dimension. */

/* A native walk of @refs entries in tables of @levels; what it skips. */
static unsigned skipped(Tlb *t, uint64_t va, unsigned levels, unsigned refs)
{
    DsegTlbWalk walk = {
        .space = t->space, .va = va, .levels = levels, .refs = refs,
        .out_skipped = 99,
    };

    dseg_tlb_walk(t->tlb, &walk);
    return walk.out_skipped;
}

static void test_without(void)
{
    DsegTlbGeometry geometry = plain();
    g_autoptr(Tlb) t = tlb_new(&geometry);
    static const DsegTlbWalkCounters none;
    DsegTlbWalk walk = {
        .va = GIB, .levels = 4, .refs = 4, .gpa_count = 3,
        .gpas = { { .levels = 4, .lg_size = 12, .out_refs = 99 },
                  { .levels = 5, .lg_size = 21, .out_refs = 99 },
                  { .levels = 4, .lg_size = 30, .by_segment = true,
                    .out_refs = 99 } },
        .out_skipped = 99,
    };

    g_assert_false(dseg_tlb_has_walk_caches(&geometry));
    for (unsigned i = 0; i < 2; i++) {
        dseg_tlb_walk(t->tlb, &walk);
        g_assert_cmpuint(walk.out_skipped, ==, 0);
        g_assert_cmpuint(walk.gpas[0].out_refs, ==, 4);
        g_assert_cmpuint(walk.gpas[1].out_refs, ==, 4);
        g_assert_cmpuint(walk.gpas[2].out_refs, ==, 0);
    }
    g_assert_cmpmem(walk_counters(t), sizeof(none), &none, sizeof(none));
}

static void test_has_walk_caches(void)
{
    for (unsigned i = 0; i < DSEG_TLB_WALK_LEVELS; i++) {
        DsegTlbGeometry geometry = plain();

        geometry.guest_walk_cache[i] = 1;
        g_assert_true(dseg_tlb_has_walk_caches(&geometry));
        geometry = plain();
        geometry.nested_walk_cache[i] = 1;
        g_assert_true(dseg_tlb_has_walk_caches(&geometry));
    }
    DsegTlbGeometry geometry = nested_tlb();

    g_assert_true(dseg_tlb_has_walk_caches(&geometry));
}

static void test_begins_below_the_deepest(void)
{
    DsegTlbGeometry geometry = guest_caches();
    g_autoptr(Tlb) t = tlb_new(&geometry);

    g_assert_cmpuint(skipped(t, 0, 4, 4), ==, 0);
    g_assert_cmpuint(skipped(t, 2 * MIB - 1, 4, 4), ==, 3);
    g_assert_cmpuint(skipped(t, 2 * MIB, 4, 4), ==, 2);
    g_assert_cmpuint(skipped(t, GIB, 4, 4), ==, 1);
    g_assert_cmpuint(skipped(t, TIB / 2, 4, 4), ==, 0);
    g_assert_cmpuint(walk_counters(t)->guest_lookups, ==, 5);
    g_assert_cmpuint(walk_counters(t)->guest_hits[PML5E], ==, 0);
    g_assert_cmpuint(walk_counters(t)->guest_hits[PML4E], ==, 1);
    g_assert_cmpuint(walk_counters(t)->guest_hits[PDPTE], ==, 1);
    g_assert_cmpuint(walk_counters(t)->guest_hits[PDE], ==, 1);
    g_assert_cmpuint(walk_counters(t)->nested_lookups, ==, 0);
    g_assert_cmpuint(walk_counters(t)->gpa_lookups, ==, 0);
}

static void test_five_levels(void)
{
    DsegTlbGeometry geometry = guest_caches();
    g_autoptr(Tlb) t = tlb_new(&geometry);

    g_assert_cmpuint(skipped(t, 0, 5, 5), ==, 0);
    g_assert_cmpuint(skipped(t, 0, 5, 5), ==, 4);
    g_assert_cmpuint(skipped(t, 255 * TIB, 5, 5), ==, 1);
    g_assert_cmpuint(skipped(t, 256 * TIB, 5, 5), ==, 0);
    g_assert_cmpuint(walk_counters(t)->guest_hits[PML5E], ==, 1);
    g_assert_cmpuint(walk_counters(t)->guest_hits[PDE], ==, 1);
}

/* A PDE of 32-bit paging spans 4 MiB, and may be a leaf. */
static void test_two_levels(void)
{
    DsegTlbGeometry geometry = guest_caches();
    g_autoptr(Tlb) t = tlb_new(&geometry);

    g_assert_cmpuint(skipped(t, 0, 2, 2), ==, 0);
    g_assert_cmpuint(skipped(t, 2 * MIB, 2, 2), ==, 1);
    g_assert_cmpuint(skipped(t, 4 * MIB, 2, 2), ==, 0);
    g_assert_cmpuint(skipped(t, 0, 2, 1), ==, 0);
    g_assert_cmpuint(walk_counters(t)->guest_lookups, ==, 4);
    g_assert_cmpuint(walk_counters(t)->guest_hits[PDE], ==, 1);
}

static void test_three_levels(void)
{
    DsegTlbGeometry geometry = guest_caches();
    g_autoptr(Tlb) t = tlb_new(&geometry);

    g_assert_cmpuint(skipped(t, 0, 3, 3), ==, 0);
    g_assert_cmpuint(skipped(t, PAGE, 3, 3), ==, 2);
    g_assert_cmpuint(skipped(t, 2 * MIB, 3, 3), ==, 1);
    g_assert_cmpuint(skipped(t, GIB, 3, 3), ==, 0);
    g_assert_cmpuint(walk_counters(t)->guest_hits[PDE], ==, 1);
    g_assert_cmpuint(walk_counters(t)->guest_hits[PDPTE], ==, 1);
}

/* Leaves are none of it: neither kept, nor looked for. */
static void test_leaves(void)
{
    DsegTlbGeometry geometry = guest_caches();
    g_autoptr(Tlb) t = tlb_new(&geometry);

    g_assert_cmpuint(skipped(t, 0, 4, 3), ==, 0);
    g_assert_cmpuint(skipped(t, 0, 4, 4), ==, 2);
    g_assert_cmpuint(skipped(t, 0, 4, 4), ==, 3);
    g_assert_cmpuint(skipped(t, 0, 4, 3), ==, 2);
    g_assert_cmpuint(skipped(t, 0, 4, 2), ==, 1);
}

/* Two PDEs: the one that was touched stays. */
static void test_lru(void)
{
    DsegTlbGeometry geometry = guest_caches();
    g_autoptr(Tlb) t = tlb_new(&geometry);

    skipped(t, 0 * MIB, 4, 4);
    skipped(t, 2 * MIB, 4, 4);
    g_assert_cmpuint(skipped(t, 0 * MIB, 4, 4), ==, 3);
    skipped(t, 4 * MIB, 4, 4);
    g_assert_cmpuint(skipped(t, 0 * MIB, 4, 4), ==, 3);
    g_assert_cmpuint(skipped(t, 2 * MIB, 4, 4), ==, 2);
}

/* A hit of a PDE touches no PDPTE: that of GiB 0 is the older one. */
static void test_hit_touches_its_own_level(void)
{
    DsegTlbGeometry geometry = guest_caches();
    g_autoptr(Tlb) t = tlb_new(&geometry);

    skipped(t, 0, 4, 4);
    skipped(t, GIB, 4, 4);
    g_assert_cmpuint(skipped(t, 0, 4, 4), ==, 3);
    skipped(t, 2 * GIB, 4, 4);
    g_assert_cmpuint(skipped(t, 0, 4, 4), ==, 3);
    g_assert_cmpuint(skipped(t, 2 * MIB, 4, 4), ==, 1);
}

static void test_levels_without_a_cache(void)
{
    DsegTlbGeometry geometry = plain();
    g_autoptr(Tlb) t = NULL;

    geometry.guest_walk_cache[PDPTE] = 1;
    t = tlb_new(&geometry);
    g_assert_cmpuint(skipped(t, 0, 4, 4), ==, 0);
    g_assert_cmpuint(skipped(t, 0, 4, 4), ==, 2);
    g_assert_cmpuint(skipped(t, GIB, 4, 4), ==, 0);
}

static void test_tags(void)
{
    DsegTlbGeometry geometry = guest_caches();
    g_autoptr(Tlb) t = tlb_new(&geometry);

    skipped(t, 0, 4, 4);
    t->space.pcid = 1;
    g_assert_cmpuint(skipped(t, 0, 4, 4), ==, 0);
    t->space = (DsegTlbSpace) { .asid = 1 };
    g_assert_cmpuint(skipped(t, 0, 4, 4), ==, 0);
    g_assert_cmpuint(skipped(t, 0, 4, 4), ==, 3);
}

/* The nested dimension. */

/* A guest's walk of four levels, with the gPA of each, and the final one. */
static DsegTlbWalk nested_walk(Tlb *t, uint64_t va, const uint64_t gpas[5],
                               unsigned lg_size)
{
    DsegTlbWalk walk = {
        .space = t->space, .va = va, .levels = 4, .refs = 4, .gpa_count = 5,
    };

    for (unsigned i = 0; i < 5; i++) {
        walk.gpas[i] = (DsegTlbGpa) {
            .gpa = gpas[i], .levels = 4, .lg_size = lg_size, .out_refs = 99,
        };
    }
    dseg_tlb_walk(t->tlb, &walk);
    return walk;
}

static void assert_refs(const DsegTlbWalk *walk, const char *expected)
{
    g_autoptr(GString) refs = g_string_new(NULL);

    for (unsigned i = 0; i < walk->gpa_count; i++) {
        g_string_append_printf(refs, "%u", walk->gpas[i].out_refs);
    }
    g_assert_cmpstr(refs->str, ==, expected);
}

static void test_nested_tlb(void)
{
    const uint64_t gpas[] = { PAGE, 2 * PAGE, 3 * PAGE, 4 * PAGE, 5 * PAGE };
    DsegTlbGeometry geometry = nested_tlb();
    g_autoptr(Tlb) t = tlb_new(&geometry);
    DsegTlbWalk walk;

    t->space = (DsegTlbSpace) { .asid = 1, .pcid = 5 };
    walk = nested_walk(t, 0, gpas, 12);
    assert_refs(&walk, "44444");
    walk = nested_walk(t, 0, gpas, 12);
    assert_refs(&walk, "00000");
    g_assert_cmpuint(walk_counters(t)->gpa_lookups, ==, 10);
    g_assert_cmpuint(walk_counters(t)->gpa_hits[DSEG_TLB_4K], ==, 5);
    g_assert_cmpuint(walk_counters(t)->nested_lookups, ==, 0);
    g_assert_cmpuint(walk_counters(t)->guest_lookups, ==, 0);
    g_assert_cmpuint(dseg_tlb_array_used(t->tlb, 2), ==, 5);
    /* Another process of the VM has the same gPAs; another VM has not. */
    t->space.pcid = 6;
    walk = nested_walk(t, 0, gpas, 12);
    assert_refs(&walk, "00000");
    t->space.asid = 2;
    walk = nested_walk(t, 0, gpas, 12);
    assert_refs(&walk, "44444");
}

/* A gPA finds what those before it in the same walk have filled. */
static void test_gpas_in_order(void)
{
    const uint64_t gpas[] = { PAGE, 2 * PAGE, PAGE + 8, 3 * PAGE, 2 * PAGE };
    DsegTlbGeometry geometry = nested_tlb();
    g_autoptr(Tlb) t = tlb_new(&geometry);
    DsegTlbWalk walk = nested_walk(t, 0, gpas, 12);

    assert_refs(&walk, "44040");
    g_assert_cmpuint(walk_counters(t)->gpa_lookups, ==, 5);
}

static void test_nested_pages(void)
{
    const uint64_t gpas[] = { 0, PAGE, 2 * MIB, 4 * MIB, 0 };
    DsegTlbGeometry geometry = nested_tlb();
    g_autoptr(Tlb) t = tlb_new(&geometry);
    DsegTlbWalk walk;

    /* Two entries of 2 MiB, for three pages. */
    walk = nested_walk(t, 0, gpas, 21);
    assert_refs(&walk, "30333");
    g_assert_cmpuint(walk_counters(t)->gpa_hits[DSEG_TLB_2M], ==, 1);
    g_assert_cmpuint(dseg_tlb_array_used(t->tlb, 2), ==, 0);
    g_assert_cmpuint(dseg_tlb_array_used(t->tlb, 3), ==, 2);
    g_assert_cmpuint(tlb_counters(t)->evictions[3], ==, 2);
}

/* Of 1 GiB the nested TLB takes the 2 MiB around the gPA. */
static void test_nested_pieces(void)
{
    const uint64_t gpas[] = { 0, MIB, 3 * MIB, 0, 2 * MIB };
    DsegTlbGeometry geometry = nested_tlb();
    g_autoptr(Tlb) t = tlb_new(&geometry);
    DsegTlbWalk walk = nested_walk(t, 0, gpas, 30);

    assert_refs(&walk, "20200");
}

/* It has no array for 4 KiB, nor a smaller size to take a piece of. */
static void test_nested_size_that_is_lacking(void)
{
    const uint64_t gpas[] = { 0, 0, 0, 0, 0 };
    DsegTlbGeometry geometry = nested_tlb();
    g_autoptr(Tlb) t = NULL;
    DsegTlbWalk walk;

    geometry.arrays[2] = geometry.arrays[3];
    geometry.count = 3;
    t = tlb_new(&geometry);
    walk = nested_walk(t, 0, gpas, 12);
    assert_refs(&walk, "44444");
    g_assert_cmpuint(dseg_tlb_array_used(t->tlb, 2), ==, 0);
    g_assert_cmpuint(walk_counters(t)->gpa_lookups, ==, 5);
}

static void test_nested_walk_caches(void)
{
    const uint64_t gpas[] = { 0, PAGE, 2 * MIB, GIB, TIB };
    DsegTlbGeometry geometry = nested_caches();
    g_autoptr(Tlb) t = tlb_new(&geometry);
    DsegTlbWalk walk = nested_walk(t, 0, gpas, 12);

    assert_refs(&walk, "41234");
    g_assert_cmpuint(walk_counters(t)->nested_lookups, ==, 5);
    g_assert_cmpuint(walk_counters(t)->nested_hits[PDE], ==, 1);
    g_assert_cmpuint(walk_counters(t)->nested_hits[PDPTE], ==, 1);
    g_assert_cmpuint(walk_counters(t)->nested_hits[PML4E], ==, 1);
    g_assert_cmpuint(walk_counters(t)->gpa_lookups, ==, 0);
    t->space.pcid = 1;
    walk = nested_walk(t, 0, gpas, 21);
    /* PDPTEs of GIB and TIB are there at first, each lost before its turn. */
    assert_refs(&walk, "21122");
    t->space.asid = 1;
    walk = nested_walk(t, 0, gpas, 12);
    assert_refs(&walk, "41234");
}

/* A hit of the nested TLB is no walk, for the nested walk caches either. */
static void test_nested_tlb_before_walk_caches(void)
{
    const uint64_t gpas[] = { 0, 0, 0, 0, PAGE };
    DsegTlbGeometry geometry = nested_tlb();
    g_autoptr(Tlb) t = NULL;
    DsegTlbWalk walk;

    geometry.nested_walk_cache[PDE] = 1;
    t = tlb_new(&geometry);
    walk = nested_walk(t, 0, gpas, 12);
    assert_refs(&walk, "40001");
    g_assert_cmpuint(walk_counters(t)->gpa_lookups, ==, 5);
    g_assert_cmpuint(walk_counters(t)->nested_lookups, ==, 2);
}

/* What the first dimension need not read, the nested one need not translate. */
static void test_skipped_gpas(void)
{
    const uint64_t gpas[] = { PAGE, 2 * PAGE, 3 * PAGE, 4 * PAGE, 5 * PAGE };
    DsegTlbGeometry geometry = nested_tlb();
    g_autoptr(Tlb) t = NULL;
    DsegTlbWalk walk;

    geometry.guest_walk_cache[PDPTE] = 1;
    t = tlb_new(&geometry);
    walk = nested_walk(t, 0, gpas, 12);
    g_assert_cmpuint(walk.out_skipped, ==, 0);
    dseg_tlb_invalidate(t->tlb, DSEG_TLB_INVLPGA, &(DsegTlbScope) {
        .asids = DSEG_TLB_ASID_ONE, .asid = 1,
    });
    walk = nested_walk(t, 2 * MIB, gpas, 12);
    g_assert_cmpuint(walk.out_skipped, ==, 2);
    assert_refs(&walk, "00000");
    g_assert_cmpuint(walk_counters(t)->gpa_lookups, ==, 8);
}

static void test_vmm_segment_takes_part_in_nothing(void)
{
    DsegTlbGeometry geometry = nested_tlb();
    g_autoptr(Tlb) t = NULL;
    DsegTlbWalk walk = {
        .levels = 4, .refs = 4, .gpa_count = 5,
    };

    geometry.nested_walk_cache[PDE] = 4;
    t = tlb_new(&geometry);
    for (unsigned i = 0; i < 5; i++) {
        walk.gpas[i] = (DsegTlbGpa) { .gpa = i * PAGE, .by_segment = true };
    }
    dseg_tlb_walk(t->tlb, &walk);
    assert_refs(&walk, "00000");
    g_assert_cmpuint(walk_counters(t)->gpa_lookups, ==, 0);
    g_assert_cmpuint(walk_counters(t)->nested_lookups, ==, 0);
    g_assert_cmpuint(dseg_tlb_array_used(t->tlb, 2), ==, 0);
}

/* Guest-direct: nothing of the first dimension, and the final gPA. */
static void test_guest_segment(void)
{
    DsegTlbGeometry geometry = nested_tlb();
    g_autoptr(Tlb) t = NULL;
    DsegTlbWalk walk = {
        .guest_segment = true, .levels = 4, .refs = 0, .gpa_count = 1,
        .gpas = { { .gpa = PAGE, .levels = 5, .lg_size = 12 } },
    };

    geometry.guest_walk_cache[PDE] = 4;
    t = tlb_new(&geometry);
    dseg_tlb_walk(t->tlb, &walk);
    assert_refs(&walk, "5");
    dseg_tlb_walk(t->tlb, &walk);
    assert_refs(&walk, "0");
    g_assert_cmpuint(walk.out_skipped, ==, 0);
    g_assert_cmpuint(walk_counters(t)->guest_lookups, ==, 0);
}

/* Nested tables of two levels, with pages of 4 MiB as two of 2 MiB. */
static void test_nested_legacy(void)
{
    DsegTlbGeometry geometry = nested_tlb();
    g_autoptr(Tlb) t = NULL;
    DsegTlbWalk walk = {
        .gpa_count = 4,
        .gpas = { { .gpa = 0, .levels = 2, .lg_size = 22 },
                  { .gpa = 2 * MIB, .levels = 2, .lg_size = 22 },
                  { .gpa = 4 * MIB, .levels = 2, .lg_size = 12 },
                  { .gpa = 6 * MIB, .levels = 2, .lg_size = 12 } },
    };

    geometry.nested_walk_cache[PDE] = 4;
    t = tlb_new(&geometry);
    dseg_tlb_walk(t->tlb, &walk);
    assert_refs(&walk, "1121");
    dseg_tlb_walk(t->tlb, &walk);
    assert_refs(&walk, "0000");
}

/* Invalidations. */

/* What each operation leaves: of walk caches, and of the nested dimension. */
static const struct {
    DsegTlbCause cause;
    bool nested;        /* removes nested entries */
} causes[] = {
    { DSEG_TLB_MOV_CR3, false },
    { DSEG_TLB_INVLPG, false },
    { DSEG_TLB_INVPCID_ADDRESS, false },
    { DSEG_TLB_INVPCID_CONTEXT, false },
    { DSEG_TLB_INVPCID_ALL, false },
    { DSEG_TLB_INVPCID_ALL_NONGLOBAL, false },
    { DSEG_TLB_INVLPGA, true },
    { DSEG_TLB_TLB_CONTROL, true },
    { DSEG_TLB_CR0, false },
    { DSEG_TLB_CR4, false },
    { DSEG_TLB_GUEST_SEGMENT, false },
    { DSEG_TLB_VMM_SEGMENT, true },
    { DSEG_TLB_PAGE_FAULT, false },
    { DSEG_TLB_MONITOR, true },
    { DSEG_TLB_RESET, true },
};

enum { SPACES = 4 };

static const DsegTlbSpace spaces[SPACES] = { { 0, 0 }, { 1, 0 }, { 1, 1 },
                                             { 2, 0 } };

/* Which of the spaces still have entries, as bits; of both dimensions. */
static void left(Tlb *t, unsigned *guest, unsigned *nested)
{
    *guest = *nested = 0;
    for (unsigned i = 0; i < SPACES; i++) {
        DsegTlbWalk walk = {
            .space = spaces[i], .levels = 4, .refs = 4, .gpa_count = 5,
        };

        for (unsigned j = 0; j < 5; j++) {
            walk.gpas[j] = (DsegTlbGpa) { .levels = 4, .lg_size = 12 };
        }
        dseg_tlb_walk(t->tlb, &walk);
        *guest |= (walk.out_skipped == 3) << i;
        *nested |= !walk.gpas[walk.out_skipped].out_refs << i;
    }
}

static void assert_left(DsegTlbCause cause, DsegTlbScope scope,
                        unsigned expected_guest, unsigned expected_nested)
{
    DsegTlbGeometry geometry = nested_tlb();
    g_autoptr(Tlb) t = NULL;
    unsigned guest, nested;

    geometry.guest_walk_cache[PDE] = SPACES;
    t = tlb_new(&geometry);
    left(t, &guest, &nested);
    left(t, &guest, &nested);
    g_assert_cmphex(guest, ==, 0xf);
    g_assert_cmphex(nested, ==, 0xf);
    dseg_tlb_invalidate(t->tlb, cause, &scope);
    left(t, &guest, &nested);
    g_assert_cmphex(guest, ==, expected_guest);
    g_assert_cmphex(nested, ==, expected_nested);
}

static void test_invalidations(void)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(causes); i++) {
        g_assert_cmpint(causes[i].cause, ==, i);
        for (unsigned globals = 0; globals < 2; globals++) {
            DsegTlbScope scope = {
                .asids = DSEG_TLB_ASID_ONE,
                .asid = 1,
                .one_pcid = true,
                .pcid = 1,
                .globals = globals,
                .one_page = globals,
                .va = 77 * GIB,
            };

            /* The second walk of ASID 1 finds what its first has filled. */
            assert_left(causes[i].cause, scope, 0xb,
                        causes[i].nested ? 0xd : 0xf);
            scope.one_pcid = false;
            assert_left(causes[i].cause, scope, 0x9,
                        causes[i].nested ? 0xd : 0xf);
            scope.asids = DSEG_TLB_ASID_GUESTS;
            assert_left(causes[i].cause, scope, 0x1,
                        causes[i].nested ? 0x5 : 0xf);
            scope.asids = DSEG_TLB_ASID_ALL;
            assert_left(causes[i].cause, scope, 0x0,
                        causes[i].nested ? 0x4 : 0xf);
        }
    }
    g_assert_cmpuint(G_N_ELEMENTS(causes), ==, DSEG_TLB_CAUSE__MAX);
}

/* They are none of L1 or L2, so they are not counted there. */
static void test_invalidations_count_no_walk_caches(void)
{
    DsegTlbGeometry geometry = guest_caches();
    g_autoptr(Tlb) t = tlb_new(&geometry);

    skipped(t, 0, 4, 4);
    dseg_tlb_invalidate(t->tlb, DSEG_TLB_RESET, &(DsegTlbScope) { 0 });
    g_assert_cmpuint(tlb_counters(t)->invalidated[DSEG_TLB_RESET], ==, 0);
    g_assert_cmpuint(skipped(t, 0, 4, 4), ==, 0);
}

static void test_counters_reset(void)
{
    static const DsegTlbWalkCounters none;
    DsegTlbGeometry geometry = guest_caches();
    g_autoptr(Tlb) t = tlb_new(&geometry);

    skipped(t, 0, 4, 4);
    skipped(t, 0, 4, 4);
    dseg_tlb_counters_reset(t->tlb);
    g_assert_cmpmem(walk_counters(t), sizeof(none), &none, sizeof(none));
    g_assert_cmpuint(skipped(t, 0, 4, 4), ==, 3);
}

/* The model. */

typedef struct Cached {
    uint64_t number;        /* the address / what the entry spans */
    unsigned lg_span;
    DsegTlbSpace space;
} Cached;

/* Lists of Cached, the one touched last at the end. */
typedef struct WalkModel {
    DsegTlbGeometry geometry;
    Model *tlb;             /* for the nested TLB */
    GArray *guest[DSEG_TLB_WALK_LEVELS], *nested[DSEG_TLB_WALK_LEVELS];
    DsegTlbWalkCounters counters;
} WalkModel;

static WalkModel *walk_model_new(const DsegTlbGeometry *geometry)
{
    WalkModel *model = g_new0(WalkModel, 1);

    model->geometry = *geometry;
    model->tlb = model_new(geometry);
    for (unsigned i = 0; i < DSEG_TLB_WALK_LEVELS; i++) {
        model->guest[i] = g_array_new(false, false, sizeof(Cached));
        model->nested[i] = g_array_new(false, false, sizeof(Cached));
    }
    return model;
}

static void walk_model_free(WalkModel *model)
{
    for (unsigned i = 0; i < DSEG_TLB_WALK_LEVELS; i++) {
        g_array_free(model->guest[i], true);
        g_array_free(model->nested[i], true);
    }
    model_free(model->tlb);
    g_free(model);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC(WalkModel, walk_model_free)

/* What entry @n (0 is the root's) of a walk in tables of @levels is. */
static Cached cached(uint64_t addr, unsigned levels, unsigned n,
                     DsegTlbSpace space)
{
    static const unsigned lg_spans[][5] = {
        [2] = { 22, 12 },
        [3] = { 30, 21, 12 },
        [4] = { 39, 30, 21, 12 },
        [5] = { 48, 39, 30, 21, 12 },
    };
    unsigned lg_span = lg_spans[levels][n];

    return (Cached) { addr >> lg_span, lg_span, space };
}

static unsigned level_of(unsigned levels, unsigned n)
{
    static const unsigned rows[][4] = {
        [2] = { PDE },
        [3] = { PDPTE, PDE },
        [4] = { PML4E, PDPTE, PDE },
        [5] = { PML5E, PML4E, PDPTE, PDE },
    };

    return rows[levels][n];
}

/* Its place in the list, or -1. */
static int cached_at(const GArray *list, Cached wanted)
{
    for (unsigned i = 0; i < list->len; i++) {
        const Cached *c = &g_array_index(list, Cached, i);

        if (c->number == wanted.number && c->lg_span == wanted.lg_span &&
            c->space.asid == wanted.space.asid &&
            c->space.pcid == wanted.space.pcid) {
            return i;
        }
    }
    return -1;
}

/* A walk of one dimension: how many references it skips. */
static unsigned model_walk(GArray **lists, const uint32_t *entries,
                           uint64_t addr, unsigned levels, unsigned refs,
                           DsegTlbSpace space, uint64_t *lookups,
                           uint64_t *hits)
{
    unsigned skips = 0;

    *lookups += entries[0] || entries[1] || entries[2] || entries[3];
    for (unsigned n = 0; n + 1 < refs; n++) {
        if (cached_at(lists[level_of(levels, n)],
                      cached(addr, levels, n, space)) >= 0) {
            skips = n + 1;
        }
    }
    if (skips) {
        unsigned level = level_of(levels, skips - 1);
        Cached c = cached(addr, levels, skips - 1, space);

        g_array_remove_index(lists[level], cached_at(lists[level], c));
        g_array_append_val(lists[level], c);
        hits[level]++;
    }
    for (unsigned n = skips; n + 1 < refs; n++) {
        unsigned level = level_of(levels, n);
        Cached c = cached(addr, levels, n, space);

        g_array_append_val(lists[level], c);
        if (lists[level]->len > entries[level]) {
            g_array_remove_index(lists[level], 0);
        }
    }
    return skips;
}

static ModelArray *nested_array(WalkModel *model, int size)
{
    for (unsigned i = 0; i < model->geometry.count; i++) {
        if (model->geometry.arrays[i].place == DSEG_TLB_PLACE_NESTED &&
            (model->geometry.arrays[i].sizes >> size & 1)) {
            return &model->tlb->arrays[i];
        }
    }
    return NULL;
}

static bool model_nested_hit(WalkModel *model, uint32_t asid, uint64_t gpa)
{
    for (DsegTlbSize size = 0; size < DSEG_TLB_SIZE__MAX; size++) {
        ModelArray *array = nested_array(model, size);

        for (unsigned i = 0; array && i < array->is.entries; i++) {
            ModelEntry *e = &array->entries[i];

            if (e->valid && e->size == size && e->space.asid == asid &&
                model_contains(e, gpa)) {
                model_touch(array, e);
                model->counters.gpa_hits[size]++;
                return true;
            }
        }
    }
    return false;
}

static void model_nested_fill(WalkModel *model, uint32_t asid,
                              const DsegTlbGpa *gpa)
{
    ModelEntry entry = { .space.asid = asid, .store = true };

    for (int size = gpa->lg_size < 21 ? 0 : gpa->lg_size < 30 ? 1 : 2;
         size >= 0; size--) {
        ModelArray *array = nested_array(model, size);

        if (array) {
            entry.size = size;
            model_put(model->tlb, array, gpa->gpa, entry);
            return;
        }
    }
}

static unsigned model_gpa(WalkModel *model, uint32_t asid,
                          const DsegTlbGpa *gpa)
{
    DsegTlbWalkCounters *c = &model->counters;
    bool has_tlb = nested_array(model, 0) || nested_array(model, 1) ||
                   nested_array(model, 2);
    unsigned refs = gpa->levels;

    if (gpa->by_segment) {
        return 0;
    }
    if (has_tlb) {
        c->gpa_lookups++;
        if (model_nested_hit(model, asid, gpa->gpa)) {
            return 0;
        }
    }
    refs -= gpa->lg_size >= 30 ? 2 : gpa->lg_size >= 21;
    refs -= model_walk(model->nested, model->geometry.nested_walk_cache,
                       gpa->gpa, gpa->levels, refs,
                       (DsegTlbSpace) { .asid = asid }, &c->nested_lookups,
                       c->nested_hits);
    model_nested_fill(model, asid, gpa);
    return refs;
}

static void model_whole_walk(WalkModel *model, DsegTlbWalk *walk)
{
    walk->out_skipped = 0;
    if (walk->levels && !walk->guest_segment) {
        walk->out_skipped =
            model_walk(model->guest, model->geometry.guest_walk_cache, walk->va,
                       walk->levels, walk->refs, walk->space,
                       &model->counters.guest_lookups,
                       model->counters.guest_hits);
    }
    for (unsigned i = 0; i < walk->gpa_count; i++) {
        walk->gpas[i].out_refs = i < walk->out_skipped ? 0 :
            model_gpa(model, walk->space.asid, &walk->gpas[i]);
    }
}

static bool asid_in_scope(uint32_t asid, const DsegTlbScope *scope)
{
    return scope->asids == DSEG_TLB_ASID_ALL ||
           (scope->asids == DSEG_TLB_ASID_GUESTS && asid != 0) ||
           (scope->asids == DSEG_TLB_ASID_ONE && asid == scope->asid);
}

static void model_forget(GArray *list, const DsegTlbScope *scope, bool pcids)
{
    for (unsigned i = list->len; i--; ) {
        DsegTlbSpace space = g_array_index(list, Cached, i).space;

        if (asid_in_scope(space.asid, scope) &&
            (!pcids || !scope->one_pcid || space.pcid == scope->pcid)) {
            g_array_remove_index(list, i);
        }
    }
}

static void model_forget_gpas(WalkModel *model, const DsegTlbScope *scope)
{
    for (unsigned i = 0; i < model->geometry.count; i++) {
        ModelArray *array = &model->tlb->arrays[i];

        for (unsigned j = 0; j < array->is.entries; j++) {
            if (array->is.place == DSEG_TLB_PLACE_NESTED &&
                asid_in_scope(array->entries[j].space.asid, scope)) {
                array->entries[j].valid = false;
            }
        }
    }
}

static void model_walk_invalidate(WalkModel *model, DsegTlbCause cause,
                                  const DsegTlbScope *scope)
{
    for (unsigned i = 0; i < DSEG_TLB_WALK_LEVELS; i++) {
        model_forget(model->guest[i], scope, true);
        if (causes[cause].nested) {
            model_forget(model->nested[i], scope, false);
        }
    }
    if (causes[cause].nested) {
        model_forget_gpas(model, scope);
    }
}

/* Random walks, of few addresses. */

static DsegTlbGeometry random_geometry(GRand *rand)
{
    DsegTlbGeometry geometry = plain();

    geometry.seed = random_u64(rand);
    for (unsigned i = 0; i < DSEG_TLB_WALK_LEVELS; i++) {
        geometry.guest_walk_cache[i] = random_below(rand, 6);
        geometry.nested_walk_cache[i] = random_below(rand, 6);
    }
    if (!random_below(rand, 4)) {
        memset(geometry.guest_walk_cache, 0, sizeof(uint32_t[4]));
    }
    if (!random_below(rand, 4)) {
        memset(geometry.nested_walk_cache, 0, sizeof(uint32_t[4]));
    }
    for (DsegTlbSize size = 0; size < DSEG_TLB_SIZE__MAX; size++) {
        uint32_t ways = 1 << random_below(rand, 3);

        if (random_below(rand, 3)) {
            geometry.arrays[geometry.count++] = (DsegTlbArrayGeometry) {
                DSEG_TLB_PLACE_NESTED, 1 << size,
                ways << random_below(rand, 3), ways,
                random_below(rand, DSEG_TLB_POLICY__MAX),
            };
        }
    }
    return geometry;
}

/* Half of them are in one GiB, so that deep entries are of use too. */
static uint64_t random_addr(GRand *rand)
{
    uint64_t top = (uint64_t)random_below(rand, 2) * 300 * TIB +
                   (uint64_t)random_below(rand, 2) * TIB +
                   random_below(rand, 2) * GIB;

    return (random_bool(rand) ? top : 0) +
           random_below(rand, 4) * 2 * MIB + random_below(rand, 3) * PAGE +
           random_below(rand, 0x1000);
}

static unsigned random_lg_size(GRand *rand, unsigned levels)
{
    if (levels == 2) {
        return random_bool(rand) ? 12 : 22;
    }
    return 12 + 9 * random_below(rand, levels == 3 ? 2 : 3);
}

static DsegTlbWalk random_walk(GRand *rand)
{
    unsigned levels = random_below(rand, 8) ? 2 + random_below(rand, 4) : 0;
    bool nested = random_bool(rand);
    bool vmm_segment = !random_below(rand, 4);
    unsigned nested_levels = 2 + random_below(rand, 4);
    DsegTlbWalk walk = {
        .space = { random_below(rand, 3), random_below(rand, 2) },
        .va = random_addr(rand),
        .levels = levels,
    };

    if (levels) {
        unsigned lg_size = random_lg_size(rand, levels);

        walk.guest_segment = !random_below(rand, 8);
        walk.refs = walk.guest_segment ? 0 :
                    levels - (lg_size >= 30 ? 2 : lg_size >= 21);
    }
    walk.gpa_count = nested ? walk.refs + 1 : 0;
    for (unsigned i = 0; i < walk.gpa_count; i++) {
        walk.gpas[i] = (DsegTlbGpa) {
            .gpa = random_addr(rand),
            .by_segment = vmm_segment && random_bool(rand),
            .levels = nested_levels,
            .lg_size = random_lg_size(rand, nested_levels),
        };
    }
    return walk;
}

static void random_invalidation(GRand *rand, Tlb *t, WalkModel *model)
{
    DsegTlbCause cause = random_below(rand, DSEG_TLB_CAUSE__MAX);
    DsegTlbScope scope = {
        .asids = random_below(rand, 3),
        .asid = random_below(rand, 3),
        .one_pcid = random_bool(rand),
        .pcid = random_below(rand, 2),
        .globals = random_below(rand, 2),
        .one_page = random_bool(rand),
        .va = random_addr(rand),
    };

    dseg_tlb_invalidate(t->tlb, cause, &scope);
    model_walk_invalidate(model, cause, &scope);
}

static void compare(GRand *rand, unsigned *seen)
{
    DsegTlbGeometry geometry = random_geometry(rand);
    g_autoptr(Tlb) t = tlb_new(&geometry);
    g_autoptr(WalkModel) model = walk_model_new(&geometry);

    for (unsigned i = 0; i < 1000 && !g_test_failed(); i++) {
        DsegTlbWalk walk = random_walk(rand), expected = walk;

        if (!random_below(rand, 32)) {
            random_invalidation(rand, t, model);
        }
        dseg_tlb_walk(t->tlb, &walk);
        model_whole_walk(model, &expected);
        g_assert_cmpuint(walk.out_skipped, ==, expected.out_skipped);
        for (unsigned j = 0; j < walk.gpa_count; j++) {
            g_assert_cmpuint(walk.gpas[j].out_refs, ==,
                             expected.gpas[j].out_refs);
        }
        g_assert_cmpmem(walk_counters(t), sizeof(DsegTlbWalkCounters),
                        &model->counters, sizeof(DsegTlbWalkCounters));
        for (unsigned j = 0; j < geometry.count; j++) {
            g_assert_cmpuint(dseg_tlb_array_used(t->tlb, j), ==,
                             model_used(model->tlb, j));
        }
    }
    for (unsigned i = 0; i < DSEG_TLB_WALK_LEVELS; i++) {
        seen[i] += walk_counters(t)->guest_hits[i];
        seen[4 + i] += walk_counters(t)->nested_hits[i];
    }
    for (unsigned i = 0; i < DSEG_TLB_SIZE__MAX; i++) {
        seen[8 + i] += walk_counters(t)->gpa_hits[i];
    }
}

static void test_random_walks_equal_the_model(void)
{
    g_autoptr(GRand) rand = random_new();
    unsigned seen[11] = { 0 };

    for (uint64_t n = random_rounds(400); n && !g_test_failed(); n--) {
        compare(rand, seen);
    }
    random_assert_seen(seen, G_N_ELEMENTS(seen), 1000);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();

    g_test_add_func("/tlb-walk/without-caches-a-walk-is-whole", test_without);
    g_test_add_func("/tlb-walk/has-walk-caches", test_has_walk_caches);
    g_test_add_func("/tlb-walk/begins-below-the-deepest",
                    test_begins_below_the_deepest);
    g_test_add_func("/tlb-walk/five-levels", test_five_levels);
    g_test_add_func("/tlb-walk/three-levels", test_three_levels);
    g_test_add_func("/tlb-walk/pde-of-two-levels-spans-4m", test_two_levels);
    g_test_add_func("/tlb-walk/leaves-are-not-kept", test_leaves);
    g_test_add_func("/tlb-walk/lru", test_lru);
    g_test_add_func("/tlb-walk/hit-touches-its-own-level",
                    test_hit_touches_its_own_level);
    g_test_add_func("/tlb-walk/levels-without-a-cache",
                    test_levels_without_a_cache);
    g_test_add_func("/tlb-walk/asid-and-pcid-tell-apart", test_tags);
    g_test_add_func("/tlb-walk/nested-tlb-costs-no-reference", test_nested_tlb);
    g_test_add_func("/tlb-walk/gpas-in-order", test_gpas_in_order);
    g_test_add_func("/tlb-walk/nested-tlb-has-page-sizes", test_nested_pages);
    g_test_add_func("/tlb-walk/nested-tlb-takes-pieces", test_nested_pieces);
    g_test_add_func("/tlb-walk/nested-tlb-lacks-small-sizes",
                    test_nested_size_that_is_lacking);
    g_test_add_func("/tlb-walk/nested-walk-caches", test_nested_walk_caches);
    g_test_add_func("/tlb-walk/nested-tlb-before-walk-caches",
                    test_nested_tlb_before_walk_caches);
    g_test_add_func("/tlb-walk/skipped-entries-have-no-gpas",
                    test_skipped_gpas);
    g_test_add_func("/tlb-walk/vmm-segment-takes-part-in-nothing",
                    test_vmm_segment_takes_part_in_nothing);
    g_test_add_func("/tlb-walk/guest-segment-leaves-the-final-gpa",
                    test_guest_segment);
    g_test_add_func("/tlb-walk/nested-tables-of-two-levels",
                    test_nested_legacy);
    g_test_add_func("/tlb-walk/invalidations", test_invalidations);
    g_test_add_func("/tlb-walk/invalidations-count-no-walk-caches",
                    test_invalidations_count_no_walk_caches);
    g_test_add_func("/tlb-walk/counters-reset-keeps-entries",
                    test_counters_reset);
    g_test_add_func("/tlb-walk/random-walks-equal-the-model",
                    test_random_walks_equal_the_model);
    return g_test_run();
}
