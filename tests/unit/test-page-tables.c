/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unit tests of page tables: how many references they cost, and what they say
 * of an address
 */

#include <string.h>

#include "model/page-tables.h"
#include "random.h"

#define P    UINT64_C(0x001)
#define RW   UINT64_C(0x002)
#define US   UINT64_C(0x004)
#define PS   UINT64_C(0x080)
#define PAT  UINT64_C(0x1000)   /* in entries of large pages */
#define NX   (UINT64_C(1) << 63)

#define BITS(lo, hi) (~UINT64_C(0) >> (63 - (hi)) & ~UINT64_C(0) << (lo))

/* The physical memory that the tables live in: 64 KiB, nothing above. */
#define MEMORY_SIZE 0x10000
#define MEMORY_PAGES (MEMORY_SIZE >> DSEG_PAGE_BITS)

static bool load(void *opaque, uint64_t addr, unsigned size, uint64_t *value)
{
    const uint8_t *memory = opaque;

    g_assert_true(size == 4 || size == 8);
    g_assert_cmphex(addr % size, ==, 0);
    if (addr >= MEMORY_SIZE) {
        return false;
    }
    *value = 0;
    for (unsigned i = 0; i < size; i++) {
        *value |= (uint64_t)memory[addr + i] << (8 * i);
    }
    return true;
}

static void store(uint8_t *memory, uint64_t addr, unsigned size, uint64_t value)
{
    g_assert_cmphex(addr, <=, MEMORY_SIZE - size);
    for (unsigned i = 0; i < size; i++) {
        memory[addr + i] = value >> (8 * i);
    }
}

/* One paging mode with one page size, as the manual draws it. */
typedef struct Shape {
    const char *name;
    DsegPagingMode mode;
    unsigned lg_size;
    DsegPageKind kind;
    unsigned refs;
    unsigned entry_size;
    unsigned shift[5];      /* what one entry of each level maps */
    unsigned index_bits[5]; /* how many bits of the address choose it */
    uint64_t addr;          /* an address with different bits for all levels */
} Shape;

static const Shape shapes[] = {
    { "legacy-4k", DSEG_PAGING_LEGACY, 12, DSEG_PAGE_4K, 2, 4,
      { 22, 12 }, { 10, 10 }, 0xc1234567 },
    { "legacy-4m", DSEG_PAGING_LEGACY, 22, DSEG_PAGE_4M, 1, 4,
      { 22 }, { 10 }, 0xc1234567 },
    { "pae-4k", DSEG_PAGING_PAE, 12, DSEG_PAGE_4K, 3, 8,
      { 30, 21, 12 }, { 2, 9, 9 }, 0xc1234567 },
    { "pae-2m", DSEG_PAGING_PAE, 21, DSEG_PAGE_2M, 2, 8,
      { 30, 21 }, { 2, 9 }, 0xc1234567 },
    { "long4-4k", DSEG_PAGING_LONG4, 12, DSEG_PAGE_4K, 4, 8,
      { 39, 30, 21, 12 }, { 9, 9, 9, 9 }, 0x7f1234567abc },
    { "long4-2m", DSEG_PAGING_LONG4, 21, DSEG_PAGE_2M, 3, 8,
      { 39, 30, 21 }, { 9, 9, 9 }, 0x7f1234567abc },
    { "long4-1g", DSEG_PAGING_LONG4, 30, DSEG_PAGE_1G, 2, 8,
      { 39, 30 }, { 9, 9 }, 0xffff923456789abc },
    { "long5-4k", DSEG_PAGING_LONG5, 12, DSEG_PAGE_4K, 5, 8,
      { 48, 39, 30, 21, 12 }, { 9, 9, 9, 9, 9 }, 0xff123456789abcde },
    { "long5-2m", DSEG_PAGING_LONG5, 21, DSEG_PAGE_2M, 4, 8,
      { 48, 39, 30, 21 }, { 9, 9, 9, 9 }, 0x00edcba987654321 },
    { "long5-1g", DSEG_PAGING_LONG5, 30, DSEG_PAGE_1G, 3, 8,
      { 48, 39, 30 }, { 9, 9, 9 }, 0x00edcba987654321 },
};

