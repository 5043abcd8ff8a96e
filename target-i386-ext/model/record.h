/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: a record of one translation, step by step
 *
 * The MMU reports the steps in the order in which they happen; this adds which
 * level each belongs to, and for which gPA it was.
 *
 * Plain C: no QEMU headers, so that unit tests can compile it by itself.
 */

#ifndef DSEG_MODEL_RECORD_H
#define DSEG_MODEL_RECORD_H

#include "model/filter.h"
#include "model/segment.h"
#include "model/cost.h"

/* All references, and for each gPA and the gVA a check and a lookup. */
#define DSEG_TRACE_STEPS (DSEG_MAX_GUEST_REFS + DSEG_MAX_NESTED_REFS + \
                          2 * (DSEG_MAX_GUEST_REFS + 2))

typedef enum DsegStepKind {
    DSEG_STEP_CHECK,    /* base-bound check */
    DSEG_STEP_FILTER,   /* lookup in the escape filter */
    DSEG_STEP_REF,      /* reference to a page-table entry */
} DsegStepKind;

/* What a gPA is that is none of an entry of the guest's tables. */
#define DSEG_FOR_FINAL 0

typedef struct DsegStep {
    DsegStepKind kind;
    bool nested;            /* in the nested dimension: translates a gPA */
    uint8_t for_level;      /* nested: the gPA is that of the guest's entry of
                               this level, or DSEG_FOR_FINAL */
    uint64_t gpa;           /* nested: that gPA */
    union {
        struct {
            DsegSegment segment;
            bool counted;   /* false: the check of the gVA has tested it too */
            DsegHit hit;
            uint64_t to;    /* on DSEG_HIT: what the address becomes */
        } check;
        struct {
            uint8_t bit[DSEG_FILTER_HASHES]; /* of each partition */
            bool passes;
            DsegNestedHow how;
        } filter;
        struct {
            uint8_t number;     /* from 1 on */
            uint8_t level;      /* of the page table, 1 is the lowest */
            uint64_t addr;      /* of the entry, in the space of its tables */
            uint64_t hpa;       /* the same in host-physical memory */
            uint64_t entry;
            uint8_t lg_size;    /* of the page that it maps; 0 if none */
        } ref;
    };
} DsegStep;

typedef struct DsegTrace {
    DsegPaging in_guest;    /* paging mode of the guest, or native */
    DsegPaging in_nested;   /* of the nested tables; NONE if there are none */

    unsigned steps;
    DsegStep step[DSEG_TRACE_STEPS];

    /* Where the walk is: */
    bool guest_hit;
    uint8_t guest_refs;
    uint8_t nested_refs;    /* of the walk for the gPA of now */
    uint8_t refs;
    uint64_t gpa;
} DsegTrace;

/* A translation starts, or starts over: earlier steps are forgotten. */
void dseg_trace_begin(DsegTrace *trace, DsegPaging guest, DsegPaging nested);

/* The check of the address itself against the guest segment. */
void dseg_trace_guest_check(DsegTrace *trace, const DsegSegment *segment,
                            DsegHit hit, uint64_t to);

/* The nested translation of @gpa starts. */
void dseg_trace_gpa(DsegTrace *trace, uint64_t gpa);

/*
 * Its check against the VMM segment, and its lookup in @filter, which comes out
 * as @how.
 */
void dseg_trace_vmm_check(DsegTrace *trace, const DsegSegment *segment,
                          DsegHit hit, uint64_t to);
void dseg_trace_filter(DsegTrace *trace, const DsegFilter *filter,
                       DsegNestedHow how);

/*
 * A page-table entry is found, at @addr in the space of its tables, which is
 * @hpa.  Its value follows.
 */
void dseg_trace_ref(DsegTrace *trace, bool nested, uint64_t addr, uint64_t hpa);
void dseg_trace_entry(DsegTrace *trace, uint64_t entry);

typedef enum DsegTraceEnd {
    DSEG_TRACE_DONE,        /* there is a translation */
    DSEG_TRACE_PF,          /* fault in the guest's (or native) dimension */
    DSEG_TRACE_NPF_FINAL,   /* of the nested translation of the final gPA */
    DSEG_TRACE_NPF_TABLE,   /* of that of an entry's gPA */
} DsegTraceEnd;

/* The translation ends.  What could not be known before is filled in. */
void dseg_trace_end(DsegTrace *trace, DsegTraceEnd end);

#endif
