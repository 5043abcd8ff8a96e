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

/* What shortens walks. */
typedef struct DsegTlbWalkState {
    bool any;               /* else nothing here is of use */
    DsegTlbArray guest[DSEG_TLB_WALK_LEVELS];   /* entries 0: none */
    DsegTlbArray nested[DSEG_TLB_WALK_LEVELS];
    DsegTlbArray *gpas[DSEG_TLB_SIZE__MAX];     /* the nested TLB, by size */
    DsegTlbWalkCounters counters;
} DsegTlbWalkState;

/* Which entries of a set dseg_tlb_hide_candidates() hides. */
typedef enum DsegTlbCandidates {
    DSEG_TLB_CANDIDATES_NONE,
    DSEG_TLB_CANDIDATES_NEXT,     /* the next victim, after a fill */
    DSEG_TLB_CANDIDATES_OTHERS,   /* all but the one that has been filled */
    DSEG_TLB_CANDIDATES_RANKED,   /* who is no longer among those used last */
} DsegTlbCandidates;

struct DsegTlb {
    /*
     * The arrays that an access may be in, by level, whether it is a fetch, and
     * page size; NULL if that size has none.
     */
    DsegTlbArray *lookup[DSEG_TLB_LEVEL__MAX][2][DSEG_TLB_SIZE__MAX];
    DsegTlbArray arrays[DSEG_TLB_MAX_ARRAYS];
    DsegTlbSlot first_slot[DSEG_TLB_MAX_ARRAYS]; /* DSEG_TLB_NO_SLOT: not L1 */
    uint32_t slots;
    uint8_t *array_of_slot;
    uint8_t candidates[DSEG_TLB_MAX_ARRAYS][DSEG_TLB_SIZE__MAX];
    uint8_t *watched_hits;      /* by slot, of the first way of its set */
    bool segments_beside_l1;
    DsegTlbHide *hide;
    void *opaque;
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

/* For a hierarchy whose arrays are there already. */
void dseg_tlb_walk_init(DsegTlb *tlb);
void dseg_tlb_walk_destroy(DsegTlb *tlb);

/* Removes from walk caches and nested TLB what an operation removes there. */
void dseg_tlb_walk_invalidate(DsegTlb *tlb, DsegTlbCause cause,
                              const DsegTlbScope *scope);

#endif