/* Tables of one shape that map its address to itself, cut to 32 bits. */
typedef struct Built {
    const Shape *shape;
    uint8_t memory[MEMORY_SIZE];
    uint64_t entry_addr[5];
    uint64_t entry[5];
    DsegTables tables;
} Built;

static uint64_t page_base(const Shape *shape, uint64_t addr)
{
    return addr & UINT32_MAX & ~BITS(0, shape->lg_size - 1);
}

static bool is_leaf(const Shape *shape, unsigned level)
{
    return level == shape->refs - 1;
}

/* The entry that chooses one of four page directories in PAE mode. */
static bool is_pdpte(const Shape *shape, unsigned level)
{
    return shape->mode == DSEG_PAGING_PAE && level == 0;
}

static void set_entry(Built *b, unsigned level, uint64_t value)
{
    b->entry[level] = value;
    store(b->memory, b->entry_addr[level], b->shape->entry_size, value);
}

static uint64_t usual_flags(const Shape *shape, unsigned level)
{
    return is_pdpte(shape, level) ? P : P | RW | US;
}

static void build(Built *b, const Shape *shape)
{
    /* PAE's root is a multiple of 32 bytes, all others are of pages. */
    uint64_t table = shape->mode == DSEG_PAGING_PAE ? 0x1fe0 : 0x1000;

    *b = (Built) {
        .shape = shape,
        .tables = {
            .mode = shape->mode, .root = table, .large_pages = true,
            .no_execute = true, .phys_bits = 40, .load = load,
        },
    };
    b->tables.opaque = b->memory;

    for (unsigned level = 0; level < shape->refs; level++) {
        uint64_t index = shape->addr >> shape->shift[level]
                         & BITS(0, shape->index_bits[level] - 1);
        uint64_t next = 0x2000 + 0x1000 * level;
        uint64_t flags = usual_flags(shape, level);

        if (is_leaf(shape, level)) {
            next = page_base(shape, shape->addr);
            flags |= shape->lg_size > 12 ? PS : 0;
        }
        b->entry_addr[level] = table + index * shape->entry_size;
        set_entry(b, level, next | flags);
        table = next;
    }
}

static const Shape *shape_named(const char *name)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(shapes); i++) {
        if (!strcmp(shapes[i].name, name)) {
            return &shapes[i];
        }
    }
    g_assert_not_reached();
}

static DsegLookup lookup(const Built *b, DsegMapping *out)
{
    return dseg_tables_lookup(&b->tables, b->shape->addr, out);
}

static DsegMapping assert_mapped(const Built *b)
{
    DsegMapping out;

    g_assert_cmpint(lookup(b, &out), ==, DSEG_LOOKUP_MAPPED);
    g_assert_cmphex(out.addr, ==, b->shape->addr & UINT32_MAX);
    g_assert_cmpuint(out.lg_size, ==, b->shape->lg_size);
    return out;
}

static void test_refs(gconstpointer data)
{
    const Shape *shape = data;

    g_assert_cmpuint(dseg_paging_refs(shape->mode, shape->lg_size), ==,
                     shape->refs);
}

static void test_refs_none(void)
{
    static const unsigned lg_sizes[] = { 12, 21, 22, 30 };

    for (unsigned i = 0; i < G_N_ELEMENTS(lg_sizes); i++) {
        g_assert_cmpuint(dseg_paging_refs(DSEG_PAGING_NONE, lg_sizes[i]), ==,
                         0);
    }
}

static void test_levels(void)
{
    g_assert_cmpuint(dseg_paging_levels(DSEG_PAGING_NONE), ==, 0);
    g_assert_cmpuint(dseg_paging_levels(DSEG_PAGING_LEGACY), ==, 2);
    g_assert_cmpuint(dseg_paging_levels(DSEG_PAGING_PAE), ==, 3);
    g_assert_cmpuint(dseg_paging_levels(DSEG_PAGING_LONG4), ==, 4);
    g_assert_cmpuint(dseg_paging_levels(DSEG_PAGING_LONG5), ==, 5);
}

