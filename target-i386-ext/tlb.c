/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: a TLB hierarchy of a stated geometry
 */

#include <stdlib.h>
#include <string.h>
#include "tlb.h"
#include "tlb-state.h"

static bool is_l1(DsegTlbPlace place)
{
    return place == DSEG_TLB_PLACE_L1D || place == DSEG_TLB_PLACE_L1I;
}

static bool serves(DsegTlbPlace place, DsegTlbLevel level, bool fetch)
{
    switch (place) {
    case DSEG_TLB_PLACE_L1D:
        return level == DSEG_TLB_L1 && !fetch;
    case DSEG_TLB_PLACE_L1I:
        return level == DSEG_TLB_L1 && fetch;
    case DSEG_TLB_PLACE_L2:
        return level == DSEG_TLB_L2;
    case DSEG_TLB_PLACE_L2D:
        return level == DSEG_TLB_L2 && !fetch;
    case DSEG_TLB_PLACE_L2I:
        return level == DSEG_TLB_L2 && fetch;
    default:
        return false;
    }
}

/* Enters array @i where accesses look for it. */
static void enter(DsegTlb *tlb, unsigned i)
{
    const DsegTlbArrayGeometry *geometry = &tlb->geometry.arrays[i];

    for (DsegTlbLevel level = 0; level < DSEG_TLB_LEVEL__MAX; level++) {
        for (int fetch = 0; fetch < 2; fetch++) {
            for (DsegTlbSize size = 0; size < DSEG_TLB_SIZE__MAX; size++) {
                if (serves(geometry->place, level, fetch) &&
                    (geometry->sizes >> size & 1)) {
                    tlb->lookup[level][fetch][size] = &tlb->arrays[i];
                }
            }
        }
    }
}

static void *zeroed(size_t size)
{
    void *memory = calloc(1, size);

    if (!memory) {
        abort();
    }
    return memory;
}

DsegTlb *dseg_tlb_new(const DsegTlbGeometry *geometry, DsegTlbGone *gone,
                      void *opaque)
{
    DsegTlb *tlb = zeroed(sizeof(*tlb));

    tlb->memo = zeroed(sizeof(*tlb->memo));
    tlb->geometry = *geometry;
    tlb->segments_beside_l1 = geometry->segments_beside_l1;
    tlb->gone = gone;
    tlb->opaque = opaque;
    for (unsigned i = 0; i < geometry->count; i++) {
        const DsegTlbArrayGeometry *array = &geometry->arrays[i];

        dseg_tlb_array_init(&tlb->arrays[i], array->entries, array->ways,
                            array->policy, geometry->seed + i);
        enter(tlb, i);
        if (is_l1(array->place)) {
            tlb->first_slot[i] = tlb->slots;
            tlb->slots += array->entries;
        }
    }
    dseg_tlb_walk_init(tlb);
    return tlb;
}

void dseg_tlb_free(DsegTlb *tlb)
{
    if (!tlb) {
        return;
    }
    dseg_tlb_walk_destroy(tlb);
    for (unsigned i = 0; i < tlb->geometry.count; i++) {
        dseg_tlb_array_destroy(&tlb->arrays[i]);
    }
    free(tlb->memo);
    free(tlb);
}

const DsegTlbGeometry *dseg_tlb_geometry(const DsegTlb *tlb)
{
    return &tlb->geometry;
}

uint32_t dseg_tlb_l1_slots(const DsegTlb *tlb)
{
    return tlb->slots;
}

const DsegTlbCounters *dseg_tlb_counters(const DsegTlb *tlb)
{
    return &tlb->counters;
}

void dseg_tlb_counters_reset(DsegTlb *tlb)
{
    memset(&tlb->counters, 0, sizeof(tlb->counters));
    memset(&tlb->walk.counters, 0, sizeof(tlb->walk.counters));
}

uint32_t dseg_tlb_array_used(const DsegTlb *tlb, unsigned array)
{
    return tlb->arrays[array].used;
}

static unsigned number_of(const DsegTlb *tlb, const DsegTlbArray *array)
{
    return array - tlb->arrays;
}

static DsegTlbSize size_of(const DsegTlbEntry *entry)
{
    return (entry->shift - 12) / 9;
}

/* The sizes in their order, the smallest first. */
static DsegTlbFound look(const DsegTlb *tlb, DsegTlbLevel level, DsegTlbSpace space,
                  uint64_t va, DsegTlbKind kind)
{
    DsegTlbArray *const *arrays = tlb->lookup[level][kind == DSEG_TLB_FETCH];

    for (DsegTlbSize size = 0; size < DSEG_TLB_SIZE__MAX; size++) {
        uint32_t index;

        if (!arrays[size]) {
            continue;
        }
        index = dseg_tlb_array_find(arrays[size], va,
                                    dseg_tlb_size_shift(size), space);
        if (index != DSEG_TLB_NO_ENTRY) {
            return (DsegTlbFound) { arrays[size], index, size };
        }
    }
    return (DsegTlbFound) { .array = NULL };
}

