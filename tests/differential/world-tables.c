/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The page tables of a world: in the guest's, entries point at any table or
 * page of the right kind; nested ones map linearly, mostly, so that the guest's
 * tables are found.
 */
#include "world-tables.h"

#include "lib/cpu.h"

/*
 * Numbers of tables, by what they have entries of. The first is on the way to
 * the code.
 */
struct numbers {
    unsigned first, count;
};

static const struct numbers guest_tables[] = {      /* [level] */
    [1] = { 10, 8 }, [2] = { 6, 4 }, [3] = { 3, 3 }, [4] = { 1, 2 },
    [5] = { 0, 1 },
};
static const struct numbers nested_tables[] = {
    [1] = { GUEST_TABLES + 8, 10 }, [2] = { GUEST_TABLES + 4, 4 },
    [3] = { GUEST_TABLES + 2, 2 }, [4] = { GUEST_TABLES + 1, 1 },
    [5] = { GUEST_TABLES, 1 },
};

/*
 * Indices that are in use in the guest's tables of levels 3 to 5; and that of
 * the code.
 */
static const uint16_t upper_indices[] = { 0, 1, 3, 255, 256, 511 };
#define CODE_INDEX (CODE_KERNEL / GiB)
#define WINDOW_INDEX (WINDOW / (2 * MiB))

uint64_t table_hpa(unsigned number)
{
    if (number >= GUEST_TABLES) {
        return NESTED_TABLES + (number - GUEST_TABLES) * PAGE;
    }
    if (number >= 2 * HOT_PAGES) {          /* the code is the one before */
        return WINDOW + 4 * MiB + hot_pages[number - 2 * HOT_PAGES + 2] * PAGE;
    }
    return WINDOW + number / HOT_PAGES * 2 * MiB +
           hot_pages[number % HOT_PAGES] * PAGE;
}

static void set_entry(unsigned number, unsigned index, uint64_t entry)
{
    uint64_t hpa = table_hpa(number) + index * sizeof(entry);

    *(uint64_t *)at_hpa(hpa) = entry;
    *shadow_of(hpa) = entry;
}

/* -- Bits of an entry -- */

/* What entries have in common that are made one after the other. */
struct maker {
    const struct world *world;
    struct random *random;
    bool nested, pae, no_execute;                   /* NX may be set */
};

/*
 * Bits that the CPU ignores, or that only say how to cache: PCD, PWT, PAT, G,
 * available.
 */
static uint64_t ignored_bits(const struct maker *maker, unsigned level,
                             bool leaf)
{
    uint64_t bits = BIT(3) | BIT(4) | BIT(9) | BIT(10) | BIT(11);

    if (level <= 3) {
        bits |= BIT(8);
    }
    if (leaf) {
        bits |= level == 1 ? BIT(7) : BIT(12);
    }
    if (!maker->pae) {
        bits |= 0x7ffull << 52;                     /* and the key, of a leaf */
    }
    return random64(maker->random) & bits;
}

static uint64_t some_reserved_bit(const struct maker *maker, unsigned level,
                                  bool leaf)
{
    unsigned maxphyaddr = maker->world->state.maxphyaddr;

    if (leaf && level > 1 && one_in(maker->random, 2)) {
        return BIT(13 + random_below(maker->random, 9 * (level - 1) - 1));
    }
    if (level >= 4 && one_in(maker->random, 2)) {
        return one_in(maker->random, 2) ? BIT(7) : BIT(8);
    }
    if (maker->pae && one_in(maker->random, 2)) {
        return BIT(52 + random_below(maker->random, 11));
    }
    return BIT(maxphyaddr + random_below(maker->random, 52 - maxphyaddr));
}

static uint64_t with_anomaly(const struct maker *maker, uint64_t entry,
                             unsigned level, bool leaf)
{
    switch (random_below(maker->random, 5)) {
    case 0:
        return entry & ~PTE_P;
    case 1:
        return entry & ~PTE_W;
    case 2:
        return entry & ~PTE_U;
    case 3:
        return entry | PTE_NX;
    default:
        return entry | some_reserved_bit(maker, level, leaf);
    }
}

/* A leaf's rights differ from page to page; less so in nested tables. */
static uint64_t with_rights(const struct maker *maker, uint64_t entry)
{
    struct random *random = maker->random;

    entry &= one_in(random, maker->nested ? 16 : 2) ? ~PTE_U : ~0ull;
    entry &= one_in(random, maker->nested ? 16 : 4) ? ~PTE_W : ~0ull;
    if (maker->no_execute && one_in(random, maker->nested ? 16 : 6)) {
        entry |= PTE_NX;
    }
    return entry;
}

static uint64_t clean_entry(const struct maker *maker, uint64_t address,
                            unsigned level, bool leaf)
{
    return address | PTE_P | PTE_W | PTE_U |
           (random64(maker->random) & (PTE_A | PTE_D)) |
           (leaf && level > 1 ? PTE_PS : 0) | ignored_bits(maker, level, leaf);
}

