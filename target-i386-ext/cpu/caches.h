/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: the modelled caches of a CPU, and the entries of its walks
 *
 * Everything here belongs to the CPU's own thread.  Debug translations have no
 * part in it.
 */

#ifndef I386_DSEG_CPU_CACHES_H
#define I386_DSEG_CPU_CACHES_H

#include "cpu.h"
#include "caches/counts.h"
#include "caches/sweeps.h"
#include "dseg.h"
#include "tlb/tlb.h"

/* The nested entries of a gPA, as QEMU's TLB of such translations was filled. */
typedef struct X86DsegKnownGpa {
    uint64_t page;          /* gPA of the page, and 1: 0 is none */
    DsegEntries entries;
} X86DsegKnownGpa;

#define X86_DSEG_KNOWN_GPAS 4096

typedef struct X86DsegCaches {
    DsegCaches *model;

    /* The walk that is being made, and the nested one for a gPA. */
    DsegWalkEntries walk;
    DsegEntries nested;

    /*
     * By the lowest bits of the page's number.  QEMU fills its TLB of nested
     * translations anew after each change, so the last fill of a page is the
     * one that it uses.
     */
    X86DsegKnownGpa known[X86_DSEG_KNOWN_GPAS];

    DsegSweeps sweeps;      /* mode inclusive */

    /* Mode exact: see fetch.c. */
    bool watches_lines;     /* there is an l1i: each instruction passes */
    uint64_t block;         /* virtual address of the block's first byte */
    uint64_t fetched_hpa;   /* of the last fetch of the TLB; -1: no paging */
    bool paged;             /* it was one; else instructions do not pass */
    uint64_t page_offset;   /* hPA - virtual address, in the page of that */
    uint64_t fetched_line;  /* that passed last; -1: the next one passes */
} X86DsegCaches;

X86DsegCaches *x86_dseg_caches_new(const DsegCachesGeometry *geometry,
                                   bool exact);
void x86_dseg_caches_free(X86DsegCaches *caches);

/* RESET, INIT, or another state has been loaded: no line is valid. */
void x86_dseg_caches_empty(X86DsegCaches *caches);

/* A walk of one dimension starts, or starts over. */
static inline void x86_dseg_caches_begin(X86DsegCaches *caches, bool nested)
{
    if (nested) {
        caches->nested.count = 0;
    } else {
        caches->walk.guest.count = 0;
        caches->walk.gpas = 0;
    }
}

/* It has found an entry. */
static inline void x86_dseg_caches_entry(X86DsegCaches *caches, bool nested,
                                         uint64_t hpa)
{
    DsegEntries *entries = nested ? &caches->nested : &caches->walk.guest;

    entries->hpa[entries->count++] = hpa;
}

/* The nested walk for @gpa is complete. */
void x86_dseg_caches_nested_done(X86DsegCaches *caches, uint64_t gpa);

/*
 * The guest's walk uses the translation of @gpa, with @refs nested references: 0
 * if a segment made it.
 */
void x86_dseg_caches_gpa(X86DsegCaches *caches, const X86DsegWalk *walk,
                         uint64_t gpa, unsigned refs);

/* The guest's walk is complete, and counts. */
void x86_dseg_caches_count_walk(X86DsegCaches *caches, const X86DsegWalk *walk,
                                DsegAccess access, DsegPrivilege privilege);

/* An access, translated to @hpa, that passes: see docs/spec/caches.rst. */
static inline void x86_dseg_caches_access(X86DsegCaches *caches, uint64_t hpa,
                                          DsegAccess access)
{
    if (access != DSEG_FETCH ||
        dseg_caches_geometry(caches->model)->cache[DSEG_CACHE_L1I].size) {
        dseg_caches_data(caches->model, hpa, access);
    }
}

/* Virtual addresses are those of another address space now.  NULL: nothing. */
static inline void x86_dseg_caches_leave_space(X86DsegCaches *caches)
{
    if (caches) {
        dseg_sweeps_end_all(&caches->sweeps);
    }
}

/*
 * Mode inclusive: an access to @va, translated to @hpa, has come to the model of
 * the TLB with that outcome.  Returns whether the 4 KiB page behind that of @va is
 * watched from now on.
 */
bool x86_dseg_caches_seen(X86DsegCaches *caches, uint64_t va, uint64_t hpa,
                          DsegAccess access, DsegTlbOutcome outcome);

#endif