/* Whether what has been found is of use for an access of @kind. */
static bool usable(const DsegTlbFound *found, DsegTlbKind kind)
{
    return found->array &&
           (kind != DSEG_TLB_STORE ||
            dseg_tlb_array_store(found->array, found->index));
}

static bool remembers(const DsegTlbMemo *memo, DsegTlbLevel level,
                      DsegTlbSpace space, uint64_t va, DsegTlbKind kind)
{
    return level < memo->levels && memo->va == va && memo->kind == kind &&
           memo->space.asid == space.asid && memo->space.pcid == space.pcid;
}

static DsegTlbPage page_of(const DsegTlbFound *found)
{
    DsegTlbEntry entry = dseg_tlb_array_entry(found->array, found->index);

    return (DsegTlbPage) {
        .size = found->size,
        .global = entry.global,
        .store = entry.store,
    };
}

bool dseg_tlb_peek(const DsegTlb *tlb, DsegTlbSpace space, uint64_t va,
                   DsegTlbKind kind, DsegTlbPage *page)
{
    DsegTlbMemo *memo = tlb->memo;

    *memo = (DsegTlbMemo) { .va = va, .space = space, .kind = kind };
    for (DsegTlbLevel level = 0; level < DSEG_TLB_LEVEL__MAX; level++) {
        memo->found[level] = look(tlb, level, space, va, kind);
        memo->levels = level + 1;
        if (usable(&memo->found[level], kind)) {
            if (page) {
                *page = page_of(&memo->found[level]);
            }
            return true;
        }
    }
    return false;
}

/* Tells the caller that entry @index of @array will be there no longer. */
static void tell(DsegTlb *tlb, const DsegTlbArray *array, uint32_t index)
{
    unsigned number = number_of(tlb, array);
    DsegTlbPlace place = tlb->geometry.arrays[number].place;

    if (tlb->gone && is_l1(place)) {
        DsegTlbEntry entry = dseg_tlb_array_entry(array, index);

        tlb->gone(tlb->opaque, tlb->first_slot[number] + index, entry.space,
                  entry.global, entry.va, size_of(&entry),
                  place == DSEG_TLB_PLACE_L1I);
    }
}

static void drop(DsegTlb *tlb, DsegTlbArray *array, uint32_t index)
{
    tell(tlb, array, index);
    dseg_tlb_array_remove(array, index);
    tlb->memo->levels = 0;
}

/*
 * Looks a level up.  Returns whether it is a hit; an entry that a store can't
 * use goes away.
 */
static bool lookup(DsegTlb *tlb, DsegTlbLevel level, DsegTlbSpace space,
                   uint64_t va, DsegTlbKind kind, DsegTlbFound *found)
{
    *found = remembers(tlb->memo, level, space, va, kind)
             ? tlb->memo->found[level] : look(tlb, level, space, va, kind);
    if (usable(found, kind)) {
        tlb->counters.hits[level][kind][found->size]++;
        dseg_tlb_array_hit(found->array, found->index);
        return true;
    }
    if (found->array) {
        drop(tlb, found->array, found->index);
        tlb->counters.dirty_misses[level]++;
    }
    return false;
}

/* Puts an entry for a page of @size around @va into @array; returns where. */
static uint32_t fill(DsegTlb *tlb, DsegTlbArray *array, DsegTlbSpace space,
                     uint64_t va, DsegTlbSize size, bool global, bool store)
{
    unsigned shift = dseg_tlb_size_shift(size);
    uint32_t index = dseg_tlb_array_place(array, va, shift);

    if (dseg_tlb_array_valid(array, index)) {
        tlb->counters.evictions[number_of(tlb, array)]++;
        drop(tlb, array, index);
    }
    dseg_tlb_array_fill(array, index, &(DsegTlbEntry) {
        .va = va,
        .shift = shift,
        .space = space,
        .global = global,
        .store = store,
    });
    tlb->memo->levels = 0;
    return index;
}

/* Where there is no room for a page, its piece of the next smaller size. */
static DsegTlbSlot fill_l1(DsegTlb *tlb, DsegTlbSpace space, uint64_t va,
                           DsegTlbKind kind, const DsegTlbPage *page)
{
    DsegTlbArray *const *arrays =
        tlb->lookup[DSEG_TLB_L1][kind == DSEG_TLB_FETCH];
    DsegTlbSize size = page->size;

    while (!arrays[size]) {
        size--;
    }
    return tlb->first_slot[number_of(tlb, arrays[size])] +
           fill(tlb, arrays[size], space, va, size, page->global, page->store);
}

static void fill_l2(DsegTlb *tlb, DsegTlbSpace space, uint64_t va,
                    DsegTlbKind kind, const DsegTlbPage *page)
{
    DsegTlbArray *array =
        tlb->lookup[DSEG_TLB_L2][kind == DSEG_TLB_FETCH][page->size];

    if (array) {
        fill(tlb, array, space, va, page->size, page->global, page->store);
    }
}

