/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: the escape filter
 *
 * "Escape filter stores few pages with permanent 'hard' faults; checked in
 * parallel with VMM segment register; if found in escape filter, get alternate
 * translation through paging" (the poster, section 6).  A Bloom filter in four
 * partitions, one H3 hash function each.  By default it has 256 bits; other sizes
 * are for experiments.
 *
 * Plain C: no QEMU headers, so that unit tests can compile it by itself.
 */

#ifndef DSEG_MODEL_FILTER_H
#define DSEG_MODEL_FILTER_H

#include <stdbool.h>
#include <stdint.h>

#define DSEG_FILTER_HASHES 4
#define DSEG_FILTER_BITS 256    /* by default */

/* gPA page numbers have at most 52 - 12 bits; the hash looks at all of them. */
#define DSEG_FILTER_KEY_BITS 40

/* 64 to 1024 bits, which are 1 to 16 words. */
#define DSEG_FILTER_MIN_SCALE (-2)
#define DSEG_FILTER_MAX_SCALE 2
#define DSEG_FILTER_MAX_WORDS 16

/*
 * Partition i is the i-th quarter of its bits; hash function i names one of them.
 * All zeros is an empty filter of the default size.
 */
typedef struct DsegFilter {
    int scale;                            /* it has 256 * 2^scale bits */
    uint64_t word[DSEG_FILTER_MAX_WORDS]; /* those that it does not have are 0 */
} DsegFilter;

/* Makes it an empty one of @bits bits.  False if there is no such size. */
bool dseg_filter_init(DsegFilter *filter, unsigned bits);

static inline unsigned dseg_filter_words(const DsegFilter *filter)
{
    return DSEG_FILTER_MAX_WORDS >> (DSEG_FILTER_MAX_SCALE - filter->scale);
}

static inline unsigned dseg_filter_bits(const DsegFilter *filter)
{
    return 64 * dseg_filter_words(filter);
}

/*
 * Hash function @i (0 to 3) of page number @pfn: a bit of partition i.  H3: the
 * exclusive or of one constant for each bit that is set in @pfn, so that
 * hash(a ^ b) == hash(a) ^ hash(b) and hash(0) == 0.  In a filter of half the
 * size it is half of that: what passes a filter passes all smaller ones.
 */
unsigned dseg_filter_hash(const DsegFilter *filter, unsigned i, uint64_t pfn);

/* Adds the page of byte address @gpa. */
void dseg_filter_add(DsegFilter *filter, uint64_t gpa);

/* Whether the page of byte address @gpa may have been added. */
bool dseg_filter_test(const DsegFilter *filter, uint64_t gpa);

/*
 * Whether it is known at a glance that no page passes: of whatever size, its
 * first partition lies in these words.
 */
static inline bool dseg_filter_none_passes(const DsegFilter *filter)
{
    return !(filter->word[0] | filter->word[1] |
             filter->word[2] | filter->word[3]);
}

bool dseg_filter_empty(const DsegFilter *filter);
bool dseg_filter_same(const DsegFilter *a, const DsegFilter *b);

/* Whether it has no bit beyond its size. */
bool dseg_filter_valid(const DsegFilter *filter);

/*
 * The most pages that a list holds.  A filter is of no use long before that: of
 * 256 bits, with 46 pages one in 14 of all others is a false escape, and of 1024
 * with 184.
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
