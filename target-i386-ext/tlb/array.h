/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: one set-associative array of a TLB
 *
 * It holds entries, finds them again, and chooses which one is evicted.  It
 * does not know what it is for: TLBs of a level, nested TLBs and walk caches
 * are made of it.  An entry translates 2^shift bytes, and its address is a
 * multiple of that; shift is 12 or more.  Entries of different shifts are
 * different.
 *
 * Plain C: no QEMU headers, so that unit tests can compile it by itself.
 */

#ifndef DSEG_TLB_ARRAY_H
#define DSEG_TLB_ARRAY_H

#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif
#include "tlb/memory.h"
#include "tlb/replacement.h"
#include "tlb/tlb.h"

/* One entry, spelled out. */
typedef struct DsegTlbEntry {
    uint64_t va;            /* of its first byte */
    unsigned shift;
    DsegTlbSpace space;
    bool global;            /* matches any PCID */
    bool store;             /* stores may use it */
    unsigned lg_mapping;    /* of the page that it is a piece of, or @shift */
    uint64_t data[DSEG_TLB_DATA];
} DsegTlbEntry;

/* The index that stands for no entry. */
#define DSEG_TLB_NO_ENTRY UINT32_MAX

/*
 * In how many classes entries are counted by their shifts: a class without
 * entries is not searched.
 */
#define DSEG_TLB_SHIFT_CLASSES 5

/* How many hints are compared at a time. */
#define DSEG_TLB_HINTS 8

/* How an entry is kept. */
typedef struct DsegTlbCell {
    uint64_t tag;           /* dseg_tlb_tag_of(); 0: the cell is not valid */
    uint64_t owner;         /* ASID, PCID, mapping, global, store: as below */
    uint64_t data[DSEG_TLB_DATA];
} __attribute__((aligned(DSEG_TLB_LINE))) DsegTlbCell;

/*
 * Hints are apart from the rest, as most entries of a set do not match: they are
 * compared first, eight at a time.  Entry w of set s has the index s * ways + w.
 */
typedef struct DsegTlbArray {
    uint32_t *hints;        /* dseg_tlb_hint_of(); 0: the cell is not valid */
    DsegTlbCell *cells;
    uint32_t hint_stride;   /* hints a set: ways, up to a multiple of 8 */
    uint32_t entries, ways, set_mask;   /* set_mask: number of sets - 1 */
    uint64_t reciprocal;    /* 2^32 / ways + 1, to divide by ways */
    uint32_t used;          /* valid entries */
    uint32_t pieces;        /* those that are smaller than their mapping */
    uint32_t used_by_class[DSEG_TLB_SHIFT_CLASSES];     /* valid entries */
    DsegTlbReplacement order;
} __attribute__((aligned(DSEG_TLB_LINE))) DsegTlbArray;

/*
 * Makes @array one without entries.  @seed is the first state of random.  Ends
 * the program if there is no memory for it.
 */
void dseg_tlb_array_init(DsegTlbArray *array, uint32_t entries, uint32_t ways,
                         DsegTlbPolicy policy, uint64_t seed);
void dseg_tlb_array_destroy(DsegTlbArray *array);

/*
 * The rest is inline, as QEMU comes here at each miss of its own TLB.
 */

static inline bool dseg_tlb_array_valid(const DsegTlbArray *array,
                                        uint32_t index)
{
    return array->cells[index].tag;
}

/* The number of the set that @va is in. */
static inline uint32_t dseg_tlb_array_set_for(const DsegTlbArray *array,
                                              uint64_t va, unsigned shift)
{
    return (uint32_t)(va >> shift) & array->set_mask;
}

/* Index of way 0 of that set. */
static inline uint32_t dseg_tlb_array_set(const DsegTlbArray *array,
                                          uint64_t va, unsigned shift)
{
    return dseg_tlb_array_set_for(array, va, shift) * array->ways;
}

/* The bits of DsegTlbCell.owner. */
enum {
    DSEG_TLB_OWNER_STORE = 1 << 0,
    DSEG_TLB_OWNER_GLOBAL = 1 << 1,
    DSEG_TLB_OWNER_MAPPING_SHIFT = 8,   /* 6 bits: lg_mapping */
    DSEG_TLB_OWNER_PCID_SHIFT = 16,
    DSEG_TLB_OWNER_ASID_SHIFT = 32,
};

