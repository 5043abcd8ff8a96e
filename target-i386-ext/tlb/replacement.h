/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: which entry of a set has to go
 *
 * What a replacement policy remembers of the sets of an array, by their numbers and
 * those of their ways.  Inline, as QEMU comes here at each miss of its own TLB.
 *
 * Plain C: no QEMU headers, so that unit tests can compile it by itself.
 */

#ifndef DSEG_TLB_REPLACEMENT_H
#define DSEG_TLB_REPLACEMENT_H

#include <stdbool.h>
#include <stdint.h>
#include "tlb/geometry.h"

typedef struct DsegTlbReplacement {
    DsegTlbPolicy policy;
    uint32_t ways;

    /*
     * lru and fifo: the ways of each set from the newest one on, four bits each
     * from bit 0 on.  It says what the times of a clock would.
     */
    uint64_t *list;

    /* The same for more ways than that has room for: in a ring. */
    struct DsegTlbRing {
        uint16_t older, newer;
    } *ring;
    uint16_t *oldest;
    uint64_t *tree;         /* plru: bit n of a set's is node n */
    uint64_t random;        /* random: the state */
} DsegTlbReplacement;

/* How many ways a list has room for. */
#define DSEG_TLB_LIST_WAYS 16

/* No way: a number that is none. */
#define DSEG_TLB_NO_WAY UINT32_MAX

/*
 * Makes @order that of @sets sets in which nothing has been touched.  @seed is the
 * first state of random.  Ends the program if there is no memory for it.
 */
void dseg_tlb_replacement_init(DsegTlbReplacement *order, uint32_t sets,
                               uint32_t ways,
                               DsegTlbPolicy policy, uint64_t seed);
void dseg_tlb_replacement_destroy(DsegTlbReplacement *order);

/*
 * @list with @way, which it has, moved to its beginning.  No branches, as where a
 * way is can't be predicted: what is 0 of @list ^ @way is where, and the lowest bit
 * that is left of subtracting 1 from each says so.
 */
static inline uint64_t dseg_tlb_list_renewed(uint64_t list, uint32_t way)
{
    const uint64_t ones = UINT64_C(0x1111111111111111);
    uint64_t other = list ^ way * ones;
    uint64_t found = (other - ones) & ~other & ones << 3;
    uint64_t moved = (UINT64_C(2) << __builtin_ctzll(found)) - 1;

    return (list & ~moved) | ((list << 4 | way) & moved);
}

/* Where the bits lead. */
static inline uint32_t dseg_tlb_replacement_follow(const DsegTlbReplacement *order,
                                                   uint32_t set)
{
    uint32_t node = 1;

    while (node < order->ways) {
        node = 2 * node + (order->tree[set] >> node & 1);
    }
    return node - order->ways;
}

/* Which way of @set has been renewed longest ago; policy LRU or FIFO. */
static inline uint32_t dseg_tlb_replacement_oldest(const DsegTlbReplacement *order,
                                                   uint32_t set)
{
    return order->list ? order->list[set] >> 4 * (order->ways - 1) & 15
                       : order->oldest[set];
}

/* dseg_tlb_replacement_fill() without a list, out of the way of what is usual. */
void dseg_tlb_replacement_fill_slowly(DsegTlbReplacement *order, uint32_t set,
                                      uint32_t way);

/* @way has been filled. */
static inline void dseg_tlb_replacement_fill(DsegTlbReplacement *order,
                                             uint32_t set,
                                             uint32_t way)
{
    if (order->list) {
        order->list[set] = dseg_tlb_list_renewed(order->list[set], way);
    } else {
        dseg_tlb_replacement_fill_slowly(order, set, way);
    }
}

/* A hit of @way. */
static inline void dseg_tlb_replacement_hit(DsegTlbReplacement *order,
                                            uint32_t set,
                                            uint32_t way)
{
    if (order->policy != DSEG_TLB_FIFO) {
        dseg_tlb_replacement_fill(order, set, way);
    }
}

/* dseg_tlb_replacement_victim() without a list. */
uint32_t dseg_tlb_replacement_victim_slowly(DsegTlbReplacement *order,
                                            uint32_t set);

/* What a full set gives up.  The next random number is used up by it. */
static inline uint32_t dseg_tlb_replacement_victim(DsegTlbReplacement *order,
                                                   uint32_t set)
{
    return order->list ? dseg_tlb_replacement_oldest(order, set)
                       : dseg_tlb_replacement_victim_slowly(order, set);
}

/* What it would give up, where hits decide that; else DSEG_TLB_NO_WAY. */
static inline uint32_t dseg_tlb_replacement_next(const DsegTlbReplacement *order,
                                                 uint32_t set)
{
    switch (order->policy) {
    case DSEG_TLB_LRU:
        return dseg_tlb_replacement_oldest(order, set);
    case DSEG_TLB_PLRU:
        return dseg_tlb_replacement_follow(order, set);
    default:
        return DSEG_TLB_NO_WAY;
    }
}

/* The @rank-th newest way of @set, from 0 on; policy LRU or FIFO. */
static inline uint32_t dseg_tlb_replacement_ranked(const DsegTlbReplacement *order,
                                                   uint32_t set, unsigned rank)
{
    const struct DsegTlbRing *ring = order->ring + set * order->ways;
    uint32_t way;

    if (order->list) {
        return order->list[set] >> 4 * rank & 15;
    }
    way = order->oldest[set];
    do {
        way = ring[way].older;
    } while (rank--);
    return way;
}

#endif
