/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The reference translator against cases worked out by hand from docs/spec and
 * the APM.
 */
#include <glib.h>

#include "reference.h"

#define KiB 1024ull
#define MiB (1024 * KiB)
#define GiB (1024 * MiB)
#define PAGE (4 * KiB)

#define P 0x1ull
#define W 0x2ull
#define U 0x4ull
#define A 0x20ull
#define D 0x40ull
#define PS 0x80ull
#define NX (1ull << 63)
#define KEY(n) ((uint64_t)(n) << 59)

#define CR0_PG_WP 0x80010001ull
#define CR0_PG 0x80000001ull
#define CR4_PAE 0x20ull
#define CR4_LA57 0x1000ull
#define CR4_SMEP 0x100000ull
#define CR4_SMAP 0x200000ull
#define CR4_PKE 0x400000ull
#define EFER_LONG 0x500ull
#define EFER_NXE 0x800ull

#define FINAL (1ull << 32)
#define TABLE (1ull << 33)

/* gVA -> gPA -> hPA, where nothing is said of segments; no two are alike. */
#define GVA 0x123456789abcull
#define GPA_PAGE 0x6543212000ull
#define HPA_PAGE 0x2468acf000ull
#define GUEST_TABLES 0x1100000000ull        /* gPA of the first */
#define TABLES_HPA 0x2200000000ull
#define NESTED_TABLES 0x3300000000ull       /* hPA */

/* Memory that knows a few entries; all others are 0. */
#define MAX_ENTRIES 200

struct memory {
    unsigned count;
    struct {
        uint64_t hpa, value;
    } entry[MAX_ENTRIES];
    uint64_t next_nested;                   /* hPA of the next nested table */
};

struct fixture {
    struct memory memory;
    struct ref_hash hash;
    struct ref_state state;
    struct ref_access access;
    struct ref_result result;
    uint64_t leaf_hpa;                      /* of the guest's leaf */
};

static uint64_t read_memory(void *opaque, uint64_t hpa)
{
    const struct memory *memory = opaque;

    for (unsigned i = 0; i < memory->count; i++) {
        if (memory->entry[i].hpa == hpa) {
            return memory->entry[i].value;
        }
    }
    return 0;
}

static void write_memory(struct memory *memory, uint64_t hpa, uint64_t value)
{
    unsigned i = 0;

    while (i < memory->count && memory->entry[i].hpa != hpa) {
        i++;
    }
    g_assert_cmpuint(i, <, MAX_ENTRIES);
    memory->entry[i].hpa = hpa;
    memory->entry[i].value = value;
    memory->count = MAX(memory->count, i + 1);
}

static unsigned index_of(uint64_t address, unsigned level)
{
    return address >> (12 + 9 * (level - 1)) & 511;
}

static uint64_t size_of(unsigned level)
{
    return PAGE << (9 * (level - 1));
}

/* Map a page of that level by nested tables, and return its entry's hPA. */
static uint64_t map_nested(struct fixture *f, uint64_t gpa, uint64_t hpa,
                           unsigned leaf)
{
    unsigned levels = f->state.host.cr4 & CR4_LA57 ? 5 : 4;
    uint64_t table = NESTED_TABLES;
    uint64_t at = 0;

    for (unsigned level = levels; level >= leaf; level--) {
        uint64_t entry;

        at = table + 8 * index_of(gpa, level);
        entry = read_memory(&f->memory, at);
        if (level > leaf && !entry) {
            f->memory.next_nested += PAGE;
            entry = f->memory.next_nested | P | W | U;
        } else if (level == leaf) {
            entry = (hpa & -size_of(leaf)) | P | W | U | (leaf > 1 ? PS : 0);
        }
        write_memory(&f->memory, at, entry);
        table = entry & -PAGE;
    }
    return at;
}

/*
 * The guest's tables for GVA, one page each; where they are is up to the nested
 * tables.
 */
static void map_guest(struct fixture *f, unsigned leaf)
{
    unsigned levels = f->state.guest.cr4 & CR4_LA57 ? 5 : 4;
    uint64_t base = f->state.nested ? TABLES_HPA : GUEST_TABLES;

    for (unsigned level = levels; level >= leaf; level--) {
        unsigned number = levels - level;
        uint64_t to = level > leaf ? GUEST_TABLES + (number + 1) * PAGE
                                   : GPA_PAGE & -size_of(leaf);

        f->leaf_hpa = base + number * PAGE + 8 * index_of(GVA, level);
        write_memory(&f->memory, f->leaf_hpa,
                     to | P | W | U | (level == leaf && leaf > 1 ? PS : 0));
    }
}

/* Long mode, native, read by the kernel: nothing mapped, no segments. */
static void setup(struct fixture *f, const void *unused)
{
    (void)unused;
    ref_hash_init(&f->hash);
    f->memory.next_nested = NESTED_TABLES;
    f->state = (struct ref_state) {
        .guest = { CR0_PG_WP, GUEST_TABLES, CR4_PAE, EFER_LONG | EFER_NXE },
        .host = { CR0_PG_WP, NESTED_TABLES, CR4_PAE, EFER_LONG | EFER_NXE },
        .maxphyaddr = 40, .hash = &f->hash, .filter_bits = 256, .added_known = true,
    };
    f->access = (struct ref_access) { .gva = GVA, .kind = REF_LOAD };
}

