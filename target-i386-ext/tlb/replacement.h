/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: which entry of a set is evicted next
 *
 * What a replacement policy remembers of the sets of an array.  Sets and ways
 * are given by their numbers, from 0 on.  Inline, as QEMU comes here at each
 * miss of its own TLB.
 *
 * Plain C: no QEMU headers, so that unit tests can compile it by itself.
 */

#ifndef DSEG_TLB_REPLACEMENT_H
#define DSEG_TLB_REPLACEMENT_H

#include <stdbool.h>
#include <stdint.h>
#include "tlb/geometry.h"

/* A list of ways, five bits each; see DsegTlbReplacement. */
typedef unsigned __int128 DsegTlbWideList;

typedef struct DsegTlbReplacement {
    DsegTlbPolicy policy;
    uint32_t ways;

    /*
     * lru and fifo: for each set, its ways in the order of their last touch
     * (lru) or fill (fifo), four bits each, the newest way in bits 3:0.  NULL
     * if there are more ways than that has room for.
     */
    uint64_t *list;
    DsegTlbWideList *wide_list; /* the same for more ways, five bits each */

    /*
     * The same for still more ways.  Each has a link to the next older and the next
     * newer way of its set; of the oldest the older one is the newest, a ring.
     */
    struct DsegTlbRing {
        uint16_t older, newer;
    } *ring;                /* way w of set s: s * ways + w */
    uint16_t *oldest;       /* of each set: a way */
    uint64_t *tree;         /* plru: of each set; bit n is node n */
    struct DsegTlbTreePath {
        uint64_t nodes;     /* from the root to the way */
        uint64_t away;      /* those of them that are set to lead elsewhere */
    } *path;                /* plru: of each way */
    uint8_t *victims;       /* plru: of each state of the tree; NULL: too many */
    uint64_t random;        /* random: the state of splitmix64 */
} DsegTlbReplacement;

/* Up to so many ways DsegTlbReplacement.victims are known. */
#define DSEG_TLB_KNOWN_VICTIM_WAYS 8

/* How many ways DsegTlbReplacement.list has room for. */
#define DSEG_TLB_LIST_WAYS 16
#define DSEG_TLB_WIDE_LIST_WAYS 25

/* The number that stands for no way. */
#define DSEG_TLB_NO_WAY UINT32_MAX

/*
 * Makes @order that of @sets sets in which nothing has been touched.  @seed is the
 * first state of random.  Ends the program if there is no memory for it.
 */
void dseg_tlb_replacement_init(DsegTlbReplacement *order, uint32_t sets,
                               uint32_t ways,
                               DsegTlbPolicy policy, uint64_t seed);
void dseg_tlb_replacement_destroy(DsegTlbReplacement *order);

/* What is remembered of @set will be needed soon. */
static inline void dseg_tlb_replacement_prefetch(const DsegTlbReplacement *order,
                                                 uint32_t set)
{
    if (order->list) {
        __builtin_prefetch(order->list + set, 1);
    } else if (order->wide_list) {
        __builtin_prefetch(order->wide_list + set, 1);
    } else if (order->ring) {
        __builtin_prefetch(order->oldest + set, 1);
        __builtin_prefetch(order->ring + (size_t)set * order->ways, 1);
        __builtin_prefetch(order->ring + (size_t)(set + 1) * order->ways - 1, 1);
    } else if (order->tree) {
        __builtin_prefetch(order->tree + set, 1);
    }
}

/*
 * @list with @way, which it has, moved to its beginning.  There are no
 * branches, as where a way is can't be predicted.  The four bits of @way are
 * the first four that are 0 in @list ^ @way; the lowest bit that is set in
 * found is the top one of them.
 */
static inline uint64_t dseg_tlb_list_renewed(uint64_t list, uint32_t way)
{
    const uint64_t ones = UINT64_C(0x1111111111111111);
    uint64_t other = list ^ way * ones;
    uint64_t found = (other - ones) & ~other & ones << 3;
    uint64_t moved = (UINT64_C(2) << __builtin_ctzll(found)) - 1;

    return (list & ~moved) | ((list << 4 | way) & moved);
}

/* The same of a wide list. */
static inline DsegTlbWideList dseg_tlb_wide_list_renewed(DsegTlbWideList list,
                                                         uint32_t way)
{
    const DsegTlbWideList ones =
        (DsegTlbWideList)UINT64_C(0x0108421084210842) << 64 |
        UINT64_C(0x1084210842108421);
    DsegTlbWideList other = list ^ way * ones;
    DsegTlbWideList found = (other - ones) & ~other & ones << 4;
    uint64_t low = found;
    unsigned top = low ? __builtin_ctzll(low)
                       : 64 + __builtin_ctzll((uint64_t)(found >> 64));
    DsegTlbWideList moved = ((DsegTlbWideList)2 << top) - 1;

    return (list & ~moved) | ((list << 5 | way) & moved);
}

/* The way that the tree's bits lead to: the victim of policy PLRU. */
static inline uint32_t dseg_tlb_replacement_follow(const DsegTlbReplacement *order,
                                                   uint32_t set)
{
    uint32_t node = 1;

    if (order->victims) {
        return order->victims[order->tree[set]];
    }
    while (node < order->ways) {
        node = 2 * node + (order->tree[set] >> node & 1);
    }
    return node - order->ways;
}

/* The way of @set whose touch or fill is the oldest; policy LRU or FIFO. */
static inline uint32_t dseg_tlb_replacement_oldest(const DsegTlbReplacement *order,
                                                   uint32_t set)
{
    if (order->list) {
        return order->list[set] >> 4 * (order->ways - 1) & 15;
    }
    return order->wide_list ? order->wide_list[set] >> 5 * (order->ways - 1) & 31
                            : order->oldest[set];
}

/* dseg_tlb_replacement_fill() with a ring, or with policy random. */
void dseg_tlb_replacement_fill_slowly(DsegTlbReplacement *order, uint32_t set,
                                      uint32_t way);

/* @way has been filled. */
static inline void dseg_tlb_replacement_fill(DsegTlbReplacement *order,
                                             uint32_t set,
                                             uint32_t way)
{
    if (order->list) {
        order->list[set] = dseg_tlb_list_renewed(order->list[set], way);
    } else if (order->tree) {
        order->tree[set] = (order->tree[set] & ~order->path[way].nodes) |
                           order->path[way].away;
    } else if (order->wide_list) {
        order->wide_list[set] =
            dseg_tlb_wide_list_renewed(order->wide_list[set], way);
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

/*
 * The way that is evicted from a full set.  With policy random that takes the
 * next number of the sequence.
 */
static inline uint32_t dseg_tlb_replacement_victim(DsegTlbReplacement *order,
                                                   uint32_t set)
{
    if (order->list || order->wide_list) {
        return dseg_tlb_replacement_oldest(order, set);
    }
    return order->victims ? order->victims[order->tree[set]]
                          : dseg_tlb_replacement_victim_slowly(order, set);
}

/*
 * The way that would be evicted now.  DSEG_TLB_NO_WAY with FIFO and random,
 * where hits do not decide that.  Nothing changes.
 */
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
    const struct DsegTlbRing *ring;
    uint32_t way;

    if (order->list) {
        return order->list[set] >> 4 * rank & 15;
    }
    if (order->wide_list) {
        return order->wide_list[set] >> 5 * rank & 31;
    }
    ring = order->ring + set * order->ways;
    way = order->oldest[set];
    do {
        way = ring[way].older;
    } while (rank--);
    return way;
}

#endif
