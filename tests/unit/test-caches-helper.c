/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unit tests of the thread that has what waits pass the caches: the counts are
 * those of caches without it
 */

#include <signal.h>
#include <unistd.h>

#include "caches-fixture.h"
#include "caches/counts.h"
#include "random.h"

enum { PASSINGS = 300000 };     /* many times what can wait */

static const DsegCachesGeometry geometry = {
    .line = CACHES_LINE,
    .memory = 100,
    .cache = {
        [DSEG_CACHE_L1D] = { 2048, 4, DSEG_TLB_PLRU, 2, false },
        [DSEG_CACHE_L1I] = { 1024, 2, DSEG_TLB_LRU, 3, false },
        [DSEG_CACHE_L2] = { 8192, 8, DSEG_TLB_LRU, 10, false },
        [DSEG_CACHE_LLC] = { 65536, 16, DSEG_TLB_RANDOM, 30, true },
    },
};

static uint64_t random_hpa(GRand *rand)
{
    return random_below(rand, 4096) * CACHES_LINE;
}

static DsegEntries random_entries(GRand *rand)
{
    DsegEntries entries = { .count = 4, .leaf = 1 };

    entries.spared = random_below(rand, 5);
    for (unsigned i = 0; i < entries.count; i++) {
        entries.hpa[i] = random_hpa(rand);
    }
    return entries;
}

/*
 * Data, or a walk of 24 references but for those that are spared.  Returns how
 * many there were.
 */
static unsigned something_passes(GRand *rand, DsegCaches *caches)
{
    DsegWalkEntries walk = { .gpas = 5 };
    DsegCost cost = { .in_nested = true, .out_gpas = 5 };

    if (random_below(rand, 8)) {
        uint64_t hpa = random_hpa(rand);

        dseg_caches_data(caches, hpa, random_below(rand, DSEG_ACCESS__MAX));
        return 1;
    }
    walk.guest = random_entries(rand);
    for (unsigned i = 0; i < walk.gpas; i++) {
        walk.nested[i] = random_entries(rand);
    }
    dseg_caches_walk(caches, &walk, &cost, DSEG_STORE, DSEG_USER);
    return 24;
}

static void assert_same(DsegCaches *a, DsegCaches *b)
{
    g_assert_cmpmem(dseg_caches_counters(a), sizeof(DsegCacheCounters),
                    dseg_caches_counters(b), sizeof(DsegCacheCounters));
    for (DsegCacheName i = 0; i < DSEG_CACHE__MAX; i++) {
        DsegCacheUse use = dseg_caches_use(a, i);

        assert_use(b, i, use.used, use.evictions, use.back_invalidations);
    }
}

static void all_pass(DsegCaches *caches)
{
    g_autoptr(GRand) rand = random_new();

    for (unsigned i = 0; i < PASSINGS; ) {
        i += something_passes(rand, caches);
    }
}

/* More comes than the thread has time for. */
static void test_same_at_the_end(void)
{
    g_autoptr(DsegCaches) with = caches_new(&geometry);
    g_autoptr(DsegCaches) without = caches_new(&geometry);

    g_assert_true(dseg_caches_help(with));
    all_pass(with);
    all_pass(without);
    assert_same(with, without);
    g_assert_cmpuint(dseg_caches_counters(with)->cycles.data, >, PASSINGS);
}

static void test_same_whenever_somebody_looks(void)
{
    g_autoptr(DsegCaches) with = caches_new(&geometry);
    g_autoptr(DsegCaches) without = caches_new(&geometry);
    g_autoptr(GRand) rand = random_new();
    g_autoptr(GRand) same = g_rand_copy(rand);
    g_autoptr(GRand) looks = g_rand_copy(rand);

    g_assert_true(dseg_caches_help(with));
    for (unsigned i = 0; i < PASSINGS; ) {
        i += something_passes(rand, with);
        something_passes(same, without);
        if (random_below(looks, 500) == 0) {
            assert_same(with, without);
        }
    }
    assert_same(with, without);
}

/* What waited when it was started, passes first. */
static void test_started_later(void)
{
    g_autoptr(DsegCaches) caches = caches_new(&geometry);
    DsegCacheCounters expected = { .cycles.data = 100 + 2 };

    expected.data[DSEG_LOAD][DSEG_PLACE_MEMORY] = 1;
    expected.data[DSEG_LOAD][DSEG_PLACE_L1] = 1;
    dseg_caches_data(caches, 0, DSEG_LOAD);
    g_assert_true(dseg_caches_help(caches));
    dseg_caches_data(caches, 0, DSEG_LOAD);
    g_assert_cmpmem(dseg_caches_counters(caches), sizeof(expected), &expected,
                    sizeof(expected));
}

/* As the monitor does while the CPU is running. */
__attribute__((no_sanitize("thread")))
static uint64_t data_cycles_until_now(const DsegCaches *caches)
{
    return *(const volatile uint64_t *)&dseg_caches_cycles(caches)->data;
}

static void wait_for_more_than(const DsegCaches *caches, uint64_t cycles)
{
    gint64 end = g_get_monotonic_time() + 30 * G_TIME_SPAN_SECOND;

    while (data_cycles_until_now(caches) <= cycles &&
           g_get_monotonic_time() < end) {
        g_usleep(1000);
    }
    g_assert_cmpuint(data_cycles_until_now(caches), >, cycles);
}

/* More passes than the thread leaves to others. */
static void assert_helps(DsegCaches *caches)
{
    uint64_t cycles = data_cycles_until_now(caches);

    for (unsigned i = 0; i < 10000; i++) {
        dseg_caches_data(caches, i * CACHES_LINE, DSEG_LOAD);
    }
    wait_for_more_than(caches, cycles);
}

/* Also when it has had nothing to do. */
static void test_helps_unasked(void)
{
    g_autoptr(DsegCaches) caches = caches_new(&geometry);

    g_assert_true(dseg_caches_help(caches));
    for (unsigned round = 0; round < 3 && !g_test_failed(); round++) {
        assert_helps(caches);
        dseg_caches_settle(caches);
    }
}

/* A signal that the program blocks does not end it. */
static void test_takes_no_signals(void)
{
    g_autoptr(DsegCaches) caches = caches_new(&geometry);
    struct timespec soon = { .tv_sec = 5 };
    sigset_t one, before;

    g_assert_true(dseg_caches_help(caches));
    assert_helps(caches);           /* so there it is */
    sigemptyset(&one);
    sigaddset(&one, SIGUSR1);
    g_assert_cmpint(pthread_sigmask(SIG_BLOCK, &one, &before), ==, 0);
    g_assert_false(sigismember(&before, SIGUSR1));
    kill(getpid(), SIGUSR1);
    g_assert_cmpint(sigtimedwait(&one, NULL, &soon), ==, SIGUSR1);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();

    g_test_add_func("/caches-helper/same-at-the-end", test_same_at_the_end);
    g_test_add_func("/caches-helper/same-whenever-somebody-looks",
                    test_same_whenever_somebody_looks);
    g_test_add_func("/caches-helper/what-waited-passes-first",
                    test_started_later);
    g_test_add_func("/caches-helper/helps-unasked", test_helps_unasked);
    g_test_add_func("/caches-helper/takes-no-signals", test_takes_no_signals);
    return g_test_run();
}
