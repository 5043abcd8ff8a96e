/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: one set-associative array of a TLB
 */

#include <stdlib.h>
#include <string.h>
#include "tlb-array.h"

/* From a line of the cache on, which has 64 bytes nearly everywhere. */
static void *zeroed(size_t count, size_t size)
{
    size_t bytes = (count * size + 63) / 64 * 64;
    void *memory = aligned_alloc(64, bytes);

    if (!memory) {
        abort();
    }
    return memset(memory, 0, bytes);
}

void dseg_tlb_array_init(DsegTlbArray *array, uint32_t entries, uint32_t ways,
                         DsegTlbPolicy policy, uint64_t seed)
{
    uint32_t sets = entries / ways;
    uint32_t hint_stride = (ways + DSEG_TLB_HINTS - 1) / DSEG_TLB_HINTS *
                           DSEG_TLB_HINTS;

    *array = (DsegTlbArray) {
        .hints = zeroed((size_t)sets * hint_stride, sizeof(*array->hints)),
        .hint_stride = hint_stride,
        .cells = zeroed(entries, sizeof(*array->cells)),
        .entries = entries,
        .ways = ways,
        .set_mask = sets - 1,
        .reciprocal = (UINT64_C(1) << 32) / ways + 1,
    };
    dseg_tlb_order_init(&array->order, sets, ways, policy, seed);
}

void dseg_tlb_array_destroy(DsegTlbArray *array)
{
    free(array->hints);
    free(array->cells);
    dseg_tlb_order_destroy(&array->order);
    *array = (DsegTlbArray) { .cells = NULL };
}
