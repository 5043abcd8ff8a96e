/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: one set-associative array of a TLB
 */

#include <stdlib.h>
#include <string.h>
#include "tlb-array.h"

static void *zeroed(size_t count, size_t size)
{
    void *memory = calloc(count, size);

    if (!memory) {
        abort();
    }
    return memory;
}

static void init_ring(DsegTlbArray *array)
{
    uint32_t ways = array->ways;

    array->ring = zeroed(array->entries, sizeof(*array->ring));
    array->oldest = zeroed(array->entries / ways, sizeof(*array->oldest));
    for (uint32_t i = 0; i < array->entries; i++) {
        array->ring[i].older = (i % ways + ways - 1) % ways;
        array->ring[i].newer = (i % ways + 1) % ways;
    }
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
        .tags = zeroed(entries, sizeof(*array->tags)),
        .owners = zeroed(entries, sizeof(*array->owners)),
        .data = zeroed(entries, sizeof(*array->data)),
        .entries = entries,
        .ways = ways,
        .set_mask = sets - 1,
        .reciprocal = (UINT64_C(1) << 32) / ways + 1,
        .policy = policy,
        .random = seed,
    };
    if (policy == DSEG_TLB_LRU || policy == DSEG_TLB_FIFO) {
        init_ring(array);
    } else if (policy == DSEG_TLB_PLRU) {
        array->tree = zeroed(sets, sizeof(*array->tree));
    }
}

void dseg_tlb_array_destroy(DsegTlbArray *array)
{
    free(array->hints);
    free(array->tags);
    free(array->owners);
    free(array->data);
    free(array->ring);
    free(array->oldest);
    free(array->tree);
    *array = (DsegTlbArray) { .tags = NULL };
}

/* @index / ways.  Exact, as neither is above DSEG_TLB_MAX_ENTRIES, 2^16. */
static uint32_t set_of(const DsegTlbArray *array, uint32_t index)
{
    return index * array->reciprocal >> 32;
}

/* Makes @way the newest of @set. */
static void renew(DsegTlbArray *array, uint32_t set, uint32_t way)
{
    struct DsegTlbRing *ring = array->ring + set * array->ways;
    uint16_t oldest = array->oldest[set];
    uint16_t newest = ring[oldest].older;

    if (way == oldest) {
        array->oldest[set] = ring[way].newer;
    } else if (way != newest) {
        ring[ring[way].older].newer = ring[way].newer;
        ring[ring[way].newer].older = ring[way].older;
        ring[way] = (struct DsegTlbRing) { .older = newest, .newer = oldest };
        ring[newest].newer = way;
        ring[oldest].older = way;
    }
}

/* Has the bits on the way to @way point to the other side. */
static void point_away(DsegTlbArray *array, uint32_t set, uint32_t way)
{
    uint64_t tree = array->tree[set];
    uint32_t node = 1;

    for (uint32_t half = array->ways >> 1; half; half >>= 1) {
        bool upper = way & half;

        if (upper) {
            tree &= ~(UINT64_C(1) << node);
        } else {
            tree |= UINT64_C(1) << node;
        }
        node = 2 * node + upper;
    }
    array->tree[set] = tree;
}

static void touch(DsegTlbArray *array, uint32_t index)
{
    uint32_t set = set_of(array, index);
    uint32_t way = index - set * array->ways;

    switch (array->policy) {
    case DSEG_TLB_LRU:
    case DSEG_TLB_FIFO:
        renew(array, set, way);
        break;
    case DSEG_TLB_PLRU:
        point_away(array, set, way);
        break;
    default:
        break;
    }
}

void dseg_tlb_array_hit(DsegTlbArray *array, uint32_t index)
{
    if (array->policy != DSEG_TLB_FIFO) {
        touch(array, index);
    }
}

