/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: accesses to the TLB hierarchy
 */

#include "tlb/tlb.h"
#include "tlb/hide.h"
#include "tlb/state.h"

static DsegTlbSize size_of(unsigned shift)
{
    return (shift - 12) / 9;
}

/* Where an access of @kind looks for pages of @size, if anywhere. */
static inline DsegTlbArray *array_for(const DsegTlb *tlb, DsegTlbLevel level,
                                      DsegTlbKind kind, DsegTlbSize size)
{
    return tlb->lookup[level][kind == DSEG_TLB_FETCH][size];
}

/* Whether an access of @kind can use an entry that has been found. */
static inline bool usable(const DsegTlbFound *found, DsegTlbKind kind)
{
    return kind != DSEG_TLB_STORE ||
           dseg_tlb_array_store(found->array, found->index);
}

/* Inline, so that the size is a constant where it is called. */
__attribute__((always_inline))
static inline bool probe(DsegTlbArray *array, DsegTlbSize size, uint64_t owner,
                         uint64_t va, DsegTlbFound *found)
{
    if (!array) {
        return false;
    }
    found->index = dseg_tlb_array_find(array, va, dseg_tlb_size_shift(size),
                                       owner);
    if (found->index == DSEG_TLB_NO_ENTRY) {
        return false;
    }
    found->array = array;
    found->size = size;
    found->data = array->cells[found->index].data;
    return true;
}

/* Finds an entry of a level, the smallest size first.  Nothing changes. */
__attribute__((always_inline))
static inline bool look(const DsegTlb *tlb, DsegTlbLevel level, uint64_t owner,
                        uint64_t va, DsegTlbKind kind, DsegTlbFound *found)
{
    DsegTlbArray *const *arrays = tlb->lookup[level][kind == DSEG_TLB_FETCH];

    found->level = level;
    return probe(arrays[DSEG_TLB_4K], DSEG_TLB_4K, owner, va, found) ||
           probe(arrays[DSEG_TLB_2M], DSEG_TLB_2M, owner, va, found) ||
           probe(arrays[DSEG_TLB_1G], DSEG_TLB_1G, owner, va, found);
}

bool dseg_tlb_find(const DsegTlb *tlb, DsegTlbSpace space, uint64_t va,
                   DsegTlbKind kind, DsegTlbFound *found)
{
    const DsegTlbArray *l2 = array_for(tlb, DSEG_TLB_L2, kind, DSEG_TLB_4K);
    uint64_t owner = dseg_tlb_owner_of(space);

    if (l2) {
        dseg_tlb_array_prefetch(l2, va, dseg_tlb_size_shift(DSEG_TLB_4K));
    }
    found->in_the_way = false;
    if (look(tlb, DSEG_TLB_L1, owner, va, kind, found)) {
        if (usable(found, kind)) {
            return true;
        }
        found->in_the_way = true;
    }
    if (look(tlb, DSEG_TLB_L2, owner, va, kind, found)) {
        if (usable(found, kind)) {
            return true;
        }
        found->in_the_way = true;
    }
    return false;
}

static DsegTlbPage page_of(const DsegTlbEntry *entry)
{
    DsegTlbPage page = {
        .size = size_of(entry->shift),
        .global = entry->global,
        .store = entry->store,
        .lg_mapping = entry->lg_mapping,
    };

    memcpy(page.data, entry->data, sizeof(page.data));
    return page;
}

bool dseg_tlb_found_store(const DsegTlbFound *found)
{
    return dseg_tlb_array_store(found->array, found->index);
}

bool dseg_tlb_peek(const DsegTlb *tlb, DsegTlbSpace space, uint64_t va,
                   DsegTlbKind kind, DsegTlbPage *page)
{
    DsegTlbFound found;

    if (!dseg_tlb_find(tlb, space, va, kind, &found)) {
        return false;
    }
    if (page) {
        DsegTlbEntry entry = dseg_tlb_array_entry(found.array, found.index);

        *page = page_of(&entry);
    }
    return true;
}

/* An access hits an entry. */
static inline void hit(DsegTlb *tlb, DsegTlbKind kind, const DsegTlbFound *found)
{
    tlb->counters.hits[found->level][kind][found->size]++;
    dseg_tlb_array_hit(found->array, found->index);
}

/*
 * The lookup of an access in a level.  Returns whether it is a hit; then the
 * entry gets the data of @page, unless that is NULL.  An entry that a store
 * can't use is removed.
 */
