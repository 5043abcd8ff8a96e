/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A walk cache. */
#include "walkcache.h"

#include <glib.h>

void walk_cache_init(struct walk_cache *cache)
{
    for (unsigned level = LOWEST_LEVEL; level <= TOP_LEVEL; level++) {
        cache->entry[level] = g_new0(struct walk_entry, cache->entries[level]);
    }
}

void walk_cache_free(struct walk_cache *cache)
{
    for (unsigned level = LOWEST_LEVEL; level <= TOP_LEVEL; level++) {
        g_free(cache->entry[level]);
    }
}

static bool is_there(const struct walk_cache *cache)
{
    unsigned entries = 0;

    for (unsigned level = LOWEST_LEVEL; level <= TOP_LEVEL; level++) {
        entries += cache->entries[level];
    }
    return entries > 0;
}

static uint64_t number_of(uint64_t address, unsigned level)
{
    return address >> (12 + 9 * (level - 1));
}

static struct walk_entry *find(const struct walk_cache *cache, unsigned level,
                               uint64_t address, unsigned asid, unsigned pcid)
{
    for (unsigned i = 0; i < cache->entries[level]; i++) {
        struct walk_entry *entry = &cache->entry[level][i];

        if (entry->valid && entry->asid == asid && entry->pcid == pcid &&
            entry->number == number_of(address, level)) {
            return entry;
        }
    }
    return NULL;
}

/* The invalid entry of the lowest number, else the one not used longest. */
static struct walk_entry *victim(const struct walk_cache *cache,
                                 unsigned level)
{
    struct walk_entry *oldest = &cache->entry[level][0];

    for (unsigned i = 0; i < cache->entries[level]; i++) {
        struct walk_entry *entry = &cache->entry[level][i];

        if (!entry->valid) {
            return entry;
        }
        if (entry->touched < oldest->touched) {
            oldest = entry;
        }
    }
    return oldest;
}

unsigned walk_cache_walk(struct walk_cache *cache, uint64_t address,
                         unsigned asid, unsigned pcid, unsigned top,
                         unsigned leaf)
{
    unsigned begin = top + 1;

    cache->lookups += is_there(cache);
    for (unsigned level = MAX(leaf + 1, LOWEST_LEVEL); level <= top; level++) {
        struct walk_entry *entry = find(cache, level, address, asid, pcid);

        if (entry) {
            entry->touched = ++cache->clock;
            cache->hits[level]++;
            begin = level;
            break;
        }
    }
    for (unsigned level = begin - 1; level > leaf; level--) {
        if (cache->entries[level]) {
            *victim(cache, level) = (struct walk_entry) {
                .valid = true, .asid = asid, .pcid = pcid,
                .number = number_of(address, level),
                .touched = ++cache->clock,
            };
        }
    }
    return begin;
}