/* Where the bits lead. */
static uint32_t follow(const DsegTlbArray *array, uint32_t set)
{
    uint32_t node = 1;

    while (node < array->ways) {
        node = 2 * node + (array->tree[set] >> node & 1);
    }
    return node - array->ways;
}

/* splitmix64 (Steele, Lea and Flood, OOPSLA 2014) */
static uint64_t next_random(uint64_t *state)
{
    uint64_t x = *state += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t y = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    uint64_t z = (y ^ y >> 27) * UINT64_C(0x94d049bb133111eb);

    return z ^ z >> 31;
}

static uint32_t victim(DsegTlbArray *array, uint32_t set)
{
    switch (array->policy) {
    case DSEG_TLB_PLRU:
        return follow(array, set);
    case DSEG_TLB_RANDOM:
        return next_random(&array->random) % array->ways;
    default:
        return array->oldest[set];
    }
}

uint32_t dseg_tlb_array_next(const DsegTlbArray *array, uint32_t index)
{
    uint32_t set = set_of(array, index);
    uint32_t next = set * array->ways;

    switch (array->policy) {
    case DSEG_TLB_LRU:
        next += array->oldest[set];
        break;
    case DSEG_TLB_PLRU:
        next += follow(array, set);
        break;
    default:
        return DSEG_TLB_NO_ENTRY;
    }
    return next != index && array->tags[next] ? next : DSEG_TLB_NO_ENTRY;
}

uint32_t dseg_tlb_array_ranked(const DsegTlbArray *array, uint32_t index,
                               unsigned rank)
{
    uint32_t set = set_of(array, index);
    const struct DsegTlbRing *ring = array->ring + set * array->ways;
    uint32_t way = array->oldest[set];

    do {
        way = ring[way].older;
    } while (rank--);
    return set * array->ways + way;
}

uint32_t dseg_tlb_array_place(DsegTlbArray *array, uint64_t va, unsigned shift)
{
    uint32_t first = dseg_tlb_array_set(array, va, shift);

    if (array->used < array->entries) {
        for (uint32_t i = first; i < first + array->ways; i++) {
            if (!array->tags[i]) {
                return i;
            }
        }
    }
    return first + victim(array, set_of(array, first));
}

static uint32_t *hint_at(const DsegTlbArray *array, uint32_t index)
{
    uint32_t set = set_of(array, index);

    return array->hints + set * array->hint_stride + index - set * array->ways;
}

/* Counts what is at @index out. */
static void forget(DsegTlbArray *array, uint32_t index)
{
    unsigned shift = dseg_tlb_array_shift(array, index);

    array->used_by_class[dseg_tlb_class_of(shift)]--;
    array->pieces -= dseg_tlb_array_mapping(array, index) > shift;
    array->used--;
}

void dseg_tlb_array_fill(DsegTlbArray *array, uint32_t index,
                         const DsegTlbEntry *entry)
{
    unsigned mapping = entry->lg_mapping > entry->shift ? entry->lg_mapping
                                                        : entry->shift;

    if (array->tags[index]) {
        forget(array, index);
    }
    array->used++;
    array->used_by_class[dseg_tlb_class_of(entry->shift)]++;
    array->pieces += mapping > entry->shift;
    array->tags[index] = dseg_tlb_tag_of(entry->va, entry->shift);
    *hint_at(array, index) = dseg_tlb_hint_of(entry->va, entry->shift);
    array->owners[index] = dseg_tlb_owner_of(entry->space) |
                           (entry->global ? DSEG_TLB_OWNER_GLOBAL : 0) |
                           (entry->store ? DSEG_TLB_OWNER_STORE : 0) |
                           (uint64_t)mapping << DSEG_TLB_OWNER_MAPPING_SHIFT;
    memcpy(array->data[index], entry->data, sizeof(entry->data));
    touch(array, index);
}

void dseg_tlb_array_remove(DsegTlbArray *array, uint32_t index)
{
    forget(array, index);
    array->tags[index] = 0;
    *hint_at(array, index) = 0;
}