static bool lookup(DsegTlb *tlb, DsegTlbLevel level, DsegTlbSpace space,
                   uint64_t va, DsegTlbKind kind, const DsegTlbPage *page,
                   DsegTlbFound *found)
{
    if (!look(tlb, level, dseg_tlb_owner_of(space), va, kind, found)) {
        return false;
    }
    if (!usable(found, kind)) {
        dseg_tlb_drop(tlb, found->array, found->index);
        tlb->counters.dirty_misses[level]++;
        return false;
    }
    hit(tlb, kind, found);
    if (page) {
        memcpy(found->data, page->data, sizeof(page->data));
    }
    return true;
}

/*
 * The index for a new entry.  If another one has to be evicted for it, counts
 * that, and hides it if it is one of L1.
 */
__attribute__((always_inline))
static inline uint32_t make_room(DsegTlb *tlb, DsegTlbArray *array, uint64_t va,
                                 unsigned shift)
{
    uint32_t index = dseg_tlb_array_place(array, va, shift);

    if (dseg_tlb_array_valid(array, index)) {
        tlb->counters.evictions[dseg_tlb_number_of(tlb, array)]++;
        dseg_tlb_hide(tlb, array, index);
    }
    return index;
}

/*
 * Puts an entry for the piece of @size around @va of @page into an array; returns
 * where.
 */
static uint32_t fill(DsegTlb *tlb, DsegTlbArray *array, DsegTlbSpace space,
                     uint64_t va, DsegTlbSize size, const DsegTlbPage *page)
{
    unsigned shift = dseg_tlb_size_shift(size);
    uint32_t index = make_room(tlb, array, va, shift);
    DsegTlbEntry entry = {
        .va = va,
        .shift = shift,
        .space = space,
        .global = page->global,
        .store = page->store,
        .lg_mapping = page->lg_mapping,
    };

    memcpy(entry.data, page->data, sizeof(entry.data));
    dseg_tlb_array_fill(array, index, &entry);
    return index;
}

/*
 * Fills L1 with the page, or with its piece around @va of the next smaller size
 * that L1 has an array for.
 */
static DsegTlbSpot fill_l1(DsegTlb *tlb, DsegTlbSpace space, uint64_t va,
                           DsegTlbKind kind, const DsegTlbPage *page)
{
    DsegTlbArray *const *arrays =
        tlb->lookup[DSEG_TLB_L1][kind == DSEG_TLB_FETCH];
    DsegTlbSize size = page->size;
    DsegTlbPage whole = *page;

    /* If it is split, the mapping of the pieces is the page at least. */
    if (whole.lg_mapping < dseg_tlb_size_shift(size)) {
        whole.lg_mapping = dseg_tlb_size_shift(size);
    }
    while (!arrays[size]) {
        size--;
    }
    return (DsegTlbSpot) {
        .slot = dseg_tlb_slot_of(
            tlb, arrays[size],
            fill(tlb, arrays[size], space, va, size, &whole)),
        .size = size,
    };
}

static void fill_l2(DsegTlb *tlb, DsegTlbSpace space, uint64_t va,
                    DsegTlbKind kind, const DsegTlbPage *page)
{
    DsegTlbArray *array = array_for(tlb, DSEG_TLB_L2, kind, page->size);

    if (array) {
        fill(tlb, array, space, va, page->size, page);
    }
}

/*
 * An L1 miss has found @l2 in L2: fills @l1, the array of L1 for its size, with
 * a copy.  Returns the copy's index.
 */
__attribute__((always_inline))
static inline uint32_t refill(DsegTlb *tlb, DsegTlbArray *l1,
                              const DsegTlbFound *l2, uint64_t va,
                              DsegTlbKind kind)
{
    unsigned shift = dseg_tlb_size_shift(l2->size);
    uint32_t index = make_room(tlb, l1, va, shift);

    tlb->counters.misses[DSEG_TLB_L1][kind][l2->size]++;
    dseg_tlb_array_put(l1, index, &l2->array->cells[l2->index],
                       dseg_tlb_hint_of(va, shift));
    return index;
}

/*
 * The same where L1 has no array for that size: fills it with a piece of @l2.
 */
static DsegTlbSpot refill_pieces(DsegTlb *tlb, const DsegTlbFound *l2,
                                 uint64_t va, DsegTlbKind kind)
{
    DsegTlbEntry entry = dseg_tlb_array_entry(l2->array, l2->index);
    DsegTlbPage page = page_of(&entry);

    tlb->counters.misses[DSEG_TLB_L1][kind][l2->size]++;
    return fill_l1(tlb, entry.space, va, kind, &page);
}

/*
 * Whether segments beside L1, which are asked before it, translate by
 * themselves.  Then the access ends here, and no entry is made.
 */
