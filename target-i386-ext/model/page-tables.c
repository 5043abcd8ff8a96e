/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: the shapes of x86 page tables
 */

#include "model/page-tables.h"

#define PTE_P    (UINT64_C(1) << 0)
#define PTE_RW   (UINT64_C(1) << 1)
#define PTE_US   (UINT64_C(1) << 2)
#define PTE_PS   (UINT64_C(1) << 7)
#define PTE_PAT  (UINT64_C(1) << 12) /* of a large page */
#define PTE_ADDR (((UINT64_C(1) << 52) - 1) & DSEG_PAGE_MASK)
#define PTE_NX   (UINT64_C(1) << 63)

/* Bits 62:52 are free for software, but not with PAE paging. */
#define PTE_HIGH (UINT64_C(0x7ff) << 52)

/* One paging mode: APM volume 2, sections 5.2 (legacy) and 5.3 (long). */
static const struct {
    uint8_t entry_size;
    uint8_t index_bits;     /* of every level but the top one */
    uint8_t top_index_bits;
    uint64_t root_mask;
} modes[] = {
    [DSEG_PAGING_NONE] = { 0, 0, 0, 0 },
    [DSEG_PAGING_LEGACY] = { 4, 10, 10, UINT64_C(0xfffff000) },
    [DSEG_PAGING_PAE] = { 8, 9, 2, UINT64_C(0xffffffe0) },
    [DSEG_PAGING_LONG4] = { 8, 9, 9, PTE_ADDR },
    [DSEG_PAGING_LONG5] = { 8, 9, 9, PTE_ADDR },
};

unsigned dseg_paging_shift(DsegPagingMode mode, unsigned level)
{
    return DSEG_PAGE_BITS + (level - 1) * modes[mode].index_bits;
}

/* Whether a present entry of @level with the PS bit is a page. */
static bool is_leaf(const DsegTables *tables, unsigned level, uint64_t entry)
{
    if (level == 1) {
        return true;
    }
    if (!(entry & PTE_PS)) {
        return false;
    }
    switch (tables->mode) {
    case DSEG_PAGING_LEGACY:
        return tables->large_pages;
    case DSEG_PAGING_PAE:
        return level == 2;
    default:
        return level == 2 || level == 3;
    }
}

/* The bits that must be 0 in a present entry. */
static uint64_t reserved_bits(const DsegTables *tables, unsigned level,
                              bool leaf)
{
    uint64_t mask = PTE_ADDR & ~((UINT64_C(1) << tables->phys_bits) - 1);

    if (tables->mode == DSEG_PAGING_LEGACY) {
        /* Bits 20:13 of a 4 MiB page are its address bits 39:32. */
        return leaf && level == 2 ? UINT64_C(1) << 21 : 0;
    }
    if (!tables->no_execute) {
        mask |= PTE_NX;
    }
    if (tables->mode == DSEG_PAGING_PAE) {
        mask |= PTE_HIGH;
        if (level == 3) {
            mask |= PTE_NX;
        }
    } else if (level >= 4) {
        mask |= PTE_PS;
    }
    if (leaf && level > 1) {
        unsigned shift = dseg_paging_shift(tables->mode, level);
        uint64_t below = (UINT64_C(1) << shift) - 1;

        mask |= below & PTE_ADDR & ~PTE_PAT;
    }
    return mask;
}

/* The address of the page that leaf @entry of @level maps. */
static uint64_t leaf_addr(DsegPagingMode mode, unsigned level, uint64_t entry)
{
    uint64_t below = (UINT64_C(1) << dseg_paging_shift(mode, level)) - 1;

    if (mode == DSEG_PAGING_LEGACY && level == 2) {
        return (entry & UINT64_C(0xffc00000)) |
               (entry & UINT64_C(0x001fe000)) << (32 - 13);
    }
    return entry & PTE_ADDR & ~below;
}

static void restrict_to(const DsegTables *tables, unsigned level,
                        uint64_t entry, DsegMapping *out)
{
    /* The entries of the PAE top level have no permissions. */
    if (tables->mode == DSEG_PAGING_PAE && level == 3) {
        return;
    }
    out->writable &= !!(entry & PTE_RW);
    out->user &= !!(entry & PTE_US);
    out->executable &= !(entry & PTE_NX);
}

DsegLookup dseg_tables_lookup(const DsegTables *tables, uint64_t addr,
                              DsegMapping *out)
{
    DsegPagingMode mode = tables->mode;
    uint64_t table = tables->root & modes[mode].root_mask;

    *out = (DsegMapping){
        .addr = addr,
        .lg_size = DSEG_PAGE_BITS,
        .writable = true,
        .user = true,
        .executable = true,
    };
    for (unsigned level = dseg_paging_levels(mode); level > 0; level--) {
        unsigned shift = dseg_paging_shift(mode, level);
        unsigned bits = level == dseg_paging_levels(mode) ?
                        modes[mode].top_index_bits : modes[mode].index_bits;
        uint64_t index = addr >> shift & ((UINT64_C(1) << bits) - 1);
        uint64_t entry;
        bool leaf;

        out->lg_size = shift;
        if (!tables->load(tables->opaque,
                          table + index * modes[mode].entry_size,
                          modes[mode].entry_size, &entry)) {
            return DSEG_LOOKUP_UNREADABLE;
        }
        if (!(entry & PTE_P)) {
            return DSEG_LOOKUP_NOT_PRESENT;
        }
        leaf = is_leaf(tables, level, entry);
        if (entry & reserved_bits(tables, level, leaf)) {
            return DSEG_LOOKUP_RESERVED;
        }
        restrict_to(tables, level, entry, out);
        if (leaf) {
            out->addr = leaf_addr(mode, level, entry) |
                        (addr & ((UINT64_C(1) << shift) - 1));
            break;
        }
        table = entry & PTE_ADDR;
    }
    return DSEG_LOOKUP_MAPPED;
}
