/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: a TLB hierarchy of a stated geometry
 */

#include "tlb/tlb.h"
#include "tlb/memory.h"
#include "tlb/state.h"

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

/* What dseg_tlb_announce() has to say of the entries of that size in array @i. */
static DsegTlbAnnounce announcements(const DsegTlb *tlb, unsigned i,
                                     DsegTlbSize size)
{
    const DsegTlbArrayGeometry *geometry = &tlb->geometry.arrays[i];
    bool fetch = geometry->place == DSEG_TLB_PLACE_L1I;
    bool last = !tlb->lookup[DSEG_TLB_L2][fetch][size];

    if (geometry->policy == DSEG_TLB_FIFO ||
        geometry->policy == DSEG_TLB_RANDOM) {
        return DSEG_TLB_ANNOUNCE_NONE;
    }
    if (last && !fetch && geometry->policy == DSEG_TLB_LRU) {
        return DSEG_TLB_ANNOUNCE_RANKED;
    }
    return last && geometry->ways <= DSEG_TLB_MAX_ANNOUNCED
           ? DSEG_TLB_ANNOUNCE_OTHERS : DSEG_TLB_ANNOUNCE_NEXT;
}

static void note_slots(DsegTlb *tlb)
{
    tlb->array_of_slot = dseg_tlb_zeroed(tlb->slots);
    tlb->watched_hits = dseg_tlb_zeroed(tlb->slots);
    for (unsigned i = 0; i < tlb->geometry.count; i++) {
        if (tlb->first_slot[i] != DSEG_TLB_NO_SLOT) {
            memset(tlb->array_of_slot + tlb->first_slot[i], i,
                   tlb->arrays[i].entries);
            for (DsegTlbSize size = 0; size < DSEG_TLB_SIZE__MAX; size++) {
                tlb->announce[i][size] = announcements(tlb, i, size);
            }
        }
    }
}