static bool hits_beside_l1(DsegTlb *tlb, DsegTlbKind kind,
                           const DsegTlbPage *page, DsegTlbSpot *spot)
{
    if (!tlb->segments_beside_l1 || !page || !page->segments_only) {
        return false;
    }
    tlb->counters.segment_hits_l1[kind]++;
    *spot = (DsegTlbSpot) { DSEG_TLB_NO_SLOT, DSEG_TLB_4K };
    return true;
}

DsegTlbOutcome dseg_tlb_miss(DsegTlb *tlb, DsegTlbSpace space, uint64_t va,
                             DsegTlbKind kind, const DsegTlbPage *translated,
                             DsegTlbSpot *spot)
{
    DsegTlbPage page = *translated;

    if (hits_beside_l1(tlb, kind, translated, spot)) {
        return DSEG_TLB_HIT_SEGMENT_L1;
    }
    /* The walk of a store has set D; a segment always allows stores. */
    page.store |= kind == DSEG_TLB_STORE || page.segments_only;
    tlb->counters.misses[DSEG_TLB_L1][kind][page.size]++;
    tlb->counters.misses[DSEG_TLB_L2][kind][page.size]++;
    if (page.segments_only) {
        tlb->counters.segment_hits[kind]++;
    } else {
        tlb->counters.walks[kind]++;
        fill_l2(tlb, space, va, kind, &page);
    }
    *spot = fill_l1(tlb, space, va, kind, &page);
    return page.segments_only ? DSEG_TLB_HIT_SEGMENT : DSEG_TLB_WALK;
}

DsegTlbOutcome dseg_tlb_access(DsegTlb *tlb, DsegTlbSpace space, uint64_t va,
                               DsegTlbKind kind, const DsegTlbPage *page,
                               DsegTlbSpot *spot)
{
    DsegTlbFound found;

    if (hits_beside_l1(tlb, kind, page, spot)) {
        return DSEG_TLB_HIT_SEGMENT_L1;
    }
    if (lookup(tlb, DSEG_TLB_L1, space, va, kind, page, &found)) {
        *spot = (DsegTlbSpot) {
            dseg_tlb_slot_of(tlb, found.array, found.index), found.size,
        };
        return DSEG_TLB_HIT_L1;
    }
    if (lookup(tlb, DSEG_TLB_L2, space, va, kind, page, &found)) {
        DsegTlbArray *l1 = array_for(tlb, DSEG_TLB_L1, kind, found.size);

        if (l1) {
            uint32_t index = refill(tlb, l1, &found, va, kind);

            *spot = (DsegTlbSpot) {
                dseg_tlb_slot_of(tlb, l1, index), found.size,
            };
        } else {
            *spot = refill_pieces(tlb, &found, va, kind);
        }
        return DSEG_TLB_HIT_L2;
    }
    return dseg_tlb_miss(tlb, space, va, kind, page, spot);
}

DsegTlbSlotPage dseg_tlb_slot_page(const DsegTlb *tlb, DsegTlbSlot slot)
{
    unsigned number = tlb->array_of_slot[slot];
    const DsegTlbArray *array = &tlb->arrays[number];
    uint32_t index = slot - tlb->first_slot[number];
    DsegTlbEntry entry = dseg_tlb_array_entry(array, index);

    return (DsegTlbSlotPage) {
        .space = entry.space,
        .global = entry.global,
        .va = entry.va,
        .size = size_of(entry.shift),
        .fetch = tlb->geometry.arrays[number].place == DSEG_TLB_PLACE_L1I,
    };
}

/* dseg_tlb_hit() in general; the usual cases are there. */
static DsegTlbSpot hit_slowly(DsegTlb *tlb, DsegTlbSpace space, uint64_t va,
                              DsegTlbKind kind)
{
    DsegTlbSpot spot;
    DsegTlbOutcome outcome = dseg_tlb_access(tlb, space, va, kind, NULL, &spot);

    dseg_tlb_hide_candidates(tlb, spot, outcome);
    return spot;
}

DsegTlbSpot dseg_tlb_hit(DsegTlb *tlb, DsegTlbSpace space, uint64_t va,
                         DsegTlbKind kind, const DsegTlbFound *found)
{
    DsegTlbArray *l1 = array_for(tlb, DSEG_TLB_L1, kind, found->size);
    DsegTlbOutcome outcome = DSEG_TLB_HIT_L1;
    uint32_t index = found->index;

    if (found->in_the_way || !l1) {
        return hit_slowly(tlb, space, va, kind);
    }
    hit(tlb, kind, found);
    if (found->level != DSEG_TLB_L1) {
        outcome = DSEG_TLB_HIT_L2;
        index = refill(tlb, l1, found, va, kind);
    }
    dseg_tlb_hide_after(tlb, l1, index, found->size, outcome);
    return (DsegTlbSpot) { dseg_tlb_slot_of(tlb, l1, index), found->size };
}
