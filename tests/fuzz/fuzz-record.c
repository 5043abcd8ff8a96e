/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz the record of a translation: every walk that there can be has room in
 * it, its references are numbered, and each knows what it is for
 */

#include "input.h"
#include "model/record.h"

typedef struct Walker {
    Input *in;
    DsegRecord *record;
    bool vmm_segment;
    unsigned refs;
    unsigned nested_refs;
} Walker;

/* One entry less for each level that a large page spares. */
static unsigned take_refs(Input *in, DsegPagingMode mode)
{
    unsigned levels = dseg_paging_levels(mode);
    unsigned most = mode >= DSEG_PAGING_LONG4 ? 3 : 2;

    return levels ? levels - take_below(in, most) : 0;
}

static void ref(Walker *w, bool nested)
{
    dseg_record_ref(w->record, nested, take_edge(w->in), take_edge(w->in));
    dseg_record_entry(w->record, take_edge(w->in));
    w->refs++;
    w->nested_refs += nested;
}

static void translate_gpa(Walker *w)
{
    static const DsegFilter filter = { .word = { 1, 2, 4, 8 } };
    const DsegSegment segment = { .base = 0, .limit = take_edge(w->in) };
    bool walked = true;

    dseg_record_gpa(w->record, take_edge(w->in));
    if (w->vmm_segment) {
        DsegNestedHow how = take_below(w->in, DSEG_NESTED_FALSE_ESCAPE + 1);

        walked = how != DSEG_NESTED_SEGMENT;
        dseg_record_vmm_check(w->record, &segment,
                              walked ? DSEG_MISS : DSEG_HIT,
                              0);
        dseg_record_filter(w->record, &filter, how);
    }
    if (walked) {
        for (unsigned n = take_refs(w->in, w->record->in_nested); n; n--) {
            ref(w, true);
        }
    }
}

static void check(const Walker *w, DsegRecordEnd end)
{
    const DsegRecord *record = w->record;
    unsigned refs = 0, nested_refs = 0;

    assert(record->steps <= DSEG_RECORD_STEPS);
    for (unsigned i = 0; i < record->steps; i++) {
        const DsegStep *step = &record->step[i];
        unsigned guest_refs = refs - nested_refs;
        unsigned left = dseg_paging_levels(record->in_guest) - guest_refs;

        if (step->nested) {
            assert(step->for_level == left || (end != DSEG_RECORD_NPF_TABLE &&
                                               !step->for_level));
        }
        if (step->kind == DSEG_STEP_REF) {
            assert(step->ref.number == ++refs && step->ref.level);
            assert(step->nested || step->ref.level == left);
            assert(!step->ref.lg_size || step->ref.lg_size >= 12);
            nested_refs += step->nested;
        }
    }
    assert(refs == w->refs && nested_refs == w->nested_refs);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Input in = { data, size };
    DsegRecord record;
    DsegPagingMode nested = take_below(&in, DSEG_PAGING_LONG5 + 1);
    DsegPagingMode guest = DSEG_PAGING_LEGACY + take_below(&in, 4);
    DsegRecordEnd end = take_below(&in, DSEG_RECORD_NPF_TABLE + 1);
    Walker w = {
        .in = &in, .record = &record,
        .vmm_segment = nested != DSEG_PAGING_NONE && take_bool(&in),
    };
    unsigned guest_refs = take_refs(&in, guest);

    dseg_record_begin(&record, guest, nested);
    if (take_bool(&in)) {
        const DsegSegment segment = { .base = take_edge(&in), .limit = 0 };
        bool hit = take_bool(&in);

        dseg_record_guest_check(&record, &segment, hit ? DSEG_HIT : DSEG_MISS,
                                0);
        guest_refs = hit ? 0 : guest_refs;
    }
    for (; guest_refs; guest_refs--) {
        if (nested != DSEG_PAGING_NONE) {
            translate_gpa(&w);
        }
        if (end == DSEG_RECORD_NPF_TABLE && guest_refs == 1) {
            break;      /* the gPA of this entry is what faults */
        }
        ref(&w, false);
    }
    if (nested != DSEG_PAGING_NONE &&
        (end == DSEG_RECORD_DONE || end == DSEG_RECORD_NPF_FINAL)) {
        translate_gpa(&w);
    }
    dseg_record_end(&record, end);
    check(&w, end);
    return 0;
}
