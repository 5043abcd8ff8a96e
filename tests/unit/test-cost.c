/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unit tests of what a walk costs: the poster's table
 */

#include <string.h>

#include "random-translation.h"

/* Tables in both dimensions, and what a walk of both costs by the design. */
typedef struct Row {
    const char *name;
    DsegPagingMode guest;
    unsigned guest_lg_size;
    DsegPagingMode nested;
    unsigned nested_lg_size;
    unsigned g, n, refs_2d;
} Row;

#define L4 DSEG_PAGING_LONG4
#define L5 DSEG_PAGING_LONG5

static const Row rows[] = {
    { "4k-4k", L4, 12, L4, 12, 4, 4, 24 },
    { "4k-2m", L4, 12, L4, 21, 4, 3, 19 },
    { "2m-4k", L4, 21, L4, 12, 3, 4, 19 },
    { "2m-2m", L4, 21, L4, 21, 3, 3, 15 },
    { "4k-1g", L4, 12, L4, 30, 4, 2, 14 },
    { "1g-4k", L4, 30, L4, 12, 2, 4, 14 },
    { "2m-1g", L4, 21, L4, 30, 3, 2, 11 },
    { "1g-2m", L4, 30, L4, 21, 2, 3, 11 },
    { "1g-1g", L4, 30, L4, 30, 2, 2, 8 },
    { "5-level-4k-4k", L5, 12, L5, 12, 5, 5, 35 },
    { "5-level-guest", L5, 12, L4, 12, 5, 4, 29 },
    { "5-level-vmm", L4, 12, L5, 12, 4, 5, 29 },
    { "5-level-2m-2m", L5, 21, L5, 21, 4, 4, 24 },
    { "pae-guest", DSEG_PAGING_PAE, 12, L4, 12, 3, 4, 19 },
    { "pae-guest-2m", DSEG_PAGING_PAE, 21, L4, 12, 2, 4, 14 },
    { "legacy-guest", DSEG_PAGING_LEGACY, 12, L4, 12, 2, 4, 14 },
    { "legacy-guest-4m", DSEG_PAGING_LEGACY, 22, L4, 12, 1, 4, 9 },
    { "pae-in-pae", DSEG_PAGING_PAE, 12, DSEG_PAGING_PAE, 12, 3, 3, 15 },
    { "pae-in-legacy", DSEG_PAGING_PAE, 12, DSEG_PAGING_LEGACY, 12, 3, 2, 11 },
    { "no-guest-paging", DSEG_PAGING_NONE, 0, L4, 12, 0, 4, 4 },
};

static Translation nested(const Row *row, DsegNestedHow how)
{
    Translation t = {
        .guest = row->guest, .guest_lg_size = row->guest_lg_size,
        .nested = row->nested, .vmm_segment = how != DSEG_NESTED_WALKED,
    };

    for (unsigned i = 0; i < MAX_GPAS; i++) {
        t.gpa[i] = (Gpa) { how, row->nested_lg_size };
    }
    return t;
}

static Translation native(const Row *row)
{
    return (Translation) {
        .guest = row->guest, .guest_lg_size = row->guest_lg_size,
    };
}

static Translation guest_hit(Translation t)
{
    t.guest_segment = true;
    t.guest_hit = true;
    return t;
}

static Translation guest_miss(Translation t)
{
    t.guest_segment = true;
    return t;
}

static DsegCost walk_of(Translation t)
{
    DsegCost walk;

    memset(&walk, 0xff, sizeof(walk));
    translate(&walk, &t);
    return walk;
}

static void assert_cost(const DsegCost *walk, DsegRegime regime,
                        unsigned guest_refs, unsigned nested_refs,
                        unsigned checks)
{
    g_assert_cmpint(dseg_cost_regime(walk), ==, regime);
    g_assert_cmpuint(walk->out_guest_refs, ==, guest_refs);
    g_assert_cmpuint(walk->out_nested_refs, ==, nested_refs);
    g_assert_cmpuint(walk->out_checks, ==, checks);
}