static void test_page_kinds(void)
{
    for (unsigned lg_size = 0; lg_size < 64; lg_size++) {
        g_assert_cmpint(dseg_page_kind(lg_size), ==,
                        lg_size == 12 ? DSEG_PAGE_4K
                        : lg_size == 21 ? DSEG_PAGE_2M
                        : lg_size == 22 ? DSEG_PAGE_4M
                        : lg_size == 30 ? DSEG_PAGE_1G
                        : DSEG_PAGE_NONE);
    }
}

static void test_no_paging_is_identity(void)
{
    static const uint64_t addrs[] = { 0, 0xfff, 0x12345678, 0xffffffff };
    const DsegTables tables = { .mode = DSEG_PAGING_NONE, .phys_bits = 40 };

    for (unsigned i = 0; i < G_N_ELEMENTS(addrs); i++) {
        DsegMapping out;

        g_assert_cmpint(dseg_tables_lookup(&tables, addrs[i], &out), ==,
                        DSEG_LOOKUP_MAPPED);
        g_assert_cmphex(out.addr, ==, addrs[i]);
        g_assert_true(out.writable && out.user && out.executable);
    }
}

static void test_maps(gconstpointer data)
{
    Built b;
    DsegMapping out;

    build(&b, data);
    out = assert_mapped(&b);
    g_assert_true(out.writable);
    g_assert_true(out.user);
    g_assert_true(out.executable);
}

static void test_maps_whole_page(gconstpointer data)
{
    const Shape *shape = data;
    uint64_t first = shape->addr & ~BITS(0, shape->lg_size - 1);
    uint64_t last = shape->addr | BITS(0, shape->lg_size - 1);
    Built b;
    DsegMapping out;

    build(&b, shape);
    g_assert_cmpint(dseg_tables_lookup(&b.tables, first, &out), ==,
                    DSEG_LOOKUP_MAPPED);
    g_assert_cmphex(out.addr, ==, first & UINT32_MAX);
    g_assert_cmpint(dseg_tables_lookup(&b.tables, last, &out), ==,
                    DSEG_LOOKUP_MAPPED);
    g_assert_cmphex(out.addr, ==, last & UINT32_MAX);
    g_assert_cmpint(dseg_tables_lookup(&b.tables, first - 1, &out), ==,
                    DSEG_LOOKUP_NOT_PRESENT);
    g_assert_cmpint(dseg_tables_lookup(&b.tables, last + 1, &out), ==,
                    DSEG_LOOKUP_NOT_PRESENT);
}

static void test_changes_nothing(gconstpointer data)
{
    Built b, before;

    build(&b, data);
    before = b;
    assert_mapped(&b);
    g_assert_cmpmem(b.memory, MEMORY_SIZE, before.memory, MEMORY_SIZE);
}

/* Whatever else the entry says: where P is clear, nothing else counts. */
static void test_not_present(gconstpointer data)
{
    const Shape *shape = data;

    for (unsigned level = 0; level < shape->refs; level++) {
        const uint64_t entries[] = { 0, ~P };

        for (unsigned i = 0; i < G_N_ELEMENTS(entries); i++) {
            Built b;
            DsegMapping out;

            build(&b, shape);
            set_entry(&b, level, entries[i]);
            g_assert_cmpint(lookup(&b, &out), ==, DSEG_LOOKUP_NOT_PRESENT);
            g_assert_cmpuint(out.lg_size, ==, shape->shift[level]);
        }
    }
}

