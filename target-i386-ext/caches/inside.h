/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: what a hierarchy of caches is made of
 *
 * For the files of this folder only.
 */

#ifndef DSEG_CACHES_INSIDE_H
#define DSEG_CACHES_INSIDE_H

#include <pthread.h>
#include "caches/counts.h"
#include "tlb/memory.h"
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

/* What will pass: a line, or several, one after the other. */
typedef struct DsegPassing {
    uint64_t line;      /* the first one */
    uint16_t places;    /* what counts it then: of DsegCacheCounters, in words */
    uint16_t cycles;
    uint16_t more;      /* so many behind the first one */
    bool fetch;
} DsegPassing;

/* So many pass one after the other, and wait for the host's memory together. */
#define DSEG_CACHE_BATCH 64

/*
 * What waits to pass.  One thread writes, that of the CPU.  Who has the lock of
 * the caches lets pass.
 */
typedef struct DsegCacheQueue {
    DsegPassing *memory;    /* of so many batches */
    unsigned batches;

    /* Of the thread that writes: its batch, and how many that has. */
    DsegPassing *batch;
    unsigned filled;

    /* Whole batches since the start. */
    uint64_t written;
    uint64_t passed __attribute__((aligned(DSEG_TLB_LINE)));
} DsegCacheQueue;

/* Another thread, if there is one, which has whole batches pass: see helper.c. */
typedef struct DsegCacheHelper {
    bool there;
    pthread_t thread;
    pthread_cond_t call;
    bool sleeps;            /* it has to be called */
    bool ends;
} DsegCacheHelper;

struct DsegCaches {
    DsegCachePath path[2];  /* of data; of fetches, if there is an l1i */
    unsigned line_shift;
    DsegCachesGeometry geometry;

    /*
     * Counts.  What does not pass, and sweeps, is counted by the thread that
     * writes; what passes by who has the lock.  No line of a host's cache goes
     * to and fro between the two.
     */
    DsegCacheCounters unpassed __attribute__((aligned(DSEG_TLB_LINE)));
    DsegCacheQueue queue;

    pthread_mutex_t lock __attribute__((aligned(DSEG_TLB_LINE)));
    DsegCacheHelper helper;
    DsegCache cache[DSEG_CACHE__MAX];
    DsegCacheCounters passed;
    DsegCacheCounters all;  /* their sum, when somebody asks */
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

/* Room for so many batches.  There is nothing in it. */
void dseg_caches_init_queue(DsegCaches *caches, unsigned batches);

/* A batch is whole. */
void dseg_caches_end_batch(DsegCaches *caches);

/* The oldest batch passes.  For who has the lock; false: there is none. */
bool dseg_caches_pass_batch(DsegCaches *caches);

/* What waits, of whole batches. */
static inline unsigned batches_waiting(const DsegCacheQueue *queue)
{
    return __atomic_load_n(&queue->written, __ATOMIC_ACQUIRE) -
           __atomic_load_n(&queue->passed, __ATOMIC_ACQUIRE);
}

/* Some wait: the helper is called if it sleeps. */
void dseg_caches_call_helper(DsegCaches *caches);

/* It ends, if there is one. */
void dseg_caches_end_helper(DsegCaches *caches);

/*
 * The line of @hpa passes, and @more behind it, after all that came before, but
 * perhaps only later, when more has come or dseg_caches_settle() is called.  Then
 * the place where each was found is one more in @places, and its cycles are added
 * to @cycles, both of caches->passed.
 */
static inline void enqueue(DsegCaches *caches, uint64_t hpa, uint16_t more,
                           bool fetch, const uint64_t *places,
                           const uint64_t *cycles)
{
    const uint64_t *words = (const uint64_t *)&caches->passed;
    DsegCacheQueue *queue = &caches->queue;

    queue->batch[queue->filled] = (DsegPassing) {
        .line = hpa >> caches->line_shift,
        .places = places - words,
        .cycles = cycles - words,
        .more = more,
        .fetch = fetch,
    };
    if (++queue->filled == DSEG_CACHE_BATCH) {
        dseg_caches_end_batch(caches);
    }
}

#endif