/*
 * Address and shift in one word: the shift is in bits 5:0, where the address
 * has only zeros.  Never 0, as no shift is.
 */
static inline uint64_t dseg_tlb_tag_of(uint64_t va, unsigned shift)
{
    return va >> shift << shift | shift;
}

/* Shifts from 12 to 56: 0 to 4 for steps of 9. */
static inline unsigned dseg_tlb_class_of(unsigned shift)
{
    return (shift - 12) / 9;
}

/*
 * As much of address and shift as 32 bits have room for; entries that differ
 * may have the same.  Never 0, which says that there is no entry.
 */
static inline uint32_t dseg_tlb_hint_of(uint64_t va, unsigned shift)
{
    return (uint32_t)(va >> shift) << 3 | (dseg_tlb_class_of(shift) + 1);
}

/* The ASID and the PCID of DsegTlbCell.owner; its other bits are 0. */
static inline uint64_t dseg_tlb_owner_of(DsegTlbSpace space)
{
    return (uint64_t)space.asid << DSEG_TLB_OWNER_ASID_SHIFT |
           (uint64_t)space.pcid << DSEG_TLB_OWNER_PCID_SHIFT;
}

/* Whether an entry of @owner is for the space @wanted. */
static inline bool dseg_tlb_owner_matches(uint64_t owner, uint64_t wanted)
{
    uint64_t difference = (owner ^ wanted) >> DSEG_TLB_OWNER_PCID_SHIFT;

    return !difference ||
           ((owner & DSEG_TLB_OWNER_GLOBAL) &&
            !(difference >> (DSEG_TLB_OWNER_ASID_SHIFT -
                             DSEG_TLB_OWNER_PCID_SHIFT)));
}

/*
 * Bit i of the result says whether hint i is @hint.  There is no branch for
 * each, as none could be predicted; compilers do not find these instructions by
 * themselves.
 */
static inline unsigned dseg_tlb_equal_hints(const uint32_t hints[DSEG_TLB_HINTS],
                                            uint32_t hint)
{
#ifdef __SSE2__
    __m128i all = _mm_set1_epi32(hint);
    __m128i low = _mm_cmpeq_epi32(all, _mm_load_si128((__m128i *)hints));
    __m128i high = _mm_cmpeq_epi32(all, _mm_load_si128((__m128i *)hints + 1));

    return _mm_movemask_ps(_mm_castsi128_ps(low)) |
           _mm_movemask_ps(_mm_castsi128_ps(high)) << 4;
#else
    unsigned equal = 0;

    for (unsigned i = 0; i < DSEG_TLB_HINTS; i++) {
        equal |= (unsigned)(hints[i] == hint) << i;
    }
    return equal;
#endif
}

/* Soon dseg_tlb_array_find() will be asked for @va. */
static inline void dseg_tlb_array_prefetch(const DsegTlbArray *array,
                                           uint64_t va, unsigned shift)
{
    uint32_t set = dseg_tlb_array_set_for(array, va, shift);

    __builtin_prefetch(array->hints + set * array->hint_stride);
}

static inline bool dseg_tlb_cell_matches(const DsegTlbCell *cell, uint64_t va,
                                         unsigned shift, uint64_t owner)
{
    return cell->tag == dseg_tlb_tag_of(va, shift) &&
           dseg_tlb_owner_matches(cell->owner, owner);
}

/* dseg_tlb_array_find() in general; the usual cases are inline. */
uint32_t dseg_tlb_array_find_slowly(const DsegTlbArray *array, uint64_t va,
                                    unsigned shift, uint64_t owner);

/*
 * The entry of that shift that matches: it contains @va, the ASIDs are equal,
 * and the PCIDs are or it is global.  Of several, that of the lowest way.
 * @owner: dseg_tlb_owner_of() whose address it is
 */
