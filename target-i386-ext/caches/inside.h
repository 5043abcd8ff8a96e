/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: what a hierarchy of caches is made of
 *
 * For the files of this folder only.
 */

#ifndef DSEG_CACHES_INSIDE_H
#define DSEG_CACHES_INSIDE_H

#include "caches/caches.h"
#include "tlb/replacement.h"

typedef struct DsegCache {
    /*
     * Its sets.  First there is a byte of each way, its hint, which tells most
     * lines from each other, so that eight ways are searched at a time; 0: the
     * way is invalid, or there is none.  Behind these words there is the tag of
     * each way: its line, if it is valid.
     */
    uint8_t *memory;
    size_t stride;          /* bytes from one set to the next */
    uint32_t hint_bytes;
    uint32_t ways;
    uint32_t sets;
    uint32_t mask;          /* sets - 1 if that is a power of two, else 0 */
    bool inclusive;

    /*
     * An L1, for each set: the line that has passed last, + 1, if the set has it.
     * If that is the next one to pass, too, nothing changes.
     */
    uint64_t *last;
    DsegCacheUse use;
    DsegTlbReplacement order;
} DsegCache;

/* The caches that data, or fetches, pass, from the first one on. */
typedef struct DsegCachePath {
    unsigned length;
    DsegCache *cache[DSEG_PLACE_MEMORY];
    DsegCachePlace place[DSEG_PLACE__MAX];      /* the last one is memory */
    uint32_t latency[DSEG_PLACE__MAX];          /* of each place */
} DsegCachePath;

/* What will pass, and what counts it then. */
typedef struct DsegPassing {
    uint64_t line;
    uint64_t *places;
    uint64_t *cycles;
    bool fetch;
} DsegPassing;

/* How many wait. */
#define DSEG_CACHE_QUEUE 64

struct DsegCaches {
    DsegCachePath path[2];  /* of data; of fetches, if there is an l1i */
    unsigned line_shift;
    DsegCache cache[DSEG_CACHE__MAX];
    DsegCachesGeometry geometry;

    /* See queue.c. */
    unsigned waiting;
    DsegPassing queue[DSEG_CACHE_QUEUE];
};

static inline uint32_t set_of(const DsegCache *cache, uint64_t line)
{
    return cache->mask ? line & cache->mask : line % cache->sets;
}

/* What DsegCache.memory has of @set. */
static inline uint8_t *hints_of(const DsegCache *cache, uint32_t set)
{
    return cache->memory + set * cache->stride;
}

/* The next line passes that its L1 may have to look for. */
DsegCachePlace dseg_caches_look_for(DsegCaches *caches, uint64_t line,
                                    bool fetch);

/* Whether @line was the last one of its set in L1: then it is still there. */
static inline bool is_last(const DsegCaches *caches, uint64_t line, bool fetch)
{
    const DsegCache *l1 = caches->path[fetch].cache[0];

    return l1->last[set_of(l1, line)] == line + 1;
}

/*
 * Something passes, after all that came before, but perhaps only later, when more
 * has come or dseg_caches_settle() is called.  Then the place where it was found
 * is one more in @places, and its cycles are added to @cycles.
 */
static inline void enqueue(DsegCaches *caches, uint64_t hpa, bool fetch,
                           uint64_t *places, uint64_t *cycles)
{
    caches->queue[caches->waiting] = (DsegPassing) {
        .line = hpa >> caches->line_shift,
        .places = places,
        .cycles = cycles,
        .fetch = fetch,
    };
    if (++caches->waiting == DSEG_CACHE_QUEUE) {
        dseg_caches_settle(caches);
    }
}

#endif
