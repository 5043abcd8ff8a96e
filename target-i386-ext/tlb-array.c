/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: one set-associative array of a TLB
 */

#include <stdlib.h>
#include "tlb-array.h"

enum {
    OWNER_STORE = 1 << 0,
    OWNER_GLOBAL = 1 << 1,
    OWNER_PCID_SHIFT = 16,
    OWNER_ASID_SHIFT = 32,
};

enum { GROUP = 8 }; /* as many hints as are compared at a time */

/* An address has no bits where its shift goes, and that is not 0. */
static uint64_t tag_of(uint64_t va, unsigned shift)
{
    return va >> shift << shift | shift;
}

static unsigned shift_of(uint64_t tag)
{
    return tag & 63;
}

static unsigned class_of(unsigned shift)
{
    return (shift - 12) / 9;
}

/* Never 0, which is what no entry has. */
static uint32_t hint_of(uint64_t va, unsigned shift)
{
    return (uint32_t)(va >> shift) << 3 | (class_of(shift) + 1);
}

static uint64_t owner_of(DsegTlbSpace space)
{
    return (uint64_t)space.asid << OWNER_ASID_SHIFT |
           (uint64_t)space.pcid << OWNER_PCID_SHIFT;
}

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
    uint32_t hint_stride = (ways + GROUP - 1) / GROUP * GROUP;

    *array = (DsegTlbArray) {
        .hints = zeroed((size_t)sets * hint_stride, sizeof(*array->hints)),
        .hint_stride = hint_stride,
        .tags = zeroed(entries, sizeof(*array->tags)),
        .owners = zeroed(entries, sizeof(*array->owners)),
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
    free(array->ring);
    free(array->oldest);
    free(array->tree);
    *array = (DsegTlbArray) { .tags = NULL };
}

static bool owner_matches(uint64_t owner, uint64_t wanted)
{
    uint64_t difference = (owner ^ wanted) >> OWNER_PCID_SHIFT;

    return !difference ||
           ((owner & OWNER_GLOBAL) &&
            !(difference >> (OWNER_ASID_SHIFT - OWNER_PCID_SHIFT)));
}

/* Without a branch for each, so that a compiler can compare them all at once. */
static bool any_equal(const uint32_t hints[GROUP], uint32_t hint)
{
    unsigned any = 0;

    for (unsigned i = 0; i < GROUP; i++) {
        any |= hints[i] == hint;
    }
    return any;
}

uint32_t dseg_tlb_array_find(const DsegTlbArray *array, uint64_t va,
                             unsigned shift, DsegTlbSpace space)
{
    uint32_t set = (uint32_t)(va >> shift) & array->set_mask;
    uint32_t first = set * array->ways, end = first + array->ways;
    const uint32_t *hints = array->hints + set * array->hint_stride;
    uint64_t tag = tag_of(va, shift), owner = owner_of(space);
    uint32_t hint = hint_of(va, shift);

    if (!array->used_by_class[class_of(shift)]) {
        return DSEG_TLB_NO_ENTRY;
    }
    for (uint32_t group = first; group < end; group += GROUP, hints += GROUP) {
        if (!any_equal(hints, hint)) {
            continue;
        }
        for (uint32_t i = group; i < end && i < group + GROUP; i++) {
            if (array->tags[i] == tag &&
                owner_matches(array->owners[i], owner)) {
                return i;
            }
        }
    }
    return DSEG_TLB_NO_ENTRY;
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

void dseg_tlb_array_fill(DsegTlbArray *array, uint32_t index,
                         const DsegTlbEntry *entry)
{
    if (array->tags[index]) {
        dseg_tlb_array_remove(array, index);
    }
    array->tags[index] = tag_of(entry->va, entry->shift);
    *hint_at(array, index) = hint_of(entry->va, entry->shift);
    array->owners[index] = owner_of(entry->space) |
                           (entry->global ? OWNER_GLOBAL : 0) |
                           (entry->store ? OWNER_STORE : 0);
    array->used++;
    array->used_by_class[class_of(entry->shift)]++;
    touch(array, index);
}

void dseg_tlb_array_remove(DsegTlbArray *array, uint32_t index)
{
    array->used_by_class[class_of(shift_of(array->tags[index]))]--;
    array->used--;
    array->tags[index] = 0;
    *hint_at(array, index) = 0;
}

bool dseg_tlb_array_store(const DsegTlbArray *array, uint32_t index)
{
    return array->owners[index] & OWNER_STORE;
}

DsegTlbEntry dseg_tlb_array_entry(const DsegTlbArray *array, uint32_t index)
{
    uint64_t tag = array->tags[index];
    uint64_t owner = array->owners[index];

    return (DsegTlbEntry) {
        .va = tag ^ shift_of(tag),
        .shift = shift_of(tag),
        .space = {
            .asid = owner >> OWNER_ASID_SHIFT,
            .pcid = owner >> OWNER_PCID_SHIFT,
        },
        .global = owner & OWNER_GLOBAL,
        .store = owner & OWNER_STORE,
    };
}