static void test_unreadable(gconstpointer data)
{
    const Shape *shape = data;
    DsegMapping out;
    Built b;

    build(&b, shape);
    b.tables.root = MEMORY_SIZE;
    g_assert_cmpint(lookup(&b, &out), ==, DSEG_LOOKUP_UNREADABLE);
    g_assert_cmpuint(out.lg_size, ==, shape->shift[0]);

    for (unsigned level = 0; !is_leaf(shape, level); level++) {
        build(&b, shape);
        set_entry(&b, level, MEMORY_SIZE | usual_flags(shape, level));
        g_assert_cmpint(lookup(&b, &out), ==, DSEG_LOOKUP_UNREADABLE);
        g_assert_cmpuint(out.lg_size, ==, shape->shift[level + 1]);
    }
}

static void test_writable_is_and(gconstpointer data)
{
    const Shape *shape = data;

    for (unsigned level = 0; level < shape->refs; level++) {
        Built b;
        DsegMapping out;

        build(&b, shape);
        set_entry(&b, level, b.entry[level] & ~RW);
        out = assert_mapped(&b);
        g_assert_true(out.writable == is_pdpte(shape, level));
        g_assert_true(out.user);
        g_assert_true(out.executable);
    }
}

static void test_user_is_and(gconstpointer data)
{
    const Shape *shape = data;

    for (unsigned level = 0; level < shape->refs; level++) {
        Built b;
        DsegMapping out;

        build(&b, shape);
        set_entry(&b, level, b.entry[level] & ~US);
        out = assert_mapped(&b);
        g_assert_true(out.user == is_pdpte(shape, level));
        g_assert_true(out.writable);
        g_assert_true(out.executable);
    }
}

static void test_executable_is_and(gconstpointer data)
{
    const Shape *shape = data;

    for (unsigned level = 0; level < shape->refs; level++) {
        Built b;
        DsegMapping out;

        if (shape->entry_size == 4 || is_pdpte(shape, level)) {
            continue;   /* no such bit, or reserved */
        }
        build(&b, shape);
        set_entry(&b, level, b.entry[level] | NX);
        out = assert_mapped(&b);
        g_assert_false(out.executable);
        g_assert_true(out.writable);
        g_assert_true(out.user);
    }
}

/*
 * The bits that must be zero, by the manual.  Where real processors and QEMU
 * differ, nothing is asked: bits 1, 2 and 5 to 8 of PAE's first level (QEMU
 * keeps an accessed bit there), bit 8 of the two topmost of long mode.
 */
static uint64_t reserved_bits(const Shape *shape, unsigned level,
                              unsigned phys_bits, bool no_execute)
{
    uint64_t bits = phys_bits < 52 ? BITS(phys_bits, 51) : 0;

    if (shape->entry_size == 4) {
        return shape->lg_size == 22 ? UINT64_C(1) << 21 : 0;
    }
    if (!no_execute || is_pdpte(shape, level)) {
        bits |= NX;
    }
    if (shape->mode == DSEG_PAGING_PAE) {
        bits |= BITS(52, 62);
    }
    if (shape->shift[level] > 30) {
        bits |= PS;
    }
    if (is_leaf(shape, level) && shape->lg_size > 12) {
        bits |= BITS(13, shape->lg_size - 1);
    }
    return bits;
}

static void test_reserved(gconstpointer data)
{
    static const unsigned widths[] = { 32, 36, 40, 48, 52 };
    const Shape *shape = data;

    for (unsigned w = 0; w < G_N_ELEMENTS(widths); w++) {
        for (unsigned level = 0; level < shape->refs; level++) {
            for (unsigned nx = 0; nx < 2; nx++) {
                uint64_t bits = reserved_bits(shape, level, widths[w], nx);

                for (unsigned bit = 0; bit < 64; bit++) {
                    DsegMapping out;
                    Built b;

                    if (!(bits >> bit & 1)) {
                        continue;
                    }
                    build(&b, shape);
                    b.tables.phys_bits = widths[w];
                    b.tables.no_execute = nx;
                    set_entry(&b, level,
                              b.entry[level] | UINT64_C(1) << bit);
                    g_assert_cmpint(lookup(&b, &out), ==,
                                    DSEG_LOOKUP_RESERVED);
                }
            }
        }
    }
}