/* Guest mode with nested paging: all mapped, by leaves of these levels. */
static void set_nested(struct fixture *f, unsigned guest_leaf,
                       unsigned nested_leaf)
{
    f->state.nested = true;
    map_guest(f, guest_leaf);
    for (unsigned i = 0; i < 5; i++) {
        map_nested(f, GUEST_TABLES + i * PAGE, TABLES_HPA + i * PAGE,
                   nested_leaf);
    }
    map_nested(f, (GPA_PAGE & -size_of(guest_leaf)) |
                  (GVA & (size_of(guest_leaf) - 1)), HPA_PAGE, nested_leaf);
}

static void translate(struct fixture *f)
{
    const struct ref_memory memory = { read_memory, &f->memory };

    ref_translate(&f->state, &f->access, &memory, &f->result);
}

static void expect_cost(struct fixture *f, enum ref_regime regime,
                        unsigned guest_refs, unsigned nested_refs,
                        unsigned checks)
{
    translate(f);
    g_assert_cmpuint(f->result.fault, ==, REF_NO_FAULT);
    g_assert_cmpuint(f->result.regime, ==, regime);
    g_assert_cmpuint(f->result.guest_refs, ==, guest_refs);
    g_assert_cmpuint(f->result.nested_refs, ==, nested_refs);
    g_assert_cmpuint(f->result.checks, ==, checks);
}

static void expect_fault(struct fixture *f, enum ref_fault fault,
                         uint64_t error, uint64_t address)
{
    translate(f);
    g_assert_cmpuint(f->result.fault, ==, fault);
    g_assert_cmphex(f->result.error, ==, error);
    g_assert_cmphex(f->result.address, ==, address);
}

static const struct ref_segment guest_segment = {
    GVA & -PAGE, (GVA & -PAGE) + PAGE, GPA_PAGE - (GVA & -PAGE),
};
/* Of all gPAs that are used here. */
static const struct ref_segment vmm_segment = {
    GUEST_TABLES, 1ull << 40, -PAGE,
};

/* -- What one walk costs -- */

static void test_native(struct fixture *f, const void *unused)
{
    (void)unused;
    for (unsigned leaf = 1; leaf <= 3; leaf++) {
        f->memory.count = 0;
        map_guest(f, leaf);
        expect_cost(f, REF_NATIVE, 5 - leaf, 0, 0);
        g_assert_cmphex(f->result.hpa, ==, (GPA_PAGE & -size_of(leaf)) |
                                           (GVA & (size_of(leaf) - 1)));
    }
}

static void test_native_5_levels(struct fixture *f, const void *unused)
{
    (void)unused;
    f->state.guest.cr4 |= CR4_LA57;
    map_guest(f, 1);
    expect_cost(f, REF_NATIVE, 5, 0, 0);
}

static void test_base(struct fixture *f, const void *unused)
{
    static const struct {
        unsigned guest_leaf, nested_leaf, guest_refs, nested_refs;
    } rows[] = {
        { 1, 1, 4, 20 }, { 1, 2, 4, 15 }, { 1, 3, 4, 10 },
        { 2, 1, 3, 16 }, { 2, 2, 3, 12 }, { 2, 3, 3, 8 },
        { 3, 1, 2, 12 }, { 3, 2, 2, 9 }, { 3, 3, 2, 6 },
    };

    (void)unused;
    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        f->memory.count = 0;
        set_nested(f, rows[i].guest_leaf, rows[i].nested_leaf);
        expect_cost(f, REF_BASE, rows[i].guest_refs, rows[i].nested_refs, 0);
        g_assert_cmpuint(f->result.filter_lookups, ==, 0);
    }
}

static void test_base_address(struct fixture *f, const void *unused)
{
    (void)unused;
    set_nested(f, 1, 1);
    translate(f);
    g_assert_cmphex(f->result.hpa, ==, HPA_PAGE | (GVA & 0xfff));
}

static void test_base_5_levels(struct fixture *f, const void *unused)
{
    (void)unused;
    f->state.guest.cr4 |= CR4_LA57;
    f->state.host.cr4 |= CR4_LA57;
    set_nested(f, 1, 1);
    expect_cost(f, REF_BASE, 5, 30, 0);
}

static void test_native_direct(struct fixture *f, const void *unused)
{
    (void)unused;
    f->state.guest_segment = guest_segment;
    expect_cost(f, REF_NATIVE_DIRECT, 0, 0, 1);
    g_assert_cmphex(f->result.hpa, ==, GPA_PAGE | (GVA & 0xfff));
    g_assert_cmpuint(f->result.updates, ==, 0);
}

static void test_guest_direct(struct fixture *f, const void *unused)
{
    (void)unused;
    set_nested(f, 1, 1);
    f->state.guest_segment = guest_segment;
    expect_cost(f, REF_GUEST_DIRECT, 0, 4, 1);
    f->state.vmm_segment = (struct ref_segment) { 0, PAGE, 0 };
    expect_cost(f, REF_GUEST_DIRECT, 0, 4, 1);
    g_assert_cmpuint(f->result.filter_lookups, ==, 1);
}

