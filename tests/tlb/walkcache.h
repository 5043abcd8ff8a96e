/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A walk cache of docs/spec/tlb.rst: the non-leaf entries of page tables that a
 * dimension keeps, each level by itself.
 */
#ifndef TLB_WALKCACHE_H
#define TLB_WALKCACHE_H

#include <stdbool.h>
#include <stdint.h>

#define LOWEST_LEVEL 2          /* PDEs */
#define TOP_LEVEL 5             /* PML5Es */

struct walk_entry {
    bool valid;
    unsigned asid, pcid;
    uint64_t number;            /* of what it spans: address / span */
    uint64_t touched;
};

struct walk_cache {
    unsigned entries[TOP_LEVEL + 1];    /* of each level; 0: none */
    struct walk_entry *entry[TOP_LEVEL + 1];
    uint64_t clock;
    uint64_t lookups, hits[TOP_LEVEL + 1];
};

void walk_cache_init(struct walk_cache *cache);
void walk_cache_free(struct walk_cache *cache);

/*
 * A walk from an entry of level "top" to a leaf of level "leaf": what the cache
 * has of it, and keeps of it. Returns the level that the walk begins below, or
 * top + 1.
 */
unsigned walk_cache_walk(struct walk_cache *cache, uint64_t address,
                         unsigned asid, unsigned pcid, unsigned top,
                         unsigned leaf);

#endif
