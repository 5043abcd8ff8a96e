/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unit tests of the escape filter: the list of the pages that are meant by it
 */

#include "model/filter.h"
#include "random.h"

#define PAGE_BITS 12
#define PAGE (UINT64_C(1) << PAGE_BITS)

static DsegFilter filter_of(const uint64_t *pages, unsigned count,
                            unsigned bits)
{
    DsegFilter filter;

    g_assert_true(dseg_filter_init(&filter, bits));
    for (unsigned i = 0; i < count; i++) {
        dseg_filter_add(&filter, pages[i]);
    }
    return filter;
}

static void assert_filter(const DsegEscapes *escapes, const uint64_t *pages,
                          unsigned count)
{
    DsegFilter expected = filter_of(pages, count,
                                    dseg_filter_bits(&escapes->filter));

    g_assert_cmpuint(escapes->count, ==, count);
    g_assert_true(dseg_filter_same(&escapes->filter, &expected));
}

/* Adds page numbers 1, 2, ... @count. */
static void add_pages(DsegEscapes *escapes, unsigned count)
{
    for (unsigned i = 1; i <= count; i++) {
        g_assert_cmpint(dseg_escapes_add(escapes, i * PAGE, 40), ==,
                        DSEG_ESCAPE_OK);
    }
}

static void assert_refused(DsegEscapes *escapes, uint64_t gpa,
                           unsigned phys_bits, DsegEscapeResult expected)
{
    const DsegEscapes before = *escapes;

    g_assert_cmpint(dseg_escapes_add(escapes, gpa, phys_bits), ==, expected);
    g_assert_cmpmem(escapes, sizeof(*escapes), &before, sizeof(before));
}

static void test_escapes_add(void)
{
    const uint64_t pages[] = { PAGE, 2 * PAGE, 3 * PAGE };
    DsegEscapes escapes = { 0 };

    add_pages(&escapes, 3);

    assert_filter(&escapes, pages, 3);
    for (unsigned i = 0; i < 3; i++) {
        g_assert_true(dseg_escapes_contains(&escapes, pages[i]));
        g_assert_true(dseg_escapes_contains(&escapes, pages[i] + PAGE - 1));
        g_assert_true(dseg_filter_test(&escapes.filter, pages[i]));
    }
    g_assert_false(dseg_escapes_contains(&escapes, PAGE - 1));
    g_assert_false(dseg_escapes_contains(&escapes, 4 * PAGE));
}

static void test_escapes_page_zero(void)
{
    const uint64_t zero = 0;
    DsegEscapes escapes = { 0 };

    g_assert_false(dseg_escapes_contains(&escapes, 0));
    g_assert_cmpint(dseg_escapes_add(&escapes, 0, 40), ==, DSEG_ESCAPE_OK);
    g_assert_true(dseg_escapes_contains(&escapes, 0));
    assert_filter(&escapes, &zero, 1);
}

static void test_escapes_refuse_unaligned(void)
{
    DsegEscapes escapes = { 0 };

    add_pages(&escapes, 3);
    assert_refused(&escapes, 8 * PAGE + 1, 40, DSEG_ESCAPE_UNALIGNED);
    assert_refused(&escapes, 8 * PAGE + 0x800, 40, DSEG_ESCAPE_UNALIGNED);
}

static void test_escapes_refuse_too_wide(void)
{
    static const unsigned widths[] = { 32, 36, 40, 48, 52 };

    for (unsigned i = 0; i < G_N_ELEMENTS(widths); i++) {
        uint64_t end = UINT64_C(1) << widths[i];
        DsegEscapes escapes = { 0 };

        assert_refused(&escapes, end, widths[i], DSEG_ESCAPE_TOO_WIDE);
        assert_refused(&escapes, -PAGE, widths[i], DSEG_ESCAPE_TOO_WIDE);
        g_assert_cmpint(dseg_escapes_add(&escapes, end - PAGE, widths[i]), ==,
                        DSEG_ESCAPE_OK);
    }
}

static void test_escapes_refuse_duplicate(void)
{
    DsegEscapes escapes = { 0 };

    add_pages(&escapes, 3);
    assert_refused(&escapes, 2 * PAGE, 40, DSEG_ESCAPE_PRESENT);
}

static void test_escapes_full_at_256(void)
{
    DsegEscapes escapes = { 0 };

    g_assert_cmpuint(DSEG_ESCAPES_MAX, ==, 256);
    add_pages(&escapes, 256);
    assert_refused(&escapes, 257 * PAGE, 40, DSEG_ESCAPE_FULL);
    g_assert_true(dseg_escapes_contains(&escapes, 256 * PAGE));

    g_assert_cmpint(dseg_escapes_remove(&escapes, PAGE), ==, DSEG_ESCAPE_OK);
    g_assert_cmpint(dseg_escapes_add(&escapes, 257 * PAGE, 40), ==,
                    DSEG_ESCAPE_OK);
}

