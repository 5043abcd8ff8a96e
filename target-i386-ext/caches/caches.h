/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: a hierarchy of caches of a stated geometry
 *
 * What it does is in docs/spec/caches.rst.  It knows which lines the hardware
 * would hold, not what is in them.
 *
 * Plain C: no QEMU headers, so that unit tests can compile it by itself.
 */

#ifndef DSEG_CACHES_CACHES_H
#define DSEG_CACHES_CACHES_H

#include <stdbool.h>
#include <stdint.h>
#include "caches/geometry.h"

/* Where something is found.  In the order of QAPI. */
typedef enum DsegCachePlace {
    DSEG_PLACE_L1,          /* l1d, or l1i for a fetch */
    DSEG_PLACE_L2,
    DSEG_PLACE_LLC,
    DSEG_PLACE_MEMORY,
    DSEG_PLACE__MAX,
} DsegCachePlace;

/* Of one cache. */
typedef struct DsegCacheUse {
    uint32_t used;                  /* lines that are valid */
    uint64_t evictions;             /* since the last reset */
    uint64_t back_invalidations;    /* lines that it has lost to a cache below
                                       that is inclusive; the same */
} DsegCacheUse;

typedef struct DsegCaches DsegCaches;

/*
 * Caches without lines.  @geometry must have passed dseg_caches_geometry_check();
 * it is copied.
 */
DsegCaches *dseg_caches_new(const DsegCachesGeometry *geometry);
void dseg_caches_free(DsegCaches *caches);

const DsegCachesGeometry *dseg_caches_geometry(const DsegCaches *caches);

/* The line that has @hpa, as a number. */
uint64_t dseg_caches_line(const DsegCaches *caches, uint64_t hpa);

/*
 * Something passes; returns where it was found.  A @fetch passes l1i, which must
 * be there.
 */
DsegCachePlace dseg_caches_pass(DsegCaches *caches, uint64_t hpa, bool fetch);

/*
 * A thread is started which has what waits pass while the CPU goes on, till the
 * caches are freed.  False: there can't be one, and all is as it was.
 */
bool dseg_caches_help(DsegCaches *caches);

/*
 * What waits to pass, as that of counts.h does, passes.  Like all functions here
 * it is for the thread of which things come, or while none come.  The other ones
 * do it by themselves.
 */
void dseg_caches_settle(DsegCaches *caches);

/* Cycles of what is found there. */
uint32_t dseg_caches_latency(const DsegCaches *caches, DsegCachePlace place,
                             bool fetch);

/* All lines become invalid.  Counts and policies stay as they are. */
void dseg_caches_empty(DsegCaches *caches);

/* How a cache has been used; all 0 if there is none of that name. */
DsegCacheUse dseg_caches_use(DsegCaches *caches, DsegCacheName name);

/* All that is counted becomes 0: evictions, back-invalidations, and counts.h. */
void dseg_caches_reset(DsegCaches *caches);

#endif
