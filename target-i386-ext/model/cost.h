/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: what one translation costs
 *
 * The MMU reports the events of a walk here in the order in which they happen;
 * this decides what each of them costs.  The rules are the poster's table:
 *
 *                       references     base-bound checks
 *   base virtualized    g + (g+1)n     0
 *   VMM direct          g              g+1  (each gPA of the walk)
 *   guest direct        n              1
 *   dual direct         0              1    (both segments at once)
 *
 * with g guest and n nested levels.  Each gPA is decided by itself.
 *
 * The events are inline functions because QEMU reports ten and more of them for
 * each miss in its TLB.
 *
 * Plain C: no QEMU headers, so that unit tests can compile it by itself.
 */

#ifndef DSEG_MODEL_COST_H
#define DSEG_MODEL_COST_H

#include "model/page-tables.h"

/* The most that 5-level tables in both dimensions can take. */
#define DSEG_MAX_GUEST_REFS DSEG_MAX_LEVELS
#define DSEG_MAX_GPAS (DSEG_MAX_GUEST_REFS + 1)
#define DSEG_MAX_NESTED_REFS (DSEG_MAX_GPAS * DSEG_MAX_LEVELS)
#define DSEG_MAX_CHECKS 7

/* What a translation turned out to be. */
typedef enum DsegRegime {
    DSEG_NATIVE,        /* not nested, by page tables */
    DSEG_NATIVE_DIRECT, /* not nested, by the guest-level segment */
    DSEG_BASE,          /* nested, by page tables in both dimensions */
    DSEG_VMM_DIRECT,    /* guest page tables, every gPA by the VMM segment */
    DSEG_GUEST_DIRECT,  /* the guest segment, then nested page tables */
    DSEG_DUAL_DIRECT,   /* both segments */
    DSEG_MIXED,         /* guest page tables, some gPAs by the VMM segment */
    DSEG_REGIME__MAX,
} DsegRegime;

/* How the VMM's side translated one gPA. */
typedef enum DsegNestedHow {
    DSEG_NESTED_WALKED,       /* outside the VMM segment, or there is none */
    DSEG_NESTED_SEGMENT,      /* by the VMM segment: no references */
    DSEG_NESTED_ESCAPED,      /* inside it, but in the escape filter: walked */
    DSEG_NESTED_FALSE_ESCAPE, /* the same, though nobody had added the page */
} DsegNestedHow;

/*
 * Which tables of one dimension were read, as a number below DSEG_TABLES: the
 * lowest level, 1 to 3, and how many; as they end at a page, these are
 * neighbours.  0: none.
 */
#define DSEG_TABLES 32

static inline unsigned dseg_tables(unsigned leaf, unsigned refs)
{
    return refs ? leaf << 3 | refs : 0;
}

/* One walk.  Set up by dseg_cost_begin(), read by dseg_counters_*(). */
typedef struct DsegCost {
    /* Set by dseg_cost_begin(): */
    bool in_nested;         /* guest mode with nested paging */
    bool in_guest_segment;  /* a guest segment is in force here */
    bool in_vmm_segment;    /* a VMM segment is in force here */

    /* Set by the events: */
    bool out_guest_hit;
    uint8_t out_guest_refs;
    uint8_t out_nested_refs;
    uint8_t out_checks;
    uint8_t out_gpas;       /* how many gPAs the walk has translated */
    uint8_t out_vmm_hits;   /* how many of them by the VMM segment */
    uint8_t out_filter_lookups;
    uint8_t out_escapes;        /* true and false ones */
    uint8_t out_false_escapes;
    DsegPageKind out_guest_page;
    DsegPageKind out_nested_page; /* of the last gPA so far */
    uint8_t out_nested_tables[DSEG_MAX_GPAS]; /* of each gPA, in order */
} DsegCost;

/*
 * A translation starts after a miss.  Also when it starts over (an accessed or
 * dirty bit was lost to another CPU): what it had cost so far is forgotten.
 */
static inline void dseg_cost_begin(DsegCost *walk, bool nested,
                                   bool guest_segment, bool vmm_segment)
{
    *walk = (DsegCost){
        .in_nested = nested,
        .in_guest_segment = guest_segment,
        .in_vmm_segment = vmm_segment,
        .out_guest_page = DSEG_PAGE_NONE,
        .out_nested_page = DSEG_PAGE_NONE,
    };
}

/*
 * The check after the miss: 1 base-bound check if a guest segment is in force,
 * none otherwise.  @hit: the segment translates the address, without a
 * reference.
 */
static inline void dseg_cost_check_guest(DsegCost *walk, bool hit)
{
    if (!walk->in_guest_segment) {
        return;
    }
    walk->out_checks++;
    if (hit) {
        walk->out_guest_hit = true;
        walk->out_guest_page = DSEG_PAGE_SEGMENT;
    }
}

/* An entry of the first dimension (guest, or native) is read. */
static inline void dseg_cost_guest_ref(DsegCost *walk)
{
    walk->out_guest_refs++;
}

/* The first dimension has ended at a page of 2^@lg_size bytes. */
static inline void dseg_cost_guest_page(DsegCost *walk, unsigned lg_size)
{
    walk->out_guest_page = dseg_page_kind(lg_size);
}

/*
 * One gPA, of an entry or the final one, is translated by the VMM's side.  If
 * that walks (every @how but DSEG_NESTED_SEGMENT): with @refs references, to a
 * page of 2^@lg_size bytes.  Counts 1 check and 1 filter lookup if a VMM
 * segment is in force; the check is not counted where the guest segment hit,
 * as both are tested at once.
 */
static inline void dseg_cost_gpa_refs(DsegCost *walk, DsegNestedHow how,
                                      unsigned refs, unsigned lg_size)
{
    unsigned gpa = walk->out_gpas++;

    if (walk->in_vmm_segment) {
        walk->out_filter_lookups++;
        /* The check after the miss has tested both segments at once. */
        walk->out_checks += !walk->out_guest_hit;
    }
    if (how == DSEG_NESTED_SEGMENT) {
        walk->out_vmm_hits++;
        walk->out_nested_page = DSEG_PAGE_SEGMENT;
        return;
    }
    walk->out_escapes += how != DSEG_NESTED_WALKED;
    walk->out_false_escapes += how == DSEG_NESTED_FALSE_ESCAPE;
    walk->out_nested_refs += refs;
    walk->out_nested_page = dseg_page_kind(lg_size);
    walk->out_nested_tables[gpa] = dseg_tables(dseg_leaf_level(lg_size), refs);
}

/* The same, with as many references as nested tables in @mode take. */
static inline void dseg_cost_gpa(DsegCost *walk, DsegNestedHow how,
                                 DsegPagingMode mode, unsigned lg_size)
{
    dseg_cost_gpa_refs(walk, how, how == DSEG_NESTED_SEGMENT ?
                       0 : dseg_paging_refs(mode, lg_size), lg_size);
}

/* What the walk turned out to be, once it is complete. */
DsegRegime dseg_cost_regime(const DsegCost *walk);

#endif