DsegTlb *dseg_tlb_new(const DsegTlbGeometry *geometry, DsegTlbGone *gone,
                      void *opaque)
{
    DsegTlb *tlb = dseg_tlb_zeroed(sizeof(*tlb));

    tlb->geometry = *geometry;
    tlb->segments_beside_l1 = geometry->segments_beside_l1;
    tlb->gone = gone;
    tlb->opaque = opaque;
    for (unsigned i = 0; i < geometry->count; i++) {
        const DsegTlbArrayGeometry *array = &geometry->arrays[i];

        dseg_tlb_array_init(&tlb->arrays[i], array->entries, array->ways,
                            array->policy, geometry->seed + i);
        enter(tlb, i);
        tlb->first_slot[i] = DSEG_TLB_NO_SLOT;
        if (is_l1(array->place)) {
            tlb->first_slot[i] = tlb->slots;
            tlb->slots += array->entries;
        }
    }
    note_slots(tlb);
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
    free(tlb->array_of_slot);
    free(tlb->watched_hits);
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

/* Looks a level up, the sizes in their order, the smallest first. */
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

static inline unsigned number_of(const DsegTlb *tlb, const DsegTlbArray *array)
{
    return array - tlb->arrays;
}

static inline DsegTlbSlot slot_of(const DsegTlb *tlb, const DsegTlbArray *array,
                                  uint32_t index)
{
    return tlb->first_slot[number_of(tlb, array)] + index;
}

/* Tells the caller of an entry, if it is one of L1, that it goes away. */
static inline void tell(DsegTlb *tlb, const DsegTlbArray *array, uint32_t index)
{
    if (tlb->gone &&
        tlb->first_slot[number_of(tlb, array)] != DSEG_TLB_NO_SLOT) {
        tlb->gone(tlb->opaque, slot_of(tlb, array, index));
    }
}

static void drop(DsegTlb *tlb, DsegTlbArray *array, uint32_t index)
{
    tell(tlb, array, index);
    dseg_tlb_array_remove(array, index);
}

/* An access hits an entry. */
static inline void hit(DsegTlb *tlb, DsegTlbKind kind, const DsegTlbFound *found)
{
    tlb->counters.hits[found->level][kind][found->size]++;
    dseg_tlb_array_hit(found->array, found->index);
}

/*
 * Looks a level up.  Returns whether it is a hit, which takes the data of @page;
 * an entry that a store can't use goes away.
 */
static bool lookup(DsegTlb *tlb, DsegTlbLevel level, DsegTlbSpace space,
                   uint64_t va, DsegTlbKind kind, const DsegTlbPage *page,
                   DsegTlbFound *found)
{
    if (!look(tlb, level, dseg_tlb_owner_of(space), va, kind, found)) {
        return false;
    }
    if (!usable(found, kind)) {
        drop(tlb, found->array, found->index);
        tlb->counters.dirty_misses[level]++;
        return false;
    }
    hit(tlb, kind, found);
    if (page) {
        memcpy(found->data, page->data, sizeof(page->data));
    }
    return true;
}

/* A place for an entry: tells of the one that has to go for it, if any. */
__attribute__((always_inline))
static inline uint32_t make_room(DsegTlb *tlb, DsegTlbArray *array, uint64_t va,
                                 unsigned shift)
{
    uint32_t index = dseg_tlb_array_place(array, va, shift);

    if (dseg_tlb_array_valid(array, index)) {
        tlb->counters.evictions[number_of(tlb, array)]++;
        tell(tlb, array, index);
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

/* Where there is no room for a page, its piece of the next smaller size. */
static DsegTlbSpot fill_l1(DsegTlb *tlb, DsegTlbSpace space, uint64_t va,
                           DsegTlbKind kind, const DsegTlbPage *page)
{
    DsegTlbArray *const *arrays =
        tlb->lookup[DSEG_TLB_L1][kind == DSEG_TLB_FETCH];
    DsegTlbSize size = page->size;
    DsegTlbPage whole = *page;

    /* Where it is split, the pieces know what they are of. */
    if (whole.lg_mapping < dseg_tlb_size_shift(size)) {
        whole.lg_mapping = dseg_tlb_size_shift(size);
    }
    while (!arrays[size]) {
        size--;
    }
    return (DsegTlbSpot) {
        .slot = slot_of(tlb, arrays[size],
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

/* What an L1 miss finds in L2 goes to L1 as it is, if that has the size. */
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

/* Else as pages do. */
static DsegTlbSpot refill_pieces(DsegTlb *tlb, const DsegTlbFound *l2,
                                 uint64_t va, DsegTlbKind kind)
{
    DsegTlbEntry entry = dseg_tlb_array_entry(l2->array, l2->index);
    DsegTlbPage page = page_of(&entry);

    tlb->counters.misses[DSEG_TLB_L1][kind][l2->size]++;
    return fill_l1(tlb, entry.space, va, kind, &page);
}

/* What segments beside L1 translate, which are asked before it, leaves no entry. */
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
            slot_of(tlb, found.array, found.index), found.size,
        };
        return DSEG_TLB_HIT_L1;
    }
    if (lookup(tlb, DSEG_TLB_L2, space, va, kind, page, &found)) {
        DsegTlbArray *l1 = array_for(tlb, DSEG_TLB_L1, kind, found.size);

        *spot = l1 ? (DsegTlbSpot) {
                         slot_of(tlb, l1, refill(tlb, l1, &found, va, kind)),
                         found.size,
                     }
                   : refill_pieces(tlb, &found, va, kind);
        return DSEG_TLB_HIT_L2;
    }
    return dseg_tlb_miss(tlb, space, va, kind, page, spot);
}

/* By the words of an array, as there may be thousands to look through. */
static inline bool in_scope(uint64_t owner, const DsegTlbScope *scope)
{
    if (!dseg_tlb_scope_asid(scope, owner >> DSEG_TLB_OWNER_ASID_SHIFT)) {
        return false;
    }
    if (owner & DSEG_TLB_OWNER_GLOBAL) {
        return scope->globals == DSEG_TLB_GLOBAL_TOO;
    }
    return !scope->one_pcid ||
           (uint16_t)(owner >> DSEG_TLB_OWNER_PCID_SHIFT) == scope->pcid;
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

static void announce_next(DsegTlb *tlb, const DsegTlbArray *array,
                          uint32_t index)
{
    uint32_t next = dseg_tlb_array_next(array, index);

    if (next != DSEG_TLB_NO_ENTRY) {
        tell(tlb, array, next);
    }
}

/* All others of the set of @index. */
static void announce_others(DsegTlb *tlb, const DsegTlbArray *array,
                            uint32_t index)
{
    uint32_t first = dseg_tlb_array_set_of(array, index) * array->ways;

    for (uint32_t i = first; i < first + array->ways; i++) {
        if (i != index && dseg_tlb_array_valid(array, i)) {
            tell(tlb, array, i);
        }
    }
}

/* Whether something has gone to the set lately, so that its order may matter. */
static bool is_watched(DsegTlb *tlb, const DsegTlbArray *array, uint32_t index,
                       DsegTlbOutcome outcome)
{
    uint32_t first = dseg_tlb_array_set_of(array, index) * array->ways;
    uint8_t *left = &tlb->watched_hits[slot_of(tlb, array, first)];

    if (outcome != DSEG_TLB_HIT_L1) {
        *left = DSEG_TLB_WATCHED_HITS;
    }
    return *left && (*left)--;
}

static void announce_ranked(DsegTlb *tlb, const DsegTlbArray *array,
                            uint32_t index, DsegTlbOutcome outcome)
{
    if (array->ways > DSEG_TLB_UNSEEN &&
        is_watched(tlb, array, index, outcome)) {
        uint32_t older = dseg_tlb_array_ranked(array, index, DSEG_TLB_UNSEEN);

        if (dseg_tlb_array_valid(array, older)) {
            tell(tlb, array, older);
        }
    }
}

/* Where that is more than the next victim. */
static void announce_more(DsegTlb *tlb, const DsegTlbArray *array,
                          uint32_t index, DsegTlbAnnounce what,
                          DsegTlbOutcome outcome)
{
    if (what == DSEG_TLB_ANNOUNCE_RANKED) {
        announce_ranked(tlb, array, index, outcome);
    } else if (what == DSEG_TLB_ANNOUNCE_OTHERS &&
               outcome != DSEG_TLB_HIT_L1) {
        announce_others(tlb, array, index);
    }
}

static inline void announce(DsegTlb *tlb, const DsegTlbArray *array,
                            uint32_t index, DsegTlbSize size,
                            DsegTlbOutcome outcome)
{
    DsegTlbAnnounce what = tlb->announce[number_of(tlb, array)][size];

    if (what != DSEG_TLB_ANNOUNCE_NEXT) {
        announce_more(tlb, array, index, what, outcome);
    } else if (outcome != DSEG_TLB_HIT_L1) {
        announce_next(tlb, array, index);
    }
}

void dseg_tlb_announce(DsegTlb *tlb, DsegTlbSpot spot, DsegTlbOutcome outcome)
{
    unsigned number = tlb->array_of_slot[spot.slot];

    announce(tlb, &tlb->arrays[number], spot.slot - tlb->first_slot[number],
             spot.size, outcome);
}

/* dseg_tlb_hit() in general, out of the way of what is usual. */
static DsegTlbSpot hit_slowly(DsegTlb *tlb, DsegTlbSpace space, uint64_t va,
                              DsegTlbKind kind)
{
    DsegTlbSpot spot;
    DsegTlbOutcome outcome = dseg_tlb_access(tlb, space, va, kind, NULL, &spot);

    dseg_tlb_announce(tlb, spot, outcome);
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
    announce(tlb, l1, index, found->size, outcome);
    return (DsegTlbSpot) { slot_of(tlb, l1, index), found->size };
}

/* Removes what @scope names of the @count entries from @first on. */
static void sweep(DsegTlb *tlb, unsigned number, uint32_t first,
                  uint32_t count, DsegTlbCause cause, const DsegTlbScope *scope)
{
    DsegTlbArray *array = &tlb->arrays[number];

    for (uint32_t i = first; i < first + count; i++) {
        if (dseg_tlb_array_valid(array, i) &&
            in_scope(array->cells[i].owner, scope) &&
            (!scope->one_page ||
             dseg_tlb_array_maps(array, i, scope->va))) {
            drop(tlb, array, i);
            tlb->counters.invalidated[cause]++;
        }
    }
}

/*
 * A page of each size can be in one set only, which may be the same for all.  Its
 * pieces can be in any.
 */
static void sweep_page(DsegTlb *tlb, unsigned number, DsegTlbCause cause,
                       const DsegTlbScope *scope)
{
    const DsegTlbArray *array = &tlb->arrays[number];
    unsigned sizes = tlb->geometry.arrays[number].sizes;

    for (DsegTlbSize size = 0; size < DSEG_TLB_SIZE__MAX; size++) {
        if (sizes >> size & 1) {
            unsigned shift = dseg_tlb_size_shift(size);

            sweep(tlb, number, dseg_tlb_array_set(array, scope->va, shift),
                  array->ways, cause, scope);
            if (!array->set_mask) {
                return;
            }
        }
    }
}

void dseg_tlb_invalidate(DsegTlb *tlb, DsegTlbCause cause,
                         const DsegTlbScope *scope)
{
    tlb->counters.invalidations[cause]++;
    for (unsigned i = 0; i < tlb->geometry.count; i++) {
        if (tlb->geometry.arrays[i].place == DSEG_TLB_PLACE_NESTED ||
            !tlb->arrays[i].used) {
            continue;
        }
        if (scope->one_page && !tlb->arrays[i].pieces) {
            sweep_page(tlb, i, cause, scope);
        } else {
            sweep(tlb, i, 0, tlb->arrays[i].entries, cause, scope);
        }
    }
    dseg_tlb_walk_invalidate(tlb, cause, scope);
}
