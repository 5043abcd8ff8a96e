/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: does a segment agree with the page tables in force?
 */

#include "qemu/osdep.h"
#include "qemu/bitops.h"
#include "monitor/agreement.h"
#include "monitor/tables-in-force.h"

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

/*
 * A comparison: first, where a nested guest's target is, then the pages
 */

/* Of the target: whether it is RAM. */
static bool visit_target(void *opaque, uint64_t addr, uint64_t size,
                         const DsegMapping *mapping)
{
    X86DsegComparison *c = opaque;

    if (x86_dseg_is_ram(c->env, mapping->addr, size, &c->first_target)) {
        return true;
    }
    c->first_target += addr - mapping->addr;
    c->verdict = X86_DSEG_NOT_RAM;
    return false;
}

/* Of the segment: whether the tables say the same. */
static bool visit_page(void *opaque, uint64_t addr, uint64_t size,
                       const DsegMapping *mapping)
{
    X86DsegComparison *c = opaque;
    uint64_t pages = size / DSEG_PAGE_SIZE;
    bool same = mapping->addr == addr + c->scoped->segment.offset;

    c->mapped += pages;
    if (same && mapping->writable &&
        (c->level == X86_DSEG_LEVEL_VMM || mapping->user)) {
        return true;
    }
    if (!c->differing) {
        c->first = addr;
        c->first_target = mapping->addr;
        c->first_permission = same;
        c->verdict = X86_DSEG_DIFFERS;
    }
    c->differing += pages;
    return true;
}

static void begin_sweep(X86DsegComparison *c, const DsegTables *tables,
                        uint64_t base, DsegVisit *visit)
{
    const DsegSegment *segment = &c->scoped->segment;

    c->sweep = (DsegSweep) {
        .in_tables = tables,
        .in_limit = base + (segment->limit - segment->base),
        .in_visit = visit,
        .in_opaque = c,
        .next = base,
    };
}

/* It is known that the target is RAM. */
static void begin_pages(X86DsegComparison *c)
{
    if (c->compared) {
        begin_sweep(c, c->compared, c->scoped->segment.base, visit_page);
    } else {
        c->verdict = X86_DSEG_NOTHING;
    }
}

void x86_dseg_compare_begin(CPUX86State *env, X86DsegLevel level,
                            const X86DsegScoped *scoped, X86DsegComparison *c)
{
    const DsegSegment *segment = &scoped->segment;
    uint64_t target = segment->base + segment->offset;
    uint64_t size = segment->limit - segment->base;

    *c = (X86DsegComparison) {
        .verdict = X86_DSEG_AGREES,
        .pages = size / DSEG_PAGE_SIZE,
        .env = env,
        .level = level,
        .scoped = scoped,
    };
    x86_dseg_tables(env, &c->tables);
    c->compared = x86_dseg_tables_for(&c->tables, level, scoped);
    if (!c->compared && level == X86_DSEG_LEVEL_GUEST &&
        scoped->world == X86_DSEG_WORLD_NESTED) {
        c->verdict = X86_DSEG_NOTHING; /* nor do we know where the target is */
    } else if (c->compared == &c->tables.guest) {
        begin_sweep(c, &c->tables.nested, target, visit_target);
    } else if (x86_dseg_is_ram(env, target, size, &c->first_target)) {
        begin_pages(c);
    } else {
        c->verdict = X86_DSEG_NOT_RAM;
    }
}

bool x86_dseg_compare_step(X86DsegComparison *c, unsigned lookups)
{
    DsegSwept swept = dseg_sweep_step(&c->sweep, lookups);

    if (swept == DSEG_SWEPT_ALL && c->sweep.in_visit == visit_target) {
        begin_pages(c);
        return false;
    }
    return swept != DSEG_SWEPT_PART;
}
