/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unit tests of the counters: every event counts once, in its own place
 */

#include <string.h>

#include "model/counters.h"
#include "random-translation.h"

/* Nothing but counts, so that a test may look at all of them at once. */
G_STATIC_ASSERT(sizeof(DsegCounters) % sizeof(uint64_t) == 0);
#define WORDS (sizeof(DsegCounters) / sizeof(uint64_t))

typedef union Counters {
    DsegCounters counters;
    uint64_t word[WORDS];
} Counters;

/* 4 KiB pages in both dimensions; one gPA of five is in the VMM segment. */
static const Translation mixed = {
    .guest = DSEG_PAGING_LONG4, .guest_lg_size = 12,
    .nested = DSEG_PAGING_LONG4, .vmm_segment = true,
    .gpa = {
        { DSEG_NESTED_SEGMENT, 0 }, { DSEG_NESTED_WALKED, 12 },
        { DSEG_NESTED_ESCAPED, 12 }, { DSEG_NESTED_FALSE_ESCAPE, 12 },
        { DSEG_NESTED_ESCAPED, 21 },
    },
};

static const Translation native = {
    .guest = DSEG_PAGING_LONG4, .guest_lg_size = 21,
};

static void count(DsegCounters *counters, const Translation *t,
                  DsegAccess access, DsegPrivilege privilege)
{
    DsegCost walk;

    translate(&walk, t);
    dseg_counters_walk(counters, &walk, access, privilege);
}

static void count_fault(DsegCounters *counters, const Translation *t,
                        unsigned guest_refs, DsegFault fault)
{
    DsegCost walk;

    translate_until(&walk, t, guest_refs);
    dseg_counters_fault(counters, &walk, fault);
}

static void assert_same(const DsegCounters *a, const DsegCounters *b)
{
    g_assert_cmpmem(a, sizeof(*a), b, sizeof(*b));
}

static void assert_tally(const DsegTally *a, const DsegTally *b)
{
    g_assert_cmpmem(a, sizeof(*a), b, sizeof(*b));
}

static const DsegTally mixed_tally = {
    .walks = 1, .guest_refs = 4, .nested_refs = 15, .checks = 5,
    .filter_lookups = 5, .escapes = 3, .false_escapes = 1,
};

static void test_walk_counts_once(void)
{
    DsegCounters counters = { 0 }, expected = { 0 };

    count(&counters, &mixed, DSEG_STORE, DSEG_USER);

    expected.tally[DSEG_MIXED][DSEG_STORE][DSEG_USER] = mixed_tally;
    expected.histogram[DSEG_WORLD_NESTED][DSEG_USER].refs[4][15] = 1;
    expected.histogram[DSEG_WORLD_NESTED][DSEG_USER].checks[5] = 1;
    expected.guest_page[DSEG_PAGE_4K] = 1;
    expected.nested_page[DSEG_PAGE_2M] = 1;
    expected.guest_tables[DSEG_WORLD_NESTED][DSEG_USER].walks[1 << 3 | 4] = 1;
    /* The guest's entry of level 4 has been found by the segment. */
    expected.nested_tables[DSEG_USER][4].walks[0] = 1;
    for (unsigned level = 1; level <= 3; level++) {
        expected.nested_tables[DSEG_USER][level].walks[1 << 3 | 4] = 1;
    }
    expected.nested_tables[DSEG_USER][0].walks[2 << 3 | 3] = 1;
    assert_same(&counters, &expected);
}

static void test_native_walk_counts_once(void)
{
    DsegCounters counters = { 0 }, expected = { 0 };

    count(&counters, &native, DSEG_FETCH, DSEG_KERNEL);

    expected.tally[DSEG_NATIVE][DSEG_FETCH][DSEG_KERNEL] = (DsegTally) {
        .walks = 1, .guest_refs = 3,
    };
    expected.histogram[DSEG_WORLD_NATIVE][DSEG_KERNEL].refs[3][0] = 1;
    expected.histogram[DSEG_WORLD_NATIVE][DSEG_KERNEL].checks[0] = 1;
    expected.guest_page[DSEG_PAGE_2M] = 1;
    expected.nested_page[DSEG_PAGE_NONE] = 1;
    expected.guest_tables[DSEG_WORLD_NATIVE][DSEG_KERNEL].walks[2 << 3 | 3] = 1;
    assert_same(&counters, &expected);
}

