/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Page tables of four or five levels (APM, chapter 5): those of a guest, and
 * nested ones. Level 1 has the entries of 4 KiB pages, 2 those of 2 MiB, 3
 * those of 1 GiB pages.
 */
#ifndef BARE_METAL_TABLES_H
#define BARE_METAL_TABLES_H

#include <stdint.h>

struct arena;

#define MAX_LEVELS 5

struct tables {
    /* What goes into CR3 or nCR3, as the walker addresses it. */
    uint64_t root;
    unsigned levels;
    /*
     * What the walker adds to such an address to find the hPA: 0 for nested
     * tables.
     */
    uint64_t to_hpa;
    /* Where new tables come from: [level] those with entries of that level. */
    struct arena *from[MAX_LEVELS + 1];
    /* For entries that point at tables. */
    uint64_t flags;
};

/* Make tables that map nothing: P, W and U in entries that point at tables. */
void tables_init(struct tables *tables, unsigned levels, uint64_t to_hpa,
                 struct arena *from);

/*
 * As tables_init(), where the tables of each level come from an arena of their
 * own.
 */
void tables_init_from(struct tables *tables, unsigned levels, uint64_t to_hpa,
                      struct arena *const from[MAX_LEVELS + 1]);

/*
 * Make tables for L1 itself: they map its first 512 GiB as the present ones do,
 * which have as many levels.
 */
void tables_init_own(struct tables *tables, unsigned levels,
                     struct arena *from);

/*
 * The entry of that level on the way to an address, for any use. The tables
 * above it are made where there are none. In guest mode it takes effect at the
 * next VMRUN.
 */
volatile uint64_t *tables_entry(struct tables *tables, uint64_t address,
                                unsigned level);

/*
 * The address of that entry, as the walker addresses it: a gPA for a guest's
 * tables.
 */
uint64_t tables_entry_address(struct tables *tables, uint64_t address,
                              unsigned level);

/*
 * Map size bytes at an address, by pages of that level, with these flags in the
 * leaf.
 */
void tables_map(struct tables *tables, uint64_t address, uint64_t to,
                uint64_t size, unsigned level, uint64_t flags);

/* Bytes that an entry of that level maps. */
static inline uint64_t level_size(unsigned level)
{
    return 1ull << (12 + 9 * (level - 1));
}

#endif
