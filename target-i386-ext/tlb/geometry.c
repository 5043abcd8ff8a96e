/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: the rules of a TLB's geometry
 */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tlb/geometry.h"

const char *const dseg_tlb_place_names[DSEG_TLB_PLACE__MAX] = {
    [DSEG_TLB_PLACE_L1D] = "l1d",
    [DSEG_TLB_PLACE_L1I] = "l1i",
    [DSEG_TLB_PLACE_L2] = "l2",
    [DSEG_TLB_PLACE_L2D] = "l2d",
    [DSEG_TLB_PLACE_L2I] = "l2i",
    [DSEG_TLB_PLACE_NESTED] = "nested",
};

const char *const dseg_tlb_size_names[DSEG_TLB_SIZE__MAX] = {
    [DSEG_TLB_4K] = "4k",
    [DSEG_TLB_2M] = "2m",
    [DSEG_TLB_1G] = "1g",
};

const char *const dseg_tlb_policy_names[DSEG_TLB_POLICY__MAX] = {
    [DSEG_TLB_LRU] = "lru",
    [DSEG_TLB_PLRU] = "plru",
    [DSEG_TLB_FIFO] = "fifo",
    [DSEG_TLB_RANDOM] = "random",
};

/* A text for the caller to free. */
__attribute__((format(printf, 1, 2)))
static char *error(const char *format, ...)
{
    char text[200];
    size_t length;
    va_list args;
    char *copy;

    va_start(args, format);
    length = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    copy = malloc(length + 1);
    if (!copy) {
        abort();
    }
    return strcpy(copy, text);
}

static bool power_of_two(uint32_t n)
{
    return n && !(n & (n - 1));
}

static char *check_policy(const DsegTlbArrayGeometry *array, unsigned i)
{
    if ((unsigned)array->policy >= DSEG_TLB_POLICY__MAX) {
        return error("arrays[%u].policy: must be lru, plru, fifo or random", i);
    }
    if (array->policy != DSEG_TLB_PLRU) {
        return NULL;
    }
    if (!power_of_two(array->ways)) {
        return error("arrays[%u].ways: must be a power of two for plru", i);
    }
    if (array->ways > DSEG_TLB_MAX_PLRU_WAYS) {
        return error("arrays[%u].ways: must be at most %u for plru", i,
                     DSEG_TLB_MAX_PLRU_WAYS);
    }
    return NULL;
}

/* One array by itself. */
static char *check_array(const DsegTlbArrayGeometry *array, unsigned i)
{
    if ((unsigned)array->place >= DSEG_TLB_PLACE__MAX) {
        return error("arrays[%u].level: must be l1d, l1i, l2, l2d, l2i or "
                     "nested", i);
    }
    if (!array->sizes || array->sizes >> DSEG_TLB_SIZE__MAX) {
        return error("arrays[%u].pages: must be one or more of 4k, 2m and 1g",
                     i);
    }
    if (!array->entries || array->entries > DSEG_TLB_MAX_ENTRIES) {
        return error("arrays[%u].entries: must be 1 to %u", i,
                     DSEG_TLB_MAX_ENTRIES);
    }
    if (!array->ways || array->ways > array->entries) {
        return error("arrays[%u].ways: must be 1 to entries (%u)", i,
                     array->entries);
    }
    if (array->entries % array->ways) {
        return error("arrays[%u].ways: must divide entries (%u)", i,
                     array->entries);
    }
    if (!power_of_two(array->entries / array->ways)) {
        return error("arrays[%u].ways: must make the number of sets, entries "
                     "(%u) / ways, a power of two", i, array->entries);
    }
    return check_policy(array, i);
}

/* The lookups that an array of @place takes part in, as bits. */
static unsigned lookups_of(DsegTlbPlace place)
{
    static const unsigned char lookups[DSEG_TLB_PLACE__MAX] = {
        [DSEG_TLB_PLACE_L1D] = 1 << 0,
        [DSEG_TLB_PLACE_L1I] = 1 << 1,
        [DSEG_TLB_PLACE_L2] = 1 << 2 | 1 << 3,
        [DSEG_TLB_PLACE_L2D] = 1 << 2,
        [DSEG_TLB_PLACE_L2I] = 1 << 3,
        [DSEG_TLB_PLACE_NESTED] = 1 << 4,
    };

    return lookups[place];
}

/* No lookup may find a page size in two arrays. */
static char *check_overlap(const DsegTlbGeometry *geometry, unsigned i)
{
    const DsegTlbArrayGeometry *array = &geometry->arrays[i];

    for (unsigned j = 0; j < i; j++) {
        const DsegTlbArrayGeometry *other = &geometry->arrays[j];
        unsigned sizes = array->sizes & other->sizes;

        if (sizes && (lookups_of(array->place) & lookups_of(other->place))) {
            return error("arrays[%u].pages: %s is in arrays[%u] (%s) already",
                         i, dseg_tlb_size_names[__builtin_ctz(sizes)], j,
                         dseg_tlb_place_names[other->place]);
        }
    }
    return NULL;
}

/* L1 must have an array for 4 KiB: no smaller pieces could take its place. */
static char *check_4k(const DsegTlbGeometry *geometry, DsegTlbPlace place)
{
    for (unsigned i = 0; i < geometry->count; i++) {
        if (geometry->arrays[i].place == place &&
            (geometry->arrays[i].sizes & 1 << DSEG_TLB_4K)) {
            return NULL;
        }
    }
    return error("arrays: one of level %s must have 4k pages",
                 dseg_tlb_place_names[place]);
}

static char *check_walk_cache(const uint32_t *entries, const char *name)
{
    for (unsigned i = 0; i < DSEG_TLB_WALK_LEVELS; i++) {
        if (entries[i] > DSEG_TLB_MAX_ENTRIES) {
            return error("%s[%u]: must be at most %u", name, i,
                         DSEG_TLB_MAX_ENTRIES);
        }
    }
    return NULL;
}

char *dseg_tlb_geometry_check(const DsegTlbGeometry *geometry)
{
    char *text = NULL;

    if (geometry->count > DSEG_TLB_MAX_ARRAYS) {
        return error("arrays: must be at most %u", DSEG_TLB_MAX_ARRAYS);
    }
    for (unsigned i = 0; !text && i < geometry->count; i++) {
        text = check_array(&geometry->arrays[i], i);
        text = text ? text : check_overlap(geometry, i);
    }
    text = text ? text : check_4k(geometry, DSEG_TLB_PLACE_L1D);
    text = text ? text : check_4k(geometry, DSEG_TLB_PLACE_L1I);
    text = text ? text : check_walk_cache(geometry->guest_walk_cache,
                                          "guest-walk-cache");
    return text ? text : check_walk_cache(geometry->nested_walk_cache,
                                          "nested-walk-cache");
}
