/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: which entries of L1 the caller has to hide
 *
 * For the files that implement the hierarchy.  The caller (QEMU's TLB)
 * translates by itself what it shows, and hits of that are not seen here.  What
 * it hides it asks for here at the next access.  It has to hide what leaves L1.
 * It also has to hide what may be evicted next, as a hit of that changes the
 * order.
 *
 * An example: LRU, data, a set of four ways without entries, no L2;
 * DSEG_TLB_SHOWN_WAYS is 2.
 *
 *   fill a, b   both are among the two used last: shown
 *   fill c      a no longer is, and is hidden
 *   fill d      b is hidden
 *   hit a       is seen: a is used last, and shown again; c is hidden
 *   hit d       is not seen: d is one of the two used last before and after it
 *   fill e      b is evicted, which is hidden already; d is hidden
 */

#ifndef DSEG_TLB_HIDE_H
#define DSEG_TLB_HIDE_H

#include "tlb/state.h"

static inline unsigned dseg_tlb_number_of(const DsegTlb *tlb,
                                          const DsegTlbArray *array)
{
    return array - tlb->arrays;
}

static inline DsegTlbSlot dseg_tlb_slot_of(const DsegTlb *tlb,
                                           const DsegTlbArray *array,
                                           uint32_t index)
{
    return tlb->first_slot[dseg_tlb_number_of(tlb, array)] + index;
}

/* Calls the DsegTlbHide function, if there is one, for an entry of L1. */
static inline void dseg_tlb_hide(DsegTlb *tlb, const DsegTlbArray *array,
                                 uint32_t index)
{
    if (tlb->hide &&
        tlb->first_slot[dseg_tlb_number_of(tlb, array)] != DSEG_TLB_NO_SLOT) {
        tlb->hide(tlb->opaque, dseg_tlb_slot_of(tlb, array, index));
    }
}

/* Hides an entry, if it is one of L1, and removes it. */
static inline void dseg_tlb_drop(DsegTlb *tlb, DsegTlbArray *array,
                                 uint32_t index)
{
    dseg_tlb_hide(tlb, array, index);
    dseg_tlb_array_remove(array, index);
}

/* dseg_tlb_hide_after() for @candidates other than DSEG_TLB_CANDIDATES_NEXT. */
void dseg_tlb_hide_more(DsegTlb *tlb, const DsegTlbArray *array, uint32_t index,
                        DsegTlbCandidates candidates, DsegTlbOutcome outcome);

/* Hides the next victim of the set of @index, unless it is at @index itself. */
static inline void dseg_tlb_hide_next(DsegTlb *tlb, const DsegTlbArray *array,
                                      uint32_t index)
{
    uint32_t next = dseg_tlb_array_next(array, index);

    if (next != DSEG_TLB_NO_ENTRY) {
        dseg_tlb_hide(tlb, array, next);
    }
}

/* dseg_tlb_hide_candidates(), after an access to @index of @array, in L1. */
static inline void dseg_tlb_hide_after(DsegTlb *tlb, const DsegTlbArray *array,
                                       uint32_t index, DsegTlbSize size,
                                       DsegTlbOutcome outcome)
{
    DsegTlbCandidates candidates =
        tlb->candidates[dseg_tlb_number_of(tlb, array)][size];

    if (candidates != DSEG_TLB_CANDIDATES_NEXT) {
        dseg_tlb_hide_more(tlb, array, index, candidates, outcome);
    } else if (outcome != DSEG_TLB_HIT_L1) {
        dseg_tlb_hide_next(tlb, array, index);
    }
}

#endif
