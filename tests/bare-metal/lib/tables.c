/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Page tables of four or five levels. */
#include "tables.h"

#include "cpu.h"
#include "memory.h"

/* A new table, as the walker addresses it. */
static uint64_t new_table(struct tables *tables, unsigned level)
{
    return arena_page(tables->from[level]) - tables->to_hpa;
}

void tables_init_from(struct tables *tables, unsigned levels, uint64_t to_hpa,
                      struct arena *const from[MAX_LEVELS + 1])
{
    tables->levels = levels;
    tables->to_hpa = to_hpa;
    tables->flags = PTE_P | PTE_W | PTE_U;
    for (unsigned level = 1; level <= MAX_LEVELS; level++) {
        tables->from[level] = from[level];
    }
    tables->root = new_table(tables, levels);
}

void tables_init(struct tables *tables, unsigned levels, uint64_t to_hpa,
                 struct arena *from)
{
    tables_init_from(tables, levels, to_hpa,
                     (struct arena *[]) { from, from, from, from, from, from });
}

void tables_init_own(struct tables *tables, unsigned levels,
                     struct arena *from)
{
    const uint64_t *present = at_hpa(read_cr3() & PTE_ADDRESS);

    for (unsigned level = levels; level > 4; level--) {
        present = at_hpa(*present & PTE_ADDRESS);
    }
    tables_init(tables, levels, 0, from);
    *tables_entry(tables, 0, 4) = *present;
}

uint64_t tables_entry_address(struct tables *tables, uint64_t address,
                              unsigned level)
{
    uint64_t table = tables->root;

    for (unsigned at = tables->levels;; at--) {
        uint64_t index = address / level_size(at) % 512;
        uint64_t entry_address = table + index * sizeof(uint64_t);
        uint64_t *entry = at_hpa(entry_address + tables->to_hpa);

        if (at == level) {
            return entry_address;
        }
        if (!(*entry & PTE_ADDRESS)) {
            *entry = new_table(tables, at - 1) | tables->flags;
        }
        table = *entry & PTE_ADDRESS;
    }
}

volatile uint64_t *tables_entry(struct tables *tables, uint64_t address,
                                unsigned level)
{
    return at_hpa(tables_entry_address(tables, address, level) +
                  tables->to_hpa);
}

void tables_map(struct tables *tables, uint64_t address, uint64_t to,
                uint64_t size, unsigned level, uint64_t flags)
{
    if (level > 1) {
        flags |= PTE_PS;
    }
    for (uint64_t done = 0; done < size; done += level_size(level)) {
        *tables_entry(tables, address + done, level) = (to + done) | flags;
    }
}
