/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: does a segment agree with the page tables in force?
 */

#ifndef I386_DSEG_CHECK_H
#define I386_DSEG_CHECK_H

#include "state.h"
#include "tables.h"

typedef enum X86DsegVerdict {
    X86_DSEG_AGREES,    /* as far as pages are mapped; see mapped */
    X86_DSEG_NOTHING,   /* there are no page tables to compare with */
    X86_DSEG_NOT_RAM,   /* a page of the target is not RAM: first_target */
    X86_DSEG_DIFFERS,   /* see differing and the first of them */
} X86DsegVerdict;

typedef struct X86DsegComparison {
    X86DsegVerdict verdict;
    uint64_t pages;         /* of 4 KiB, in the segment */
    uint64_t mapped;        /* of them by the page tables */
    uint64_t differing;     /* of those: other address, or not permitted */
    uint64_t first;         /* first differing page, in the source space */
    uint64_t first_target;  /* what the page tables map it to */
    bool first_permission;  /* the address is right, a permission is missing */
} X86DsegComparison;

/*
 * Those of @tables that map what @scoped, of level @level, translates, with the
 * roots that it belongs to; NULL if there are none that could.
 */
const DsegTables *x86_dseg_tables_for(X86DsegTables *tables,
                                      X86DsegLevel level,
                                      const X86DsegScoped *scoped);

/*
 * Compares @scoped, of level @level, with the page tables of @env: those of
 * the root that it belongs to, or else those in force.  Must run on the CPU's
 * own thread.  Changes nothing.
 */
X86DsegComparison x86_dseg_compare(CPUX86State *env, X86DsegLevel level,
                                   const X86DsegScoped *scoped);

#endif
