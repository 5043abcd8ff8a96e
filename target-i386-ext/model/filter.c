/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: the escape filter
 */

#include <string.h>
#include "model/filter.h"
#include "model/page-tables.h"

/*
 * The H3 constants: row j of function i is what bit j of the page number
 * contributes.  They are the top 6 bits of successive outputs of splitmix64
 * (Steele, Lea and Flood, OOPSLA 2014) with seed 0x64736567 ("dseg"), zeros
 * left out so that every bit of the key counts in every function.
 */
static const uint8_t rows[DSEG_FILTER_HASHES][DSEG_FILTER_KEY_BITS] = {
    {
        48, 48, 33,  8, 49, 23, 49, 37, 47, 10,
        44,  8, 11, 21, 50, 41, 14, 42, 45, 25,
        29, 31, 53, 39, 13, 34,  3, 26, 14, 13,
         4, 37, 11, 27, 54, 11, 49, 20, 62, 48,
    },
    {
        13, 32, 39, 51, 44, 36,  6, 25, 29,  3,
        50, 36, 12, 26, 47, 24, 23, 63, 11, 55,
        30, 18, 61, 28, 13,  3, 11,  2,  7, 52,
        27, 31, 20, 42, 55,  2,  6, 39, 16, 14,
    },
    {
        37, 21, 38,  3, 33, 28, 29, 29, 20, 60,
         9, 10, 34, 59, 13, 13, 60,  1, 12, 19,
        17, 26, 36, 20, 16, 61,  4,  3, 31, 63,
        27, 51, 41, 26, 23, 15, 18, 62, 63, 20,
    },
    {
        26, 38, 22,  5, 61, 62, 36, 17,  3,  6,
         2, 20, 45,  8, 29, 41, 54, 61, 20, 60,
        36,  4, 51, 47, 10, 61, 43, 63, 28, 52,
        43,  5, 20, 13, 50, 53,  6, 16,  4, 44,
    },
};

unsigned dseg_filter_hash(unsigned i, uint64_t pfn)
{
    unsigned hash = 0;

    for (; pfn; pfn &= pfn - 1) {
        unsigned bit = __builtin_ctzll(pfn);

        if (bit >= DSEG_FILTER_KEY_BITS) {
            break;
        }
        hash ^= rows[i][bit];
    }
    return hash;
}

void dseg_filter_add(DsegFilter *filter, uint64_t gpa)
{
    for (unsigned i = 0; i < DSEG_FILTER_HASHES; i++) {
        unsigned bit = dseg_filter_hash(i, gpa >> DSEG_PAGE_BITS);

        filter->word[i] |= UINT64_C(1) << bit;
    }
}

bool dseg_filter_test(const DsegFilter *filter, uint64_t gpa)
{
    for (unsigned i = 0; i < DSEG_FILTER_HASHES; i++) {
        unsigned bit = dseg_filter_hash(i, gpa >> DSEG_PAGE_BITS);

        if (!(filter->word[i] >> bit & 1)) {
            return false;
        }
    }
    return true;
}

/* The place of page @gpa in the list, or its length if it is not there. */
static unsigned find(const DsegEscapes *escapes, uint64_t gpa)
{
    unsigned i;

    for (i = 0; i < escapes->count && escapes->page[i] != gpa; i++) {
        continue;
    }
    return i;
}

DsegEscapeResult dseg_escapes_add(DsegEscapes *escapes, uint64_t gpa,
                                  unsigned phys_bits)
{
    if (gpa & ~DSEG_PAGE_MASK) {
        return DSEG_ESCAPE_UNALIGNED;
    }
    if (gpa >> phys_bits) {
        return DSEG_ESCAPE_TOO_WIDE;
    }
    if (find(escapes, gpa) < escapes->count) {
        return DSEG_ESCAPE_PRESENT;
    }
    if (escapes->count == DSEG_ESCAPES_MAX) {
        return DSEG_ESCAPE_FULL;
    }
    escapes->page[escapes->count++] = gpa;
    dseg_filter_add(&escapes->filter, gpa);
    return DSEG_ESCAPE_OK;
}

/* A filter of all the pages of the list. */
static DsegFilter filter_of(const DsegEscapes *escapes)
{
    DsegFilter filter = {};

    for (unsigned i = 0; i < escapes->count; i++) {
        dseg_filter_add(&filter, escapes->page[i]);
    }
    return filter;
}

DsegEscapeResult dseg_escapes_remove(DsegEscapes *escapes, uint64_t gpa)
{
    unsigned at = find(escapes, gpa);

    if (gpa & ~DSEG_PAGE_MASK) {
        return DSEG_ESCAPE_UNALIGNED;
    }
    if (at == escapes->count) {
        return DSEG_ESCAPE_ABSENT;
    }
    escapes->page[at] = escapes->page[--escapes->count];
    escapes->page[escapes->count] = 0;
    escapes->filter = filter_of(escapes);
    return DSEG_ESCAPE_OK;
}

void dseg_escapes_clear(DsegEscapes *escapes)
{
    *escapes = (DsegEscapes){};
}

bool dseg_escapes_valid(const DsegEscapes *escapes, unsigned phys_bits)
{
    DsegEscapes scratch = {};

    if (escapes->count > DSEG_ESCAPES_MAX) {
        return false;
    }
    for (unsigned i = 0; i < escapes->count; i++) {
        if (dseg_escapes_add(&scratch, escapes->page[i], phys_bits)
            != DSEG_ESCAPE_OK) {
            return false;
        }
    }
    return true;
}

bool dseg_escapes_whole(const DsegEscapes *escapes)
{
    DsegFilter filter = filter_of(escapes);

    return !memcmp(&filter, &escapes->filter, sizeof(filter));
}

bool dseg_escapes_contains(const DsegEscapes *escapes, uint64_t gpa)
{
    return find(escapes, gpa & DSEG_PAGE_MASK) < escapes->count;
}
