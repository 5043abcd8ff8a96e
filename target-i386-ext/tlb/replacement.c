/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: which entry of a set is evicted next
 *
 * The cases that matter for speed (LRU and FIFO of up to 16 ways, a packed list
 * a set) are in replacement.h, for the compiler to put them where they are used.
 */

#include "tlb/memory.h"
#include "tlb/replacement.h"

/* At first way 0 is the oldest. */
static void init_list(DsegTlbReplacement *order, uint32_t sets)
{
    order->list = dseg_tlb_zeroed(sets * sizeof(*order->list));
    for (uint32_t set = 0; set < sets; set++) {
        for (uint32_t way = 0; way < order->ways; way++) {
            order->list[set] = order->list[set] << 4 | way;
        }
    }
}

static void init_wide_list(DsegTlbReplacement *order, uint32_t sets)
{
    order->wide_list = dseg_tlb_zeroed(sets * sizeof(*order->wide_list));
    for (uint32_t set = 0; set < sets; set++) {
        for (uint32_t way = 0; way < order->ways; way++) {
            order->wide_list[set] = order->wide_list[set] << 5 | way;
        }
    }
}

/* The nodes on the path to @way, and which bits lead to the other side. */
static struct DsegTlbTreePath path_to(uint32_t way, uint32_t ways)
{
    struct DsegTlbTreePath path = {};
    uint32_t node = 1;

    for (uint32_t half = ways >> 1; half; half >>= 1) {
        bool upper = way & half;

        path.nodes |= UINT64_C(1) << node;
        path.away |= (uint64_t)!upper << node;
        node = 2 * node + upper;
    }
    return path;
}

/* What every tree of one set leads to. */
static void init_victims(DsegTlbReplacement *order)
{
    uint32_t trees = 1 << order->ways;
    uint8_t *victims = dseg_tlb_zeroed(trees);
    uint64_t *of_sets = order->tree;

    for (uint64_t tree = 0; tree < trees; tree++) {
        order->tree = &tree;
        victims[tree] = dseg_tlb_replacement_follow(order, 0);
    }
    order->tree = of_sets;
    order->victims = victims;
}

static void init_tree(DsegTlbReplacement *order, uint32_t sets)
{
    order->tree = dseg_tlb_zeroed(sets * sizeof(*order->tree));
    order->path = dseg_tlb_zeroed(order->ways * sizeof(*order->path));
    for (uint32_t way = 0; way < order->ways; way++) {
        order->path[way] = path_to(way, order->ways);
    }
    if (order->ways <= DSEG_TLB_KNOWN_VICTIM_WAYS) {
        init_victims(order);
    }
}

static void init_ring(DsegTlbReplacement *order, uint32_t sets)
{
    uint32_t ways = order->ways;

    order->ring = dseg_tlb_zeroed(sets * ways * sizeof(*order->ring));
    order->oldest = dseg_tlb_zeroed(sets * sizeof(*order->oldest));
    for (uint32_t i = 0; i < sets * ways; i++) {
        order->ring[i].older = (i % ways + ways - 1) % ways;
        order->ring[i].newer = (i % ways + 1) % ways;
    }
}

void dseg_tlb_replacement_init(DsegTlbReplacement *order, uint32_t sets,
                               uint32_t ways,
                               DsegTlbPolicy policy, uint64_t seed)
{
    *order = (DsegTlbReplacement) {
        .policy = policy,
        .ways = ways,
        .random = seed,
    };
    if (policy == DSEG_TLB_LRU || policy == DSEG_TLB_FIFO) {
        if (ways <= DSEG_TLB_LIST_WAYS) {
            init_list(order, sets);
        } else if (ways <= DSEG_TLB_WIDE_LIST_WAYS) {
            init_wide_list(order, sets);
        } else {
            init_ring(order, sets);
        }
    } else if (policy == DSEG_TLB_PLRU) {
        init_tree(order, sets);
    }
}

void dseg_tlb_replacement_destroy(DsegTlbReplacement *order)
{
    free(order->list);
    free(order->wide_list);
    free(order->ring);
    free(order->oldest);
    free(order->tree);
    free(order->path);
    free(order->victims);
}

/* Makes @way the newest of @set. */
static void ring_renew(DsegTlbReplacement *order, uint32_t set, uint32_t way)
{
    struct DsegTlbRing *ring = order->ring + set * order->ways;
    uint16_t oldest = order->oldest[set];
    uint16_t newest = ring[oldest].older;

    if (way == oldest) {
        order->oldest[set] = ring[way].newer;
    } else if (way != newest) {
        ring[ring[way].older].newer = ring[way].newer;
        ring[ring[way].newer].older = ring[way].older;
        ring[way] = (struct DsegTlbRing) { .older = newest, .newer = oldest };
        ring[newest].newer = way;
        ring[oldest].older = way;
    }
}

void dseg_tlb_replacement_fill_slowly(DsegTlbReplacement *order, uint32_t set,
                                      uint32_t way)
{
    if (order->ring) {
        ring_renew(order, set, way);
    }
}

/* splitmix64 (Steele, Lea and Flood, OOPSLA 2014) */
static uint64_t next_random(DsegTlbReplacement *order)
{
    uint64_t x = order->random += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t y = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    uint64_t z = (y ^ y >> 27) * UINT64_C(0x94d049bb133111eb);

    return z ^ z >> 31;
}

uint32_t dseg_tlb_replacement_victim_slowly(DsegTlbReplacement *order,
                                            uint32_t set)
{
    switch (order->policy) {
    case DSEG_TLB_PLRU:
        return dseg_tlb_replacement_follow(order, set);
    case DSEG_TLB_RANDOM:
        return next_random(order) % order->ways;
    default:
        return dseg_tlb_replacement_oldest(order, set);
    }
}