static void test_access_and_privilege_apart(void)
{
    for (DsegAccess a = 0; a < DSEG_ACCESS__MAX; a++) {
        for (DsegPrivilege p = 0; p < DSEG_PRIVILEGE__MAX; p++) {
            DsegCounters counters = { 0 };

            count(&counters, &mixed, a, p);
            assert_tally(&counters.tally[DSEG_MIXED][a][p], &mixed_tally);
        }
    }
}

static void test_deepest_walk_fits(void)
{
    Translation deepest = {
        .guest = DSEG_PAGING_LONG5, .guest_lg_size = 12,
        .nested = DSEG_PAGING_LONG5, .guest_segment = true,
        .vmm_segment = true,
    };
    DsegCounters counters = { 0 };
    DsegHistogram *h = &counters.histogram[DSEG_WORLD_NESTED][DSEG_USER];

    for (unsigned i = 0; i < MAX_GPAS; i++) {
        deepest.gpa[i] = (Gpa) { DSEG_NESTED_WALKED, 12 };
    }
    count(&counters, &deepest, DSEG_LOAD, DSEG_USER);
    g_assert_cmpuint(h->refs[5][30], ==, 1);
    g_assert_cmpuint(h->checks[7], ==, 1);
    g_assert_cmpuint(dseg_counters_refs(&counters, 35), ==, 1);
}

static void test_fault_is_kept_apart(void)
{
    for (DsegFault fault = 0; fault < DSEG_FAULT__MAX; fault++) {
        DsegCounters counters = { 0 }, expected;

        count(&counters, &mixed, DSEG_LOAD, DSEG_USER);
        expected = counters;

        /* Two entries read; their gPAs by the segment and by a walk. */
        count_fault(&counters, &mixed, 2, fault);
        expected.faults[fault] = 1;
        expected.fault_guest_refs = 2;
        expected.fault_nested_refs = 4;
        assert_same(&counters, &expected);
    }
}

static void fill(Counters *c, GRand *rand)
{
    for (unsigned i = 0; i < WORDS; i++) {
        c->word[i] = random_bits(rand, 62);
    }
}

static void add_tally(DsegTally *to, const DsegTally *from)
{
    to->walks += from->walks;
    to->guest_refs += from->guest_refs;
    to->nested_refs += from->nested_refs;
    to->checks += from->checks;
    to->filter_lookups += from->filter_lookups;
    to->escapes += from->escapes;
    to->false_escapes += from->false_escapes;
}

static void test_regime_and_total(void)
{
    g_autoptr(GRand) rand = random_new();
    DsegTally expected_total = { 0 }, total;
    Counters c, before;

    fill(&c, rand);
    before = c;
    for (DsegRegime r = 0; r < DSEG_REGIME__MAX; r++) {
        DsegTally expected = { 0 }, regime;

        for (DsegAccess a = 0; a < DSEG_ACCESS__MAX; a++) {
            for (DsegPrivilege p = 0; p < DSEG_PRIVILEGE__MAX; p++) {
                add_tally(&expected, &c.counters.tally[r][a][p]);
            }
        }
        regime = dseg_counters_regime(&c.counters, r);
        assert_tally(&regime, &expected);
        add_tally(&expected_total, &expected);
    }
    total = dseg_counters_total(&c.counters);
    assert_tally(&total, &expected_total);
    assert_same(&c.counters, &before.counters);
}

static void test_refs_of_both_dimensions(void)
{
    DsegCounters counters = { 0 };

    counters.histogram[DSEG_WORLD_NATIVE][DSEG_USER].refs[4][0] = 1;
    counters.histogram[DSEG_WORLD_NESTED][DSEG_USER].refs[0][4] = 10;
    counters.histogram[DSEG_WORLD_NESTED][DSEG_KERNEL].refs[2][2] = 100;
    counters.histogram[DSEG_WORLD_NESTED][DSEG_USER].refs[4][20] = 1000;
    counters.histogram[DSEG_WORLD_NESTED][DSEG_KERNEL].refs[5][30] = 10000;
    counters.histogram[DSEG_WORLD_NATIVE][DSEG_KERNEL].refs[0][0] = 100000;

    for (unsigned refs = 0; refs <= 35; refs++) {
        g_assert_cmpuint(dseg_counters_refs(&counters, refs), ==,
                         refs == 0 ? 100000 : refs == 4 ? 111
                         : refs == 24 ? 1000 : refs == 35 ? 10000 : 0);
    }
}

