/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: one look at all that page tables map in a range, in steps
 *
 * Plain C: no QEMU headers, so that unit tests can compile it by itself.
 */

#ifndef DSEG_MODEL_SWEEP_H
#define DSEG_MODEL_SWEEP_H

#include "model/page-tables.h"

/*
 * Of what is looked at, @size bytes at @addr are one page, or the part of one
 * that is in the range; they map to @mapping->addr and on.  False to end it.
 */
typedef bool DsegVisit(void *opaque, uint64_t addr, uint64_t size,
                       const DsegMapping *mapping);

typedef struct DsegSweep {
    const DsegTables *in_tables;
    uint64_t in_limit;  /* first address beyond the range */
    DsegVisit *in_visit;
    void *in_opaque;    /* its */

    uint64_t next;      /* address to go on from; at first, to start at */
} DsegSweep;

typedef enum DsegSwept {
    DSEG_SWEPT_PART,    /* there is more */
    DSEG_SWEPT_ALL,
    DSEG_SWEPT_ENDED,   /* by in_visit, at the page before @next */
} DsegSwept;

/*
 * Looks up to @lookups more addresses up: one for each page that is mapped and
 * for each hole, whatever its size.  The tables may change between two steps;
 * each step sees them as they are.
 */
DsegSwept dseg_sweep_step(DsegSweep *sweep, unsigned lookups);

#endif
