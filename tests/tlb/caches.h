/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A hierarchy of caches as docs/spec/caches.rst has it: what passes through it,
 * and where that is found. Written from that text alone, as the yardstick of
 * the model in QEMU; simple rather than fast.
 */
#ifndef TLB_CACHES_H
#define TLB_CACHES_H

#include <stdbool.h>
#include <stdint.h>

#include "policy.h"

/* The number of each cache adds to the seed of its policy. */
enum cache_number { CACHE_L1D, CACHE_L1I, CACHE_L2, CACHE_LLC, CACHES };

/* Places; what is spared passes nowhere. */
enum where { IN_L1, IN_L2, IN_LLC, IN_MEMORY, SPARED, PLACES };

extern const char *const cache_names[CACHES];
extern const char *const where_names[PLACES];

struct cache_line {
    bool valid;
    uint64_t number;            /* address / bytes of a line */
    uint64_t touched;           /* the cache's clock at that time */
};

struct cache {
    uint64_t size;              /* bytes; 0: there is no such cache */
    unsigned ways;
    enum policy policy;
    unsigned latency;
    bool inclusive;
    /* From here on: made by caches_init(). */
    uint64_t sets;
    struct cache_line *line;    /* [set * ways + way] */
    bool *tree;                 /* [set * ways + node], node 1 is the root */
    uint64_t clock, random;
    uint64_t evictions, back_invalidations;
};

struct caches {
    bool present;               /* else nothing else matters */
    unsigned line;              /* bytes */
    unsigned memory;            /* latency */
    uint64_t seed;
    struct cache cache[CACHES];
};

/*
 * Make the caches empty. A text that says what is wrong with the geometry, or
 * NULL if all is well.
 */
const char *caches_init(struct caches *caches);
void caches_free(struct caches *caches);

/* The place of what passes with that hPA, as a fetch or as data. */
enum where caches_pass(struct caches *caches, uint64_t hpa, bool fetch);

/* Cycles of what passes and has that place. */
unsigned caches_latency(const struct caches *caches, enum where where,
                        bool fetch);

/* How many lines of a cache are valid. */
uint64_t cache_used(const struct caches *caches, const struct cache *cache);

#endif
