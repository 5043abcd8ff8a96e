/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: a TLB hierarchy of a stated geometry
 *
 * What it does is in docs/spec/tlb.rst.  It knows which translations the
 * hardware would hold, not what they are: the caller translates.
 *
 * An access is in two steps, because what misses has to be translated first,
 * and that may fault:
 *
 *     if (!dseg_tlb_peek(...)) {
 *         translate; on a fault: no access
 *     }
 *     dseg_tlb_access(...);
 *
 * Segments beside L1 are asked before L1, whatever it holds.  So with
 * segments_beside_l1 the caller asks them first, and where they alone translate
 * calls dseg_tlb_access() at once, with a page that says so.
 *
 * Plain C: no QEMU headers, so that unit tests can compile it by itself.
 */

#ifndef DSEG_TLB_H
#define DSEG_TLB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tlb-geometry.h"

/* What an access does.  In the order of QAPI and of CR12. */
typedef enum DsegTlbKind {
    DSEG_TLB_LOAD,
    DSEG_TLB_STORE,
    DSEG_TLB_FETCH,
    DSEG_TLB_KIND__MAX,
} DsegTlbKind;

typedef enum DsegTlbLevel {
    DSEG_TLB_L1,
    DSEG_TLB_L2,
    DSEG_TLB_LEVEL__MAX,
} DsegTlbLevel;

/* Why entries are removed: the table in docs/spec/tlb.rst. */
typedef enum DsegTlbCause {
    DSEG_TLB_MOV_CR3,
    DSEG_TLB_INVLPG,
    DSEG_TLB_INVPCID_ADDRESS,
    DSEG_TLB_INVPCID_CONTEXT,
    DSEG_TLB_INVPCID_ALL,
    DSEG_TLB_INVPCID_ALL_NONGLOBAL,
    DSEG_TLB_INVLPGA,
    DSEG_TLB_TLB_CONTROL,
    DSEG_TLB_CR0,
    DSEG_TLB_CR4,
    DSEG_TLB_GUEST_SEGMENT,
    DSEG_TLB_VMM_SEGMENT,
    DSEG_TLB_PAGE_FAULT,
    DSEG_TLB_MONITOR,
    DSEG_TLB_RESET,
    DSEG_TLB_CAUSE__MAX,
} DsegTlbCause;

/* Whose accesses these are. */
typedef struct DsegTlbSpace {
    uint32_t asid;
    uint16_t pcid;
} DsegTlbSpace;

#define DSEG_TLB_DATA 2

/* A translation, as far as the TLB has to know it. */
typedef struct DsegTlbPage {
    DsegTlbSize size;
    bool global;
    bool store;         /* stores may use it; after a store they always may */
    bool segments_only; /* no memory reference was needed: size is 4K */
    uint8_t lg_mapping; /* the page in the tables has 2^that bytes; 0: @size */
    uint64_t data[DSEG_TLB_DATA];   /* the caller's: entries keep it */
} DsegTlbPage;

/* What has come of an access. */
typedef enum DsegTlbOutcome {
    DSEG_TLB_HIT_L1,
    DSEG_TLB_HIT_L2,
    DSEG_TLB_HIT_SEGMENT,    /* beside L2, after an L1 miss */
    DSEG_TLB_HIT_SEGMENT_L1, /* beside L1: no entry of L1 backs it */
    DSEG_TLB_WALK,
} DsegTlbOutcome;

/* A number below dseg_tlb_l1_slots(); each place in an L1 array has its own. */
typedef uint32_t DsegTlbSlot;
#define DSEG_TLB_NO_SLOT UINT32_MAX

/* All of DsegTlbCounters are uint64_t. */
typedef struct DsegTlbCounters {
    uint64_t hits[DSEG_TLB_LEVEL__MAX][DSEG_TLB_KIND__MAX][DSEG_TLB_SIZE__MAX];
    uint64_t misses[DSEG_TLB_LEVEL__MAX][DSEG_TLB_KIND__MAX]
                   [DSEG_TLB_SIZE__MAX];
    uint64_t dirty_misses[DSEG_TLB_LEVEL__MAX];
    uint64_t segment_hits[DSEG_TLB_KIND__MAX];
    uint64_t segment_hits_l1[DSEG_TLB_KIND__MAX];
    uint64_t walks[DSEG_TLB_KIND__MAX];
    uint64_t evictions[DSEG_TLB_MAX_ARRAYS];        /* of each array */
    uint64_t invalidations[DSEG_TLB_CAUSE__MAX];    /* operations */
    uint64_t invalidated[DSEG_TLB_CAUSE__MAX];      /* entries, L1 and L2 */
} DsegTlbCounters;

