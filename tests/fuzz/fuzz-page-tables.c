/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz the reader of page tables: it ends, reads no more than the levels there
 * are, and nothing beyond what the last entry says
 */

#include "input.h"
#include "model/page-tables.h"

/* The entries come in the order in which they are read. */
typedef struct Memory {
    Input in;
    const DsegTables *tables;
    uint64_t last_entry;
    unsigned loads;
} Memory;

static bool load(void *opaque, uint64_t addr, unsigned size, uint64_t *value)
{
    Memory *memory = opaque;
    DsegPagingMode mode = memory->tables->mode;

    assert(size == (mode == DSEG_PAGING_LEGACY ? 4 : 8));
    assert(addr % size == 0 && addr < UINT64_C(1) << 52);
    assert(memory->loads < dseg_paging_levels(mode));
    if (memory->loads++) {
        assert(addr >> 12 == (memory->last_entry << 12) >> 24);
        assert(mode == DSEG_PAGING_LEGACY ||
               !(addr >> memory->tables->phys_bits));
    }
    if (!memory->in.left) {
        return false;
    }
    /* Present, or the fuzzer would hardly ever get deeper. */
    *value = take_bytes(&memory->in, size) ^ 1;
    memory->last_entry = *value;
    return true;
}

static void check_mapped(const DsegTables *tables, uint64_t addr,
                         const DsegMapping *mapping, unsigned loads)
{
    uint64_t below = (UINT64_C(1) << mapping->lg_size) - 1;
    unsigned phys_bits = tables->mode == DSEG_PAGING_LEGACY
                         ? 40 : tables->phys_bits;

    if (tables->mode == DSEG_PAGING_NONE) {
        assert(mapping->addr == addr);
        return;
    }
    assert(dseg_page_kind(mapping->lg_size) != DSEG_PAGE_NONE);
    assert(mapping->lg_size != 22 || tables->large_pages);
    assert(loads == dseg_paging_refs(tables->mode, mapping->lg_size));
    assert((mapping->addr & below) == (addr & below));
    assert(!(mapping->addr >> phys_bits));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Memory memory = { { data, size }, NULL, 0, 0 }, again;
    DsegTables tables = {
        .mode = take_below(&memory.in, DSEG_PAGING_LONG5 + 1),
        .root = take_u64(&memory.in),
        .large_pages = take_bool(&memory.in),
        .no_execute = take_bool(&memory.in),
        .phys_bits = take_phys_bits(&memory.in),
        .load = load,
        .opaque = &memory,
    };
    uint64_t addr = take_u64(&memory.in);
    DsegMapping first, second;
    DsegLookup lookup;

    memory.tables = &tables;
    again = memory;
    lookup = dseg_tables_lookup(&tables, addr, &first);
    assert(lookup <= DSEG_LOOKUP_UNREADABLE);
    if (lookup == DSEG_LOOKUP_MAPPED) {
        check_mapped(&tables, addr, &first, memory.loads);
    }

    memory = again;
    assert(dseg_tables_lookup(&tables, addr, &second) == lookup);
    assert(first.lg_size == second.lg_size);
    return 0;
}
