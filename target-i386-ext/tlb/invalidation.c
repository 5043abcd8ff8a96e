/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: operations that remove entries of the TLB hierarchy
 */

#include "tlb/hide.h"
#include "tlb/state.h"

/*
 * Whether @scope names the ASID and PCID of an entry; its page is not looked
 * at.  Takes DsegTlbCell.owner, as spelling out thousands of entries would be
 * slow.
 */
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

/* Removes what @scope names among the @count entries from @first on. */
static void sweep(DsegTlb *tlb, unsigned number, uint32_t first,
                  uint32_t count, DsegTlbCause cause, const DsegTlbScope *scope)
{
    DsegTlbArray *array = &tlb->arrays[number];

    for (uint32_t i = first; i < first + count; i++) {
        if (dseg_tlb_array_valid(array, i) &&
            in_scope(array->cells[i].owner, scope) &&
            (!scope->one_page ||
             dseg_tlb_array_maps(array, i, scope->va))) {
            dseg_tlb_drop(tlb, array, i);
            tlb->counters.invalidated[cause]++;
        }
    }
}

/*
 * Removes the entries of one page from an array without pieces of pages.  Then
 * an entry of a size can be in one set only; that may be the same set for all
 * sizes.
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
