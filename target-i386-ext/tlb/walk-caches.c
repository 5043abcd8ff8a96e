/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: walk caches and nested TLB, which shorten walks
 */

#include "tlb/walk-caches.h"
#include "tlb/state.h"

enum { TOP_LEVEL = 5 }; /* the level that element 0 of walk caches is of */

/* The walk of one dimension for one address. */
typedef struct Walk {
    DsegTlbArray *caches;   /* of that dimension, by level from PML5E on */
    DsegTlbSpace space;
    uint64_t addr;          /* virtual address, or gPA */
    unsigned levels;        /* of the page tables */
    unsigned refs;          /* entries up to the leaf, that included */
} Walk;

bool dseg_tlb_has_walk_caches(const DsegTlbGeometry *geometry)
{
    for (unsigned i = 0; i < DSEG_TLB_WALK_LEVELS; i++) {
        if (geometry->guest_walk_cache[i] || geometry->nested_walk_cache[i]) {
            return true;
        }
    }
    for (unsigned i = 0; i < geometry->count; i++) {
        if (geometry->arrays[i].place == DSEG_TLB_PLACE_NESTED) {
            return true;
        }
    }
    return false;
}

static void init_cache(DsegTlbArray *cache, uint32_t entries)
{
    if (entries) {
        dseg_tlb_array_init(cache, entries, entries, DSEG_TLB_LRU, 0);
    }
}

void dseg_tlb_walk_init(DsegTlb *tlb)
{
    const DsegTlbGeometry *geometry = &tlb->geometry;

    tlb->walk.any = dseg_tlb_has_walk_caches(geometry);
    for (unsigned i = 0; i < DSEG_TLB_WALK_LEVELS; i++) {
        init_cache(&tlb->walk.guest[i], geometry->guest_walk_cache[i]);
        init_cache(&tlb->walk.nested[i], geometry->nested_walk_cache[i]);
    }
    for (unsigned i = 0; i < geometry->count; i++) {
        if (geometry->arrays[i].place != DSEG_TLB_PLACE_NESTED) {
            continue;
        }
        for (DsegTlbSize size = 0; size < DSEG_TLB_SIZE__MAX; size++) {
            if (geometry->arrays[i].sizes >> size & 1) {
                tlb->walk.gpas[size] = &tlb->arrays[i];
            }
        }
    }
}

void dseg_tlb_walk_destroy(DsegTlb *tlb)
{
    for (unsigned i = 0; i < DSEG_TLB_WALK_LEVELS; i++) {
        dseg_tlb_array_destroy(&tlb->walk.guest[i]);
        dseg_tlb_array_destroy(&tlb->walk.nested[i]);
    }
}

const DsegTlbWalkCounters *dseg_tlb_walk_counters(const DsegTlb *tlb)
{
    return &tlb->walk.counters;
}

/* The cache for entry @n of a walk, counted from 1 at the root; no leaf. */
static DsegTlbArray *cache_of(const Walk *walk, unsigned n)
{
    return &walk->caches[TOP_LEVEL - (walk->levels - n + 1)];
}

/* Entry @n spans 2^that bytes.  A level of two has 10 bits, others have 9. */
static unsigned shift_of(const Walk *walk, unsigned n)
{
    return walk->levels == 2 ? 22 : 12 + 9 * (walk->levels - n);
}

/*
 * How many entries of the walk need not be read: the number of the deepest one
 * that a cache has, which is a hit and is touched; or 0.
 */
static unsigned begin(const Walk *walk, uint64_t *lookups, uint64_t *hits)
{
    ++*lookups;
    for (unsigned n = walk->refs - 1; n; n--) {
        DsegTlbArray *cache = cache_of(walk, n);
        uint32_t index;

        if (!cache->entries) {
            continue;
        }
        index = dseg_tlb_array_find(cache, walk->addr, shift_of(walk, n),
                                    dseg_tlb_owner_of(walk->space));
        if (index != DSEG_TLB_NO_ENTRY) {
            dseg_tlb_array_hit(cache, index);
            hits[cache - walk->caches]++;
            return n;
        }
    }
    return 0;
}

/* Puts an entry into @array.  Returns whether that evicts another one. */
static bool put(DsegTlbArray *array, DsegTlbSpace space, uint64_t addr,
                unsigned shift)
{
    uint32_t index = dseg_tlb_array_place(array, addr, shift);
    bool evicts = dseg_tlb_array_valid(array, index);
    DsegTlbEntry entry = {
        .va = addr,
        .shift = shift,
        .space = space,
        .store = true,
    };

    dseg_tlb_array_fill(array, index, &entry);
    return evicts;
}

/* Puts the non-leaf entries behind the first @skipped ones into the caches. */
static void keep(const Walk *walk, unsigned skipped)
{
    for (unsigned n = skipped + 1; n < walk->refs; n++) {
        DsegTlbArray *cache = cache_of(walk, n);

        if (cache->entries) {
            put(cache, walk->space, walk->addr, shift_of(walk, n));
        }
    }
}

static bool has_cache(const DsegTlbArray *caches)
{
    for (unsigned i = 0; i < DSEG_TLB_WALK_LEVELS; i++) {
        if (caches[i].entries) {
            return true;
        }
    }
    return false;
}

/* Does one walk; returns how many entries it has not read. */
static unsigned do_walk(const Walk *walk, uint64_t *lookups, uint64_t *hits)
{
    unsigned skipped;

    if (!has_cache(walk->caches)) {
        return 0;
    }
    skipped = begin(walk, lookups, hits);
    keep(walk, skipped);
    return skipped;
}