static void test_escapes_remove_rebuilds(void)
{
    for (unsigned removed = 1; removed <= 20; removed++) {
        DsegEscapes escapes = { 0 };
        uint64_t left[19];
        unsigned n = 0;

        add_pages(&escapes, 20);
        for (unsigned i = 1; i <= 20; i++) {
            if (i != removed) {
                left[n++] = i * PAGE;
            }
        }
        g_assert_cmpint(dseg_escapes_remove(&escapes, removed * PAGE), ==,
                        DSEG_ESCAPE_OK);

        assert_filter(&escapes, left, 19);
        g_assert_false(dseg_escapes_contains(&escapes, removed * PAGE));
        for (unsigned i = 0; i < 19; i++) {
            g_assert_true(dseg_escapes_contains(&escapes, left[i]));
        }
    }
}

static void test_escapes_remove_last(void)
{
    DsegEscapes escapes = { 0 };

    add_pages(&escapes, 1);
    g_assert_cmpint(dseg_escapes_remove(&escapes, PAGE), ==, DSEG_ESCAPE_OK);
    g_assert_true(dseg_filter_empty(&escapes.filter));
    g_assert_cmpuint(escapes.count, ==, 0);
    g_assert_false(dseg_escapes_contains(&escapes, PAGE));
}

static void test_escapes_remove_absent(void)
{
    DsegEscapes escapes = { 0 }, before;

    add_pages(&escapes, 3);
    before = escapes;
    g_assert_cmpint(dseg_escapes_remove(&escapes, 4 * PAGE), ==,
                    DSEG_ESCAPE_ABSENT);
    g_assert_cmpint(dseg_escapes_remove(&escapes, 2 * PAGE + 1), !=,
                    DSEG_ESCAPE_OK);
    g_assert_cmpmem(&escapes, sizeof(escapes), &before, sizeof(before));
}

static void test_escapes_clear(void)
{
    DsegEscapes escapes = { 0 };

    add_pages(&escapes, 20);
    dseg_escapes_clear(&escapes);

    g_assert_cmpuint(escapes.count, ==, 0);
    g_assert_true(dseg_filter_empty(&escapes.filter));
    g_assert_false(dseg_escapes_contains(&escapes, PAGE));
    add_pages(&escapes, 256);
}

/* Whatever is done to the list, the filter keeps its size, and is that of the list. */
static void test_escapes_of_each_size(void)
{
    const uint64_t pages[] = { PAGE, 2 * PAGE, 3 * PAGE };

    for (unsigned bits = 64; bits <= 1024; bits *= 2) {
        DsegEscapes escapes = { 0 };

        g_assert_true(dseg_filter_init(&escapes.filter, bits));
        assert_filter(&escapes, pages, 0);
        add_pages(&escapes, 3);
        assert_filter(&escapes, pages, 3);
        g_assert_true(dseg_escapes_valid(&escapes, 40));
        g_assert_true(dseg_escapes_whole(&escapes));
        escapes.filter.word[0] ^= 2;
        g_assert_false(dseg_escapes_whole(&escapes));
        g_assert_cmpint(dseg_escapes_remove(&escapes, 3 * PAGE), ==,
                        DSEG_ESCAPE_OK);
        assert_filter(&escapes, pages, 2);
        g_assert_cmpuint(dseg_filter_bits(&escapes.filter), ==, bits);
        dseg_escapes_clear(&escapes);
        assert_filter(&escapes, pages, 0);
        g_assert_cmpuint(dseg_filter_bits(&escapes.filter), ==, bits);
    }
}

/* Nothing says so of the filter: software may have written its words. */
static void test_escapes_valid(void)
{
    DsegEscapes escapes = { 0 };

    g_assert_true(dseg_escapes_valid(&escapes, 32));
    add_pages(&escapes, 256);
    g_assert_true(dseg_escapes_valid(&escapes, 32));
    escapes.filter = (DsegFilter) { .word = { UINT64_MAX, 0, 1, 2 } };
    g_assert_true(dseg_escapes_valid(&escapes, 32));
}

static void test_escapes_too_many_are_invalid(void)
{
    DsegEscapes escapes = { 0 };

    escapes.count = 257;
    g_assert_false(dseg_escapes_valid(&escapes, 40));
    escapes.count = UINT_MAX;
    g_assert_false(dseg_escapes_valid(&escapes, 40));
}

/* Wherever in the list the page is that could not have been added. */
static void test_escapes_bad_page_is_invalid(void)
{
    static const uint64_t bad[] = {
        1, PAGE + 0x800, UINT64_C(1) << 40, -PAGE, UINT64_MAX,
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
        for (unsigned at = 0; at < 3; at++) {
            DsegEscapes escapes = { 0 };

            add_pages(&escapes, 3);
            escapes.page[at] = bad[i];
            g_assert_false(dseg_escapes_valid(&escapes, 40));
        }
    }
}

static void test_escapes_twice_is_invalid(void)
{
    DsegEscapes escapes = { 0 };

    add_pages(&escapes, 3);
    escapes.page[2] = escapes.page[0];
    g_assert_false(dseg_escapes_valid(&escapes, 40));
}

