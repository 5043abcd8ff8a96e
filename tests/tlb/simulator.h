/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A CPU's TLB, driven by what the CPU has done: the accesses and invalidations
 * of docs/spec/tlb.rst, and what they count. Written from that text alone.
 */
#ifndef TLB_SIMULATOR_H
#define TLB_SIMULATOR_H

#include <stdbool.h>
#include <stdint.h>

#include "hierarchy.h"
#include "passing.h"
#include "trace.h"
#include "walkcache.h"
#include "world.h"

/* The order is that of the specification's table. */
enum cause {
    CAUSE_MOV_CR3, CAUSE_INVLPG,
    CAUSE_INVPCID_ADDRESS, CAUSE_INVPCID_CONTEXT, CAUSE_INVPCID_ALL,
    CAUSE_INVPCID_ALL_NONGLOBAL,
    CAUSE_INVLPGA, CAUSE_TLB_CONTROL, CAUSE_CR0, CAUSE_CR4,
    CAUSE_GUEST_SEGMENT, CAUSE_VMM_SEGMENT, CAUSE_PAGE_FAULT, CAUSES,
};

extern const char *const cause_names[CAUSES];

#define LEVELS 3        /* 1 and 2; 0 is not used */

struct counts {
    /*
     * Hits by the size of the entry; misses by that of the page, which L1 may
     * have in pieces.
     */
    uint64_t hits[LEVELS][KINDS][PAGE_SIZES];
    uint64_t misses[LEVELS][KINDS][PAGE_SIZES];
    uint64_t dirty_misses[LEVELS];
    uint64_t segment_hits[KINDS], segment_hits_l1[KINDS];
    uint64_t walks[KINDS];
    uint64_t guest_refs, nested_refs;       /* of all walks */
    uint64_t gpa_lookups, gpa_hits[PAGE_SIZES];     /* of the nested TLB */
    uint64_t operations[CAUSES];
    uint64_t removed[LEVELS][CAUSES];
};

struct simulator {
    struct hierarchy tlb;
    struct world world;
    bool segments_beside_l1;
    struct walk_cache guest_cache, nested_cache;
    struct passing passing;
    /* Page and frame of the last fetch; the next is in any case without. */
    bool fetched;
    uint64_t fetched_page, fetched_frame;
    struct counts counts;
    /* Set by the first thing that can't be: what, else NULL. */
    const char *error;
};

/*
 * As hierarchy_init() and caches_init(), with RAM of zeros; the state is all
 * zeros.
 */
const char *simulator_init(struct simulator *s, uint64_t ram_size);
void simulator_free(struct simulator *s);

/* Counts are 0 from here on, those of the arrays too. */
void simulator_begin(struct simulator *s);

/* What follows has that privilege; 0 at first. */
void simulator_privilege(struct simulator *s, unsigned cpl);

/* The next thing that the CPU has done. */
void simulator_instruction(struct simulator *s, uint64_t pc, unsigned size);
void simulator_load(struct simulator *s, uint64_t address, unsigned size);
void simulator_store(struct simulator *s, uint64_t address, unsigned size,
                     const void *value);

/* An operation that has led to the state "after". */
void simulator_operation(struct simulator *s,
                         const struct trace_record *record,
                         const struct trace_state *after);

#endif