static uint64_t some_entry(const struct maker *maker, uint64_t address,
                           unsigned level, bool leaf)
{
    uint64_t entry = clean_entry(maker, address, level, leaf);

    if (leaf) {
        entry = with_rights(maker, entry);
    }
    if (one_in(maker->random, maker->world->anomalies)) {
        entry = with_anomaly(maker, entry, level, leaf);
    }
    return entry;
}

static unsigned some_table(struct random *random, struct numbers numbers)
{
    return numbers.first + random_below(random, numbers.count);
}

static uint64_t some_data_page(struct random *random)
{
    unsigned of_2m = random_below(random, (WINDOW_END - DATA) / (2 * MiB));

    return DATA + of_2m * 2 * MiB + random_of(random, hot_pages) * PAGE;
}

/* -- The guest's tables -- */

static uint64_t guest_table_entry(const struct maker *maker, unsigned level)
{
    unsigned number = some_table(maker->random, guest_tables[level - 1]);

    return some_entry(maker, some_slot(maker->world, maker->random) +
                      table_hpa(number), level, false);
}

static uint64_t guest_leaf(const struct maker *maker, unsigned level)
{
    struct random *random = maker->random;
    uint64_t page = some_slot(maker->world, random);

    if (level == 2) {
        page += WINDOW + random_below(random, WINDOW_2M) * 2 * MiB;
    } else if (level == 1) {
        page += one_in(random, 16)
                ? table_hpa(random_below(random, GUEST_TABLES))
                : some_data_page(random);
    }
    return some_entry(maker, page, level, true);
}

static uint64_t guest_entry(const struct maker *maker, unsigned level)
{
    if (level == 1 || (level <= 3 && one_in(maker->random, 4))) {
        return guest_leaf(maker, level);
    }
    return guest_table_entry(maker, level);
}

static void fill_guest_table(const struct maker *maker, unsigned level,
                             unsigned number)
{
    for (unsigned i = 0; level == 1 && i < HOT_PAGES; i++) {
        set_entry(number, hot_pages[i], guest_entry(maker, level));
    }
    for (unsigned i = 0; level == 2 && i < WINDOW_2M; i++) {
        set_entry(number, WINDOW_INDEX + i, guest_entry(maker, level));
    }
    for (unsigned i = 0; level > 2 &&
         i < sizeof(upper_indices) / sizeof(upper_indices[0]); i++) {
        set_entry(number, upper_indices[i], guest_entry(maker, level));
    }
}

/* PAE's four topmost entries have few bits. */
static void fill_pae_root(const struct maker *maker, unsigned number)
{
    for (unsigned i = 0; i < 4; i++) {
        uint64_t slot = some_slot(maker->world, maker->random);
        uint64_t table = some_table(maker->random, guest_tables[2]);
        uint64_t entry = slot + table_hpa(table) + PTE_P;

        if (one_in(maker->random, maker->world->anomalies)) {
            entry &= ~PTE_P;
        }
        set_entry(number, i, entry);
    }
}

/* The way to the code, and the code for the kernel and for users. */
static void map_code(const struct maker *maker)
{
    uint64_t slot = maker->world->state.nested ? CODE_SLOT : 0;
    uint64_t code = slot + CODE_HPA;

    for (unsigned level = 5; level > 1; level--) {
        uint64_t table = slot + table_hpa(guest_tables[level - 1].first);
        unsigned index = level > 3 ? 0 : level == 3 ? CODE_INDEX : WINDOW_INDEX;

        set_entry(guest_tables[level].first, index,
                  maker->pae && level == 3 ? table + PTE_P
                      : clean_entry(maker, table, level, false));
    }
    set_entry(guest_tables[1].first, 0,
              clean_entry(maker, code, 1, true) & ~PTE_U);
    set_entry(guest_tables[1].first, 1, clean_entry(maker, code, 1, true));
}

/* L1's memory, one to one. Its own walks are not to change the entries. */
static void map_own_memory(const struct maker *maker)
{
    for (unsigned level = 5; level > 3; level--) {
        uint64_t table = table_hpa(guest_tables[level - 1].first);

        set_entry(guest_tables[level].first, 0,
                  clean_entry(maker, table, level, false) | PTE_A);
    }
    set_entry(guest_tables[3].first, 0,
              PTE_P | PTE_W | PTE_A | PTE_D | PTE_PS);
}

static uint64_t guest_root(const struct world *world, struct random *random)
{
    unsigned level = world->mode == MODE_PAE ? 3
                     : world->state.guest.cr4 & CR4_LA57 ? 5 : 4;
    uint64_t slot = one_in(random, 2) || !world->state.nested
                    ? some_slot(world, random) : CODE_SLOT;

    return (world->mode == MODE_PAE ? slot % (4 * GiB) : slot) +
           table_hpa(guest_tables[level].first);
}

