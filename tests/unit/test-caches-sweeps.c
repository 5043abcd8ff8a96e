/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unit tests of the watches of pages, and of sweeps: docs/spec/caches.rst, worked
 * out by hand; and against a second statement of the rules, by random accesses.
 */

#include <glib.h>
#include <string.h>

#include "caches/counts.h"
#include "caches/sweeps.h"

enum { LINE = 64, PAGE = 4096 };

static void test_ascending(void)
{
    DsegSweeps sweeps = {};

    dseg_sweeps_miss(&sweeps, PAGE);
    g_assert_true(dseg_sweeps_is_watched(&sweeps, 2 * PAGE - 1));
    for (unsigned at = 8; at < LINE; at += 8) {
        g_assert_false(dseg_sweeps_hit(&sweeps, PAGE + at, LINE));
    }
    g_assert_true(dseg_sweeps_hit(&sweeps, PAGE + LINE, LINE));
    g_assert_false(dseg_sweeps_is_watched(&sweeps, PAGE));
    g_assert_false(dseg_sweeps_hit(&sweeps, PAGE + LINE, LINE));
}

/* One of eight pages has to show its second line, the others their first byte. */
static void assert_goes_on(bool misses)
{
    DsegSweeps sweeps = {};

    dseg_sweeps_miss(&sweeps, PAGE);
    g_assert_true(dseg_sweeps_hit(&sweeps, PAGE + LINE, LINE));
    for (unsigned n = 1; n < 30; n++) {
        uint64_t va = (n + 1) * PAGE;

        g_assert_true(dseg_sweeps_is_watched(&sweeps, va));
        g_assert_cmpint(misses ? dseg_sweeps_miss(&sweeps, va)
                               : dseg_sweeps_hit(&sweeps, va, LINE),
                        ==, n % 8 != 0);
        g_assert_cmpint(dseg_sweeps_hit(&sweeps, va + LINE, LINE), ==,
                        n % 8 == 0);
        g_assert_false(dseg_sweeps_is_watched(&sweeps, va));
    }
}

static void test_goes_on(void)
{
    assert_goes_on(true);
}

/* Of a large page, the accesses to the next 4 KiB hit L1. */
static void test_goes_on_in_a_large_page(void)
{
    assert_goes_on(false);
}

/* Whoever comes to the next page elsewhere has to begin anew. */
static void test_no_trust_elsewhere(void)
{
    static const unsigned offsets[] = { 1, 8, LINE, PAGE - 1 };

    for (unsigned i = 0; i < 2 * G_N_ELEMENTS(offsets); i++) {
        uint64_t va = 2 * PAGE + offsets[i / 2];
        DsegSweeps sweeps = {};
        bool swept;

        dseg_sweeps_miss(&sweeps, PAGE);
        g_assert_true(dseg_sweeps_hit(&sweeps, PAGE + LINE, LINE));
        swept = i % 2 ? dseg_sweeps_miss(&sweeps, va)
                      : dseg_sweeps_hit(&sweeps, va, LINE);
        g_assert_cmpint(swept, ==, i % 2 == 0 && offsets[i / 2] == LINE);
        if (i % 2 || offsets[i / 2] == PAGE - 1) {
            g_assert_false(dseg_sweeps_miss(&sweeps, 2 * PAGE));
        }
    }
}

/* The page at address 0 is one, too. */
static void test_first_page(void)
{
    DsegSweeps sweeps = {};

    g_assert_false(dseg_sweeps_is_watched(&sweeps, 0));
    dseg_sweeps_miss(&sweeps, 0);
    g_assert_true(dseg_sweeps_hit(&sweeps, LINE, LINE));
}

static void test_not_from_the_first_byte(void)
{
    DsegSweeps sweeps = {};

    dseg_sweeps_miss(&sweeps, PAGE + 1);
    g_assert_false(dseg_sweeps_is_watched(&sweeps, PAGE));
}

static void test_elsewhere(void)
{
    static const unsigned offsets[] = { LINE + 1, 2 * LINE,
                                        PAGE - LINE };

    for (unsigned i = 0; i < G_N_ELEMENTS(offsets); i++) {
        DsegSweeps sweeps = {};

        dseg_sweeps_miss(&sweeps, PAGE);
        g_assert_false(dseg_sweeps_hit(&sweeps, PAGE + offsets[i], LINE));
        g_assert_false(dseg_sweeps_is_watched(&sweeps, PAGE));
    }
}