/* What an L1 miss finds in L2 goes to L1 as it is. */
static DsegTlbSlot refill(DsegTlb *tlb, const DsegTlbFound *l2, uint64_t va,
                          DsegTlbKind kind)
{
    DsegTlbSpace space = dseg_tlb_array_entry(l2->array, l2->index).space;
    DsegTlbPage page = page_of(l2);

    return fill_l1(tlb, space, va, kind, &page);
}

/* Neither level has it. */
static DsegTlbOutcome miss(DsegTlb *tlb, DsegTlbSpace space, uint64_t va,
                           DsegTlbKind kind, const DsegTlbPage *translated,
                           DsegTlbSlot *slot)
{
    DsegTlbPage page = *translated;

    /* A store has set D; and segments have none. */
    page.store |= kind == DSEG_TLB_STORE || page.segments_only;
    tlb->counters.misses[DSEG_TLB_L1][kind][page.size]++;
    tlb->counters.misses[DSEG_TLB_L2][kind][page.size]++;
    if (page.segments_only) {
        tlb->counters.segment_hits[kind]++;
    } else {
        tlb->counters.walks[kind]++;
        fill_l2(tlb, space, va, kind, &page);
    }
    *slot = fill_l1(tlb, space, va, kind, &page);
    return page.segments_only ? DSEG_TLB_HIT_SEGMENT : DSEG_TLB_WALK;
}

DsegTlbOutcome dseg_tlb_access(DsegTlb *tlb, DsegTlbSpace space, uint64_t va,
                               DsegTlbKind kind, const DsegTlbPage *page,
                               DsegTlbSlot *slot)
{
    DsegTlbFound found;

    if (tlb->segments_beside_l1 && page && page->segments_only) {
        tlb->counters.segment_hits_l1[kind]++;
        *slot = DSEG_TLB_NO_SLOT;
        return DSEG_TLB_HIT_SEGMENT_L1;
    }
    if (lookup(tlb, DSEG_TLB_L1, space, va, kind, &found)) {
        *slot = tlb->first_slot[number_of(tlb, found.array)] + found.index;
        return DSEG_TLB_HIT_L1;
    }
    if (lookup(tlb, DSEG_TLB_L2, space, va, kind, &found)) {
        tlb->counters.misses[DSEG_TLB_L1][kind][found.size]++;
        *slot = refill(tlb, &found, va, kind);
        return DSEG_TLB_HIT_L2;
    }
    return miss(tlb, space, va, kind, page, slot);
}

static bool in_scope(const DsegTlbEntry *entry, const DsegTlbScope *scope)
{
    if (!dseg_tlb_scope_asid(scope, entry->space.asid)) {
        return false;
    }
    if (entry->global) {
        return scope->globals == DSEG_TLB_GLOBAL_TOO;
    }
    return !scope->one_pcid || entry->space.pcid == scope->pcid;
}

/* Removes what @scope names of the @count entries from @first on. */
static void sweep(DsegTlb *tlb, DsegTlbArray *array, uint32_t first,
                  uint32_t count, DsegTlbCause cause, const DsegTlbScope *scope)
{
    for (uint32_t i = first; i < first + count; i++) {
        DsegTlbEntry entry;

        if (!dseg_tlb_array_valid(array, i)) {
            continue;
        }
        entry = dseg_tlb_array_entry(array, i);
        if (scope->one_page && (entry.va ^ scope->va) >> entry.shift) {
            continue;
        }
        if (in_scope(&entry, scope)) {
            drop(tlb, array, i);
            tlb->counters.invalidated[cause]++;
        }
    }
}

/* A page of each size can be in one set only. */
static void sweep_page(DsegTlb *tlb, DsegTlbArray *array, unsigned sizes,
                       DsegTlbCause cause, const DsegTlbScope *scope)
{
    for (DsegTlbSize size = 0; size < DSEG_TLB_SIZE__MAX; size++) {
        if (sizes >> size & 1) {
            unsigned shift = dseg_tlb_size_shift(size);

            sweep(tlb, array, dseg_tlb_array_set(array, scope->va, shift),
                  array->ways, cause, scope);
        }
    }
}

void dseg_tlb_invalidate(DsegTlb *tlb, DsegTlbCause cause,
                         const DsegTlbScope *scope)
{
    tlb->counters.invalidations[cause]++;
    for (unsigned i = 0; i < tlb->geometry.count; i++) {
        const DsegTlbArrayGeometry *geometry = &tlb->geometry.arrays[i];
        DsegTlbArray *array = &tlb->arrays[i];

        if (geometry->place == DSEG_TLB_PLACE_NESTED || !array->used) {
            continue;
        }
        if (scope->one_page) {
            sweep_page(tlb, array, geometry->sizes, cause, scope);
        } else {
            sweep(tlb, array, 0, array->entries, cause, scope);
        }
    }
    dseg_tlb_walk_invalidate(tlb, cause, scope);
}