static void make_guest_tables(struct world *world, struct random *random)
{
    struct maker maker = {
        .world = world, .random = random, .pae = world->mode == MODE_PAE,
        .no_execute = world->state.guest.efer & EFER_NXE,
    };

    for (unsigned level = 1; level <= 5; level++) {
        for (unsigned i = 0; i < guest_tables[level].count; i++) {
            fill_guest_table(&maker, level, guest_tables[level].first + i);
        }
    }
    if (maker.pae) {
        fill_pae_root(&maker, guest_tables[3].first);
    }
    map_code(&maker);
    if (world->without_guest) {
        map_own_memory(&maker);
    }
    world->state.guest.cr3 = guest_root(world, random);
}

/* -- The nested tables -- */

static uint64_t nested_page(const struct maker *maker, unsigned of_2m,
                            unsigned page)
{
    bool of_tables = of_2m < (DATA - WINDOW) / (2 * MiB);
    uint64_t hpa = WINDOW + of_2m * 2 * MiB + page * PAGE;

    if (one_in(maker->random, of_tables ? 64 : 8)) {
        hpa = some_data_page(maker->random);
    }
    return some_entry(maker, hpa, 1, true);
}

/*
 * An entry for 2 MiB of the window: a leaf, or the table that belongs there; or
 * another.
 */
static uint64_t nested_2m(const struct maker *maker, unsigned of_2m)
{
    struct random *random = maker->random;
    unsigned number = of_2m;                /* of 2 MiB, or of a table */

    if (one_in(random, 16)) {
        number = random_below(random, WINDOW_2M);
    }
    if (one_in(random, 3)) {
        return some_entry(maker, WINDOW + number * 2 * MiB, 2, true);
    }
    if (one_in(random, 16)) {
        number = random_below(random, nested_tables[1].count);
    }
    return some_entry(maker, table_hpa(nested_tables[1].first + number), 2,
                      false);
}

static uint64_t nested_1g(const struct maker *maker)
{
    struct random *random = maker->random;

    if (one_in(random, 4)) {
        return some_entry(maker, one_in(random, 16) ? HOLE : 0, 3, true);
    }
    return some_entry(maker, table_hpa(some_table(random, nested_tables[2])), 3,
                      false);
}

static void fill_nested_leaves(const struct maker *maker)
{
    for (unsigned table = 0; table < nested_tables[1].count; table++) {
        for (unsigned i = 0; i < HOT_PAGES; i++) {
            unsigned of_2m = table < WINDOW_2M
                             ? table : random_below(maker->random, WINDOW_2M);

            set_entry(nested_tables[1].first + table, hot_pages[i],
                      nested_page(maker, of_2m, hot_pages[i]));
        }
    }
    for (unsigned table = 0; table < nested_tables[2].count; table++) {
        for (unsigned i = 0; i < WINDOW_2M; i++) {
            set_entry(nested_tables[2].first + table, WINDOW_INDEX + i,
                      nested_2m(maker, i));
        }
    }
}

/* The way to the 1 GiB that a slot begins at, and its entry. */
static void fill_nested_slot(const struct maker *maker, uint64_t slot)
{
    unsigned top = slot / GiB >> 9, index = slot / GiB & 511;
    unsigned pointers = nested_tables[3].first + !!top;
    bool for_code = slot == CODE_SLOT &&
                    !(maker->world->one_slot && one_in(maker->random, 2));

    set_entry(nested_tables[4].first, top,
              some_entry(maker, table_hpa(pointers), 4, false));
    set_entry(pointers, index,
              for_code ? clean_entry(maker, 0, 3, true) : nested_1g(maker));
}

static void make_nested_tables(struct world *world, struct random *random)
{
    const struct maker maker = {
        .world = world, .random = random, .nested = true,
        .no_execute = world->state.host.efer & EFER_NXE,
    };
    uint64_t slots = 1ull << (world->state.maxphyaddr - 30);
    unsigned levels = world->state.host.cr4 & CR4_LA57 ? 5 : 4;

    fill_nested_leaves(&maker);
    for (uint64_t slot = 0; slot < 4; slot++) {
        fill_nested_slot(&maker, slot * GiB);
    }
    fill_nested_slot(&maker, slots / 2 * GiB);
    fill_nested_slot(&maker, (slots - 1) * GiB);
    set_entry(nested_tables[5].first, 0,
              some_entry(&maker, table_hpa(nested_tables[4].first), 5, false));
    world->state.host.cr3 = table_hpa(nested_tables[levels].first);
}

void world_make_tables(struct world *world, struct random *random)
{
    make_guest_tables(world, random);
    make_nested_tables(world, random);
}