static void test_vmm_direct(struct fixture *f, const void *unused)
{
    (void)unused;
    f->state.nested = true;
    map_guest(f, 1);
    f->state.vmm_segment = vmm_segment;
    f->state.vmm_segment.offset = TABLES_HPA - GUEST_TABLES;
    expect_cost(f, REF_VMM_DIRECT, 4, 0, 5);
    g_assert_cmpuint(f->result.filter_lookups, ==, 5);
    g_assert_cmpuint(f->result.escapes, ==, 0);
    g_assert_cmphex(f->result.hpa, ==,
                    (GPA_PAGE | (GVA & 0xfff)) + TABLES_HPA - GUEST_TABLES);
}

static void test_dual_direct(struct fixture *f, const void *unused)
{
    (void)unused;
    f->state.nested = true;
    f->state.guest_segment = guest_segment;
    f->state.vmm_segment = vmm_segment;
    expect_cost(f, REF_DUAL_DIRECT, 0, 0, 1);
    g_assert_cmpuint(f->result.filter_lookups, ==, 1);
    g_assert_cmphex(f->result.hpa, ==, (GPA_PAGE | (GVA & 0xfff)) - PAGE);
}

/* Each gPA of the walk alone is outside of the VMM segment. */
static void test_mixed(struct fixture *f, const void *unused)
{
    (void)unused;
    set_nested(f, 1, 1);
    for (unsigned i = 0; i < 4; i++) {
        f->state.vmm_segment = (struct ref_segment) {
            GUEST_TABLES + i * PAGE, GUEST_TABLES + (i + 1) * PAGE,
            TABLES_HPA - GUEST_TABLES,
        };
        expect_cost(f, REF_MIXED, 4, 16, 5);
        g_assert_cmpuint(f->result.filter_lookups, ==, 5);
    }
    f->state.vmm_segment = (struct ref_segment) {
        GUEST_TABLES, GUEST_TABLES + 4 * PAGE, TABLES_HPA - GUEST_TABLES,
    };
    expect_cost(f, REF_MIXED, 4, 4, 5);
}

static void test_missed_segments(struct fixture *f, const void *unused)
{
    (void)unused;
    map_guest(f, 1);
    f->state.guest_segment = (struct ref_segment) { PAGE, 2 * PAGE, 0 };
    expect_cost(f, REF_NATIVE, 4, 0, 1);
    f->memory.count = 0;
    set_nested(f, 1, 1);
    f->state.vmm_segment = (struct ref_segment) { PAGE, 2 * PAGE, 0 };
    expect_cost(f, REF_BASE, 4, 20, 6);
    g_assert_cmpuint(f->result.filter_lookups, ==, 5);
}

static void test_no_paging(struct fixture *f, const void *unused)
{
    (void)unused;
    f->state.nested = true;
    f->state.guest.cr0 = 1;
    f->state.guest.efer = 0;
    f->state.guest_segment = (struct ref_segment) { 0, GiB, 0 };
    f->access.gva = 0x12345678;
    map_nested(f, f->access.gva, HPA_PAGE, 1);
    expect_cost(f, REF_BASE, 0, 4, 0);
    g_assert_cmphex(f->result.hpa, ==, HPA_PAGE | 0x678);
    f->state.vmm_segment = (struct ref_segment) { 0, GiB, GiB };
    expect_cost(f, REF_VMM_DIRECT, 0, 0, 1);
}

static void test_pae(struct fixture *f, const void *unused)
{
    (void)unused;
    f->state.guest = (struct ref_paging) { CR0_PG, 0x5020, CR4_PAE, 0 };
    f->state.guest_segment = (struct ref_segment) { 0, GiB, 0 };
    f->access.gva = 0x40201abc;                     /* 1, 1, 1 */
    write_memory(&f->memory, 0x5020 + 8, 0x6000 | P);
    write_memory(&f->memory, 0x6000 + 8, 0x7000 | P | W | U);
    write_memory(&f->memory, 0x7000 + 8, 0x8000 | P | W | U);
    expect_cost(f, REF_NATIVE, 3, 0, 0);
    g_assert_cmphex(f->result.hpa, ==, 0x8abc);
    write_memory(&f->memory, 0x7000 + 8, 0x8000 | P | W | U | 1ull << 52);
    expect_fault(f, REF_PF_RESERVED, 0x9, f->access.gva);
}

/* -- Where segments end, and when they are in force -- */

static void test_guest_edges(struct fixture *f, const void *unused)
{
    (void)unused;
    f->state.guest_segment = guest_segment;
    f->access.gva = guest_segment.base;
    expect_cost(f, REF_NATIVE_DIRECT, 0, 0, 1);
    f->access.gva = guest_segment.limit - 1;
    expect_cost(f, REF_NATIVE_DIRECT, 0, 0, 1);
    f->access.gva = guest_segment.limit;
    expect_fault(f, REF_PF_NOT_PRESENT, 0, guest_segment.limit);
    f->access.gva = guest_segment.base - 1;
    expect_fault(f, REF_PF_NOT_PRESENT, 0, guest_segment.base - 1);
}