/*
 * An entry of L1 goes away: evicted, removed, or replaced in its place.  @va:
 * address of its first byte, @space: its tags.  Must not change the TLB.
 */
typedef void DsegTlbGone(void *opaque, DsegTlbSlot slot, DsegTlbSpace space,
                         bool global, uint64_t va, DsegTlbSize size,
                         bool fetch);

typedef struct DsegTlb DsegTlb;

/*
 * A TLB without entries.  @geometry must have passed dseg_tlb_geometry_check();
 * it is copied.  @gone may be NULL.
 */
DsegTlb *dseg_tlb_new(const DsegTlbGeometry *geometry, DsegTlbGone *gone,
                      void *opaque);
void dseg_tlb_free(DsegTlb *tlb);

const DsegTlbGeometry *dseg_tlb_geometry(const DsegTlb *tlb);

/* How many slots L1 has, instruction and data together. */
uint32_t dseg_tlb_l1_slots(const DsegTlb *tlb);

/*
 * Whether an access would be a hit of L1 or L2; nothing changes.  Then *@page
 * is what the entry says, if @page is not NULL.  An access of the same kind to
 * the same address that comes next does not have to look again.
 */
bool dseg_tlb_peek(const DsegTlb *tlb, DsegTlbSpace space, uint64_t va,
                   DsegTlbKind kind, DsegTlbPage *page);

/*
 * An access, complete: counts it, and changes the TLB.  @page is what the
 * translation has found.  If it is a hit of L1 or L2 only its segments_only is
 * looked at, and only with segments_beside_l1; there it may be NULL.  *@slot
 * becomes the slot of the L1 entry that the page is in now, or DSEG_TLB_NO_SLOT
 * for DSEG_TLB_HIT_SEGMENT_L1.
 */
DsegTlbOutcome dseg_tlb_access(DsegTlb *tlb, DsegTlbSpace space, uint64_t va,
                               DsegTlbKind kind, const DsegTlbPage *page,
                               DsegTlbSlot *slot);

/*
 * Calls the DsegTlbGone function for the other entries of the set of @slot, of up to
 * DSEG_TLB_MAX_ANNOUNCED ways, or else for the next victim only, if hits decide which
 * one that is; but all of them stay.  For a caller who sees hits only of entries that
 * the function has been called for.
 */
void dseg_tlb_announce(DsegTlb *tlb, DsegTlbSlot slot);

#define DSEG_TLB_MAX_ANNOUNCED 8

/* The size of the valid entry in @slot. */
DsegTlbSize dseg_tlb_slot_size(const DsegTlb *tlb, DsegTlbSlot slot);

/* Which entries an operation removes. */
typedef struct DsegTlbScope {
    enum { DSEG_TLB_ASID_ALL, DSEG_TLB_ASID_ONE, DSEG_TLB_ASID_GUESTS } asids;
    uint32_t asid;          /* DSEG_TLB_ASID_ONE; GUESTS is every one but 0 */
    bool one_pcid;          /* of @pcid only, else of any */
    uint16_t pcid;
    enum {
        DSEG_TLB_GLOBAL_TOO,    /* global ones whatever their PCID */
        DSEG_TLB_GLOBAL_KEPT,   /* not global ones */
    } globals;
    bool one_page;          /* only what translates @va */
    uint64_t va;
} DsegTlbScope;

/* Removes entries; counts the operation, and what has gone. */
void dseg_tlb_invalidate(DsegTlb *tlb, DsegTlbCause cause,
                         const DsegTlbScope *scope);

const DsegTlbCounters *dseg_tlb_counters(const DsegTlb *tlb);
void dseg_tlb_counters_reset(DsegTlb *tlb);

/* How many entries of an array are valid, for queries. */
uint32_t dseg_tlb_array_used(const DsegTlb *tlb, unsigned array);

#endif