static void test_checks_of_all_worlds(void)
{
    DsegCounters counters = { 0 };

    counters.histogram[DSEG_WORLD_NATIVE][DSEG_USER].checks[1] = 1;
    counters.histogram[DSEG_WORLD_NATIVE][DSEG_KERNEL].checks[1] = 10;
    counters.histogram[DSEG_WORLD_NESTED][DSEG_USER].checks[1] = 100;
    counters.histogram[DSEG_WORLD_NESTED][DSEG_KERNEL].checks[1] = 1000;
    counters.histogram[DSEG_WORLD_NESTED][DSEG_KERNEL].checks[7] = 10000;

    for (unsigned checks = 0; checks <= DSEG_MAX_CHECKS; checks++) {
        g_assert_cmpuint(dseg_counters_checks(&counters, checks), ==,
                         checks == 1 ? 1111 : checks == 7 ? 10000 : 0);
    }
}

/* Row by row: the steps of a walk, by the level of the table that is read. */
static void assert_steps(const uint64_t *steps, const uint64_t expected[5])
{
    g_assert_cmpuint(steps[0], ==, 0);
    for (unsigned level = 5; level; level--) {
        g_assert_cmpuint(steps[level], ==, expected[5 - level]);
    }
}

static void test_steps_of_a_walk_of_24(void)
{
    Translation base = {
        .guest = DSEG_PAGING_LONG4, .guest_lg_size = 12,
        .nested = DSEG_PAGING_LONG4,
    };
    DsegCounters counters = { 0 };
    DsegSteps steps;

    for (unsigned i = 0; i < MAX_GPAS; i++) {
        base.gpa[i] = (Gpa) { DSEG_NESTED_WALKED, 12 };
    }
    count(&counters, &base, DSEG_LOAD, DSEG_USER);
    steps = dseg_counters_steps(&counters, DSEG_WORLD_NESTED, DSEG_USER);
    assert_steps(steps.guest, (uint64_t[]) { 0, 1, 1, 1, 1 });
    assert_steps(steps.nested[5], (uint64_t[]) { 0, 0, 0, 0, 0 });
    for (unsigned level = 0; level <= 4; level++) {
        assert_steps(steps.nested[level], (uint64_t[]) { 0, 1, 1, 1, 1 });
    }
    steps = dseg_counters_steps(&counters, DSEG_WORLD_NESTED, DSEG_KERNEL);
    assert_steps(steps.guest, (uint64_t[]) { 0, 0, 0, 0, 0 });
}

static void test_steps_end_at_each_page(void)
{
    static const Translation t = {  /* 5 levels to 1 GiB: 3 of the guest's */
        .guest = DSEG_PAGING_LONG5, .guest_lg_size = 30,
        .nested = DSEG_PAGING_LONG4, .vmm_segment = true,
        .gpa = {
            { DSEG_NESTED_WALKED, 21 }, { DSEG_NESTED_SEGMENT, 0 },
            { DSEG_NESTED_WALKED, 30 }, { DSEG_NESTED_ESCAPED, 12 },
        },
    };
    DsegCounters counters = { 0 };
    DsegSteps steps;

    count(&counters, &t, DSEG_LOAD, DSEG_KERNEL);
    steps = dseg_counters_steps(&counters, DSEG_WORLD_NESTED, DSEG_KERNEL);
    assert_steps(steps.guest, (uint64_t[]) { 1, 1, 1, 0, 0 });
    assert_steps(steps.nested[5], (uint64_t[]) { 0, 1, 1, 1, 0 });
    assert_steps(steps.nested[4], (uint64_t[]) { 0, 0, 0, 0, 0 });
    assert_steps(steps.nested[3], (uint64_t[]) { 0, 1, 1, 0, 0 });
    assert_steps(steps.nested[2], (uint64_t[]) { 0, 0, 0, 0, 0 });
    assert_steps(steps.nested[0], (uint64_t[]) { 0, 1, 1, 1, 1 });
}

static void test_exits_by_code(void)
{
    DsegCounters counters = { 0 }, expected = { 0 };

    dseg_counters_exit(&counters, 0x400);
    dseg_counters_exit(&counters, 0x400);
    dseg_counters_exit(&counters, UINT64_MAX);
    expected.exits[dseg_exit_index(0x400)] = 2;
    expected.exits[dseg_exit_index(UINT64_MAX)] = 1;
    assert_same(&counters, &expected);
}

static bool is_native(DsegRegime regime)
{
    return regime == DSEG_NATIVE || regime == DSEG_NATIVE_DIRECT;
}

/* The sum over all accesses and the regimes of one world. */
static DsegTally tally_of(const DsegCounters *c, DsegWorld w, DsegPrivilege p)
{
    DsegTally sum = { 0 };

    for (DsegRegime r = 0; r < DSEG_REGIME__MAX; r++) {
        for (DsegAccess a = 0; a < DSEG_ACCESS__MAX; a++) {
            if (is_native(r) == (w == DSEG_WORLD_NATIVE)) {
                add_tally(&sum, &c->tally[r][a][p]);
            }
        }
    }
    return sum;
}

