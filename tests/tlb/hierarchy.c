/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The arrays of a TLB hierarchy. */
#include "hierarchy.h"

#include <glib.h>

uint64_t page_bytes(enum pages pages)
{
    return 1ull << (12 + 9 * pages);
}

static unsigned level_of(enum place place)
{
    return place == NESTED ? 0 : place == L1D || place == L1I ? 1 : 2;
}

static bool serves(enum place place, enum kind kind)
{
    switch (place) {
    case L1D:
    case L2D:
        return kind != FETCH;
    case L1I:
    case L2I:
        return kind == FETCH;
    default:
        return true;
    }
}

/* -- Geometry -- */

static const char *check_array(const struct array *array)
{
    if (array->entries < 1 || array->entries > 65536) {
        return "entries: not from 1 to 65536";
    }
    if (array->ways < 1 || array->ways > array->entries ||
        array->entries % array->ways) {
        return "ways: entries is not a multiple of it";
    }
    if (!is_power_of_2(array->entries / array->ways)) {
        return "sets: not a power of two";
    }
    if (array->policy == PLRU &&
        (!is_power_of_2(array->ways) || array->ways > 64)) {
        return "policy: plru needs a power of two of ways, at most 64";
    }
    return NULL;
}

/* How many arrays serve these pages there. */
static unsigned arrays_for(const struct hierarchy *h, unsigned level,
                           enum kind kind, enum pages pages)
{
    unsigned n = 0;

    for (unsigned i = 0; i < h->arrays; i++) {
        const struct array *array = &h->array[i];

        n += level_of(array->place) == level && serves(array->place, kind) &&
             array->holds[pages];
    }
    return n;
}

static const char *check(const struct hierarchy *h)
{
    if (h->arrays > MAX_ARRAYS) {
        return "arrays: more than 16";
    }
    for (unsigned i = 0; i < h->arrays; i++) {
        const char *wrong = check_array(&h->array[i]);

        if (wrong) {
            return wrong;
        }
    }
    for (enum kind kind = 0; kind < KINDS; kind++) {
        for (enum pages pages = 0; pages < PAGE_SIZES; pages++) {
            for (unsigned level = 0; level <= 2; level++) {
                if (arrays_for(h, level, kind, pages) > 1) {
                    return "pages: a size is in two arrays of a level";
                }
            }
        }
        if (!arrays_for(h, 1, kind, PAGES_4K)) {
            return "pages: no array of L1 has 4 KiB pages";
        }
    }
    return NULL;
}

const char *hierarchy_init(struct hierarchy *h)
{
    const char *wrong = check(h);

    if (wrong) {
        return wrong;
    }
    for (unsigned i = 0; i < h->arrays; i++) {
        struct array *array = &h->array[i];

        array->sets = array->entries / array->ways;
        array->entry = g_new0(struct entry, array->entries);
        array->plru = g_new0(bool, array->entries);
        array->clock = 0;
        array->random = h->seed + i;
        array->evictions = 0;
    }
    return NULL;
}

void hierarchy_free(struct hierarchy *h)
{
    for (unsigned i = 0; i < h->arrays; i++) {
        g_free(h->array[i].entry);
        g_free(h->array[i].plru);
    }
}

struct array *hierarchy_array(struct hierarchy *h, unsigned level,
                              enum kind kind, enum pages pages)
{
    for (unsigned i = 0; i < h->arrays; i++) {
        struct array *array = &h->array[i];

        if (level_of(array->place) == level && serves(array->place, kind) &&
            array->holds[pages]) {
            return array;
        }
    }
    return NULL;
}

/* -- Lookup -- */

static struct entry *set_of(const struct array *array, uint64_t address,
                            enum pages pages)
{
    uint64_t set = address / page_bytes(pages) % array->sets;

    return &array->entry[set * array->ways];
}

static bool matches(const struct entry *entry, uint64_t address, unsigned asid,
                    unsigned pcid)
{
    return entry->valid && entry->address <= address &&
           address - entry->address < page_bytes(entry->pages) &&
           entry->asid == asid && (entry->pcid == pcid || entry->global);
}

struct entry *hierarchy_probe(struct hierarchy *h, unsigned level,
                              enum kind kind, uint64_t address, unsigned asid,
                              unsigned pcid)
{
    for (enum pages pages = 0; pages < PAGE_SIZES; pages++) {
        struct array *array = hierarchy_array(h, level, kind, pages);
        struct entry *set = array ? set_of(array, address, pages) : NULL;

        for (unsigned way = 0; array && way < array->ways; way++) {
            if (set[way].pages == pages &&
                matches(&set[way], address, asid, pcid)) {
                return &set[way];
            }
        }
    }
    return NULL;
}

/* -- Policies -- */

static uint64_t age_of(const struct array *array, const struct entry *entry)
{
    return array->policy == FIFO ? entry->filled : entry->touched;
}

static unsigned oldest(const struct array *array, const struct entry *set)
{
    unsigned victim = 0;

    for (unsigned way = 1; way < array->ways; way++) {
        if (age_of(array, &set[way]) < age_of(array, &set[victim])) {
            victim = way;
        }
    }
    return victim;
}

static void touch(struct array *array, struct entry *entry)
{
    unsigned number = entry - array->entry;

    entry->touched = ++array->clock;
    if (array->policy == PLRU) {
        tree_touch(&array->plru[number - number % array->ways], array->ways,
                   number % array->ways);
    }
}

void hierarchy_touch(struct hierarchy *h, struct entry *entry)
{
    for (unsigned i = 0; i < h->arrays; i++) {
        struct array *array = &h->array[i];

        if (entry >= array->entry && entry < array->entry + array->entries) {
            touch(array, entry);
        }
    }
}

/* -- Fill -- */

static unsigned choose_way(struct array *array, const struct entry *set)
{
    for (unsigned way = 0; way < array->ways; way++) {
        if (!set[way].valid) {
            return way;
        }
    }
    array->evictions++;
    switch (array->policy) {
    case PLRU:
        return tree_victim(&array->plru[set - array->entry], array->ways);
    case RANDOM:
        return next_random(&array->random) % array->ways;
    default:
        return oldest(array, set);
    }
}

static void insert(struct array *array, const struct entry *page)
{
    struct entry *set = set_of(array, page->address, page->pages);
    struct entry *entry = &set[choose_way(array, set)];

    *entry = *page;
    entry->valid = true;
    touch(array, entry);
    entry->filled = entry->touched;
}

void hierarchy_fill(struct hierarchy *h, unsigned level, enum kind kind,
                    uint64_t address, const struct entry *page)
{
    struct entry piece = *page;
    struct array *array = hierarchy_array(h, level, kind, piece.pages);

    while (!array && level != 2 && piece.pages > PAGES_4K) {
        piece.pages--;
        array = hierarchy_array(h, level, kind, piece.pages);
    }
    if (array) {
        piece.address = address & -page_bytes(piece.pages);
        insert(array, &piece);
    }
}
