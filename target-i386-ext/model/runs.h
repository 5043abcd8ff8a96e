/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: the longest linear runs of page tables
 *
 * A run is what a segment could stand for: consecutive pages that are mapped
 * with a constant target - source, and with every permission that a segment
 * grants.
 *
 * Plain C: no QEMU headers, so that unit tests can compile it by itself.
 */

#ifndef DSEG_MODEL_RUNS_H
#define DSEG_MODEL_RUNS_H

#include "model/page-tables.h"

#define DSEG_RUNS_MAX 256

typedef struct DsegRun {
    uint64_t base;      /* in bytes, as all of them */
    uint64_t size;
    uint64_t target;
    uint64_t pages[DSEG_PAGE__MAX]; /* how many mappings of each kind */
} DsegRun;

/* One scan, which may be made in steps.  All but in_* starts as zero. */
typedef struct DsegRunSearch {
    const DsegTables *in_tables;
    uint64_t in_limit;      /* first address beyond the range */
    uint64_t in_min_size;   /* of a run to be kept */
    unsigned in_runs;       /* how many to keep, up to DSEG_RUNS_MAX */
    bool in_executable;     /* the segment would grant fetches too */

    uint64_t next;          /* address to go on from; at first, to start at */
    DsegRun open;           /* the last run, which may go on, if its size is not 0 */
    uint64_t out_mapped;    /* how much is mapped, ... */
    uint64_t out_suitable;  /* ... and of that with the permissions, in bytes */
    unsigned out_runs;
    DsegRun out_run[DSEG_RUNS_MAX]; /* longest first, then lowest base */
} DsegRunSearch;

/*
 * Looks up to @lookups more addresses up, as dseg_sweep_step() does.  Returns
 * whether the scan is complete; the results hold then.
 */
bool dseg_runs_step(DsegRunSearch *scan, unsigned lookups);

/*
 * The run that is open has ended.  For a scan that stops before it is complete:
 * then the results hold for what has been looked at.
 */
void dseg_runs_end_run(DsegRunSearch *scan);

#endif