static void test_too_long_in_the_first_line(void)
{
    DsegSweeps sweeps = {};

    dseg_sweeps_miss(&sweeps, PAGE);
    for (unsigned i = 1; i < LINE; i++) {
        dseg_sweeps_hit(&sweeps, PAGE + i % LINE, LINE);
    }
    g_assert_true(dseg_sweeps_is_watched(&sweeps, PAGE));
    g_assert_false(dseg_sweeps_hit(&sweeps, PAGE, LINE));
    g_assert_false(dseg_sweeps_is_watched(&sweeps, PAGE));
}

static void test_missed_again(void)
{
    DsegSweeps sweeps = {};

    dseg_sweeps_miss(&sweeps, PAGE);
    dseg_sweeps_miss(&sweeps, PAGE + 8);
    g_assert_false(dseg_sweeps_is_watched(&sweeps, PAGE));

    /* A new watch has a new number of hits. */
    dseg_sweeps_miss(&sweeps, PAGE);
    for (unsigned i = 1; i < LINE; i++) {
        dseg_sweeps_hit(&sweeps, PAGE, LINE);
    }
    dseg_sweeps_miss(&sweeps, PAGE);
    dseg_sweeps_hit(&sweeps, PAGE, LINE);
    g_assert_true(dseg_sweeps_is_watched(&sweeps, PAGE));
}

static void test_eight_later_ones(void)
{
    DsegSweeps sweeps = {};

    for (unsigned page = 1; page <= DSEG_WATCHES; page++) {
        dseg_sweeps_miss(&sweeps, page * PAGE);
    }
    /* That others have ended makes no room. */
    dseg_sweeps_end(&sweeps, 2 * PAGE);
    g_assert_false(dseg_sweeps_is_watched(&sweeps, 2 * PAGE));
    g_assert_true(dseg_sweeps_is_watched(&sweeps, PAGE));
    dseg_sweeps_miss(&sweeps, 99 * PAGE);
    g_assert_false(dseg_sweeps_is_watched(&sweeps, PAGE));
    g_assert_true(dseg_sweeps_is_watched(&sweeps, 3 * PAGE));
}

static void test_all_end(void)
{
    DsegSweeps sweeps = {};

    dseg_sweeps_miss(&sweeps, PAGE);
    dseg_sweeps_miss(&sweeps, 2 * PAGE);
    dseg_sweeps_end_all(&sweeps);
    g_assert_false(dseg_sweeps_is_watched(&sweeps, PAGE));
    g_assert_false(dseg_sweeps_is_watched(&sweeps, 2 * PAGE));
}

/* A list of all watches that have ever begun. */
typedef struct Watch {
    uint64_t page;
    unsigned n;         /* pages swept before it */
    unsigned hits;
    bool over;
} Watch;

static Watch *naive_watch(GArray *begun, uint64_t page)
{
    for (unsigned i = 0; i < MIN(begun->len, DSEG_WATCHES); i++) {
        Watch *watch = &g_array_index(begun, Watch, begun->len - 1 - i);

        if (watch->page == page && !watch->over) {
            return watch;
        }
    }
    return NULL;
}

static void naive_end(GArray *begun, uint64_t page)
{
    Watch *watch = naive_watch(begun, page);

    if (watch) {
        watch->over = true;
    }
}

static void naive_begin(GArray *begun, uint64_t page, unsigned n)
{
    Watch watch = { .page = page, .n = n };

    naive_end(begun, page);
    g_array_append_val(begun, watch);
}

static unsigned naive_n(GArray *begun, uint64_t page)
{
    Watch *watch = naive_watch(begun, page);

    return watch ? watch->n : 0;
}

static bool naive_miss(GArray *begun, uint64_t va)
{
    unsigned n = naive_n(begun, va / PAGE);

    naive_end(begun, va / PAGE);
    if (va % PAGE) {
        return false;
    }
    if (n % 8) {
        naive_begin(begun, va / PAGE + 1, n + 1);
        return true;
    }
    naive_begin(begun, va / PAGE, n);
    return false;
}

static bool naive_hit(GArray *begun, uint64_t va, unsigned line)
{
    Watch *watch = naive_watch(begun, va / PAGE);
    bool trust = watch && va % PAGE == 0 && watch->n % 8;

    if (!watch) {
        return false;
    }
    watch->over = trust || va % PAGE >= line || ++watch->hits == line;
    if (!trust && va % PAGE != line) {
        return false;
    }
    naive_begin(begun, va / PAGE + 1, watch->n + 1);
    return true;
}

