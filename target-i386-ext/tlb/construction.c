/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: a TLB hierarchy of a stated geometry is made
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

/*
 * What dseg_tlb_hide_candidates() hides after an access to an entry of @size in
 * array @i, which is one of L1.
 */
static DsegTlbCandidates candidates(const DsegTlb *tlb, unsigned i,
                                    DsegTlbSize size)
{
    const DsegTlbArrayGeometry *geometry = &tlb->geometry.arrays[i];
    bool fetch = geometry->place == DSEG_TLB_PLACE_L1I;
    bool last = !tlb->lookup[DSEG_TLB_L2][fetch][size];

    if (geometry->policy == DSEG_TLB_FIFO ||
        geometry->policy == DSEG_TLB_RANDOM) {
        return DSEG_TLB_CANDIDATES_NONE;
    }
    if (last && !fetch && geometry->policy == DSEG_TLB_LRU) {
        return DSEG_TLB_CANDIDATES_RANKED;
    }
    return last && geometry->ways <= DSEG_TLB_MAX_CANDIDATES
           ? DSEG_TLB_CANDIDATES_OTHERS : DSEG_TLB_CANDIDATES_NEXT;
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
                tlb->candidates[i][size] = candidates(tlb, i, size);
            }
        }
    }
}

DsegTlb *dseg_tlb_new(const DsegTlbGeometry *geometry, DsegTlbHide *hide,
                      void *opaque)
{
    DsegTlb *tlb = dseg_tlb_zeroed(sizeof(*tlb));

    tlb->geometry = *geometry;
    tlb->segments_beside_l1 = geometry->segments_beside_l1;
    tlb->hide = hide;
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
