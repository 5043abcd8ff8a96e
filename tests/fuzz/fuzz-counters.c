/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz walks and their counters: no walk costs more than there is room for, and
 * the invariants of docs/spec/counters.rst hold after any of them
 */

#include "model/counters.h"
#include "input.h"
#include "translate.h"

static unsigned take_lg_size(Input *in, DsegPagingMode mode)
{
    static const unsigned lg_sizes[] = { 12, 21, 30 };

    if (mode == DSEG_PAGING_LEGACY) {
        return take_bool(in) ? 22 : 12;
    }
    return lg_sizes[take_below(in, mode == DSEG_PAGING_PAE ? 2 : 3)];
}

static Translation take_translation(Input *in)
{
    Translation t = { .guest = take_below(in, DSEG_PAGING_LONG5 + 1) };

    t.nested = take_below(in, DSEG_PAGING_LONG5 + 1);
    if (t.guest == DSEG_PAGING_NONE && t.nested == DSEG_PAGING_NONE) {
        t.guest = DSEG_PAGING_LONG4;    /* no walk at all otherwise */
    }
    t.guest_lg_size = take_lg_size(in, t.guest);
    t.guest_segment = take_bool(in);
    t.guest_hit = t.guest_segment && take_bool(in);
    t.vmm_segment = translation_is_nested(&t) && take_bool(in);
    for (unsigned i = 0; i < translation_gpas(&t); i++) {
        t.gpa[i].how = t.vmm_segment ? take_below(in, 4) : DSEG_NESTED_WALKED;
        t.gpa[i].lg_size = take_lg_size(in, t.nested);
    }
    return t;
}

static bool is_nested(DsegRegime regime)
{
    return regime != DSEG_NATIVE && regime != DSEG_NATIVE_DIRECT;
}

static void check_histogram(const DsegCounters *c, DsegWorld world,
                            DsegPrivilege p)
{
    const DsegHistogram *h = &c->histogram[world][p];
    uint64_t walks = 0, guest_refs = 0, nested_refs = 0, checks = 0;

    for (unsigned g = 0; g <= DSEG_MAX_GUEST_REFS; g++) {
        for (unsigned n = 0; n <= DSEG_MAX_NESTED_REFS; n++) {
            walks -= h->refs[g][n];
            guest_refs -= g * h->refs[g][n];
            nested_refs -= n * h->refs[g][n];
        }
    }
    for (unsigned n = 0; n <= DSEG_MAX_CHECKS; n++) {
        checks -= n * h->checks[n];
    }
    for (DsegRegime r = 0; r < DSEG_REGIME__MAX; r++) {
        for (DsegAccess a = 0; a < DSEG_ACCESS__MAX; a++) {
            if (is_nested(r) == (world == DSEG_WORLD_NESTED)) {
                walks += c->tally[r][a][p].walks;
                guest_refs += c->tally[r][a][p].guest_refs;
                nested_refs += c->tally[r][a][p].nested_refs;
                checks += c->tally[r][a][p].checks;
            }
        }
    }
    assert(!walks && !guest_refs && !nested_refs && !checks);
}

static void check_steps(const DsegCounters *c, DsegWorld world, DsegPrivilege p)
{
    DsegSteps steps = dseg_counters_steps(c, world, p);
    uint64_t guest = 0, nested = 0;

    for (unsigned level = 0; level <= DSEG_MAX_LEVELS; level++) {
        guest += steps.guest[level];
        for (unsigned table = 0; table <= DSEG_MAX_LEVELS; table++) {
            nested += steps.nested[level][table];
        }
    }
    for (DsegRegime r = 0; r < DSEG_REGIME__MAX; r++) {
        for (DsegAccess a = 0; a < DSEG_ACCESS__MAX; a++) {
            if (is_nested(r) == (world == DSEG_WORLD_NESTED)) {
                guest -= c->tally[r][a][p].guest_refs;
                nested -= c->tally[r][a][p].nested_refs;
            }
        }
    }
    assert(!guest && !nested);
}

static void check_invariants(const DsegCounters *c)
{
    DsegTally total = dseg_counters_total(c);
    uint64_t by_refs = 0, by_checks = 0;

    for (DsegPrivilege p = 0; p < DSEG_PRIVILEGE__MAX; p++) {
        check_histogram(c, DSEG_WORLD_NATIVE, p);
        check_histogram(c, DSEG_WORLD_NESTED, p);
        check_steps(c, DSEG_WORLD_NATIVE, p);
        check_steps(c, DSEG_WORLD_NESTED, p);
    }
    for (unsigned i = 0; i <= DSEG_MAX_GUEST_REFS + DSEG_MAX_NESTED_REFS; i++) {
        by_refs += dseg_counters_refs(c, i);
    }
    for (unsigned i = 0; i <= DSEG_MAX_CHECKS; i++) {
        by_checks += dseg_counters_checks(c, i);
    }
    assert(by_refs == total.walks && by_checks == total.walks);
    assert(total.false_escapes <= total.escapes);
    assert(total.escapes <= total.filter_lookups);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Input in = { data, size };
    DsegCounters counters = { 0 };

    while (in.left) {
        Translation t = take_translation(&in);
        unsigned refs = translation_guest_refs(&t);
        DsegCost walk;

        if (take_bool(&in)) {
            translate(&walk, &t);
            assert(is_nested(dseg_cost_regime(&walk)) ==
                   translation_is_nested(&t));
            dseg_counters_walk(&counters, &walk,
                               take_below(&in, DSEG_ACCESS__MAX),
                               take_below(&in, DSEG_PRIVILEGE__MAX));
        } else {
            translate_until(&walk, &t, take_below(&in, refs + 1));
            dseg_counters_fault(&counters, &walk,
                                take_below(&in, DSEG_FAULT__MAX));
        }
        assert(walk.out_guest_refs <= DSEG_MAX_GUEST_REFS);
        assert(walk.out_nested_refs <= DSEG_MAX_NESTED_REFS);
        assert(walk.out_checks <= DSEG_MAX_CHECKS);
    }
    check_invariants(&counters);
    return 0;
}
