/*
 * Direct segments: does a segment agree with the page tables in force?
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "check.h"
#include "tables.h"

static void use_root(DsegTables *tables, const X86DsegRoot *root)
{
    if (root->mask) {
        tables->root = root->addr;
    }
}

/* A guest segment is in force nowhere else. */
static bool is_long_mode(const DsegTables *tables)
{
    return tables->mode == DSEG_PAGING_LONG4 ||
           tables->mode == DSEG_PAGING_LONG5;
}

/* Whether a segment of level guest is about the nested guest's addresses. */
static bool about_nested(CPUX86State *env, const X86DsegScoped *scoped)
{
    return scoped->world == X86_DSEG_WORLD_NESTED ||
           (scoped->world == X86_DSEG_WORLD_ANY && x86_dseg_in_guest(env));
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
    DsegLookup found = dseg_tables_lookup(tables, addr, mapping);

    if (found == DSEG_LOOKUP_RESERVED || found == DSEG_LOOKUP_UNREADABLE) {
        mapping->lg_size = DSEG_PAGE_BITS;
    }
    return found == DSEG_LOOKUP_MAPPED;
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

        if (mapped && !x86_dseg_is_ram(env, mapping.addr, step)) {
            *bad = addr;
            return false;
        }
        addr += step;
        size -= step;
    }
    return true;
}

/* The first page in @size bytes at physical @addr that is not RAM, if any. */
static bool all_ram(CPUX86State *env, uint64_t addr, uint64_t size,
                    uint64_t *bad)
{
    if (x86_dseg_is_ram(env, addr, size)) {
        return true;
    }
    for (*bad = addr; x86_dseg_is_ram(env, *bad, DSEG_PAGE_SIZE);
         *bad += DSEG_PAGE_SIZE) {
        continue;
    }
    return false;
}

X86DsegComparison x86_dseg_compare(CPUX86State *env, X86DsegLevel level,
                                   const X86DsegScoped *scoped)
{
    const DsegSegment *segment = &scoped->segment;
    uint64_t size = segment->limit - segment->base;
    uint64_t target = segment->base + segment->offset;
    bool vmm = level == X86_DSEG_LEVEL_VMM;
    bool nested = !vmm && about_nested(env, scoped);
    X86DsegComparison c = { .pages = size / DSEG_PAGE_SIZE };
    X86DsegTables tables;
    DsegTables *compared;
    bool ram;

    x86_dseg_tables(env, &tables);
    if ((vmm || nested) && !tables.has_nested) {
        c.verdict = X86_DSEG_NOTHING;
    }
    if (nested && !tables.has_nested) {
        return c;
    }
    use_root(&tables.nested, &scoped->nested_cr3);
    compared = vmm ? &tables.nested : nested ? &tables.guest : &tables.native;
    if (!vmm) {
        use_root(compared, &scoped->cr3);
    }
    ram = nested ? nested_is_ram(env, &tables.nested, target, size,
                                 &c.first_target)
                 : all_ram(env, target, size, &c.first_target);
    if (!ram) {
        c.verdict = X86_DSEG_NOT_RAM;
        return c;
    }
    if (!vmm && !is_long_mode(compared)) {
        c.verdict = X86_DSEG_NOTHING;
    }
    if (c.verdict != X86_DSEG_NOTHING) {
        compare_pages(&c, level, segment, compared);
    }
    return c;
}