static inline uint32_t dseg_tlb_array_find(const DsegTlbArray *array,
                                           uint64_t va, unsigned shift,
                                           uint64_t owner)
{
    uint32_t set = dseg_tlb_array_set_for(array, va, shift);
    const uint32_t *hints = array->hints + set * array->hint_stride;
    uint32_t hint = dseg_tlb_hint_of(va, shift);
    unsigned equal;

    if (!array->used_by_class[dseg_tlb_class_of(shift)]) {
        return DSEG_TLB_NO_ENTRY;
    }
    equal = dseg_tlb_equal_hints(hints, hint);
    if (equal) {
        uint32_t i = set * array->ways + __builtin_ctz(equal);

        if (dseg_tlb_cell_matches(&array->cells[i], va, shift, owner)) {
            return i;
        }
    } else if (array->ways <= DSEG_TLB_HINTS) {
        return DSEG_TLB_NO_ENTRY;
    }
    return dseg_tlb_array_find_slowly(array, va, shift, owner);
}

/* The size of a valid entry's page, as a power of two. */
static inline unsigned dseg_tlb_array_shift(const DsegTlbArray *array,
                                            uint32_t index)
{
    return array->cells[index].tag & 63;
}

/* The size, as a power of two, of what a valid entry is a piece of. */
static inline unsigned dseg_tlb_array_mapping(const DsegTlbArray *array,
                                              uint32_t index)
{
    return array->cells[index].owner >> DSEG_TLB_OWNER_MAPPING_SHIFT & 63;
}

/* Whether the mapping of a valid entry contains @va. */
static inline bool dseg_tlb_array_maps(const DsegTlbArray *array,
                                       uint32_t index, uint64_t va)
{
    return !((array->cells[index].tag ^ va) >>
             dseg_tlb_array_mapping(array, index));
}

/* Whether stores may use a valid entry. */
static inline bool dseg_tlb_array_store(const DsegTlbArray *array,
                                        uint32_t index)
{
    return array->cells[index].owner & DSEG_TLB_OWNER_STORE;
}

/* A valid entry. */
static inline DsegTlbEntry dseg_tlb_array_entry(const DsegTlbArray *array,
                                                uint32_t index)
{
    uint64_t tag = array->cells[index].tag;
    uint64_t owner = array->cells[index].owner;
    DsegTlbEntry entry = {
        .va = tag ^ dseg_tlb_array_shift(array, index),
        .shift = dseg_tlb_array_shift(array, index),
        .space = {
            .asid = owner >> DSEG_TLB_OWNER_ASID_SHIFT,
            .pcid = owner >> DSEG_TLB_OWNER_PCID_SHIFT,
        },
        .global = owner & DSEG_TLB_OWNER_GLOBAL,
        .store = owner & DSEG_TLB_OWNER_STORE,
        .lg_mapping = dseg_tlb_array_mapping(array, index),
    };

    memcpy(entry.data, array->cells[index].data, sizeof(entry.data));
    return entry;
}

/* The set of the entry at @index.  Exact, as neither is above 2^16. */
static inline uint32_t dseg_tlb_array_set_of(const DsegTlbArray *array,
                                             uint32_t index)
{
    return index * array->reciprocal >> 32;
}

/* A hit of a valid entry. */
static inline void dseg_tlb_array_hit(DsegTlbArray *array, uint32_t index)
{
    uint32_t set = dseg_tlb_array_set_of(array, index);

    dseg_tlb_replacement_hit(&array->order, set, index - set * array->ways);
}

/*
 * The entry of the set of @index that the policy would evict next.
 * DSEG_TLB_NO_ENTRY if hits do not decide that (FIFO and random), or if it is
 * the entry at @index itself or a place that is not valid.
 */
static inline uint32_t dseg_tlb_array_next(const DsegTlbArray *array,
                                           uint32_t index)
{
    uint32_t set = dseg_tlb_array_set_of(array, index);
    uint32_t way = dseg_tlb_replacement_next(&array->order, set);
    uint32_t next = set * array->ways + way;

    return way != DSEG_TLB_NO_WAY && next != index &&
           dseg_tlb_array_valid(array, next) ? next : DSEG_TLB_NO_ENTRY;
}

/* The @rank-th newest, from 0 on, of the set of @index; policy LRU or FIFO. */
static inline uint32_t dseg_tlb_array_ranked(const DsegTlbArray *array,
                                             uint32_t index, unsigned rank)
{
    uint32_t set = dseg_tlb_array_set_of(array, index);

    return set * array->ways + dseg_tlb_replacement_ranked(&array->order, set,
                                                           rank);
}

