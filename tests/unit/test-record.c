/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unit tests of the record of a translation
 *
 * A stand-in for the MMU reports the steps of one; expected is what the grid
 * says that the field draws: each of the guest's references after the nested
 * walk that finds it, and the one of the final address last.
 */

#include <string.h>

#include "model/record.h"
#include "random.h"

#define L4 DSEG_PAGING_LONG4
#define L5 DSEG_PAGING_LONG5
#define NONE DSEG_PAGING_NONE

/* Addresses that tell which reference they belong to. */
#define GPA(level) (UINT64_C(0x1000) * (level) + 8 * (level))
#define HPA(level, nested_level) \
    (UINT64_C(0x100000) * ((level) + 1) + UINT64_C(0x1000) * (nested_level))
#define ENTRY(number) (UINT64_C(0xe000) + (number))

static const DsegSegment segment = {
    .base = 0x1000, .limit = 0x100000, .offset = 0x40000000,
};
static const DsegFilter filter = { .word = { 1, 2, 4, 8 } };

typedef struct Machine {
    const char *name;
    DsegPagingMode guest;
    unsigned guest_lg_size;
    DsegPagingMode nested;
    unsigned nested_lg_size;
} Machine;

static unsigned guest_refs(const Machine *m)
{
    return dseg_paging_refs(m->guest, m->guest_lg_size);
}

static unsigned nested_refs(const Machine *m)
{
    return dseg_paging_refs(m->nested, m->nested_lg_size);
}

static void walk_nested(DsegRecord *record, const Machine *m, unsigned level,
                        unsigned refs)
{
    unsigned top = dseg_paging_levels(m->nested);

    for (unsigned i = 0; i < refs; i++) {
        dseg_record_ref(record, true, HPA(level, top - i), HPA(level, top - i));
        dseg_record_entry(record, ENTRY(record->refs));
    }
}

/* The guest's tables, and the nested walks for their entries. */
static void walk_guest(DsegRecord *record, const Machine *m, unsigned refs)
{
    unsigned top = dseg_paging_levels(m->guest);

    for (unsigned i = 0; i < refs; i++) {
        if (m->nested != NONE) {
            dseg_record_gpa(record, GPA(top - i));
            walk_nested(record, m, top - i, nested_refs(m));
        }
        dseg_record_ref(record, false, GPA(top - i), GPA(top - i) + 1);
        dseg_record_entry(record, ENTRY(record->refs));
    }
}

static void translate(DsegRecord *record, const Machine *m)
{
    dseg_record_begin(record, m->guest, m->nested);
    walk_guest(record, m, guest_refs(m));
    if (m->nested != NONE) {
        dseg_record_gpa(record, GPA(0));
        walk_nested(record, m, 0, nested_refs(m));
    }
    dseg_record_end(record, DSEG_RECORD_DONE);
}

static const Machine machines[] = {
    { "4k-4k", L4, 12, L4, 12 },
    { "4k-2m", L4, 12, L4, 21 },
    { "2m-4k", L4, 21, L4, 12 },
    { "1g-1g", L4, 30, L4, 30 },
    { "5-level", L5, 12, L5, 12 },
    { "5-level-2m-1g", L5, 21, L5, 30 },
    { "pae-in-long", DSEG_PAGING_PAE, 21, L4, 12 },
    { "legacy-in-long", DSEG_PAGING_LEGACY, 22, L4, 12 },
    { "pae-in-legacy", DSEG_PAGING_PAE, 12, DSEG_PAGING_LEGACY, 12 },
    { "no-guest-paging", NONE, 0, L4, 12 },
    { "native", L4, 12, NONE, 0 },
    { "native-2m", L4, 21, NONE, 0 },
};

static void assert_ref(const DsegStep *step, unsigned number, bool nested,
                       unsigned level, uint64_t addr, unsigned lg_size)
{
    g_assert_cmpint(step->kind, ==, DSEG_STEP_REF);
    g_assert_cmpint(step->nested, ==, nested);
    g_assert_cmpuint(step->ref.number, ==, number);
    g_assert_cmpuint(step->ref.level, ==, level);
    g_assert_cmphex(step->ref.addr, ==, addr);
    g_assert_cmphex(step->ref.entry, ==, ENTRY(number));
    g_assert_cmpuint(step->ref.lg_size, ==, lg_size);
}

/* Asserts the nested walk that begins at *@step; moves on behind it. */
static void assert_nested(const DsegStep **step, const Machine *m,
                          unsigned *number, unsigned for_level)
{
    unsigned top = dseg_paging_levels(m->nested);
    unsigned refs = nested_refs(m);

    for (unsigned i = 0; i < refs; i++, (*step)++) {
        assert_ref(*step, ++*number, true, top - i, HPA(for_level, top - i),
                   i == refs - 1 ? m->nested_lg_size : 0);
        g_assert_cmpuint((*step)->for_level, ==, for_level);
        g_assert_cmphex((*step)->gpa, ==, GPA(for_level));
    }
}

