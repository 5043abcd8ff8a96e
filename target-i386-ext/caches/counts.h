/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: where the references of walks, and data, were found
 *
 * What is counted is in docs/spec/caches.rst, Counts.
 *
 * Plain C: no QEMU headers, so that unit tests can compile it by itself.
 */

#ifndef DSEG_CACHES_COUNTS_H
#define DSEG_CACHES_COUNTS_H

#include "caches/caches.h"
#include "model/counters.h"

/* Places of steps: those of caches, and one more. */
#define DSEG_PLACE_SPARED DSEG_PLACE__MAX   /* by walk caches, nested TLB */
#define DSEG_STEP_PLACES (DSEG_PLACE__MAX + 1)

/* The page-table entries of one dimension, for one address. */
typedef struct DsegEntries {
    uint8_t count;          /* from the root's to the leaf's */
    uint8_t spared;         /* so many of them, the first ones, are not read */
    uint8_t leaf;           /* level of the leaf's table, from 1 on */
    uint64_t hpa[DSEG_MAX_LEVELS];
} DsegEntries;

/* All entries of a walk that has completed. */
typedef struct DsegWalkEntries {
    DsegEntries guest;      /* of the first dimension */

    /*
     * Of the gPA of each of these, then of the final one.  A gPA that a segment
     * translates has none.
     */
    DsegEntries nested[DSEG_MAX_GPAS];
    uint8_t gpas;           /* how many; 0: not nested */
} DsegWalkEntries;

typedef uint64_t DsegStepPlaces[DSEG_MAX_LEVELS + 1][DSEG_STEP_PLACES];

/* Events since the last reset.  All members are uint64_t. */
typedef struct DsegCacheCounters {
    uint64_t data[DSEG_ACCESS__MAX][DSEG_PLACE__MAX];
    uint64_t swept[DSEG_ACCESS__MAX];   /* those of them that sweeps are of */

    /* By the level of the table. */
    DsegStepPlaces guest[DSEG_WORLD__MAX][DSEG_PRIVILEGE__MAX];
    /* First the level of the guest's entry; 0: the final address. */
    DsegStepPlaces nested[DSEG_PRIVILEGE__MAX][DSEG_MAX_LEVELS + 1];
    DsegCycles cycles;
} DsegCacheCounters;

/* Data, or a fetch, passes; for a fetch there must be an l1i. */
void dseg_caches_data(DsegCaches *caches, uint64_t hpa, DsegAccess access);

/* All lines of the 4 KiB page of @hpa pass, as data. */
void dseg_caches_sweep(DsegCaches *caches, uint64_t hpa, DsegAccess access);

/* A walk of @cost passes the entries that it has read. */
void dseg_caches_walk(DsegCaches *caches, const DsegWalkEntries *entries,
                      const DsegCost *cost, DsegAccess access,
                      DsegPrivilege privilege);

/* The counts of all that has come until now, till the next call. */
const DsegCacheCounters *dseg_caches_counters(DsegCaches *caches);

/* Cycles of what has passed: all that has come, after dseg_caches_settle(). */
const DsegCycles *dseg_caches_cycles(const DsegCaches *caches);

/* Cycles of all walks. */
uint64_t dseg_caches_walk_cycles(const DsegCycles *cycles);

#endif
