/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: a record of one translation, step by step
 */

#include <assert.h>

#include "model/record.h"

void dseg_trace_begin(DsegTrace *trace, DsegPaging guest, DsegPaging nested)
{
    *trace = (DsegTrace){ .in_guest = guest, .in_nested = nested };
}

/* How many levels of the guest's tables are still to be read. */
static unsigned guest_levels_left(const DsegTrace *trace)
{
    return dseg_paging_levels(trace->in_guest) - trace->guest_refs;
}

static DsegStep *add(DsegTrace *trace, DsegStepKind kind, bool nested)
{
    DsegStep *step = &trace->step[trace->steps];

    assert(trace->steps < DSEG_TRACE_STEPS);
    trace->steps++;
    *step = (DsegStep){ .kind = kind, .nested = nested };
    if (nested) {
        step->for_level = guest_levels_left(trace);
        step->gpa = trace->gpa;
    }
    return step;
}

void dseg_trace_guest_check(DsegTrace *trace, const DsegSegment *segment,
                            DsegHit hit, uint64_t to)
{
    DsegStep *step = add(trace, DSEG_STEP_CHECK, false);

    step->check.segment = *segment;
    step->check.counted = true;
    step->check.hit = hit;
    step->check.to = to;
    trace->guest_hit = hit != DSEG_MISS;
}

void dseg_trace_gpa(DsegTrace *trace, uint64_t gpa)
{
    trace->gpa = gpa;
    trace->nested_refs = 0;
}

void dseg_trace_vmm_check(DsegTrace *trace, const DsegSegment *segment,
                          DsegHit hit, uint64_t to)
{
    DsegStep *step = add(trace, DSEG_STEP_CHECK, true);

    step->check.segment = *segment;
    step->check.counted = !trace->guest_hit;
    step->check.hit = hit;
    step->check.to = to;
}

void dseg_trace_filter(DsegTrace *trace, const DsegFilter *filter,
                       DsegNestedHow how)
{
    DsegStep *step = add(trace, DSEG_STEP_FILTER, true);

    for (unsigned i = 0; i < DSEG_FILTER_HASHES; i++) {
        step->filter.bit[i] = dseg_filter_hash(i, trace->gpa >> DSEG_PAGE_BITS);
    }
    step->filter.passes = dseg_filter_test(filter, trace->gpa);
    step->filter.how = how;
}

void dseg_trace_ref(DsegTrace *trace, bool nested, uint64_t addr, uint64_t hpa)
{
    DsegStep *step = add(trace, DSEG_STEP_REF, nested);

    step->ref.number = ++trace->refs;
    step->ref.addr = addr;
    step->ref.hpa = hpa;
    if (nested) {
        step->ref.level = dseg_paging_levels(trace->in_nested) -
                          trace->nested_refs++;
    } else {
        step->ref.level = guest_levels_left(trace);
        trace->guest_refs++;
    }
}

void dseg_trace_entry(DsegTrace *trace, uint64_t entry)
{
    DsegStep *step = &trace->step[trace->steps - 1];

    assert(trace->steps && step->kind == DSEG_STEP_REF);
    step->ref.entry = entry;
}

static bool is_ref(const DsegStep *step, bool nested)
{
    return step->kind == DSEG_STEP_REF && step->nested == nested;
}

static void set_page(DsegStep *leaf, DsegPaging mode)
{
    leaf->ref.lg_size = dseg_paging_shift(mode, leaf->ref.level);
}

void dseg_trace_end(DsegTrace *trace, DsegTraceEnd end)
{
    bool nested_leaf = end == DSEG_TRACE_DONE;
    bool guest_leaf = end == DSEG_TRACE_DONE || end == DSEG_TRACE_NPF_FINAL;
    bool final = guest_leaf;

    /* Backwards, so that the first entry met of a walk is its leaf. */
    for (unsigned i = trace->steps; i-- > 0; ) {
        DsegStep *step = &trace->step[i];

        if (final && step->nested) {
            step->for_level = DSEG_FOR_FINAL;
        }
        if (nested_leaf && is_ref(step, true)) {
            set_page(step, trace->in_nested);
            nested_leaf = false;
        }
        if (is_ref(step, false)) {
            if (guest_leaf) {
                set_page(step, trace->in_guest);
            }
            guest_leaf = final = false;
            nested_leaf = true;     /* of the gPA of this entry */
        }
    }
}
