/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: does a segment agree with the page tables in force?
 */

#include "qemu/osdep.h"
#include "qemu/bitops.h"
#include "check.h"
#include "tables.h"

static void use_root(DsegTables *tables, const X86DsegRoot *root)
{
    if (root->mask) {
        tables->root = root->addr;
    }
}

/*
 * Whether tables of that mode can map @base for a guest segment: it is in force
 * only in long mode, and only for addresses that are canonical there.
 */
static bool can_map(const DsegTables *tables, uint64_t base)
{
    switch (tables->mode) {
    case DSEG_PAGING_LONG4:
        return sextract64(base, 0, 48) == (int64_t)base;
    case DSEG_PAGING_LONG5:
        return sextract64(base, 0, 57) == (int64_t)base;
    default:
        return false;
    }
}

/* The rest of the page of 2^@lg_size bytes at @addr, but at most @left. */
static uint64_t rest_of_page(uint64_t addr, unsigned lg_size, uint64_t left)
{
    uint64_t size = UINT64_C(1) << lg_size;

    return MIN(size - (addr & (size - 1)), left);
}

static bool is_mapped(const DsegTables *tables, uint64_t addr,
                      DsegMapping *mapping)
{
    return dseg_tables_lookup(tables, addr, mapping) == DSEG_LOOKUP_MAPPED;
}

static void compare_mapped(X86DsegComparison *c, X86DsegLevel level,
                           const DsegMapping *mapping, uint64_t addr,
                           uint64_t target, uint64_t pages)
{
    bool same = mapping->addr == target;

    c->mapped += pages;
    if (same && mapping->writable &&
        (level == X86_DSEG_LEVEL_VMM || mapping->user)) {
        return;
    }
    if (!c->differing) {
        c->first = addr;
        c->first_target = mapping->addr;
        c->first_permission = same;
        c->verdict = X86_DSEG_DIFFERS;
    }
    c->differing += pages;
}

static void compare_pages(X86DsegComparison *c, X86DsegLevel level,
                          const DsegSegment *segment, const DsegTables *tables)
{
    uint64_t addr = segment->base;

    while (addr < segment->limit) {
        DsegMapping mapping;
        bool mapped = is_mapped(tables, addr, &mapping);
        uint64_t step = rest_of_page(addr, mapping.lg_size,
                                     segment->limit - addr);

        if (mapped) {
            compare_mapped(c, level, &mapping, addr, addr + segment->offset,
                           step / DSEG_PAGE_SIZE);
        }
        addr += step;
    }
}

/* Whether @size bytes at gPA @addr are RAM, as far as they are mapped. */
static bool nested_is_ram(CPUX86State *env, const DsegTables *nested,
                          uint64_t addr, uint64_t size, uint64_t *bad)
{
    while (size) {
        DsegMapping mapping;
        bool mapped = is_mapped(nested, addr, &mapping);
        uint64_t step = rest_of_page(addr, mapping.lg_size, size);

        if (mapped && !x86_dseg_is_ram(env, mapping.addr, step, bad)) {
            *bad += addr - mapping.addr;
            return false;
        }
        addr += step;
        size -= step;
    }
    return true;
}

static bool is_ram(CPUX86State *env, const DsegTables *nested,
                   const DsegSegment *segment, uint64_t *bad)
{
    uint64_t target = segment->base + segment->offset;
    uint64_t size = segment->limit - segment->base;

    return nested ? nested_is_ram(env, nested, target, size, bad)
                  : x86_dseg_is_ram(env, target, size, bad);
}

const DsegTables *x86_dseg_tables_for(X86DsegTables *tables,
                                      X86DsegLevel level,
                                      const X86DsegScoped *scoped)
{
    bool nested = scoped->world == X86_DSEG_WORLD_NESTED;
    DsegTables *found = level == X86_DSEG_LEVEL_VMM ? &tables->nested :
                        nested ? &tables->guest : &tables->native;

    if (nested && !tables->has_nested) {
        return NULL;
    }
    if (nested && level == X86_DSEG_LEVEL_GUEST && !scoped->cr3.mask &&
        !x86_dseg_root_matches(&scoped->nested_cr3, tables->nested.root)) {
        return NULL; /* the CR3 that is known is another guest's */
    }
    if (nested) {
        use_root(&tables->nested, &scoped->nested_cr3);
    }
    if (level == X86_DSEG_LEVEL_GUEST) {
        /* Of a guest that has not run last here, the paging mode is a guess. */
        use_root(found, &scoped->cr3);
        if (!can_map(found, scoped->segment.base)) {
            return NULL;
        }
    }
    return found;
}

X86DsegComparison x86_dseg_compare(CPUX86State *env, X86DsegLevel level,
                                   const X86DsegScoped *scoped)
{
    const DsegSegment *segment = &scoped->segment;
    X86DsegComparison c = {
        .verdict = X86_DSEG_AGREES,
        .pages = (segment->limit - segment->base) / DSEG_PAGE_SIZE,
    };
    X86DsegTables tables;
    const DsegTables *compared, *target;

    x86_dseg_tables(env, &tables);
    compared = x86_dseg_tables_for(&tables, level, scoped);
    target = compared == &tables.guest ? &tables.nested : NULL;
    if (!compared && level == X86_DSEG_LEVEL_GUEST &&
        scoped->world == X86_DSEG_WORLD_NESTED) {
        c.verdict = X86_DSEG_NOTHING; /* nor do we know where the target is */
    } else if (!is_ram(env, target, segment, &c.first_target)) {
        c.verdict = X86_DSEG_NOT_RAM;
    } else if (!compared) {
        c.verdict = X86_DSEG_NOTHING;
    } else {
        compare_pages(&c, level, segment, compared);
    }
    return c;
}
