/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: the escape filter
 *
 * "Escape filter stores few pages with permanent 'hard' faults; checked in
 * parallel with VMM segment register; if found in escape filter, get alternate
 * translation through paging" (the poster, section 6).  A Bloom filter of 256
 * bits in four partitions of 64, one H3 hash function each.
 *
 * Plain C: no QEMU headers, so that unit tests can compile it by itself.
 */

#ifndef DSEG_MODEL_FILTER_H
#define DSEG_MODEL_FILTER_H

#include <stdbool.h>
#include <stdint.h>

#define DSEG_FILTER_HASHES 4
#define DSEG_FILTER_PARTITION_BITS 64

/* gPA page numbers have at most 52 - 12 bits; the hash looks at all of them. */
#define DSEG_FILTER_KEY_BITS 40

/* Word i is partition i; hash function i names one bit of it. */
typedef struct DsegFilter {
    uint64_t word[DSEG_FILTER_HASHES];
} DsegFilter;

/*
 * Hash function @i (0 to 3) of page number @pfn: 0 to 63.  H3: the exclusive
 * or of one constant for each bit that is set in @pfn, so that
 * hash(a ^ b) == hash(a) ^ hash(b) and hash(0) == 0.
 */
unsigned dseg_filter_hash(unsigned i, uint64_t pfn);

/* Adds the page of byte address @gpa. */
void dseg_filter_add(DsegFilter *filter, uint64_t gpa);

/* Whether the page of byte address @gpa may have been added. */
bool dseg_filter_test(const DsegFilter *filter, uint64_t gpa);

static inline bool dseg_filter_empty(const DsegFilter *filter)
{
    return !(filter->word[0] | filter->word[1] |
             filter->word[2] | filter->word[3]);
}

static inline bool dseg_filter_same(const DsegFilter *a, const DsegFilter *b)
{
    return a->word[0] == b->word[0] && a->word[1] == b->word[1] &&
           a->word[2] == b->word[2] && a->word[3] == b->word[3];
}

/*
 * The most pages that a list holds.  A filter of 256 bits is of no use long
 * before that: with 46 pages already one in 14 of all others is a false escape.
 */
#define DSEG_ESCAPES_MAX 256

/*
 * A filter and the pages that were meant by it.  A Bloom filter can't forget,
 * so removing a page builds the filter anew from those that are left; and only
 * the list can tell a false escape from a true one.
 */
typedef struct DsegEscapes {
    DsegFilter filter;
    unsigned count;
    uint64_t page[DSEG_ESCAPES_MAX]; /* gPA of each page, 4 KiB aligned */
} DsegEscapes;

typedef enum DsegEscapeResult {
    DSEG_ESCAPE_OK,
    DSEG_ESCAPE_UNALIGNED,
    DSEG_ESCAPE_TOO_WIDE,   /* beyond MAXPHYADDR */
    DSEG_ESCAPE_PRESENT,    /* to add: it is there already */
    DSEG_ESCAPE_ABSENT,     /* to remove: it is not there */
    DSEG_ESCAPE_FULL,
} DsegEscapeResult;

/* Each leaves @escapes alone unless it returns DSEG_ESCAPE_OK. */
DsegEscapeResult dseg_escapes_add(DsegEscapes *escapes, uint64_t gpa,
                                  unsigned phys_bits);
DsegEscapeResult dseg_escapes_remove(DsegEscapes *escapes, uint64_t gpa);
void dseg_escapes_clear(DsegEscapes *escapes);

/* Whether every page of the list could have been added, one after the other. */
bool dseg_escapes_valid(const DsegEscapes *escapes, unsigned phys_bits);

/* Whether the filter is that of the list: no page more, and none less. */
bool dseg_escapes_whole(const DsegEscapes *escapes);

/* Whether the page of byte address @gpa is one of the list. */
bool dseg_escapes_contains(const DsegEscapes *escapes, uint64_t gpa);

#endif
