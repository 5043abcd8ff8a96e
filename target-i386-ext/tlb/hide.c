/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: which entries of L1 the caller has to hide, where that is more
 * than the next victim
 */

#include "tlb/hide.h"

/* Hides all others of the set of @index. */
static void hide_others(DsegTlb *tlb, const DsegTlbArray *array, uint32_t index)
{
    uint32_t first = dseg_tlb_array_set_of(array, index) * array->ways;

    for (uint32_t i = first; i < first + array->ways; i++) {
        if (i != index && dseg_tlb_array_valid(array, i)) {
            dseg_tlb_hide(tlb, array, i);
        }
    }
}

/*
 * Whether the set of @index is watched: it has had less than
 * DSEG_TLB_WATCHED_HITS hits that were seen since its last miss.  Without
 * misses its order does not matter.  Counts the access that ended with
 * @outcome.
 */
static bool is_watched(DsegTlb *tlb, const DsegTlbArray *array, uint32_t index,
                       DsegTlbOutcome outcome)
{
    uint32_t first = dseg_tlb_array_set_of(array, index) * array->ways;
    uint8_t *left = &tlb->watched_hits[dseg_tlb_slot_of(tlb, array, first)];

    if (outcome != DSEG_TLB_HIT_L1) {
        *left = DSEG_TLB_WATCHED_HITS;
    }
    return *left && (*left)--;
}

/* Hides the entry that is no longer among the DSEG_TLB_SHOWN_WAYS used last. */
static void hide_ranked(DsegTlb *tlb, const DsegTlbArray *array, uint32_t index,
                        DsegTlbOutcome outcome)
{
    if (array->ways > DSEG_TLB_SHOWN_WAYS &&
        is_watched(tlb, array, index, outcome)) {
        uint32_t older = dseg_tlb_array_ranked(array, index,
                                               DSEG_TLB_SHOWN_WAYS);

        if (dseg_tlb_array_valid(array, older)) {
            dseg_tlb_hide(tlb, array, older);
        }
    }
}

void dseg_tlb_hide_more(DsegTlb *tlb, const DsegTlbArray *array, uint32_t index,
                        DsegTlbCandidates candidates, DsegTlbOutcome outcome)
{
    if (candidates == DSEG_TLB_CANDIDATES_RANKED) {
        hide_ranked(tlb, array, index, outcome);
    } else if (candidates == DSEG_TLB_CANDIDATES_OTHERS &&
               outcome != DSEG_TLB_HIT_L1) {
        hide_others(tlb, array, index);
    }
}

void dseg_tlb_hide_candidates(DsegTlb *tlb, DsegTlbSpot spot,
                              DsegTlbOutcome outcome)
{
    unsigned number = tlb->array_of_slot[spot.slot];

    dseg_tlb_hide_after(tlb, &tlb->arrays[number],
                        spot.slot - tlb->first_slot[number], spot.size,
                        outcome);
}
