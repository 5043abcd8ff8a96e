/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: what a TLB hierarchy consists of
 *
 * For the files that implement it, and nobody else.
 */

#ifndef DSEG_TLB_STATE_H
#define DSEG_TLB_STATE_H

#include "tlb/tlb.h"
#include "tlb/array.h"
#include "tlb/walk-caches.h"

/* Walk caches and nested TLB: what shortens walks. */
typedef struct DsegTlbWalkState {
    bool any;               /* the geometry has one of these at least */

    /* By level from PML5E on.  No cache for it: the array has entries == 0. */
    DsegTlbArray guest[DSEG_TLB_WALK_LEVELS];
    DsegTlbArray nested[DSEG_TLB_WALK_LEVELS];

    /* The nested TLB, by page size: in DsegTlb.arrays, or NULL. */
    DsegTlbArray *gpas[DSEG_TLB_SIZE__MAX];
    DsegTlbWalkCounters counters;
} DsegTlbWalkState;

/* Which entries of a set dseg_tlb_hide_candidates() hides: see there. */
typedef enum DsegTlbCandidates {
    DSEG_TLB_CANDIDATES_NONE,
    DSEG_TLB_CANDIDATES_NEXT,     /* after a fill, the next victim */
    DSEG_TLB_CANDIDATES_OTHERS,   /* after a fill, all but what was filled */
    DSEG_TLB_CANDIDATES_RANKED,   /* what falls behind the two used last */
} DsegTlbCandidates;

struct DsegTlb {
    /*
     * The arrays that an access may be in, by level, whether it is a fetch, and
     * page size; NULL if that size has none.
     */
    DsegTlbArray *lookup[DSEG_TLB_LEVEL__MAX][2][DSEG_TLB_SIZE__MAX];
    DsegTlbArray arrays[DSEG_TLB_MAX_ARRAYS];
    DsegTlbSlot first_slot[DSEG_TLB_MAX_ARRAYS]; /* DSEG_TLB_NO_SLOT: not L1 */
    uint32_t slots;             /* of all arrays of L1 */
    uint8_t *array_of_slot;     /* the number of the array that has the slot */

    /* DsegTlbCandidates: by array of L1, and by size of the entry accessed. */
    uint8_t candidates[DSEG_TLB_MAX_ARRAYS][DSEG_TLB_SIZE__MAX];

    /*
     * For CANDIDATES_RANKED: for how many more hits a set is watched.  The slot
     * of the first way of the set has it; those of other ways are not used.
     */
    uint8_t *watched_hits;
    bool segments_beside_l1;    /* a copy of @geometry's, near @lookup */
    DsegTlbHide *hide;          /* the caller's, or NULL */
    void *opaque;               /* for @hide */
    DsegTlbCounters counters;
    DsegTlbGeometry geometry;
    DsegTlbWalkState walk;
};

/* Whether @scope names @asid. */
static inline bool dseg_tlb_scope_asid(const DsegTlbScope *scope, uint32_t asid)
{
    switch (scope->asids) {
    case DSEG_TLB_ASID_ONE:
        return asid == scope->asid;
    case DSEG_TLB_ASID_GUESTS:
        return asid;
    default:
        return true;
    }
}

/* Make and free @tlb->walk.  The arrays of @tlb must have been made before. */
void dseg_tlb_walk_init(DsegTlb *tlb);
void dseg_tlb_walk_destroy(DsegTlb *tlb);

/* Removes from walk caches and nested TLB what an operation removes there. */
void dseg_tlb_walk_invalidate(DsegTlb *tlb, DsegTlbCause cause,
                              const DsegTlbScope *scope);

#endif