static void test_guest_not_in_force(struct fixture *f, const void *unused)
{
    (void)unused;
    map_guest(f, 1);
    f->state.guest_segment = (struct ref_segment) {
        GVA & -PAGE, GVA & -PAGE, 0,
    };
    expect_cost(f, REF_NATIVE, 4, 0, 0);
    f->state.guest_segment.limit = PAGE;
    expect_cost(f, REF_NATIVE, 4, 0, 0);
}

static void test_vmm_edges(struct fixture *f, const void *unused)
{
    (void)unused;
    f->state.nested = true;
    f->state.guest_segment = guest_segment;
    f->state.vmm_segment = (struct ref_segment) {
        GPA_PAGE, GPA_PAGE + PAGE, 0,
    };
    f->access.gva = guest_segment.base;
    expect_cost(f, REF_DUAL_DIRECT, 0, 0, 1);
    f->access.gva = guest_segment.limit - 1;
    expect_cost(f, REF_DUAL_DIRECT, 0, 0, 1);
    f->state.guest_segment.offset += PAGE;
    f->access.gva = guest_segment.base;
    expect_fault(f, REF_NPF_FINAL, 0x4 | FINAL, GPA_PAGE + PAGE);
    f->state.guest_segment.offset -= 2 * PAGE;
    f->access.gva = guest_segment.limit - 1;
    expect_fault(f, REF_NPF_FINAL, 0x4 | FINAL, GPA_PAGE - 1);
}

static void test_canonical(struct fixture *f, const void *unused)
{
    (void)unused;
    f->state.guest_segment = (struct ref_segment) { 0, -PAGE, 0 };
    f->access.gva = 1ull << 47;
    expect_fault(f, REF_NON_CANONICAL, 0, 0);
    g_assert_cmpuint(f->result.checks, ==, 0);
    f->state.guest.cr4 |= CR4_LA57;
    expect_fault(f, REF_PF_RESERVED, 0x9, 1ull << 47);
    f->access.gva = 1ull << 56;
    expect_fault(f, REF_NON_CANONICAL, 0, 0);
}

/* -- The filter -- */

static void test_hash(struct fixture *f, const void *unused)
{
    static const struct {
        unsigned bits;
        uint64_t page;
        unsigned hash[4];
    } rows[] = {
        { 256, 0, { 0, 0, 0, 0 } },
        { 256, 1, { 48, 13, 37, 26 } },
        { 256, 0x12345, { 30, 63, 49, 19 } },
        { 256, 0xffffffffff, { 13, 58, 13, 1 } },
        { 64, 0, { 0, 0, 0, 0 } },
        { 64, 1, { 12, 3, 9, 6 } },
        { 128, 1, { 24, 6, 18, 13 } },
        { 512, 1, { 96, 26, 74, 53 } },
        { 1024, 1, { 193, 53, 148, 106 } },
        { 1024, 3, { 1, 181, 195, 243 } },
    };

    (void)unused;
    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        unsigned bit[4];

        f->state.filter_bits = rows[i].bits;
        ref_filter_bits(&f->state, rows[i].page << 12 | 0xabc, bit);
        for (unsigned j = 0; j < 4; j++) {
            g_assert_cmpuint(bit[j], ==,
                             j * rows[i].bits / 4 + rows[i].hash[j]);
        }
    }
}

static void test_passes_with_all_four(struct fixture *f, const void *unused)
{
    unsigned bit[4];

    (void)unused;
    for (unsigned bits = 64; bits <= 1024; bits *= 2) {
        f->state.filter_bits = bits;
        memset(f->state.filter, 0, sizeof(f->state.filter));
        ref_filter_bits(&f->state, GPA_PAGE, bit);
        for (unsigned i = 0; i < 4; i++) {
            g_assert_false(ref_filter_passes(&f->state, GPA_PAGE));
            f->state.filter[bit[i] / 64] |= 1ull << bit[i] % 64;
        }
        g_assert_true(ref_filter_passes(&f->state, GPA_PAGE | 0xfff));
    }
}

static void test_escapes(struct fixture *f, const void *unused)
{
    const uint64_t added[] = { GPA_PAGE };

    (void)unused;
    set_nested(f, 1, 1);
    f->state.vmm_segment = vmm_segment;
    memset(f->state.filter, 0xff, sizeof(f->state.filter));
    f->state.added = added;
    f->state.added_count = 1;
    expect_cost(f, REF_BASE, 4, 20, 5);
    g_assert_cmpuint(f->result.filter_lookups, ==, 5);
    g_assert_cmpuint(f->result.escapes, ==, 5);
    g_assert_cmpuint(f->result.false_escapes, ==, 4);
    f->state.added_known = false;
    translate(f);
    g_assert_cmpuint(f->result.escapes, ==, 5);
    g_assert_cmpuint(f->result.false_escapes, ==, 0);
}

/* -- Permissions -- */

struct permission {
    uint64_t entry;                         /* the guest's leaf, with P and A */
    uint64_t cr0, cr4, efer;                /* EFER: NXE or not */
    uint32_t pkru;
    bool user, implicit, ac;
    int error[3];                           /* load, store, fetch; -1: none */
};

