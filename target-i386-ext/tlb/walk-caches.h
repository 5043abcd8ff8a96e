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

#define DSEG_TLB_MAX_GPAS 6 /* five entries and the final one */

/* One gPA of a walk, in the order in which they were translated. */
typedef struct DsegTlbGpa {
    uint64_t gpa;
    bool by_segment;        /* the VMM segment translates it: no reference */
    uint8_t levels;         /* of the nested page tables: 4, or 5 */
    uint8_t lg_size;        /* of the page that they map it with */
    uint8_t out_refs;       /* nested references that are made */
} DsegTlbGpa;

/* A walk that has ended well. */
typedef struct DsegTlbWalk {
    DsegTlbSpace space;
    uint64_t va;
    bool guest_segment;     /* it translates: no guest reference */
    uint8_t levels;         /* of the first dimension's page tables; 0: none */
    uint8_t refs;           /* entries read there, the leaf's included */
    uint8_t gpa_count;      /* 0: not nested; else those of entries, final */
    DsegTlbGpa gpas[DSEG_TLB_MAX_GPAS];
    uint8_t out_skipped;    /* the first entries, which are not read */
} DsegTlbWalk;

typedef struct DsegTlbWalkCounters {
    uint64_t guest_lookups, guest_hits[DSEG_TLB_WALK_LEVELS];
    uint64_t nested_lookups, nested_hits[DSEG_TLB_WALK_LEVELS];
    uint64_t gpa_lookups, gpa_hits[DSEG_TLB_SIZE__MAX];
} DsegTlbWalkCounters;

/* Whether @geometry has any of them; else no walk gets shorter. */
bool dseg_tlb_has_walk_caches(const DsegTlbGeometry *geometry);

/*
 * Uses them for a walk, and sets its out_ fields: without any of them to what a
 * walk takes by itself.
 */
void dseg_tlb_walk(DsegTlb *tlb, DsegTlbWalk *walk);

const DsegTlbWalkCounters *dseg_tlb_walk_counters(const DsegTlb *tlb);

#endif