static void assert_histogram(const DsegCounters *c, DsegWorld w,
                             DsegPrivilege p)
{
    const DsegHistogram *h = &c->histogram[w][p];
    DsegTally tally = tally_of(c, w, p);
    uint64_t walks = 0, guest_refs = 0, nested_refs = 0;
    uint64_t checks = 0, check_walks = 0;

    for (unsigned g = 0; g <= DSEG_MAX_GUEST_REFS; g++) {
        for (unsigned n = 0; n <= DSEG_MAX_NESTED_REFS; n++) {
            walks += h->refs[g][n];
            guest_refs += g * h->refs[g][n];
            nested_refs += n * h->refs[g][n];
        }
    }
    for (unsigned i = 0; i <= DSEG_MAX_CHECKS; i++) {
        check_walks += h->checks[i];
        checks += i * h->checks[i];
    }
    g_assert_cmpuint(tally.walks, ==, walks);
    g_assert_cmpuint(tally.walks, ==, check_walks);
    g_assert_cmpuint(tally.guest_refs, ==, guest_refs);
    g_assert_cmpuint(tally.nested_refs, ==, nested_refs);
    g_assert_cmpuint(tally.checks, ==, checks);
}

static void assert_steps_add_up(const DsegCounters *c, DsegWorld w,
                                DsegPrivilege p)
{
    DsegSteps steps = dseg_counters_steps(c, w, p);
    DsegTally tally = tally_of(c, w, p);
    uint64_t guest_refs = 0, nested_refs = 0;

    for (unsigned level = 0; level <= DSEG_MAX_LEVELS; level++) {
        guest_refs += steps.guest[level];
        for (unsigned table = 0; table <= DSEG_MAX_LEVELS; table++) {
            nested_refs += steps.nested[level][table];
        }
    }
    g_assert_cmpuint(tally.guest_refs, ==, guest_refs);
    g_assert_cmpuint(tally.nested_refs, ==, nested_refs);
}

/* The invariants at the top of counters.h. */
static void assert_invariants(const DsegCounters *c)
{
    DsegTally total = dseg_counters_total(c);
    uint64_t by_refs = 0, by_checks = 0, guest_pages = 0, nested_pages = 0;

    for (DsegWorld w = 0; w < DSEG_WORLD__MAX; w++) {
        for (DsegPrivilege p = 0; p < DSEG_PRIVILEGE__MAX; p++) {
            assert_histogram(c, w, p);
            assert_steps_add_up(c, w, p);
        }
    }
    for (unsigned i = 0; i < DSEG_PAGE__MAX; i++) {
        guest_pages += c->guest_page[i];
        nested_pages += c->nested_page[i];
    }
    for (unsigned i = 0; i <= DSEG_MAX_GUEST_REFS + DSEG_MAX_NESTED_REFS; i++) {
        by_refs += dseg_counters_refs(c, i);
    }
    for (unsigned i = 0; i <= DSEG_MAX_CHECKS; i++) {
        by_checks += dseg_counters_checks(c, i);
    }

    g_assert_cmpuint(total.walks, ==, by_refs);
    g_assert_cmpuint(total.walks, ==, by_checks);
    g_assert_cmpuint(total.walks, ==, guest_pages);
    g_assert_cmpuint(total.walks, ==, nested_pages);
    g_assert_cmpuint(total.false_escapes, <=, total.escapes);
    g_assert_cmpuint(total.escapes, <=, total.filter_lookups);
}

/* What has to come out, counted by the test itself. */
typedef struct Truth {
    DsegTally total;
    uint64_t walks[DSEG_REGIME__MAX];
    uint64_t faults, fault_guest_refs, fault_nested_refs;
    DsegSteps steps[DSEG_WORLD__MAX][DSEG_PRIVILEGE__MAX];
} Truth;

/* Level by level, from the top of each table, as the manual draws a walk. */
static void add_true_steps(DsegSteps *steps, const Translation *t)
{
    unsigned refs = translation_guest_refs(t);
    unsigned guest_top = dseg_paging_levels(t->guest);
    unsigned nested_top = dseg_paging_levels(t->nested);

    for (unsigned i = 0; i < refs; i++) {
        steps->guest[guest_top - i]++;
    }
    for (unsigned i = 0; i < translation_gpas(t); i++) {
        unsigned level = i < refs ? guest_top - i : 0;
        unsigned read = t->gpa[i].how == DSEG_NESTED_SEGMENT ? 0 :
                        dseg_paging_refs(t->nested, t->gpa[i].lg_size);

        for (unsigned j = 0; j < read; j++) {
            steps->nested[level][nested_top - j]++;
        }
    }
}