#define OK (-1)
static const struct permission permissions[] = {
    /* The table of docs/spec/translation.rst: a segment is as this leaf. */
    { W | U | NX, CR0_PG_WP, 0, EFER_NXE, 0, true, false, false,
      { OK, OK, 0x15 } },
    { W | U | NX, CR0_PG_WP, 0, EFER_NXE, 0, false, false, false,
      { OK, OK, 0x11 } },
    { W | U | NX, CR0_PG_WP, CR4_SMAP, EFER_NXE, 0, false, false, false,
      { 1, 3, 0x11 } },
    { W | U | NX, CR0_PG_WP, CR4_SMAP, EFER_NXE, 0, false, false, true,
      { OK, OK, 0x11 } },
    { W | U | NX, CR0_PG_WP, CR4_SMAP, EFER_NXE, 0, false, true, true,
      { 1, 3, 0x11 } },
    { W | U | NX, CR0_PG, 0, EFER_NXE, 0, false, false, false,
      { OK, OK, 0x11 } },
    { W | U | NX, CR0_PG_WP, CR4_PKE, EFER_NXE, 1, true, false, false,
      { 0x25, 0x27, 0x15 } },
    { W | U | NX, CR0_PG_WP, CR4_PKE, EFER_NXE, 1, false, false, false,
      { 0x21, 0x23, 0x11 } },
    { W | U | NX, CR0_PG_WP, CR4_PKE, EFER_NXE, 2, true, false, false,
      { OK, 0x27, 0x15 } },
    { W | U | NX, CR0_PG_WP, CR4_PKE, EFER_NXE, 2, false, false, false,
      { OK, 0x23, 0x11 } },
    { W | U | NX, CR0_PG, CR4_PKE, EFER_NXE, 2, false, false, false,
      { OK, OK, 0x11 } },
    { W | U | NX, CR0_PG, CR4_PKE, EFER_NXE, 2, true, false, false,
      { OK, 0x27, 0x15 } },
    /*
     * Without NXE a segment may be executed; a leaf without NX stands for it.
     */
    { W | U, CR0_PG_WP, 0, 0, 0, true, false, false, { OK, OK, OK } },
    { W | U, CR0_PG_WP, 0, 0, 0, false, false, false, { OK, OK, OK } },
    { W | U, CR0_PG_WP, CR4_SMEP, 0, 0, false, false, false, { OK, OK, 0x11 } },
    { W | U, CR0_PG_WP, CR4_SMEP, 0, 0, true, false, false, { OK, OK, OK } },
    /* Leaves that are not as a segment (APM, 5.6). */
    { W, CR0_PG_WP, CR4_SMEP | CR4_SMAP, EFER_NXE, 0, false, false, false,
      { OK, OK, OK } },
    { W, CR0_PG_WP, 0, EFER_NXE, 0, true, false, false, { 5, 7, 0x15 } },
    { W, CR0_PG_WP, 0, 0, 0, true, false, false, { 5, 7, 5 } },
    { U, CR0_PG_WP, 0, EFER_NXE, 0, true, false, false, { OK, 7, OK } },
    { U, CR0_PG_WP, 0, EFER_NXE, 0, false, false, false, { OK, 3, OK } },
    { U, CR0_PG, 0, EFER_NXE, 0, false, false, false, { OK, OK, OK } },
    { U, CR0_PG, 0, EFER_NXE, 0, true, false, false, { OK, 7, OK } },
    { W | KEY(15), CR0_PG_WP, CR4_PKE, EFER_NXE, ~0u, false, false, false,
      { OK, OK, OK } },
    { W | U | KEY(15), CR0_PG_WP, CR4_PKE, EFER_NXE, 1u << 30, true, false,
      false, { 0x25, 0x27, OK } },
    { W | U | KEY(15), CR0_PG_WP, 0, EFER_NXE, ~0u, true, false, false,
      { OK, OK, OK } },
};

static void expect_permission(struct fixture *f, int error)
{
    translate(f);
    if (error == OK) {
        g_assert_cmpuint(f->result.fault, ==, REF_NO_FAULT);
    } else {
        g_assert_cmpuint(f->result.fault, ==, REF_PF_PROTECTION);
        g_assert_cmphex(f->result.error, ==, error);
    }
}

static void use_permission(struct fixture *f, const struct permission *p)
{
    f->state.guest.cr0 = p->cr0;
    f->state.guest.cr4 = CR4_PAE | p->cr4;
    f->state.guest.efer = EFER_LONG | p->efer;
    f->state.pkru = p->pkru;
    f->access = (struct ref_access) {
        .gva = GVA, .user = p->user, .implicit = p->implicit, .ac = p->ac,
    };
}

static void test_leaf_permissions(struct fixture *f, const void *unused)
{
    (void)unused;
    map_guest(f, 1);
    for (unsigned i = 0; i < G_N_ELEMENTS(permissions); i++) {
        use_permission(f, &permissions[i]);
        write_memory(&f->memory, f->leaf_hpa,
                     GPA_PAGE | P | permissions[i].entry);
        for (unsigned kind = REF_LOAD; kind <= REF_FETCH; kind++) {
            f->access.kind = kind;
            expect_permission(f, permissions[i].error[kind - 1]);
        }
    }
}