/* Bits that are for software or caches: they change nothing. */
static void test_ignored(gconstpointer data)
{
    const Shape *shape = data;

    for (unsigned level = 0; level < shape->refs; level++) {
        uint64_t bits = BITS(3, 4) | BITS(9, 11);   /* PWT, PCD, AVL */
        Built b;
        DsegMapping out;

        if (!is_pdpte(shape, level)) {
            bits |= BITS(5, 6);                     /* A, D */
        }
        if (is_leaf(shape, level)) {
            bits |= BITS(8, 8);                     /* G */
            bits |= shape->lg_size > 12 ? PAT : PS; /* PS of a PTE is PAT */
        }
        if (shape->mode >= DSEG_PAGING_LONG4) {
            bits |= BITS(52, 62);                   /* AVL, keys */
        }
        build(&b, shape);
        set_entry(&b, level, b.entry[level] | bits);
        out = assert_mapped(&b);
        g_assert_true(out.writable && out.user && out.executable);
    }
}

static void test_root_flags(gconstpointer data)
{
    const Shape *shape = data;
    Built b;

    build(&b, shape);
    b.tables.root |= shape->mode == DSEG_PAGING_PAE ? 0x1f : 0xfff;
    assert_mapped(&b);
}

/* Each of the four directories is found, from a root inside a page. */
static void test_pae_root(void)
{
    const uint64_t root = 0x1a40;

    for (uint64_t i = 0; i < 4; i++) {
        uint8_t memory[MEMORY_SIZE] = { 0 };
        const DsegTables tables = {
            .mode = DSEG_PAGING_PAE, .root = root, .no_execute = true,
            .phys_bits = 40, .load = load, .opaque = memory,
        };
        DsegMapping out;

        store(memory, root + 8 * i, 8, 0x2000 | P);
        store(memory, 0x2000, 8, 0x200000 * i | P | PS);
        for (uint64_t j = 0; j < 4; j++) {
            g_assert_cmpint(dseg_tables_lookup(&tables, j << 30 | 0x123, &out),
                            ==, j == i ? DSEG_LOOKUP_MAPPED
                                       : DSEG_LOOKUP_NOT_PRESENT);
        }
        dseg_tables_lookup(&tables, i << 30 | 0x123, &out);
        g_assert_cmphex(out.addr, ==, 0x200000 * i + 0x123);
    }
}

/* QEMU's walker sets A in these too, so a table in use must not look broken. */
static void test_pae_pdpte_accessed(void)
{
    Built b;

    build(&b, shape_named("pae-4k"));
    set_entry(&b, 0, b.entry[0] | 0x20);
    assert_mapped(&b);
}

static void test_pse36(void)
{
    for (unsigned bit = 0; bit < 8; bit++) {
        Built b;
        DsegMapping out;

        build(&b, shape_named("legacy-4m"));
        set_entry(&b, 0, b.entry[0] | UINT64_C(1) << (13 + bit));
        g_assert_cmpint(lookup(&b, &out), ==, DSEG_LOOKUP_MAPPED);
        g_assert_cmphex(out.addr, ==,
                        b.shape->addr | UINT64_C(1) << (32 + bit));
    }
}

static void test_pse_off(void)
{
    Built b;

    build(&b, shape_named("legacy-4k"));
    b.tables.large_pages = false;
    set_entry(&b, 0, b.entry[0] | PS);
    assert_mapped(&b);
}

static void test_only_legacy_asks_for_pse(gconstpointer data)
{
    Built b;

    build(&b, data);
    b.tables.large_pages = false;
    assert_mapped(&b);
}

/* Random tables against a second reader of them, written as a loop. */

typedef struct Expected {
    DsegLookup lookup;
    DsegMapping mapping;
} Expected;

static const Shape *smallest_pages(DsegPagingMode mode)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(shapes); i++) {
        if (shapes[i].mode == mode && shapes[i].lg_size == 12) {
            return &shapes[i];
        }
    }
    g_assert_not_reached();
}

