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

#include "tlb/geometry.h"

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

/* The address space that an access or an entry belongs to. */
typedef struct DsegTlbSpace {
    uint32_t asid;          /* 0 for the host, the VMCB's for a guest */
    uint16_t pcid;          /* bits 11:0 of CR3; 0 without CR4.PCIDE */
} DsegTlbSpace;

/* Words that each entry keeps for the caller, who knows what they mean. */
#define DSEG_TLB_DATA 3

/*
 * A translation, as far as the TLB has to know it.  Set by the caller, from a
 * walk; by dseg_tlb_peek(), from an entry.
 */
typedef struct DsegTlbPage {
    DsegTlbSize size;   /* the smaller one of both dimensions' pages */
    bool global;        /* whatever the PCID: G of the first dimension's leaf */
    bool store;         /* stores may use it; after a store they always may */
    bool segments_only; /* no memory reference was needed: size is 4K */

    /*
     * Of the page in the first dimension's tables, which this one may be a
     * piece of: it has 2^that bytes.  0: it is this page.
     */
    uint8_t lg_mapping;
    uint64_t data[DSEG_TLB_DATA];   /* the caller's: the entry keeps it */
} DsegTlbPage;

/*
 * How an access ended.  Those from DSEG_TLB_HIT_SEGMENT on needed a
 * translation; callers compare.
 */
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

/* Where an access has found or put the L1 entry of its page. */
typedef struct DsegTlbSpot {
    DsegTlbSlot slot;   /* DSEG_TLB_NO_SLOT for DSEG_TLB_HIT_SEGMENT_L1 */
    DsegTlbSize size;   /* of the entry, which may be a piece of the page */
} DsegTlbSpot;

/* Where an access would hit.  Of no use once the TLB has changed. */
typedef struct DsegTlbFound {
    DsegTlbLevel level;
    DsegTlbSize size;       /* of the entry */
    struct DsegTlbArray *array;
    uint32_t index;         /* of the entry in @array */

    /*
     * Valid if nothing was found, too: L1 or L2 has an entry that matches, but
     * that this store can't use.  The access will remove it.
     */
    bool in_the_way;
    uint64_t *data;         /* the entry's DSEG_TLB_DATA words */
} DsegTlbFound;

/* Events since the last reset.  All members are uint64_t. */
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
 * A function of the caller's, which has to hide the page of the L1 entry in
 * @slot: it no longer translates that page by itself, but asks here at the
 * next access.  Called if the entry is about to be evicted or removed, or if
 * dseg_tlb_hide_candidates() has chosen it.  During the call the entry is still
 * there, and the TLB must not be changed.
 */
typedef void DsegTlbHide(void *opaque, DsegTlbSlot slot);

typedef struct DsegTlb DsegTlb;

/*
 * A TLB without entries.  @geometry must have passed dseg_tlb_geometry_check();
 * it is copied.  @hide may be NULL.
 */
DsegTlb *dseg_tlb_new(const DsegTlbGeometry *geometry, DsegTlbHide *hide,
                      void *opaque);
void dseg_tlb_free(DsegTlb *tlb);

const DsegTlbGeometry *dseg_tlb_geometry(const DsegTlb *tlb);

/* How many slots L1 has: the entries of all its arrays, L1D and L1I. */
uint32_t dseg_tlb_l1_slots(const DsegTlb *tlb);

/*
 * The entry of L1 or L2 that an access would hit; false if there is none.  Nothing
 * changes.
 */
bool dseg_tlb_find(const DsegTlb *tlb, DsegTlbSpace space, uint64_t va,
                   DsegTlbKind kind, DsegTlbFound *found);

/* Whether stores may use what has been found. */
bool dseg_tlb_found_store(const DsegTlbFound *found);

/* dseg_tlb_find(), with all that the entry says; @page may be NULL. */
bool dseg_tlb_peek(const DsegTlb *tlb, DsegTlbSpace space, uint64_t va,
                   DsegTlbKind kind, DsegTlbPage *page);

/*
 * An access, complete: counts it, and changes the TLB.  @page is what the
 * translation has found.  If L1 or L2 is hit, only two of its members matter:
 * data, which the entry gets, and with segments_beside_l1 also segments_only.
 * Then @page may be NULL; the entry keeps the data that it has.
 */
DsegTlbOutcome dseg_tlb_access(DsegTlb *tlb, DsegTlbSpace space, uint64_t va,
                               DsegTlbKind kind, const DsegTlbPage *page,
                               DsegTlbSpot *spot);

/*
 * The same for an access that hits nothing: dseg_tlb_find() has just returned
 * false, with in_the_way false.
 */
DsegTlbOutcome dseg_tlb_miss(DsegTlb *tlb, DsegTlbSpace space, uint64_t va,
                             DsegTlbKind kind, const DsegTlbPage *page,
                             DsegTlbSpot *spot);

/*
 * For a caller who sees hits only of entries that its DsegTlbHide function has
 * been called for (see hide.h): calls it, after an access that ended with
 * @outcome at @spot, for entries of that set whose hits decide what is evicted
 * next.  These entries stay in L1.  Which ones they are:
 *
 * FIFO and random: none, as hits decide nothing.
 *
 * L2 has entries of that size, so that a wrong victim costs no walk: after a
 * fill, the next victim.
 *
 * L2 has none, LRU for data: after each access that is seen, the entry that is
 * no longer among the DSEG_TLB_SHOWN_WAYS used last; none from the
 * DSEG_TLB_WATCHED_HITS-th hit since the last miss of the set on.
 *
 * L2 has none, LRU for code, or PLRU: after a fill, all others of a set of up
 * to DSEG_TLB_MAX_CANDIDATES ways; of a larger set, the next victim.
 */
void dseg_tlb_hide_candidates(DsegTlb *tlb, DsegTlbSpot spot,
                              DsegTlbOutcome outcome);

/*
 * dseg_tlb_access() and dseg_tlb_hide_candidates() in one, for an access that
 * hits @found: dseg_tlb_find() has just found that with the same arguments.
 * Returns where the page is in L1 now.
 */
DsegTlbSpot dseg_tlb_hit(DsegTlb *tlb, DsegTlbSpace space, uint64_t va,
                         DsegTlbKind kind, const DsegTlbFound *found);

#define DSEG_TLB_MAX_CANDIDATES 8   /* ways of a set */
#define DSEG_TLB_SHOWN_WAYS 2       /* entries of a set */
#define DSEG_TLB_WATCHED_HITS 128   /* that are seen, of a set */

/* What a valid entry of L1 says. */
typedef struct DsegTlbSlotPage {
    DsegTlbSpace space;
    bool global;
    uint64_t va;            /* of its first byte */
    DsegTlbSize size;
    bool fetch;             /* it is one of L1I */
} DsegTlbSlotPage;

DsegTlbSlotPage dseg_tlb_slot_page(const DsegTlb *tlb, DsegTlbSlot slot);

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

/* Removes entries; counts the operation, and the entries that it removes. */
void dseg_tlb_invalidate(DsegTlb *tlb, DsegTlbCause cause,
                         const DsegTlbScope *scope);

const DsegTlbCounters *dseg_tlb_counters(const DsegTlb *tlb);
void dseg_tlb_counters_reset(DsegTlb *tlb);

/* How many entries of an array are valid, for queries. */
uint32_t dseg_tlb_array_used(const DsegTlb *tlb, unsigned array);

#endif