/* The first 16 rows are what a segment does, NX or not. */
static void test_segment_permissions(struct fixture *f, const void *unused)
{
    (void)unused;
    f->state.guest_segment = guest_segment;
    for (unsigned i = 0; i < 16; i++) {
        use_permission(f, &permissions[i]);
        for (unsigned kind = REF_LOAD; kind <= REF_FETCH; kind++) {
            f->access.kind = kind;
            expect_permission(f, permissions[i].error[kind - 1]);
        }
    }
}

/* A right that is missing above the leaf is missing. */
static void test_upper_entries(struct fixture *f, const void *unused)
{
    (void)unused;
    for (unsigned number = 0; number < 4; number++) {
        uint64_t at, entry;

        f->memory.count = 0;
        map_guest(f, 1);
        at = GUEST_TABLES + number * PAGE + 8 * index_of(GVA, 4 - number);
        entry = read_memory(&f->memory, at);
        f->access = (struct ref_access) { .gva = GVA, .user = true };
        write_memory(&f->memory, at, entry & ~W);
        f->access.kind = REF_STORE;
        expect_fault(f, REF_PF_PROTECTION, 0x7, GVA);
        write_memory(&f->memory, at, entry & ~U);
        f->access.kind = REF_LOAD;
        expect_fault(f, REF_PF_PROTECTION, 0x5, GVA);
        write_memory(&f->memory, at, entry | NX);
        f->access.kind = REF_FETCH;
        expect_fault(f, REF_PF_PROTECTION, 0x15, GVA);
        write_memory(&f->memory, at, entry & ~P);
        expect_fault(f, REF_PF_NOT_PRESENT, 0x14, GVA);
        g_assert_cmpuint(f->result.guest_refs, ==, number + 1);
    }
}

static void test_segment_too_wide(struct fixture *f, const void *unused)
{
    static const int errors[2][3] = { { 0x9, 0xb, 0x19 }, { 0xd, 0xf, 0x1d } };

    (void)unused;
    f->state.guest.cr4 |= CR4_SMAP | CR4_SMEP;      /* which come later */
    f->state.guest_segment = guest_segment;
    f->state.guest_segment.offset = (1ull << 40) - guest_segment.base;
    for (unsigned user = 0; user < 2; user++) {
        for (unsigned kind = REF_LOAD; kind <= REF_FETCH; kind++) {
            f->access.user = user;
            f->access.kind = kind;
            expect_fault(f, REF_PF_RESERVED, errors[user][kind - 1], GVA);
        }
    }
    f->state.guest_segment.offset -= PAGE;
    f->state.guest.cr4 = CR4_PAE;
    f->access.kind = REF_LOAD;
    expect_cost(f, REF_NATIVE_DIRECT, 0, 0, 1);
    f->state.guest_segment.offset = -guest_segment.base - PAGE;
    expect_fault(f, REF_PF_RESERVED, 0xd, GVA);     /* below 0 */
}

/* -- Reserved bits -- */

static void test_reserved_bits(struct fixture *f, const void *unused)
{
    static const struct {
        unsigned leaf, level;
        uint64_t bits;
        bool reserved;
    } rows[] = {
        { 1, 1, 1ull << 40, true }, { 1, 1, 1ull << 51, true },
        { 1, 4, 1ull << 40, true }, { 1, 1, 1ull << 39, false },
        { 1, 1, 1ull << 52, false }, { 1, 1, 0x180, false },
        { 1, 4, PS, true }, { 1, 4, 0x100, true }, { 1, 5, PS, true },
        { 1, 5, 0x100, true }, { 1, 3, 0x100, false }, { 1, 2, 0x100, false },
        { 2, 2, 0x2000, true }, { 2, 2, 0x100000, true },
        { 2, 2, 0x1000, false },
        { 3, 3, 0x2000, true }, { 3, 3, 0x20000000, true },
        { 3, 3, 0x1000, false },
    };

    (void)unused;
    f->state.guest.cr4 |= CR4_LA57;
    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        uint64_t at = GUEST_TABLES + (5 - rows[i].level) * PAGE +
                      8 * index_of(GVA, rows[i].level);

        f->memory.count = 0;
        map_guest(f, rows[i].leaf);
        write_memory(&f->memory, at,
                     read_memory(&f->memory, at) | rows[i].bits);
        translate(f);
        g_assert_cmpuint(f->result.fault == REF_PF_RESERVED, ==,
                         rows[i].reserved);
    }
}

static void test_nx_reserved(struct fixture *f, const void *unused)
{
    (void)unused;
    set_nested(f, 1, 1);
    write_memory(&f->memory, f->leaf_hpa, GPA_PAGE | P | W | U | NX);
    expect_cost(f, REF_BASE, 4, 20, 0);
    f->state.guest.efer = EFER_LONG;
    expect_fault(f, REF_PF_RESERVED, 0x9, GVA);
}

/* -- Nested page faults -- */