static void test_references_in_order(gconstpointer data)
{
    const Machine *m = data;
    unsigned top = dseg_paging_levels(m->guest), g = guest_refs(m);
    unsigned number = 0;
    const DsegStep *step;
    DsegRecord record;

    translate(&record, m);
    step = record.step;
    for (unsigned i = 0; i < g; i++) {
        assert_nested(&step, m, &number, top - i);
        assert_ref(step, ++number, false, top - i, GPA(top - i),
                   i == g - 1 ? m->guest_lg_size : 0);
        g_assert_cmphex(step->ref.hpa, ==, GPA(top - i) + 1);
        step++;
    }
    assert_nested(&step, m, &number, DSEG_FOR_FINAL);
    g_assert_true(step == record.step + record.steps);
    g_assert_cmpuint(number, ==, record.refs);
    g_assert_cmpuint(number, ==, g + (m->nested == NONE ? 0 :
                                      (g + 1) * nested_refs(m)));
}

static void test_24_references_of_two_dimensions(void)
{
    DsegRecord record;
    unsigned guests_numbers = 0;

    translate(&record, &machines[0]);
    g_assert_cmpuint(record.refs, ==, 24);
    for (unsigned i = 0; i < record.steps; i++) {
        if (!record.step[i].nested) {
            guests_numbers = guests_numbers * 100 + record.step[i].ref.number;
        }
    }
    g_assert_cmpuint(guests_numbers, ==, 5101520);  /* 5, 10, 15, 20 */
}

/* The longest translation that there is finds room. */
static void test_5_levels_with_all_checks_fit(void)
{
    const Machine m = { "", L5, 12, L5, 12 };
    DsegRecord record;

    dseg_record_begin(&record, m.guest, m.nested);
    dseg_record_guest_check(&record, &segment, DSEG_MISS, 0);
    for (unsigned level = 5; level + 1 > 0; level--) {
        dseg_record_gpa(&record, GPA(level));
        dseg_record_vmm_check(&record, &segment, DSEG_HIT, 0);
        dseg_record_filter(&record, &filter, DSEG_NESTED_ESCAPED);
        walk_nested(&record, &m, level, 5);
        if (level) {
            dseg_record_ref(&record, false, GPA(level), 0);
            dseg_record_entry(&record, 0);
        }
    }
    dseg_record_end(&record, DSEG_RECORD_DONE);
    g_assert_cmpuint(record.refs, ==, 35);
    g_assert_cmpuint(record.steps, ==, 35 + 7 + 6);
    g_assert_cmpuint(record.steps, <=, DSEG_RECORD_STEPS);
}

static void test_checks_and_lookups_keep_what_they_found(void)
{
    const uint64_t gpa = 0x12345678;
    DsegRecord record;

    dseg_record_begin(&record, L4, L4);
    dseg_record_guest_check(&record, &segment, DSEG_HIT, gpa);
    dseg_record_gpa(&record, gpa);
    dseg_record_vmm_check(&record, &segment, DSEG_TOO_WIDE, 0);
    dseg_record_filter(&record, &filter, DSEG_NESTED_SEGMENT);
    dseg_record_end(&record, DSEG_RECORD_DONE);

    g_assert_cmpuint(record.steps, ==, 3);
    g_assert_cmpint(record.step[0].kind, ==, DSEG_STEP_CHECK);
    g_assert_false(record.step[0].nested);
    g_assert_true(record.step[0].check.counted);
    g_assert_cmpint(record.step[0].check.hit, ==, DSEG_HIT);
    g_assert_cmphex(record.step[0].check.to, ==, gpa);
    g_assert_cmpmem(&record.step[0].check.segment, sizeof(segment), &segment,
                    sizeof(segment));

    g_assert_cmpint(record.step[1].kind, ==, DSEG_STEP_CHECK);
    g_assert_true(record.step[1].nested);
    g_assert_false(record.step[1].check.counted);
    g_assert_cmpint(record.step[1].check.hit, ==, DSEG_TOO_WIDE);
    g_assert_cmpuint(record.step[1].for_level, ==, DSEG_FOR_FINAL);
    g_assert_cmphex(record.step[1].gpa, ==, gpa);

    g_assert_cmpint(record.step[2].kind, ==, DSEG_STEP_FILTER);
    g_assert_cmpint(record.step[2].filter.how, ==, DSEG_NESTED_SEGMENT);
    g_assert_false(record.step[2].filter.passes);
    for (unsigned i = 0; i < DSEG_FILTER_HASHES; i++) {
        g_assert_cmpuint(record.step[2].filter.bit[i], ==,
                         dseg_filter_hash(&filter, i, 0x12345));
    }
}

static void test_lookup_of_an_added_page_passes(void)
{
    DsegFilter one = { 0 };
    DsegRecord record;

    dseg_filter_add(&one, 0x12345678);
    dseg_record_begin(&record, L4, L4);
    dseg_record_gpa(&record, 0x12345000);
    dseg_record_filter(&record, &one, DSEG_NESTED_ESCAPED);
    g_assert_true(record.step[0].filter.passes);
}