static Shape as_large(const Shape *shape, unsigned level)
{
    Shape large = *shape;

    large.lg_size = shape->shift[level];
    large.refs = level + 1;
    return large;
}

static bool may_be_large(const DsegTables *tables, unsigned shift)
{
    return tables->mode == DSEG_PAGING_LEGACY ? tables->large_pages
         : tables->mode == DSEG_PAGING_PAE ? shift == 21
         : shift <= 30;
}

static Expected model_lookup(const DsegTables *tables, uint64_t addr)
{
    const Shape *shape = smallest_pages(tables->mode);
    uint64_t table = tables->root & ~BITS(0, 11);
    Expected e = { .mapping = { .writable = true, .user = true,
                                .executable = true } };

    if (tables->mode == DSEG_PAGING_PAE) {
        table = tables->root & BITS(5, 31);
    }
    for (unsigned level = 0; ; level++) {
        unsigned shift = shape->shift[level];
        uint64_t index = addr >> shift & BITS(0, shape->index_bits[level] - 1);
        uint64_t entry;
        bool large;
        Shape seen;

        if (!load(tables->opaque, table + index * shape->entry_size,
                  shape->entry_size, &entry)) {
            return (Expected) { .lookup = DSEG_LOOKUP_UNREADABLE };
        }
        e.mapping.lg_size = shift;
        if (!(entry & P)) {
            e.lookup = DSEG_LOOKUP_NOT_PRESENT;
            return e;
        }
        large = shift > 12 && entry & PS && may_be_large(tables, shift);
        seen = large ? as_large(shape, level) : *shape;
        if (entry & reserved_bits(&seen, level, tables->phys_bits,
                                  tables->no_execute)) {
            return (Expected) { .lookup = DSEG_LOOKUP_RESERVED };
        }
        if (!is_pdpte(shape, level)) {
            e.mapping.writable &= !!(entry & RW);
            e.mapping.user &= !!(entry & US);
            e.mapping.executable &= shape->entry_size == 4 || !(entry & NX);
        }
        if (large || shift == 12) {
            e.lookup = DSEG_LOOKUP_MAPPED;
            e.mapping.addr = (entry & BITS(shift, 51))
                             | (addr & BITS(0, shift - 1));
            if (large && shape->entry_size == 4) {
                e.mapping.addr |= (entry & BITS(13, 20)) << (32 - 13);
            }
            return e;
        }
        table = entry & BITS(12, 51);
    }
}

/* Mostly present, mostly pointing into the memory, a few wild bits at times. */
static uint64_t random_entry(GRand *rand, unsigned size)
{
    uint64_t page = random_below(rand, MEMORY_PAGES + 1);
    uint64_t flags = random_u64(rand) & BITS(1, 6);
    uint64_t entry = page << DSEG_PAGE_BITS | P | flags;

    if (random_below(rand, 4) == 0) {
        entry ^= UINT64_C(1) << random_below(rand, 8 * size);
    }
    if (random_below(rand, 4) == 0) {
        entry = (entry & ~BITS(13, 29)) | PS;
    }
    return entry;
}

static void fill_memory(GRand *rand, uint8_t *memory, unsigned size)
{
    for (uint64_t addr = 0; addr < MEMORY_SIZE; addr += size) {
        store(memory, addr, size, random_entry(rand, size));
    }
}

static DsegTables random_tables(GRand *rand, uint8_t *memory)
{
    static const unsigned widths[] = { 32, 36, 40, 48, 52 };

    return (DsegTables) {
        .mode = DSEG_PAGING_LEGACY + random_below(rand, 4),
        .root = random_below(rand, MEMORY_SIZE),
        .large_pages = random_bool(rand),
        .no_execute = random_bool(rand),
        .phys_bits = widths[random_below(rand, G_N_ELEMENTS(widths))],
        .load = load,
        .opaque = memory,
    };
}

