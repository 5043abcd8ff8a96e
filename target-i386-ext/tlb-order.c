/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: which entry of a set has to go
 */

#include <stdlib.h>
#include "tlb-order.h"

static void *zeroed(size_t count, size_t size)
{
    void *memory = calloc(count, size);

    if (!memory) {
        abort();
    }
    return memory;
}

/* Way 0 is the oldest. */
static void init_list(DsegTlbOrder *order, uint32_t sets)
{
    order->list = zeroed(sets, sizeof(*order->list));
    for (uint32_t set = 0; set < sets; set++) {
        for (uint32_t way = 0; way < order->ways; way++) {
            order->list[set] = order->list[set] << 4 | way;
        }
    }
}

static void init_ring(DsegTlbOrder *order, uint32_t sets)
{
    uint32_t ways = order->ways;

    order->ring = zeroed((size_t)sets * ways, sizeof(*order->ring));
    order->oldest = zeroed(sets, sizeof(*order->oldest));
    for (uint32_t i = 0; i < sets * ways; i++) {
        order->ring[i].older = (i % ways + ways - 1) % ways;
        order->ring[i].newer = (i % ways + 1) % ways;
    }
}

void dseg_tlb_order_init(DsegTlbOrder *order, uint32_t sets, uint32_t ways,
                         DsegTlbPolicy policy, uint64_t seed)
{
    *order = (DsegTlbOrder) {
        .policy = policy,
        .ways = ways,
        .random = seed,
    };
    if (policy == DSEG_TLB_LRU || policy == DSEG_TLB_FIFO) {
        if (ways <= DSEG_TLB_LIST_WAYS) {
            init_list(order, sets);
        } else {
            init_ring(order, sets);
        }
    } else if (policy == DSEG_TLB_PLRU) {
        order->tree = zeroed(sets, sizeof(*order->tree));
    }
}

void dseg_tlb_order_destroy(DsegTlbOrder *order)
{
    free(order->list);
    free(order->ring);
    free(order->oldest);
    free(order->tree);
}