static void assert_filter(const DsegCost *walk, unsigned lookups,
                          unsigned escapes, unsigned false_escapes)
{
    g_assert_cmpuint(walk->out_filter_lookups, ==, lookups);
    g_assert_cmpuint(walk->out_escapes, ==, escapes);
    g_assert_cmpuint(walk->out_false_escapes, ==, false_escapes);
}

static void assert_pages(const DsegCost *walk, DsegPageKind guest,
                         DsegPageKind nested)
{
    g_assert_cmpint(walk->out_guest_page, ==, guest);
    g_assert_cmpint(walk->out_nested_page, ==, nested);
}

static DsegPageKind guest_page(const Row *row)
{
    return row->guest == DSEG_PAGING_NONE ? DSEG_PAGE_NONE
                                          : dseg_page_kind(row->guest_lg_size);
}

static void test_base(gconstpointer data)
{
    const Row *row = data;
    DsegCost walk = walk_of(nested(row, DSEG_NESTED_WALKED));

    assert_cost(&walk, DSEG_BASE, row->g, (row->g + 1) * row->n, 0);
    g_assert_cmpuint(walk.out_guest_refs + walk.out_nested_refs, ==,
                     row->refs_2d);
    assert_filter(&walk, 0, 0, 0);
    assert_pages(&walk, guest_page(row), dseg_page_kind(row->nested_lg_size));
}

static void test_vmm_direct(gconstpointer data)
{
    const Row *row = data;
    DsegCost walk = walk_of(nested(row, DSEG_NESTED_SEGMENT));

    assert_cost(&walk, DSEG_VMM_DIRECT, row->g, 0, row->g + 1);
    assert_filter(&walk, row->g + 1, 0, 0);
    assert_pages(&walk, guest_page(row), DSEG_PAGE_SEGMENT);
}

static void test_guest_direct(gconstpointer data)
{
    const Row *row = data;
    DsegCost walk = walk_of(guest_hit(nested(row, DSEG_NESTED_WALKED)));

    assert_cost(&walk, DSEG_GUEST_DIRECT, 0, row->n, 1);
    assert_filter(&walk, 0, 0, 0);
    assert_pages(&walk, DSEG_PAGE_SEGMENT,
                 dseg_page_kind(row->nested_lg_size));
}

static void test_dual_direct(gconstpointer data)
{
    DsegCost walk = walk_of(guest_hit(nested(data, DSEG_NESTED_SEGMENT)));

    assert_cost(&walk, DSEG_DUAL_DIRECT, 0, 0, 1);
    assert_filter(&walk, 1, 0, 0);
    assert_pages(&walk, DSEG_PAGE_SEGMENT, DSEG_PAGE_SEGMENT);
}

static void test_native(gconstpointer data)
{
    const Row *row = data;
    DsegCost walk = walk_of(native(row));

    assert_cost(&walk, DSEG_NATIVE, row->g, 0, 0);
    assert_filter(&walk, 0, 0, 0);
    assert_pages(&walk, guest_page(row), DSEG_PAGE_NONE);
}

static void test_native_direct(gconstpointer data)
{
    DsegCost walk = walk_of(guest_hit(native(data)));

    assert_cost(&walk, DSEG_NATIVE_DIRECT, 0, 0, 1);
    assert_filter(&walk, 0, 0, 0);
    assert_pages(&walk, DSEG_PAGE_SEGMENT, DSEG_PAGE_NONE);
}

/* A segment that is in force but does not hit costs its check, no more. */

static void test_native_guest_miss(gconstpointer data)
{
    const Row *row = data;
    DsegCost walk = walk_of(guest_miss(native(row)));

    assert_cost(&walk, DSEG_NATIVE, row->g, 0, 1);
}

static void test_base_guest_miss(gconstpointer data)
{
    const Row *row = data;
    DsegCost walk = walk_of(guest_miss(nested(row, DSEG_NESTED_WALKED)));

    assert_cost(&walk, DSEG_BASE, row->g, (row->g + 1) * row->n, 1);
}

