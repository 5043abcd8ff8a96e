/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: one set-associative array of a TLB
 *
 * It holds entries and finds them again, and knows which one has to go.  It
 * does not know what it is for: TLBs of a level, nested TLBs and walk caches are
 * made of it.  An entry's address is a multiple of 2^@shift, which is 12 or more;
 * entries of different shifts are different.
 *
 * Plain C: no QEMU headers, so that unit tests can compile it by itself.
 */

#ifndef DSEG_TLB_ARRAY_H
#define DSEG_TLB_ARRAY_H

#include "tlb.h"

/* One entry, spelled out. */
typedef struct DsegTlbEntry {
    uint64_t va;            /* of its first byte */
    unsigned shift;
    DsegTlbSpace space;
    bool global;            /* matches any PCID */
    bool store;             /* stores may use it */
} DsegTlbEntry;

/* No entry: an index that is none. */
#define DSEG_TLB_NO_ENTRY UINT32_MAX

/* Kinds of shifts that are told apart to skip those that no entry has. */
#define DSEG_TLB_SHIFT_CLASSES 5

/*
 * What is compared for each entry is apart from the rest, as most entries of a
 * set do not match: the hint first, eight at a time.  Entry w of set s has the
 * index s * ways + w.
 */
typedef struct DsegTlbArray {
    uint64_t *tags;         /* address and shift; 0: not valid */
    uint64_t *owners;       /* ASID, PCID, global, store */
    uint32_t *hints;        /* what fits of the tag into 32 bits */
    uint32_t hint_stride;   /* hints a set: ways, rounded up */
    uint32_t entries, ways, set_mask;
    uint64_t reciprocal;    /* 2^32 / ways, for a division */
    uint32_t used;
    uint32_t used_by_class[DSEG_TLB_SHIFT_CLASSES];
    DsegTlbPolicy policy;

    /*
     * lru and fifo: the ways of each set in a ring, from the oldest one on.  It
     * says what the times of a clock would, and finds the oldest at once.
     */
    struct DsegTlbRing {
        uint16_t older, newer;
    } *ring;
    uint16_t *oldest;
    uint64_t *tree;         /* plru: bit n of a set's is node n */
    uint64_t random;        /* random: the state */
} DsegTlbArray;

/*
 * Makes @array one without entries.  @seed is the first state of random.  Ends
 * the program if there is no memory for it.
 */
void dseg_tlb_array_init(DsegTlbArray *array, uint32_t entries, uint32_t ways,
                         DsegTlbPolicy policy, uint64_t seed);
void dseg_tlb_array_destroy(DsegTlbArray *array);

/*
 * The entry of that shift that matches: it contains @va, the ASIDs are equal,
 * and the PCIDs are or it is global.  Of several, that of the lowest way.
 */
uint32_t dseg_tlb_array_find(const DsegTlbArray *array, uint64_t va,
                             unsigned shift, DsegTlbSpace space);

/* A hit of a valid entry. */
void dseg_tlb_array_hit(DsegTlbArray *array, uint32_t index);

/*
 * Where an entry for @va has to go: a place that is not valid, or what the
 * policy gives up.  The next random number is used up by it.
 */
uint32_t dseg_tlb_array_place(DsegTlbArray *array, uint64_t va, unsigned shift);

/* Puts @entry at @index, which dseg_tlb_array_place() has given. */
void dseg_tlb_array_fill(DsegTlbArray *array, uint32_t index,
                         const DsegTlbEntry *entry);

/* Removes a valid entry; what the policy knows of the place is left alone. */
void dseg_tlb_array_remove(DsegTlbArray *array, uint32_t index);

static inline bool dseg_tlb_array_valid(const DsegTlbArray *array,
                                        uint32_t index)
{
    return array->tags[index];
}

/* Index of way 0 of the set that @va is in. */
static inline uint32_t dseg_tlb_array_set(const DsegTlbArray *array,
                                          uint64_t va, unsigned shift)
{
    return ((uint32_t)(va >> shift) & array->set_mask) * array->ways;
}

/* Whether stores may use a valid entry. */
bool dseg_tlb_array_store(const DsegTlbArray *array, uint32_t index);

DsegTlbEntry dseg_tlb_array_entry(const DsegTlbArray *array, uint32_t index);

#endif