static unsigned walk_guest(DsegTlb *tlb, const DsegTlbWalk *walk)
{
    DsegTlbWalkCounters *counters = &tlb->walk.counters;
    Walk guest = {
        .caches = tlb->walk.guest,
        .space = walk->space,
        .addr = walk->va,
        .levels = walk->levels,
        .refs = walk->refs,
    };

    if (walk->guest_segment || !walk->levels) {
        return 0;
    }
    return do_walk(&guest, &counters->guest_lookups, counters->guest_hits);
}

/* The entries of nested tables that are read for a page of that size. */
static unsigned nested_refs(unsigned levels, unsigned lg_size)
{
    return levels - (lg_size < 21 ? 0 : lg_size < 30 ? 1 : 2);
}

/* References for one gPA that the nested TLB does not know. */
static unsigned walk_nested(DsegTlb *tlb, DsegTlbSpace space,
                            const DsegTlbGpa *gpa)
{
    DsegTlbWalkCounters *counters = &tlb->walk.counters;
    Walk nested = {
        .caches = tlb->walk.nested,
        .space = space,
        .addr = gpa->gpa,
        .levels = gpa->levels,
        .refs = nested_refs(gpa->levels, gpa->lg_size),
    };

    return nested.refs - do_walk(&nested, &counters->nested_lookups,
                                 counters->nested_hits);
}

static bool has_nested_tlb(const DsegTlb *tlb)
{
    return tlb->walk.gpas[DSEG_TLB_4K] || tlb->walk.gpas[DSEG_TLB_2M] ||
           tlb->walk.gpas[DSEG_TLB_1G];
}

/* Looks @gpa up in the nested TLB, the smallest size first. */
static bool find_gpa(DsegTlb *tlb, DsegTlbSpace space, uint64_t gpa)
{
    for (DsegTlbSize size = 0; size < DSEG_TLB_SIZE__MAX; size++) {
        DsegTlbArray *array = tlb->walk.gpas[size];
        uint32_t index;

        if (!array) {
            continue;
        }
        index = dseg_tlb_array_find(array, gpa, dseg_tlb_size_shift(size),
                                    dseg_tlb_owner_of(space));
        if (index != DSEG_TLB_NO_ENTRY) {
            dseg_tlb_array_hit(array, index);
            tlb->walk.counters.gpa_hits[size]++;
            return true;
        }
    }
    return false;
}

/*
 * Puts into the nested TLB the page of @gpa, or the piece of it of the next
 * smaller size that has an array.
 */
static void fill_gpa(DsegTlb *tlb, DsegTlbSpace space, const DsegTlbGpa *gpa)
{
    int size = (gpa->lg_size - 12) / 9;

    while (size >= 0 && !tlb->walk.gpas[size]) {
        size--;
    }
    if (size >= 0) {
        DsegTlbArray *array = tlb->walk.gpas[size];

        tlb->counters.evictions[array - tlb->arrays] +=
            put(array, space, gpa->gpa, dseg_tlb_size_shift(size));
    }
}

/* How many nested references it takes to translate @gpa. */
static unsigned translate(DsegTlb *tlb, DsegTlbSpace space,
                          const DsegTlbGpa *gpa)
{
    unsigned refs;

    if (gpa->by_segment) {
        return 0;
    }
    if (!has_nested_tlb(tlb)) {
        return walk_nested(tlb, space, gpa);
    }
    tlb->walk.counters.gpa_lookups++;
    if (find_gpa(tlb, space, gpa->gpa)) {
        return 0;
    }
    refs = walk_nested(tlb, space, gpa);
    fill_gpa(tlb, space, gpa);
    return refs;
}

void dseg_tlb_walk(DsegTlb *tlb, DsegTlbWalk *walk)
{
    DsegTlbSpace nested = { .asid = walk->space.asid };

    walk->out_skipped = walk_guest(tlb, walk);
    for (unsigned i = 0; i < walk->gpa_count; i++) {
        walk->gpas[i].out_refs = i < walk->out_skipped
                                 ? 0 : translate(tlb, nested, &walk->gpas[i]);
    }
}

/* Whether an operation removes entries of the nested dimension. */
static bool is_nested(DsegTlbCause cause)
{
    switch (cause) {
    case DSEG_TLB_INVLPGA:
    case DSEG_TLB_TLB_CONTROL:
    case DSEG_TLB_VMM_SEGMENT:
    case DSEG_TLB_MONITOR:
    case DSEG_TLB_RESET:
        return true;
    default:
        return false;
    }
}

/* Removes all of the ASIDs, and with @pcids of the PCIDs, that @scope names. */
static void sweep(DsegTlbArray *array, const DsegTlbScope *scope, bool pcids)
{
    for (uint32_t i = 0; array->used && i < array->entries; i++) {
        DsegTlbSpace space;

        if (!dseg_tlb_array_valid(array, i)) {
            continue;
        }
        space = dseg_tlb_array_entry(array, i).space;
        if (dseg_tlb_scope_asid(scope, space.asid) &&
            !(pcids && scope->one_pcid && space.pcid != scope->pcid)) {
            dseg_tlb_array_remove(array, i);
        }
    }
}

void dseg_tlb_walk_invalidate(DsegTlb *tlb, DsegTlbCause cause,
                              const DsegTlbScope *scope)
{
    if (!tlb->walk.any) {
        return;
    }
    for (unsigned i = 0; i < DSEG_TLB_WALK_LEVELS; i++) {
        sweep(&tlb->walk.guest[i], scope, true);
        if (is_nested(cause)) {
            sweep(&tlb->walk.nested[i], scope, false);
        }
    }
    for (unsigned i = 0; is_nested(cause) && i < DSEG_TLB_SIZE__MAX; i++) {
        if (tlb->walk.gpas[i]) {
            sweep(tlb->walk.gpas[i], scope, false);
        }
    }
}