static void test_vmm_direct_guest_miss(gconstpointer data)
{
    const Row *row = data;
    DsegCost walk = walk_of(guest_miss(nested(row, DSEG_NESTED_SEGMENT)));

    assert_cost(&walk, DSEG_VMM_DIRECT, row->g, 0, row->g + 2);
    assert_filter(&walk, row->g + 1, 0, 0);
}

static void test_vmm_miss(gconstpointer data)
{
    const Row *row = data;
    Translation t = nested(row, DSEG_NESTED_WALKED);
    DsegCost walk;

    t.vmm_segment = true;
    walk = walk_of(t);
    assert_cost(&walk, DSEG_BASE, row->g, (row->g + 1) * row->n, row->g + 1);
    assert_filter(&walk, row->g + 1, 0, 0);
}

/* Both segments in force, but the final gPA is outside the VMM's. */
static void test_guest_hit_vmm_miss(gconstpointer data)
{
    const Row *row = data;
    Translation t = guest_hit(nested(row, DSEG_NESTED_WALKED));
    DsegCost walk;

    t.vmm_segment = true;
    walk = walk_of(t);
    assert_cost(&walk, DSEG_GUEST_DIRECT, 0, row->n, 1);
    assert_filter(&walk, 1, 0, 0);
    assert_pages(&walk, DSEG_PAGE_SEGMENT,
                 dseg_page_kind(row->nested_lg_size));
}

static void test_guest_hit_escape(gconstpointer data)
{
    const Row *row = data;
    DsegCost walk = walk_of(guest_hit(nested(row, DSEG_NESTED_ESCAPED)));

    assert_cost(&walk, DSEG_GUEST_DIRECT, 0, row->n, 1);
    assert_filter(&walk, 1, 1, 0);
}

/* Whichever gPA of the walk it is: n references more, and no other change. */
static void assert_one_exception(const Row *row, DsegNestedHow how,
                                 unsigned escapes, unsigned false_escapes)
{
    for (unsigned i = 0; i <= row->g; i++) {
        Translation t = nested(row, DSEG_NESTED_SEGMENT);
        DsegCost walk;

        t.gpa[i].how = how;
        walk = walk_of(t);
        assert_cost(&walk, row->g ? DSEG_MIXED : DSEG_BASE,
                    row->g, row->n, row->g + 1);
        assert_filter(&walk, row->g + 1, escapes, false_escapes);
        assert_pages(&walk, guest_page(row),
                     i == row->g ? dseg_page_kind(row->nested_lg_size)
                                 : DSEG_PAGE_SEGMENT);
    }
}

static void test_one_escape(gconstpointer data)
{
    assert_one_exception(data, DSEG_NESTED_ESCAPED, 1, 0);
}

static void test_one_false_escape(gconstpointer data)
{
    assert_one_exception(data, DSEG_NESTED_FALSE_ESCAPE, 1, 1);
}

static void test_one_outside(gconstpointer data)
{
    assert_one_exception(data, DSEG_NESTED_WALKED, 0, 0);
}

/* "4, 8, ... 24 all occur": k gPAs walked, the others in the VMM segment. */
static void test_mixed_costs(gconstpointer data)
{
    const Row *row = data;

    for (unsigned k = 0; k <= row->g + 1; k++) {
        Translation t = nested(row, DSEG_NESTED_SEGMENT);
        DsegCost walk;

        for (unsigned i = 0; i < k; i++) {
            t.gpa[i].how = DSEG_NESTED_WALKED;
        }
        walk = walk_of(t);
        assert_cost(&walk, k == 0 ? DSEG_VMM_DIRECT
                           : k == row->g + 1 ? DSEG_BASE : DSEG_MIXED,
                    row->g, k * row->n, row->g + 1);
    }
}

/* The guest's tables lie in small nested pages, the memory in a large one. */
static void test_nested_sizes_may_differ(void)
{
    Translation t = nested(&rows[0], DSEG_NESTED_WALKED);
    DsegCost walk;

    t.gpa[4].lg_size = 21;
    walk = walk_of(t);
    assert_cost(&walk, DSEG_BASE, 4, 4 * 4 + 3, 0);
    assert_pages(&walk, DSEG_PAGE_4K, DSEG_PAGE_2M);
}