struct npf {
    uint64_t entry;                         /* the nested leaf */
    uint64_t cr4, efer;                     /* of the host */
    uint64_t error[3];                      /* but bits 32 and 33; 0: none */
};

static const struct npf npfs[] = {
    { 0, 0, EFER_NXE, { 0x4, 0x6, 0x14 } },
    { 0, 0, 0, { 0x4, 0x6, 0x4 } },
    { 0, CR4_SMEP, 0, { 0x4, 0x6, 0x14 } },
    { P | U, 0, EFER_NXE, { 0, 0x7, 0 } },
    { P | W, 0, EFER_NXE, { 0x5, 0x7, 0x15 } },
    { P | W | U | NX, 0, EFER_NXE, { 0, 0, 0x15 } },
    { P | W | U | NX, 0, 0, { 0xd, 0xf, 0xd } },
    { P | W | U | 1ull << 45, 0, EFER_NXE, { 0xd, 0xf, 0x1d } },
    { P | W | U, CR4_SMEP | CR4_SMAP | CR4_PKE, EFER_NXE, { 0, 0, 0 } },
};

static void test_npf_final(struct fixture *f, const void *unused)
{
    (void)unused;
    f->state.pkru = ~0u;
    for (unsigned i = 0; i < G_N_ELEMENTS(npfs); i++) {
        uint64_t at;

        f->memory.count = 0;
        set_nested(f, 1, 1);
        f->state.host.cr4 = CR4_PAE | npfs[i].cr4;
        f->state.host.efer = EFER_LONG | npfs[i].efer;
        at = map_nested(f, GPA_PAGE, HPA_PAGE, 1);
        write_memory(&f->memory, at, HPA_PAGE | npfs[i].entry);
        for (unsigned kind = REF_LOAD; kind <= REF_FETCH; kind++) {
            f->access.kind = kind;
            if (npfs[i].error[kind - 1]) {
                expect_fault(f, REF_NPF_FINAL, FINAL | npfs[i].error[kind - 1],
                             GPA_PAGE | (GVA & 0xfff));
                g_assert_cmpuint(f->result.guest_refs, ==, 4);
                g_assert_cmpuint(f->result.nested_refs, ==, 16);
            } else {
                expect_cost(f, REF_BASE, 4, 20, 0);
            }
        }
    }
}

/*
 * A table's gPA is always a user's write: the column of stores, and never I/D.
 */
static void test_npf_table(struct fixture *f, const void *unused)
{
    (void)unused;
    for (unsigned number = 0; number < 4; number++) {
        uint64_t gpa = GUEST_TABLES + number * PAGE;
        uint64_t entry_gpa = gpa + 8 * index_of(GVA, 4 - number);

        for (unsigned i = 0; i < G_N_ELEMENTS(npfs); i++) {
            f->memory.count = 0;
            set_nested(f, 1, 1);
            f->state.host.cr4 = CR4_PAE | npfs[i].cr4;
            f->state.host.efer = EFER_LONG | npfs[i].efer;
            f->access.kind = REF_FETCH;
            write_memory(&f->memory, map_nested(f, gpa, 0, 1),
                         (TABLES_HPA + number * PAGE) | npfs[i].entry);
            if (npfs[i].error[REF_STORE - 1]) {
                expect_fault(f, REF_NPF_TABLE,
                             TABLE | npfs[i].error[REF_STORE - 1], entry_gpa);
                g_assert_cmpuint(f->result.guest_refs, ==, number);
                g_assert_cmpuint(f->result.nested_refs, ==, 4 * number);
            } else {
                expect_cost(f, REF_BASE, 4, 20, 0);
            }
        }
    }
}

static void test_vmm_segment_too_wide(struct fixture *f, const void *unused)
{
    (void)unused;
    f->state.nested = true;
    f->state.guest_segment = guest_segment;
    f->state.vmm_segment = vmm_segment;
    f->state.vmm_segment.offset = (1ull << 40) - GPA_PAGE;
    f->access.kind = REF_FETCH;
    f->state.guest.efer = EFER_LONG;
    expect_fault(f, REF_NPF_FINAL, FINAL | 0x1d, GPA_PAGE | (GVA & 0xfff));
    f->state.guest_segment = (struct ref_segment) { 0 };
    f->state.vmm_segment.offset = -(1ull << 40);
    f->access.kind = REF_LOAD;
    expect_fault(f, REF_NPF_TABLE, TABLE | 0xf,
                 GUEST_TABLES + 8 * index_of(GVA, 4));
}

/*
 * A hit gives all rights; the guest's own permissions come before the final
 * gPA's.
 */
static void test_order_of_faults(struct fixture *f, const void *unused)
{
    (void)unused;
    set_nested(f, 1, 1);
    write_memory(&f->memory, f->leaf_hpa, GPA_PAGE | P | U);
    write_memory(&f->memory, map_nested(f, GPA_PAGE, 0, 1), 0);
    f->access.kind = REF_STORE;
    expect_fault(f, REF_PF_PROTECTION, 0x3, GVA);
    f->access.kind = REF_LOAD;
    expect_fault(f, REF_NPF_FINAL, FINAL | 0x4, GPA_PAGE | (GVA & 0xfff));
    write_memory(&f->memory, map_nested(f, GUEST_TABLES, TABLES_HPA, 1), 0);
    f->access.kind = REF_STORE;
    expect_fault(f, REF_NPF_TABLE, TABLE | 0x6,
                 GUEST_TABLES + 8 * index_of(GVA, 4));
}

