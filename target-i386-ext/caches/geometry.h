/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: the geometry of a hierarchy of caches
 *
 * Its rules are in docs/spec/caches.rst, Geometry.
 *
 * Plain C: no QEMU headers, so that unit tests can compile it by itself.
 */

#ifndef DSEG_CACHES_GEOMETRY_H
#define DSEG_CACHES_GEOMETRY_H

#include <stdbool.h>
#include <stdint.h>
#include "tlb/geometry.h"

#define DSEG_CACHE_MIN_LINE 16
#define DSEG_CACHE_MAX_LINE 4096
#define DSEG_CACHE_MAX_SIZE (UINT64_C(1) << 32)
#define DSEG_CACHE_MAX_WAYS 64
#define DSEG_CACHE_MAX_LATENCY 65535

/* Which cache: in the order of the specification's numbers. */
typedef enum DsegCacheName {
    DSEG_CACHE_L1D,
    DSEG_CACHE_L1I,
    DSEG_CACHE_L2,
    DSEG_CACHE_LLC,
    DSEG_CACHE__MAX,
} DsegCacheName;

typedef struct DsegCacheGeometry {
    uint64_t size;          /* bytes; 0: there is no such cache */
    uint32_t ways;
    DsegTlbPolicy policy;   /* LRU, PLRU or RANDOM */
    uint32_t latency;       /* cycles */
    bool inclusive;         /* L2 and LLC: of the caches above */
} DsegCacheGeometry;

typedef struct DsegCachesGeometry {
    DsegCacheGeometry cache[DSEG_CACHE__MAX];
    uint32_t line;          /* bytes */
    uint32_t memory;        /* its latency, cycles */
    uint64_t seed;          /* of the policy random */
} DsegCachesGeometry;

/*
 * Checks the rules.  Returns NULL if @geometry obeys them, else a text, which
 * the caller frees with free(), that names the field and the rule, such as
 * "caches.l2.ways: must be 1 to 64".
 */
char *dseg_caches_geometry_check(const DsegCachesGeometry *geometry);

/*
 * The caches of the machine whose TLB is the preset of that name; NULL if there
 * is none.
 */
const DsegCachesGeometry *dseg_caches_preset(const char *name);

/* "l1d", "l1i", "l2", "llc" */
extern const char *const dseg_cache_names[DSEG_CACHE__MAX];

#endif