/*
 * References given, as a nested TLB and walk caches leave them: any number for
 * a page of any size, 0 as well. Checks and lookups are those of each gPA.
 */
static void test_given_references(void)
{
    DsegCost walk;

    dseg_cost_begin(&walk, true, false, true);
    dseg_cost_gpa_refs(&walk, DSEG_NESTED_WALKED, 0, 12);
    dseg_cost_guest_ref(&walk);
    assert_cost(&walk, DSEG_BASE, 1, 0, 1);
    g_assert_cmpint(walk.out_nested_page, ==, DSEG_PAGE_4K);
    dseg_cost_gpa_refs(&walk, DSEG_NESTED_ESCAPED, 1, 21);
    dseg_cost_gpa_refs(&walk, DSEG_NESTED_FALSE_ESCAPE, 5, 30);
    assert_cost(&walk, DSEG_BASE, 1, 6, 3);
    assert_filter(&walk, 3, 2, 1);
    g_assert_cmpint(walk.out_nested_page, ==, DSEG_PAGE_1G);
    dseg_cost_gpa_refs(&walk, DSEG_NESTED_SEGMENT, 0, 0);
    assert_cost(&walk, DSEG_MIXED, 1, 6, 4);
    assert_filter(&walk, 4, 2, 1);
    g_assert_cmpint(walk.out_nested_page, ==, DSEG_PAGE_SEGMENT);
    g_assert_cmpuint(walk.out_gpas, ==, 4);
    g_assert_cmpuint(walk.out_vmm_hits, ==, 1);
}

static void assert_equal(const DsegCost *a, const DsegCost *b)
{
    g_assert_true(a->in_nested == b->in_nested);
    g_assert_true(a->in_guest_segment == b->in_guest_segment);
    g_assert_true(a->in_vmm_segment == b->in_vmm_segment);
    g_assert_true(a->out_guest_hit == b->out_guest_hit);
    assert_cost(a, dseg_cost_regime(b), b->out_guest_refs, b->out_nested_refs,
                b->out_checks);
    assert_filter(a, b->out_filter_lookups, b->out_escapes,
                  b->out_false_escapes);
    assert_pages(a, b->out_guest_page, b->out_nested_page);
    g_assert_cmpuint(a->out_gpas, ==, b->out_gpas);
    g_assert_cmpuint(a->out_vmm_hits, ==, b->out_vmm_hits);
}

static void test_restart_forgets(void)
{
    g_autoptr(GRand) rand = random_new();

    for (uint64_t n = random_rounds(2000); n && !g_test_failed(); n--) {
        Translation before = random_translation(rand);
        Translation t = random_translation(rand);
        DsegCost fresh = walk_of(t);
        unsigned refs = translation_guest_refs(&before);
        DsegCost walk;

        translate_until(&walk, &before, random_below(rand, refs + 1));
        translate(&walk, &t);
        assert_equal(&walk, &fresh);

        translate(&walk, &before);
        translate(&walk, &t);
        assert_equal(&walk, &fresh);
    }
}