/* A filter that misses a page, or has a bit too many, is not the list's. */
static void test_escapes_whole(void)
{
    DsegEscapes escapes = { 0 };

    g_assert_true(dseg_escapes_whole(&escapes));
    add_pages(&escapes, 20);
    g_assert_true(dseg_escapes_whole(&escapes));
    for (unsigned i = 0; i < DSEG_FILTER_HASHES; i++) {
        DsegEscapes more = escapes, less = escapes;

        more.filter.word[i] |= more.filter.word[i] + 1;
        g_assert_false(dseg_escapes_whole(&more));
        less.filter.word[i] &= less.filter.word[i] - 1;
        g_assert_false(dseg_escapes_whole(&less));
    }
}

static void test_escapes_valid_up_to_maxphyaddr(void)
{
    static const unsigned widths[] = { 32, 36, 40, 48, 52 };

    for (unsigned i = 0; i < G_N_ELEMENTS(widths); i++) {
        uint64_t end = UINT64_C(1) << widths[i];
        DsegEscapes escapes = { .count = 1, .page = { end - PAGE } };

        g_assert_true(dseg_escapes_valid(&escapes, widths[i]));
        escapes.page[0] = end;
        g_assert_false(dseg_escapes_valid(&escapes, widths[i]));
    }
}

/* Against a list kept by GLib, with pages few enough to collide often. */
static void test_escapes_equal_model(void)
{
    g_autoptr(GRand) rand = random_new();
    g_autoptr(GHashTable) model = g_hash_table_new_full(g_int64_hash,
                                                        g_int64_equal,
                                                        g_free, NULL);
    DsegEscapes escapes = { 0 };

    for (uint64_t n = random_rounds(20000); n && !g_test_failed(); n--) {
        uint64_t gpa = (uint64_t)random_below(rand, 400) << PAGE_BITS;
        unsigned count = g_hash_table_size(model);
        bool there = g_hash_table_contains(model, &gpa);
        unsigned action = random_below(rand, 1000);
        DsegFilter expected = { 0 };
        GHashTableIter iter;
        gpointer page;

        g_assert_true(dseg_escapes_contains(&escapes, gpa) == there);
        if (action == 0) {
            dseg_escapes_clear(&escapes);
            g_hash_table_remove_all(model);
        } else if (action < 350) {
            g_assert_cmpint(dseg_escapes_remove(&escapes, gpa), ==,
                            there ? DSEG_ESCAPE_OK : DSEG_ESCAPE_ABSENT);
            g_hash_table_remove(model, &gpa);
        } else if (there || count < DSEG_ESCAPES_MAX) {
            g_assert_cmpint(dseg_escapes_add(&escapes, gpa, 40), ==,
                            there ? DSEG_ESCAPE_PRESENT : DSEG_ESCAPE_OK);
            g_hash_table_add(model, g_memdup2(&gpa, sizeof(gpa)));
        } else {
            g_assert_cmpint(dseg_escapes_add(&escapes, gpa, 40), ==,
                            DSEG_ESCAPE_FULL);
        }

        g_hash_table_iter_init(&iter, model);
        while (g_hash_table_iter_next(&iter, &page, NULL)) {
            dseg_filter_add(&expected, *(uint64_t *)page);
        }
        g_assert_cmpuint(escapes.count, ==, g_hash_table_size(model));
        g_assert_true(dseg_filter_same(&escapes.filter, &expected));
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();

    g_test_add_func("/escapes/add", test_escapes_add);
    g_test_add_func("/escapes/page-zero-is-a-page", test_escapes_page_zero);
    g_test_add_func("/escapes/refuse-unaligned", test_escapes_refuse_unaligned);
    g_test_add_func("/escapes/refuse-too-wide", test_escapes_refuse_too_wide);
    g_test_add_func("/escapes/refuse-duplicate", test_escapes_refuse_duplicate);
    g_test_add_func("/escapes/full-at-256", test_escapes_full_at_256);
    g_test_add_func("/escapes/remove-rebuilds-the-filter",
                    test_escapes_remove_rebuilds);
    g_test_add_func("/escapes/remove-last-page", test_escapes_remove_last);
    g_test_add_func("/escapes/remove-absent-page", test_escapes_remove_absent);
    g_test_add_func("/escapes/clear", test_escapes_clear);
    g_test_add_func("/escapes/keep-the-size-of-the-filter",
                    test_escapes_of_each_size);
    g_test_add_func("/escapes/valid-if-all-could-be-added",
                    test_escapes_valid);
    g_test_add_func("/escapes/more-than-256-are-invalid",
                    test_escapes_too_many_are_invalid);
    g_test_add_func("/escapes/page-that-breaks-a-rule-is-invalid",
                    test_escapes_bad_page_is_invalid);
    g_test_add_func("/escapes/page-twice-is-invalid",
                    test_escapes_twice_is_invalid);
    g_test_add_func("/escapes/whole-if-the-filter-is-that-of-the-list",
                    test_escapes_whole);
    g_test_add_func("/escapes/valid-up-to-maxphyaddr",
                    test_escapes_valid_up_to_maxphyaddr);
    g_test_add_func("/escapes/random-edits-equal-the-model",
                    test_escapes_equal_model);
    return g_test_run();
}