static void test_lookup_equals_model(void)
{
    g_autoptr(GRand) rand = random_new();
    uint8_t memory[MEMORY_SIZE];
    unsigned seen[DSEG_LOOKUP_UNREADABLE + 1] = { 0 };

    for (uint64_t n = random_rounds(50); n && !g_test_failed(); n--) {
        unsigned size = random_bool(rand) ? 4 : 8;

        fill_memory(rand, memory, size);
        for (unsigned i = 0; i < 5000 && !g_test_failed(); i++) {
            DsegTables tables = random_tables(rand, memory);
            unsigned bits = tables.mode < DSEG_PAGING_LONG4 ? 32 : 64;
            uint64_t addr = random_bits(rand, bits);
            Expected e = model_lookup(&tables, addr);
            DsegMapping out;

            g_assert_cmpint(dseg_tables_lookup(&tables, addr, &out), ==,
                            e.lookup);
            seen[e.lookup]++;
            if (e.lookup == DSEG_LOOKUP_NOT_PRESENT) {
                g_assert_cmpuint(out.lg_size, ==, e.mapping.lg_size);
            }
            if (e.lookup == DSEG_LOOKUP_MAPPED) {
                g_assert_cmphex(out.addr, ==, e.mapping.addr);
                g_assert_cmpuint(out.lg_size, ==, e.mapping.lg_size);
                g_assert_true(out.writable == e.mapping.writable);
                g_assert_true(out.user == e.mapping.user);
                g_assert_true(out.executable == e.mapping.executable);
            }
        }
    }
    random_assert_seen(seen, G_N_ELEMENTS(seen), 1000);
}

/* A test that every one of the shapes has to pass. */
static void add_for_each_shape(const char *name, GTestDataFunc test)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(shapes); i++) {
        g_autofree char *path = g_strdup_printf("/paging/%s/%s",
                                                shapes[i].name, name);
        g_test_add_data_func(path, &shapes[i], test);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();

    add_for_each_shape("refs", test_refs);
    add_for_each_shape("maps", test_maps);
    add_for_each_shape("maps-whole-page", test_maps_whole_page);
    add_for_each_shape("lookup-changes-nothing", test_changes_nothing);
    add_for_each_shape("not-present-at-each-level", test_not_present);
    add_for_each_shape("unreadable-at-each-level", test_unreadable);
    add_for_each_shape("writable-only-if-all-are", test_writable_is_and);
    add_for_each_shape("user-only-if-all-are", test_user_is_and);
    add_for_each_shape("executable-only-if-all-are", test_executable_is_and);
    add_for_each_shape("reserved-bits", test_reserved);
    add_for_each_shape("ignored-bits", test_ignored);
    add_for_each_shape("root-flags-are-ignored", test_root_flags);
    g_test_add_func("/paging/no-paging-costs-nothing", test_refs_none);
    g_test_add_func("/paging/no-paging-is-identity",
                    test_no_paging_is_identity);
    g_test_add_func("/paging/levels", test_levels);
    g_test_add_func("/paging/page-kinds", test_page_kinds);
    g_test_add_func("/paging/pae-root-is-a-multiple-of-32", test_pae_root);
    g_test_add_func("/paging/pae-pdpte-may-be-accessed",
                    test_pae_pdpte_accessed);
    g_test_add_func("/paging/pse-36-bits", test_pse36);
    g_test_add_func("/paging/pse-off-has-no-4m-pages", test_pse_off);
    for (unsigned i = 0; i < G_N_ELEMENTS(shapes); i++) {
        if (shapes[i].mode != DSEG_PAGING_LEGACY) {
            g_autofree char *path = g_strdup_printf(
                "/paging/%s/large-without-pse", shapes[i].name);

            g_test_add_data_func(path, &shapes[i],
                                 test_only_legacy_asks_for_pse);
        }
    }
    g_test_add_func("/paging/random-tables-equal-the-model",
                    test_lookup_equals_model);
    return g_test_run();
}