/* -- Accessed and dirty bits -- */

static uint64_t bits_set(const struct fixture *f, uint64_t hpa, bool certain)
{
    uint64_t bits = 0;

    for (unsigned i = 0; i < f->result.updates; i++) {
        if (f->result.update[i].hpa == hpa &&
            f->result.update[i].certain == certain) {
            bits |= f->result.update[i].bits;
        }
    }
    return bits;
}

static void test_accessed_and_dirty(struct fixture *f, const void *unused)
{
    uint64_t root = TABLES_HPA + 8 * index_of(GVA, 4);
    uint64_t final, table;

    (void)unused;
    set_nested(f, 1, 1);
    final = map_nested(f, GPA_PAGE, HPA_PAGE, 1);
    table = map_nested(f, GUEST_TABLES, TABLES_HPA, 1);
    translate(f);
    g_assert_cmpuint(f->result.updates, ==, 24);
    g_assert_cmphex(bits_set(f, root, true), ==, A);
    g_assert_cmphex(bits_set(f, f->leaf_hpa, true), ==, A);
    g_assert_cmphex(bits_set(f, final, true), ==, A);
    g_assert_cmphex(bits_set(f, table, true), ==, A | D);
    f->access.kind = REF_STORE;
    translate(f);
    g_assert_cmphex(bits_set(f, root, true), ==, A);
    g_assert_cmphex(bits_set(f, f->leaf_hpa, true), ==, A | D);
    g_assert_cmphex(bits_set(f, final, true), ==, A | D);
}

static void test_accessed_before_fault(struct fixture *f, const void *unused)
{
    uint64_t root = GUEST_TABLES + 8 * index_of(GVA, 4);

    (void)unused;
    map_guest(f, 1);
    f->access.kind = REF_STORE;
    write_memory(&f->memory, f->leaf_hpa, GPA_PAGE | P | U);
    translate(f);
    g_assert_cmphex(bits_set(f, root, true), ==, 0);
    g_assert_cmphex(bits_set(f, root, false), ==, A);
    g_assert_cmphex(bits_set(f, f->leaf_hpa, false), ==, A);
    write_memory(&f->memory, f->leaf_hpa, 0);
    translate(f);
    g_assert_cmphex(bits_set(f, f->leaf_hpa, false), ==, 0);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*test)(struct fixture *f, const void *unused);
    } tests[] = {
        { "native-costs-its-levels", test_native },
        { "native-costs-5-with-5-levels", test_native_5_levels },
        { "base-costs-both-dimensions", test_base },
        { "base-arrives-where-both-tables-say", test_base_address },
        { "base-costs-35-with-5-levels", test_base_5_levels },
        { "native-direct-costs-1-check", test_native_direct },
        { "guest-direct-costs-the-nested-walk", test_guest_direct },
        { "vmm-direct-costs-the-guest-walk", test_vmm_direct },
        { "dual-direct-costs-1-check", test_dual_direct },
        { "mixed-decides-each-gpa-by-itself", test_mixed },
        { "missed-segments-cost-their-checks", test_missed_segments },
        { "no-paging-has-one-gpa", test_no_paging },
        { "pae-has-three-levels-and-no-segment", test_pae },
        { "guest-segment-is-half-open", test_guest_edges },
        { "guest-segment-needs-base-below-limit", test_guest_not_in_force },
        { "vmm-segment-is-half-open", test_vmm_edges },
        { "non-canonical-is-no-walk", test_canonical },
        { "hash-functions-are-those-of-the-specification", test_hash },
        { "filter-needs-all-four-bits", test_passes_with_all_four },
        { "escapes-cost-their-nested-walks", test_escapes },
        { "leaf-permissions", test_leaf_permissions },
        { "segment-permissions-are-those-of-a-leaf", test_segment_permissions },
        { "rights-need-every-level", test_upper_entries },
        { "guest-segment-beyond-maxphyaddr", test_segment_too_wide },
        { "reserved-bits-of-each-level", test_reserved_bits },
        { "nx-is-reserved-without-nxe", test_nx_reserved },
        { "npf-of-the-final-gpa", test_npf_final },
        { "npf-of-a-table-is-a-write", test_npf_table },
        { "vmm-segment-beyond-maxphyaddr", test_vmm_segment_too_wide },
        { "faults-come-in-order", test_order_of_faults },
        { "accessed-and-dirty-bits", test_accessed_and_dirty },
        { "accessed-bits-before-a-fault-are-left-open",
          test_accessed_before_fault },
    };

    g_test_init(&argc, &argv, NULL);
    for (unsigned i = 0; i < G_N_ELEMENTS(tests); i++) {
        g_autofree char *path = g_strdup_printf("/reference/%s", tests[i].name);

        g_test_add(path, struct fixture, NULL, setup, tests[i].test, NULL);
    }
    return g_test_run();
}
