/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: does a segment agree with the page tables in force?
 */

#ifndef I386_DSEG_MONITOR_AGREEMENT_H
#define I386_DSEG_MONITOR_AGREEMENT_H

#include "cpu/state.h"
#include "model/sweep.h"
#include "monitor/tables-in-force.h"

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

    /* What it goes on from. */
    CPUX86State *env;
    X86DsegLevel level;
    const X86DsegScoped *scoped;
    X86DsegTables tables;
    const DsegTables *compared; /* one of them, or NULL */
    DsegSweep sweep;
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
 * the root that it belongs to, or else those in force now.  Changes nothing.
 * What is to be compared is up to x86_dseg_compare_step(), which makes up to
 * @lookups lookups in page tables and returns whether the comparison is
 * complete; the verdict and what belongs to it hold then.  Both must run on the
 * CPU's own thread.  *@c points into itself, so it can't be copied.
 */
void x86_dseg_compare_begin(CPUX86State *env, X86DsegLevel level,
                            const X86DsegScoped *scoped, X86DsegComparison *c);
bool x86_dseg_compare_step(X86DsegComparison *c, unsigned lookups);

#endif
