/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: one set-associative array of a TLB
 */

#include "tlb/array.h"
#include "tlb/memory.h"

void dseg_tlb_array_init(DsegTlbArray *array, uint32_t entries, uint32_t ways,
                         DsegTlbPolicy policy, uint64_t seed)
{
    uint32_t sets = entries / ways;
    uint32_t hint_stride = (ways + DSEG_TLB_HINTS - 1) / DSEG_TLB_HINTS *
                           DSEG_TLB_HINTS;

    *array = (DsegTlbArray) {
        .hints = dseg_tlb_zeroed((size_t)sets * hint_stride *
                                 sizeof(*array->hints)),
        .hint_stride = hint_stride,
        .cells = dseg_tlb_zeroed(entries * sizeof(*array->cells)),
        .entries = entries,
        .ways = ways,
        .set_mask = sets - 1,
        .reciprocal = (UINT64_C(1) << 32) / ways + 1,
    };
    dseg_tlb_replacement_init(&array->order, sets, ways, policy, seed);
}

uint32_t dseg_tlb_array_find_slowly(const DsegTlbArray *array, uint64_t va,
                                    unsigned shift, uint64_t owner)
{
    uint32_t set = dseg_tlb_array_set_for(array, va, shift);
    const uint32_t *hints = array->hints + set * array->hint_stride;
    uint32_t hint = dseg_tlb_hint_of(va, shift);

    for (uint32_t way = 0; way < array->ways; way += DSEG_TLB_HINTS) {
        unsigned equal = dseg_tlb_equal_hints(hints + way, hint);

        for (; equal; equal &= equal - 1) {
            uint32_t i = set * array->ways + way + __builtin_ctz(equal);

            if (dseg_tlb_cell_matches(&array->cells[i], va, shift, owner)) {
                return i;
            }
        }
    }
    return DSEG_TLB_NO_ENTRY;
}

void dseg_tlb_array_destroy(DsegTlbArray *array)
{
    free(array->hints);
    free(array->cells);
    dseg_tlb_replacement_destroy(&array->order);
    *array = (DsegTlbArray) { .cells = NULL };
}
