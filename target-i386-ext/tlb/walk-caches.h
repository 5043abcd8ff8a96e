/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: walk caches and nested TLB, which shorten walks
 *
 * What they do is in docs/spec/tlb.rst, Walk caches and nested TLB.
 *
 * Plain C: no QEMU headers, so that unit tests can compile it by itself.
 */

#ifndef DSEG_TLB_WALK_CACHES_H
#define DSEG_TLB_WALK_CACHES_H

#include "tlb/tlb.h"

/* gPAs of a walk: of the entries of five levels, and the final one. */
#define DSEG_TLB_MAX_GPAS 6

/* One gPA of a walk. */
typedef struct DsegTlbGpa {
    /* Set by the caller: */
    uint64_t gpa;
    bool by_segment;        /* the VMM segment translates it: no reference */
    uint8_t levels;         /* of the nested page tables */
    uint8_t lg_size;        /* they map it with a page of 2^that bytes */

    /* Set by dseg_tlb_walk(): */
    uint8_t out_refs;       /* nested references that are made for it */
} DsegTlbGpa;

/* A walk that has ended without a fault. */
typedef struct DsegTlbWalk {
    /* Set by the caller: */
    DsegTlbSpace space;
    uint64_t va;
    bool guest_segment;     /* it translates @va: no guest reference */
    uint8_t levels;         /* of the first dimension's page tables; 0: none */
    uint8_t refs;           /* entries of these on the way, with the leaf's */
    uint8_t gpa_count;      /* 0: not nested */

    /* Those of the entries, from the root's on, then the final one. */
    DsegTlbGpa gpas[DSEG_TLB_MAX_GPAS];

    /* Set by dseg_tlb_walk(): */
    uint8_t out_skipped;    /* so many of @refs, the first ones, are not read */
} DsegTlbWalk;

/*
 * Events since the last reset.  Hits of walk caches are by level from PML5E on,
 * those of gPAs in the nested TLB by page size.
 */
typedef struct DsegTlbWalkCounters {
    uint64_t guest_lookups, guest_hits[DSEG_TLB_WALK_LEVELS];
    uint64_t nested_lookups, nested_hits[DSEG_TLB_WALK_LEVELS];
    uint64_t gpa_lookups, gpa_hits[DSEG_TLB_SIZE__MAX];
} DsegTlbWalkCounters;

/* Whether @geometry has a walk cache or a nested TLB. */
bool dseg_tlb_has_walk_caches(const DsegTlbGeometry *geometry);

/*
 * Looks @walk up in walk caches and nested TLB, fills them, and sets its out_
 * fields.  Without any of them these say that each reference is made.
 */
void dseg_tlb_walk(DsegTlb *tlb, DsegTlbWalk *walk);

const DsegTlbWalkCounters *dseg_tlb_walk_counters(const DsegTlb *tlb);

#endif