/* The rules of the design once more, as sums over the gPAs. */
static void assert_equals_model(const Translation *t, const DsegCost *walk)
{
    unsigned g = translation_guest_refs(t);
    unsigned gpas = translation_gpas(t);
    unsigned count[4] = { 0 };
    unsigned nested_refs = 0;
    bool all, some;
    DsegRegime regime;

    for (unsigned i = 0; i < gpas; i++) {
        count[t->gpa[i].how]++;
        if (t->gpa[i].how != DSEG_NESTED_SEGMENT) {
            nested_refs += dseg_paging_refs(t->nested, t->gpa[i].lg_size);
        }
    }
    all = count[DSEG_NESTED_SEGMENT] == gpas;
    some = count[DSEG_NESTED_SEGMENT] > 0;
    if (!translation_is_nested(t)) {
        regime = t->guest_hit ? DSEG_NATIVE_DIRECT : DSEG_NATIVE;
    } else if (t->guest_hit) {
        regime = all ? DSEG_DUAL_DIRECT : DSEG_GUEST_DIRECT;
    } else {
        regime = all ? DSEG_VMM_DIRECT : some ? DSEG_MIXED : DSEG_BASE;
    }

    assert_cost(walk, regime, g, nested_refs,
                t->guest_segment
                + (t->vmm_segment && !t->guest_hit ? gpas : 0));
    assert_filter(walk, t->vmm_segment ? gpas : 0,
                  count[DSEG_NESTED_ESCAPED] + count[DSEG_NESTED_FALSE_ESCAPE],
                  count[DSEG_NESTED_FALSE_ESCAPE]);
    g_assert_cmpuint(walk->out_gpas, ==, gpas);
    g_assert_cmpuint(walk->out_vmm_hits, ==, count[DSEG_NESTED_SEGMENT]);
    g_assert_cmpuint(g, <=, DSEG_MAX_GUEST_REFS);
    g_assert_cmpuint(nested_refs, <=, DSEG_MAX_NESTED_REFS);
    g_assert_cmpuint(walk->out_checks, <=, DSEG_MAX_CHECKS);
}

static void test_costs_equal_model(void)
{
    g_autoptr(GRand) rand = random_new();
    unsigned seen[DSEG_REGIME__MAX] = { 0 };

    for (uint64_t n = random_rounds(200000); n && !g_test_failed(); n--) {
        Translation t = random_translation(rand);
        DsegCost walk = walk_of(t);

        assert_equals_model(&t, &walk);
        seen[dseg_cost_regime(&walk)]++;
    }
    random_assert_seen(seen, G_N_ELEMENTS(seen), 1000);
}

static void add(const Row *row, const char *name, GTestDataFunc test)
{
    g_autofree char *path = g_strdup_printf("/walk/%s/%s", row->name, name);

    g_test_add_data_func(path, row, test);
}

static void add_nested(const char *name, GTestDataFunc test)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        add(&rows[i], name, test);
    }
}

/* Each kind of guest tables once, whatever they would be nested in. */
static void add_native(const char *name, GTestDataFunc test)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        if (rows[i].nested == L4 && rows[i].nested_lg_size == 12) {
            add(&rows[i], name, test);
        }
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();

    add_nested("base-costs-both-dimensions", test_base);
    add_nested("vmm-direct-costs-the-guest-dimension", test_vmm_direct);
    add_nested("guest-direct-costs-the-nested-dimension", test_guest_direct);
    add_nested("dual-direct-costs-one-check", test_dual_direct);
    add_native("native-costs-the-guest-dimension", test_native);
    add_native("native-direct-costs-one-check", test_native_direct);
    add_native("native-guest-segment-missed", test_native_guest_miss);
    add_nested("base-guest-segment-missed", test_base_guest_miss);
    add_nested("vmm-direct-guest-segment-missed", test_vmm_direct_guest_miss);
    add_nested("vmm-segment-missed", test_vmm_miss);
    add_nested("guest-hit-outside-vmm-segment-is-guest-direct",
               test_guest_hit_vmm_miss);
    add_nested("guest-hit-on-escaped-page-is-guest-direct",
               test_guest_hit_escape);
    add_nested("one-escape-costs-its-sub-walk", test_one_escape);
    add_nested("one-false-escape-costs-its-sub-walk", test_one_false_escape);
    add_nested("one-gpa-outside-costs-its-sub-walk", test_one_outside);
    add_nested("mixed-costs-a-sub-walk-each", test_mixed_costs);
    g_test_add_func("/walk/nested-page-sizes-may-differ",
                    test_nested_sizes_may_differ);
    g_test_add_func("/walk/references-may-be-given", test_given_references);
    g_test_add_func("/walk/restart-forgets", test_restart_forgets);
    g_test_add_func("/walk/random-costs-equal-the-model",
                    test_costs_equal_model);
    return g_test_run();
}