/* Of a large page it is known only at the end that no more entries follow. */
static void test_steps_after_a_large_leaf_are_for_the_final_gpa(void)
{
    const Machine m = { "", L4, 21, L4, 12 };
    DsegRecord record;
    unsigned last;

    dseg_record_begin(&record, m.guest, m.nested);
    walk_guest(&record, &m, 3);
    last = record.steps - 1;
    dseg_record_gpa(&record, GPA(0));
    dseg_record_vmm_check(&record, &segment, DSEG_HIT, 0);
    dseg_record_filter(&record, &filter, DSEG_NESTED_SEGMENT);
    dseg_record_end(&record, DSEG_RECORD_DONE);
    g_assert_cmpuint(record.step[last].ref.lg_size, ==, 21);
    g_assert_cmpuint(record.step[last + 1].for_level, ==, DSEG_FOR_FINAL);
    g_assert_cmpuint(record.step[last + 2].for_level, ==, DSEG_FOR_FINAL);
    g_assert_cmpuint(record.step[last - 1].for_level, ==, 2);
}

/* Level 2's entry is not present, or does not permit it: no page is known. */
static void test_page_fault_has_no_page(void)
{
    const Machine *m = &machines[0];
    DsegRecord record;

    dseg_record_begin(&record, m->guest, m->nested);
    walk_guest(&record, m, 3);
    dseg_record_end(&record, DSEG_RECORD_PF);
    g_assert_cmpuint(record.refs, ==, 15);
    for (unsigned i = 0; i < record.steps; i++) {
        const DsegStep *step = &record.step[i];
        bool nested_leaf = step->nested && step->ref.level == 1;

        g_assert_cmpuint(step->ref.lg_size, ==, nested_leaf ? 12 : 0);
        if (step->nested) {
            g_assert_cmpuint(step->for_level, ==, 4 - i / 5);
        }
    }
}

static void test_nested_fault_of_the_final_gpa(void)
{
    const Machine *m = &machines[0];
    DsegRecord record;

    dseg_record_begin(&record, m->guest, m->nested);
    walk_guest(&record, m, 4);
    dseg_record_gpa(&record, GPA(0));
    walk_nested(&record, m, 0, 2);
    dseg_record_end(&record, DSEG_RECORD_NPF_FINAL);
    g_assert_cmpuint(record.refs, ==, 22);
    g_assert_cmpuint(record.step[19].ref.lg_size, ==, 12);
    for (unsigned i = 20; i < 22; i++) {
        g_assert_cmpuint(record.step[i].for_level, ==, DSEG_FOR_FINAL);
        g_assert_cmpuint(record.step[i].ref.lg_size, ==, 0);
    }
}

static void test_nested_fault_of_an_entry(void)
{
    const Machine *m = &machines[0];
    DsegRecord record;

    dseg_record_begin(&record, m->guest, m->nested);
    walk_guest(&record, m, 2);
    dseg_record_gpa(&record, GPA(2));
    walk_nested(&record, m, 2, 4);
    dseg_record_end(&record, DSEG_RECORD_NPF_TABLE);
    g_assert_cmpuint(record.refs, ==, 14);
    g_assert_cmpuint(record.step[8].ref.lg_size, ==, 12);
    g_assert_cmpuint(record.step[9].ref.lg_size, ==, 0);
    for (unsigned i = 10; i < 14; i++) {
        g_assert_cmpuint(record.step[i].for_level, ==, 2);
        g_assert_cmpuint(record.step[i].ref.lg_size, ==, 0);
    }
}

static void test_starting_over_forgets(void)
{
    DsegRecord once, twice;

    translate(&once, &machines[0]);
    dseg_record_begin(&twice, L5, L4);
    dseg_record_guest_check(&twice, &segment, DSEG_MISS, 0);
    walk_guest(&twice, &machines[4], 3);
    translate(&twice, &machines[0]);
    g_assert_cmpmem(&twice, sizeof(twice), &once, sizeof(once));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();

    for (unsigned i = 0; i < G_N_ELEMENTS(machines); i++) {
        g_autofree char *path = g_strdup_printf(
            "/record/%s/references-in-order", machines[i].name);

        g_test_add_data_func(path, &machines[i], test_references_in_order);
    }
    g_test_add_func("/record/24-references-of-two-dimensions",
                    test_24_references_of_two_dimensions);
    g_test_add_func("/record/5-levels-with-all-checks-fit",
                    test_5_levels_with_all_checks_fit);
    g_test_add_func("/record/checks-and-lookups-keep-what-they-found",
                    test_checks_and_lookups_keep_what_they_found);
    g_test_add_func("/record/lookup-of-an-added-page-passes",
                    test_lookup_of_an_added_page_passes);
    g_test_add_func("/record/steps-after-a-large-leaf-are-for-the-final-gpa",
                    test_steps_after_a_large_leaf_are_for_the_final_gpa);
    g_test_add_func("/record/page-fault-has-no-page",
                    test_page_fault_has_no_page);
    g_test_add_func("/record/nested-fault-of-the-final-gpa",
                    test_nested_fault_of_the_final_gpa);
    g_test_add_func("/record/nested-fault-of-an-entry",
                    test_nested_fault_of_an_entry);
    g_test_add_func("/record/starting-over-forgets",
                    test_starting_over_forgets);
    return g_test_run();
}