static void random_event(GRand *rand, DsegCounters *c, Truth *truth)
{
    Translation t = random_translation(rand);
    DsegCost walk;

    if (random_below(rand, 4)) {
        DsegPrivilege privilege = random_below(rand, DSEG_PRIVILEGE__MAX);

        translate(&walk, &t);
        dseg_counters_walk(c, &walk, random_below(rand, DSEG_ACCESS__MAX),
                           privilege);
        add_true_steps(&truth->steps[translation_is_nested(&t) ?
                                     DSEG_WORLD_NESTED : DSEG_WORLD_NATIVE]
                                    [privilege], &t);
        truth->walks[dseg_cost_regime(&walk)]++;
        add_tally(&truth->total, &(DsegTally) {
            1, walk.out_guest_refs, walk.out_nested_refs, walk.out_checks,
            walk.out_filter_lookups, walk.out_escapes, walk.out_false_escapes,
        });
    } else {
        unsigned refs = translation_guest_refs(&t);

        translate_until(&walk, &t, random_below(rand, refs + 1));
        dseg_counters_fault(c, &walk, random_below(rand, DSEG_FAULT__MAX));
        truth->faults++;
        truth->fault_guest_refs += walk.out_guest_refs;
        truth->fault_nested_refs += walk.out_nested_refs;
    }
}

static void assert_truth(const DsegCounters *c, const Truth *truth)
{
    DsegTally total = dseg_counters_total(c);
    uint64_t faults = 0;

    assert_tally(&total, &truth->total);
    for (DsegRegime r = 0; r < DSEG_REGIME__MAX; r++) {
        g_assert_cmpuint(dseg_counters_regime(c, r).walks, ==,
                         truth->walks[r]);
        g_assert_cmpuint(truth->walks[r], >, 0);
    }
    for (DsegWorld w = 0; w < DSEG_WORLD__MAX; w++) {
        for (DsegPrivilege p = 0; p < DSEG_PRIVILEGE__MAX; p++) {
            DsegSteps steps = dseg_counters_steps(c, w, p);

            g_assert_cmpmem(&steps, sizeof(steps), &truth->steps[w][p],
                            sizeof(steps));
        }
    }
    for (DsegFault f = 0; f < DSEG_FAULT__MAX; f++) {
        faults += c->faults[f];
    }
    g_assert_cmpuint(faults, ==, truth->faults);
    g_assert_cmpuint(c->fault_guest_refs, ==, truth->fault_guest_refs);
    g_assert_cmpuint(c->fault_nested_refs, ==, truth->fault_nested_refs);
}

/* Any number of walks may lie between two looks. */
static void test_invariants_hold(void)
{
    g_autoptr(GRand) rand = random_new();
    DsegCounters counters = { 0 };
    Truth truth = { 0 };

    for (uint64_t n = random_rounds(200000); n && !g_test_failed(); n--) {
        random_event(rand, &counters, &truth);
        if (n % 1000 == 1) {
            assert_invariants(&counters);
        }
    }
    assert_truth(&counters, &truth);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();

    g_test_add_func("/counters/walk-counts-once", test_walk_counts_once);
    g_test_add_func("/counters/native-walk-counts-once",
                    test_native_walk_counts_once);
    g_test_add_func("/counters/access-and-privilege-are-kept-apart",
                    test_access_and_privilege_apart);
    g_test_add_func("/counters/deepest-walk-fits", test_deepest_walk_fits);
    g_test_add_func("/counters/fault-is-kept-apart", test_fault_is_kept_apart);
    g_test_add_func("/counters/regime-and-total-are-sums",
                    test_regime_and_total);
    g_test_add_func("/counters/checks-of-all-worlds",
                    test_checks_of_all_worlds);
    g_test_add_func("/counters/refs-of-both-dimensions",
                    test_refs_of_both_dimensions);
    g_test_add_func("/counters/steps-of-a-walk-of-24",
                    test_steps_of_a_walk_of_24);
    g_test_add_func("/counters/steps-end-at-each-page",
                    test_steps_end_at_each_page);
    g_test_add_func("/counters/exits-by-code", test_exits_by_code);
    g_test_add_func("/counters/invariants-hold", test_invariants_hold);
    return g_test_run();
}
