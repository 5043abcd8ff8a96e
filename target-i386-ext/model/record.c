/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: a record of one translation, step by step
 */

#include <assert.h>

#include "model/record.h"

void dseg_record_begin(DsegRecord *record, DsegPagingMode guest,
                       DsegPagingMode nested)
{
    *record = (DsegRecord){ .in_guest = guest, .in_nested = nested };
}

/* How many levels of the guest's tables are still to be read. */
static unsigned guest_levels_left(const DsegRecord *record)
{
    return dseg_paging_levels(record->in_guest) - record->guest_refs;
}

static DsegStep *add(DsegRecord *record, DsegStepKind kind, bool nested)
{
    DsegStep *step = &record->step[record->steps];

    assert(record->steps < DSEG_RECORD_STEPS);
    record->steps++;
    *step = (DsegStep){ .kind = kind, .nested = nested };
    if (nested) {
        step->for_level = guest_levels_left(record);
        step->gpa = record->gpa;
    }
    return step;
}

void dseg_record_guest_check(DsegRecord *record, const DsegSegment *segment,
                             DsegHit hit, uint64_t to)
{
    DsegStep *step = add(record, DSEG_STEP_CHECK, false);

    step->check.segment = *segment;
    step->check.counted = true;
    step->check.hit = hit;
    step->check.to = to;
    record->guest_hit = hit != DSEG_MISS;
}

void dseg_record_gpa(DsegRecord *record, uint64_t gpa)
{
    record->gpa = gpa;
    record->nested_refs = 0;
}

void dseg_record_vmm_check(DsegRecord *record, const DsegSegment *segment,
                           DsegHit hit, uint64_t to)
{
    DsegStep *step = add(record, DSEG_STEP_CHECK, true);

    step->check.segment = *segment;
    step->check.counted = !record->guest_hit;
    step->check.hit = hit;
    step->check.to = to;
}

void dseg_record_filter(DsegRecord *record, const DsegFilter *filter,
                        DsegNestedHow how)
{
    DsegStep *step = add(record, DSEG_STEP_FILTER, true);

    for (unsigned i = 0; i < DSEG_FILTER_HASHES; i++) {
        step->filter.bit[i] = dseg_filter_hash(filter, i,
                                               record->gpa >> DSEG_PAGE_BITS);
    }
    step->filter.passes = dseg_filter_test(filter, record->gpa);
    step->filter.how = how;
}

void dseg_record_ref(DsegRecord *record, bool nested, uint64_t addr,
                     uint64_t hpa)
{
    DsegStep *step = add(record, DSEG_STEP_REF, nested);

    step->ref.number = ++record->refs;
    step->ref.addr = addr;
    step->ref.hpa = hpa;
    if (nested) {
        step->ref.level = dseg_paging_levels(record->in_nested) -
                          record->nested_refs++;
    } else {
        step->ref.level = guest_levels_left(record);
        record->guest_refs++;
    }
}

void dseg_record_entry(DsegRecord *record, uint64_t entry)
{
    DsegStep *step = &record->step[record->steps - 1];

    assert(record->steps && step->kind == DSEG_STEP_REF);
    step->ref.entry = entry;
}

static bool is_ref(const DsegStep *step, bool nested)
{
    return step->kind == DSEG_STEP_REF && step->nested == nested;
}

static void set_page(DsegStep *leaf, DsegPagingMode mode)
{
    leaf->ref.lg_size = dseg_paging_shift(mode, leaf->ref.level);
}

void dseg_record_end(DsegRecord *record, DsegRecordEnd end)
{
    bool nested_leaf = end == DSEG_RECORD_DONE;
    bool guest_leaf = end == DSEG_RECORD_DONE || end == DSEG_RECORD_NPF_FINAL;
    bool final = guest_leaf;

    /* Backwards, so that the first entry met of a walk is its leaf. */
    for (unsigned i = record->steps; i-- > 0; ) {
        DsegStep *step = &record->step[i];

        if (final && step->nested) {
            step->for_level = DSEG_FOR_FINAL;
        }
        if (nested_leaf && is_ref(step, true)) {
            set_page(step, record->in_nested);
            nested_leaf = false;
        }
        if (is_ref(step, false)) {
            if (guest_leaf) {
                set_page(step, record->in_guest);
            }
            guest_leaf = final = false;
            nested_leaf = true;     /* of the gPA of this entry */
        }
    }
}
