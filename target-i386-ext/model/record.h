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
#define DSEG_RECORD_STEPS (DSEG_MAX_GUEST_REFS + DSEG_MAX_NESTED_REFS + \
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

typedef struct DsegRecord {
    DsegPagingMode in_guest;  /* paging mode of the guest, or native */
    DsegPagingMode in_nested; /* of the nested tables; NONE if there are none */

    unsigned steps;
    DsegStep step[DSEG_RECORD_STEPS];

    /* Where the walk is: */
    bool guest_hit;
    uint8_t guest_refs;
    uint8_t nested_refs;    /* of the walk for the gPA of now */
    uint8_t refs;
    uint64_t gpa;
} DsegRecord;

/* A translation starts, or starts over: earlier steps are forgotten. */
void dseg_record_begin(DsegRecord *record, DsegPagingMode guest,
                       DsegPagingMode nested);

/* The check of the address itself against the guest segment. */
void dseg_record_guest_check(DsegRecord *record, const DsegSegment *segment,
                             DsegHit hit, uint64_t to);

/* The nested translation of @gpa starts. */
void dseg_record_gpa(DsegRecord *record, uint64_t gpa);

/*
 * Its check against the VMM segment, and its lookup in @filter, which comes out
 * as @how.
 */
void dseg_record_vmm_check(DsegRecord *record, const DsegSegment *segment,
                           DsegHit hit, uint64_t to);
void dseg_record_filter(DsegRecord *record, const DsegFilter *filter,
                        DsegNestedHow how);

/*
 * A page-table entry is found, at @addr in the space of its tables, which is
 * @hpa.  Its value follows.
 */
void dseg_record_ref(DsegRecord *record, bool nested, uint64_t addr,
                     uint64_t hpa);
void dseg_record_entry(DsegRecord *record, uint64_t entry);

typedef enum DsegRecordEnd {
    DSEG_RECORD_DONE,        /* there is a translation */
    DSEG_RECORD_PF,          /* fault in the guest's (or native) dimension */
    DSEG_RECORD_NPF_FINAL,   /* of the nested translation of the final gPA */
    DSEG_RECORD_NPF_TABLE,   /* of that of an entry's gPA */
} DsegRecordEnd;

/* The translation ends.  What could not be known before is filled in. */
void dseg_record_end(DsegRecord *record, DsegRecordEnd end);

#endif