/*
 * Where to put an entry for @va: a place that is not valid, else the one that
 * the policy evicts.  With policy random that takes the next number of the
 * sequence, so it has to be called once for each fill.
 */
static inline uint32_t dseg_tlb_array_place(DsegTlbArray *array, uint64_t va,
                                            unsigned shift)
{
    uint32_t set = dseg_tlb_array_set_for(array, va, shift);
    uint32_t first = set * array->ways;

    if (array->used < array->entries) {
        for (uint32_t i = first; i < first + array->ways; i++) {
            if (!dseg_tlb_array_valid(array, i)) {
                return i;
            }
        }
    }
    return first + dseg_tlb_replacement_victim(&array->order, set);
}

/* Where the hint of the entry at @index is. */
static inline uint32_t *dseg_tlb_array_hint(const DsegTlbArray *array,
                                            uint32_t index)
{
    uint32_t set = dseg_tlb_array_set_of(array, index);

    return array->hints + set * array->hint_stride + index - set * array->ways;
}

/* Shift and mapping of a cell: the counts in DsegTlbArray depend on no more. */
static inline uint64_t dseg_tlb_cell_sizes(const DsegTlbCell *cell)
{
    return (cell->tag & 63) |
           (cell->owner & UINT64_C(63) << DSEG_TLB_OWNER_MAPPING_SHIFT);
}

/* Adds a valid entry to the counts (@change is 1), or takes it off (-1). */
static inline void dseg_tlb_array_count(DsegTlbArray *array,
                                        const DsegTlbCell *cell, int change)
{
    unsigned shift = cell->tag & 63;

    array->used += change;
    array->used_by_class[dseg_tlb_class_of(shift)] += change;
    if (dseg_tlb_cell_sizes(cell) >> DSEG_TLB_OWNER_MAPPING_SHIFT > shift) {
        array->pieces += change;
    }
}

/* Puts an entry at @index, which dseg_tlb_array_place() has given. */
__attribute__((always_inline))
static inline void dseg_tlb_array_put(DsegTlbArray *array, uint32_t index,
                                      const DsegTlbCell *cell, uint32_t hint)
{
    uint32_t set = dseg_tlb_array_set_of(array, index);
    uint32_t way = index - set * array->ways;

    if (dseg_tlb_cell_sizes(&array->cells[index]) !=
        dseg_tlb_cell_sizes(cell)) {
        if (dseg_tlb_array_valid(array, index)) {
            dseg_tlb_array_count(array, &array->cells[index], -1);
        }
        dseg_tlb_array_count(array, cell, 1);
    }
    array->cells[index] = *cell;
    array->hints[set * array->hint_stride + way] = hint;
    dseg_tlb_replacement_fill(&array->order, set, way);
}

/* The same, with an entry that is spelled out. */
static inline void dseg_tlb_array_fill(DsegTlbArray *array, uint32_t index,
                                       const DsegTlbEntry *entry)
{
    unsigned mapping = entry->lg_mapping > entry->shift ? entry->lg_mapping
                                                        : entry->shift;
    DsegTlbCell cell = {
        .tag = dseg_tlb_tag_of(entry->va, entry->shift),
        .owner = dseg_tlb_owner_of(entry->space) |
                 (entry->global ? DSEG_TLB_OWNER_GLOBAL : 0) |
                 (entry->store ? DSEG_TLB_OWNER_STORE : 0) |
                 (uint64_t)mapping << DSEG_TLB_OWNER_MAPPING_SHIFT,
    };

    memcpy(cell.data, entry->data, sizeof(cell.data));
    dseg_tlb_array_put(array, index, &cell,
                       dseg_tlb_hint_of(entry->va, entry->shift));
}

/* Removes a valid entry; the way keeps its rank in the policy's order. */
static inline void dseg_tlb_array_remove(DsegTlbArray *array, uint32_t index)
{
    dseg_tlb_array_count(array, &array->cells[index], -1);
    array->cells[index].tag = 0;
    *dseg_tlb_array_hint(array, index) = 0;
}

#endif