/* An access of the same kind to both; the page behind @va if both are swept. */
static uint64_t random_access(DsegSweeps *sweeps, GArray *begun, uint64_t va,
                              unsigned line)
{
    bool expected, swept;

    if (g_test_rand_int_range(0, 4) == 0) {
        expected = naive_miss(begun, va);
        swept = dseg_sweeps_miss(sweeps, va);
    } else {
        expected = naive_hit(begun, va, line);
        swept = dseg_sweeps_hit(sweeps, va, line);
    }
    g_assert_cmpint(swept, ==, expected);
    return swept ? va / PAGE + 1 : 0;
}

static void test_random(void)
{
    unsigned swept = 0, watched = 0, long_sweeps = 0;

    for (unsigned line = 16; line <= PAGE; line *= 4) {
        g_autoptr(GArray) begun = g_array_new(false, true, sizeof(Watch));
        DsegSweeps sweeps = {};
        uint64_t next = 0;

        for (unsigned i = 0; i < 20000; i++) {
            uint64_t anywhere = g_test_rand_int_range(0, 12);
            uint64_t page = next ? next : anywhere;
            uint64_t offset = g_test_rand_int_range(0, 3) * line / 2;
            uint64_t va = page * PAGE + offset % PAGE;

            next = random_access(&sweeps, begun, va, line);
            swept += next > 0;
            watched += naive_watch(begun, va / PAGE) != NULL;
            long_sweeps += naive_n(begun, next) > 8;
            g_assert_cmpint(dseg_sweeps_is_watched(&sweeps, va), ==,
                            naive_watch(begun, va / PAGE) != NULL);
        }
    }
    g_assert_cmpuint(swept, >, 500);
    g_assert_cmpuint(watched, >, 500);
    g_assert_cmpuint(long_sweeps, >, 20);
}

/* And of no other page. */
static void test_lines_of_a_sweep(void)
{
    static const DsegCachesGeometry geometry = {
        .line = LINE, .memory = 100,
        .cache[DSEG_CACHE_L1D] = { 2 * PAGE, 8, DSEG_TLB_LRU, 4, false },
    };
    DsegCaches *caches = dseg_caches_new(&geometry);
    const DsegCacheCounters *counters;

    dseg_caches_sweep(caches, 5 * PAGE + LINE, DSEG_STORE);
    counters = dseg_caches_counters(caches);
    g_assert_cmpuint(counters->swept[DSEG_STORE], ==, 64);
    g_assert_cmpuint(counters->swept[DSEG_LOAD], ==, 0);
    g_assert_cmpuint(counters->data[DSEG_STORE][DSEG_PLACE_MEMORY], ==, 64);
    g_assert_cmpuint(counters->cycles.data, ==, 6400);
    g_assert_cmpuint(dseg_caches_use(caches, DSEG_CACHE_L1D).used, ==, 64);
    g_assert_cmpint(dseg_caches_pass(caches, 5 * PAGE, false), ==,
                    DSEG_PLACE_L1);
    g_assert_cmpint(dseg_caches_pass(caches, 6 * PAGE - 1, false), ==,
                    DSEG_PLACE_L1);
    dseg_caches_free(caches);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/sweeps/ascending-accesses-are-one", test_ascending);
    g_test_add_func("/sweeps/go-on-with-the-next-page", test_goes_on);
    g_test_add_func("/sweeps/go-on-in-a-large-page",
                    test_goes_on_in_a_large_page);
    g_test_add_func("/sweeps/go-on-at-the-first-byte-only",
                    test_no_trust_elsewhere);
    g_test_add_func("/sweeps/page-0-is-a-page", test_first_page);
    g_test_add_func("/sweeps/begin-at-the-first-byte",
                    test_not_from_the_first_byte);
    g_test_add_func("/sweeps/reach-the-second-line-at-its-first-byte",
                    test_elsewhere);
    g_test_add_func("/sweeps/a-line-has-so-many-hits-at-most",
                    test_too_long_in_the_first_line);
    g_test_add_func("/sweeps/a-miss-begins-anew", test_missed_again);
    g_test_add_func("/sweeps/eight-watches-at-most", test_eight_later_ones);
    g_test_add_func("/sweeps/all-watches-end-at-once", test_all_end);
    g_test_add_func("/sweeps/random-accesses-as-by-a-list", test_random);
    g_test_add_func("/sweeps/all-lines-of-the-page-pass",
                    test_lines_of_a_sweep);
    return g_test_run();
}
