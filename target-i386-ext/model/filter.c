/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: the escape filter
 */

#include <string.h>
#include "model/filter.h"
#include "model/page-tables.h"

/*
 * The H3 constants: row j of function i is what bit j of the page number
 * contributes.  They are the top 8 bits of successive outputs of splitmix64
 * (Steele, Lea and Flood, OOPSLA 2014) with seed 0x64736567 ("dseg"), those left
 * out of which the top 6 are 0: every bit of the key counts in every function of
 * a filter of 256 bits or more.
 */
static const uint8_t rows[DSEG_FILTER_HASHES][DSEG_FILTER_KEY_BITS] = {
    {
        193, 192, 135,  35, 197,  94, 196, 148, 188,  40,
        177,  33,  47,  87, 201, 164,  57, 168, 182, 102,
        117, 127, 213, 156,  53, 136,  12, 107,  59,  52,
         18, 149,  47, 111, 216,  47, 199,  82, 248, 193,
    },
    {
         53, 128, 157, 206, 176, 147,  24, 103, 119,  15,
        202, 146,  49, 104, 191,  97,  94, 255,  46, 220,
        123,  72, 246, 112,  54,  14,  44,   9,  29, 209,
        110, 124,  80, 168, 223,  10,  26, 156,  66,  57,
    },
    {
        148,  87, 155,  14, 132, 112, 119, 117,  81, 242,
         36,  41, 137, 237,  54,  55, 243,   7,  48,  79,
         70, 105, 144,  80,  65, 244,  18,  13, 125, 252,
        111, 205, 166, 105,  94,  62,  72, 248, 254,  81,
    },
    {
        106, 153,  91,  23, 245, 249, 146,  69,  15,  24,
         10,  82, 183,  35, 117, 166, 218, 246,  80, 240,
        145,  18, 205, 188,  43, 245, 175, 253, 114, 211,
        174,  20,  82,  52, 202, 214,  24,  65,  16, 177,
    },
};

bool dseg_filter_init(DsegFilter *filter, unsigned bits)
{
    for (int scale = DSEG_FILTER_MIN_SCALE; scale <= DSEG_FILTER_MAX_SCALE;
         scale++) {
        const DsegFilter empty = { .scale = scale };

        if (dseg_filter_bits(&empty) == bits) {
            *filter = empty;
            return true;
        }
    }
    return false;
}

/* As function @i has it in the largest filter: 8 bits. */
static unsigned widest_hash(unsigned i, uint64_t pfn)
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

unsigned dseg_filter_hash(const DsegFilter *filter, unsigned i, uint64_t pfn)
{
    return widest_hash(i, pfn) >> (DSEG_FILTER_MAX_SCALE - filter->scale);
}

/* The bit of the filter that function @i names for the page of @gpa. */
static unsigned bit_of(const DsegFilter *filter, unsigned i, uint64_t gpa)
{
    unsigned partition = dseg_filter_bits(filter) / DSEG_FILTER_HASHES;

    return i * partition + dseg_filter_hash(filter, i, gpa >> DSEG_PAGE_BITS);
}

void dseg_filter_add(DsegFilter *filter, uint64_t gpa)
{
    for (unsigned i = 0; i < DSEG_FILTER_HASHES; i++) {
        unsigned bit = bit_of(filter, i, gpa);

        filter->word[bit / 64] |= UINT64_C(1) << bit % 64;
    }
}

bool dseg_filter_test(const DsegFilter *filter, uint64_t gpa)
{
    for (unsigned i = 0; i < DSEG_FILTER_HASHES; i++) {
        unsigned bit = bit_of(filter, i, gpa);

        if (!(filter->word[bit / 64] >> bit % 64 & 1)) {
            return false;
        }
    }
    return true;
}

bool dseg_filter_empty(const DsegFilter *filter)
{
    static const uint64_t zeros[DSEG_FILTER_MAX_WORDS];

    return !memcmp(filter->word, zeros, sizeof(zeros));
}

bool dseg_filter_same(const DsegFilter *a, const DsegFilter *b)
{
    return a->scale == b->scale && !memcmp(a->word, b->word, sizeof(a->word));
}

bool dseg_filter_valid(const DsegFilter *filter)
{
    for (unsigned i = dseg_filter_words(filter); i < DSEG_FILTER_MAX_WORDS;
         i++) {
        if (filter->word[i]) {
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
    DsegFilter filter = { .scale = escapes->filter.scale };

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
    *escapes = (DsegEscapes) { .filter.scale = escapes->filter.scale };
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

    return dseg_filter_same(&filter, &escapes->filter);
}

bool dseg_escapes_contains(const DsegEscapes *escapes, uint64_t gpa)
{
    return find(escapes, gpa & DSEG_PAGE_MASK) < escapes->count;
}
