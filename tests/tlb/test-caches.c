/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The caches of the reference simulator against docs/spec/caches.rst, rule by
 * rule: where each line of a short sequence is found, worked out by hand.
 */
#include "test-cpu.h"

/* Caches alone, without a CPU. */
static const char *init(const char *text)
{
    caches_free(&s.passing.caches);
    s = (struct simulator) { 0 };
    g_assert_null(geometry_parse(&s, text));
    return caches_init(&s.passing.caches);
}

/*
 * Lines that pass in that order, d as data and f as a fetch, and the place of
 * each: "d0=memory f0=l2".
 */
static void expect_places(const char *expected)
{
    g_auto(GStrv) words = g_strsplit(expected, " ", 0);
    g_autoptr(GString) got = g_string_new(NULL);

    for (char **word = words; *word; word++) {
        guint64 line = g_ascii_strtoull(*word + 1, NULL, 10);
        enum where where = caches_pass(
            &s.passing.caches, line * s.passing.caches.line + 5,
            **word == 'f');

        g_string_append_printf(got, "%s%c%" G_GUINT64_FORMAT "=%s",
                               got->len ? " " : "", **word, line,
                               where_names[where]);
    }
    g_assert_cmpstr(got->str, ==, expected);
}

static void expect_of(const char *geometry, const char *places)
{
    g_assert_null(init(geometry));
    expect_places(places);
}

/* -- Passing -- */

/* 1, 2 and 4 lines. */
#define THREE_LEVELS "caches line=64 memory=200\n" \
    "cache l1d size=64 ways=1 latency=4\n" \
    "cache l2 size=128 ways=2 latency=12\n" \
    "cache llc size=256 ways=4 latency=40\n"

static void a_miss_fills_all_before_its_place(void)
{
    expect_of(THREE_LEVELS, "d0=memory d0=l1 d1=memory d0=l2 d1=l2 d2=memory "
              "d0=llc d2=l2 d0=l2 d0=l1 d3=memory d1=llc d4=memory");
    EXPECT(1, cache_used(&s.passing.caches, &CACHE(L1D)));
    EXPECT(2, cache_used(&s.passing.caches, &CACHE(L2)));
    EXPECT(4, cache_used(&s.passing.caches, &CACHE(LLC)));
    EXPECT(1, CACHE(LLC).evictions);
    EXPECT(0, CACHE(L2).back_invalidations + CACHE(L1D).back_invalidations);
}

static void a_level_may_be_absent(void)
{
    expect_of("caches memory=200\ncache l1d size=64 ways=1 latency=4\n"
              "cache llc size=128 ways=2 latency=40\n",
              "d0=memory d1=memory d0=llc d2=memory d1=memory");
    expect_of("caches memory=200\ncache l1d size=128 ways=2 latency=4\n",
              "d0=memory d1=memory d0=l1 d2=memory d1=memory");
}

/* A hit in L1 is no touch of L2: what is used most is the oldest there. */
static void only_the_place_is_touched(void)
{
    expect_of("caches memory=200\ncache l1d size=128 ways=2 latency=4\n"
              "cache l2 size=192 ways=3 latency=12\n",
              "d0=memory d1=memory d2=memory d1=l1 d1=l1 d0=l2 d3=memory "
              "d0=l1 d1=memory");
}

static void fetches_have_an_l1_of_their_own(void)
{
    expect_of("caches memory=200\ncache l1d size=128 ways=2 latency=4\n"
              "cache l1i size=64 ways=1 latency=3\n"
              "cache l2 size=256 ways=4 latency=12\n",
              "d0=memory f0=l2 f0=l1 d0=l1 f1=memory f0=l2 d1=l2 d0=l1");
    EXPECT(3, caches_latency(&s.passing.caches, IN_L1, true));
    EXPECT(4, caches_latency(&s.passing.caches, IN_L1, false));
    EXPECT(12, caches_latency(&s.passing.caches, IN_L2, false));
    EXPECT(200, caches_latency(&s.passing.caches, IN_MEMORY, true));
    EXPECT(0, caches_latency(&s.passing.caches, SPARED, false));
}

static void lines_have_their_size(void)
{
    static const unsigned bytes[] = { 16, 64, 128 };

    for (unsigned i = 0; i < G_N_ELEMENTS(bytes); i++) {
        g_autofree char *text = g_strdup_printf(
            "caches line=%u memory=9\n"
            "cache l1d size=%u ways=4 latency=1\n", bytes[i], 4 * bytes[i]);

        g_assert_null(init(text));
        EXPECT(IN_MEMORY, caches_pass(&s.passing.caches, 0, false));
        EXPECT(IN_L1, caches_pass(&s.passing.caches, bytes[i] - 1, false));
        EXPECT(IN_MEMORY, caches_pass(&s.passing.caches, bytes[i], false));
    }
}

/* 3 sets of 2. */
static void sets_need_be_no_power_of_two(void)
{
    expect_of("caches line=16 memory=9\n"
              "cache l1d size=96 ways=2 latency=1\n",
              "d0=memory d3=memory d0=l1 d4=memory d5=memory d1=memory d4=l1 "
              "d6=memory d3=memory d0=memory d5=l1 d1=l1");
    EXPECT(3, CACHE(L1D).evictions);
    EXPECT(5, cache_used(&s.passing.caches, &CACHE(L1D)));
}

/* -- Policies -- */

#define ONE_SET(policy) "caches memory=9\n" \
    "cache l1d size=256 ways=4 policy=" policy " latency=1\n"

static void lru(void)
{
    expect_of(ONE_SET("lru"), "d0=memory d1=memory d2=memory d3=memory d0=l1 "
              "d4=memory d0=l1 d2=l1 d3=l1 d1=memory d4=memory");
}

/*
 * Touches of ways 0, 1, 2, 3, 0 leave the root 1 (above), node 2: 1, node 3: 0;
 * so the first victim is way 2. Its fill turns the root to 0 and node 3 to 1:
 * then way 1.
 */
static void plru(void)
{
    expect_of(ONE_SET("plru"), "d0=memory d1=memory d2=memory d3=memory d0=l1 "
              "d4=memory d5=memory d0=l1 d3=l1 d4=l1 d5=l1 d1=memory");
}

/*
 * splitmix64 from 0 begins with 0xe220a8397b1dcdaf, 0x6e789e6aa1b965f4,
 * 0x06c45d188009454f, 0xf88bb8a8724c81ec, from 1 with 0x910a2dec89025cc1: ways
 * 3, 0, 3 and 0, and 1.
 */
static void random_victims(void)
{
    expect_of(ONE_SET("random"), "d0=memory d1=memory d2=memory d3=memory "
              "d4=memory d3=memory d0=memory d4=memory d1=l1 d2=l1 d0=l1");
    expect_of(ONE_SET("random") "caches memory=9 seed=1\n",
              "d0=memory d1=memory d2=memory d3=memory d4=memory d0=l1 d2=l1 "
              "d3=l1 d1=memory");
}

/* l1i is number 1, whether or not there is an l2; llc is number 3. */
static void the_number_of_the_cache_adds_to_the_seed(void)
{
    expect_of("caches memory=9\ncache l1d size=64 ways=1 latency=1\n"
              "cache l1i size=256 ways=4 policy=random latency=1\n",
              "f0=memory f1=memory f2=memory f3=memory f4=memory f0=l1 f2=l1 "
              "f3=l1 f1=memory");
    /* From 3: 0x1d0b14e4db018fed: way 1. */
    expect_of("caches memory=9\ncache l1d size=64 ways=1 latency=1\n"
              "cache llc size=256 ways=4 policy=random latency=1\n",
              "d0=memory d1=memory d2=memory d3=memory d4=memory d0=llc "
              "d2=llc d3=llc d1=memory");
}

/* -- Inclusion -- */

#define INCLUSIVE(inclusive) "caches memory=200\n" \
    "cache l1d size=256 ways=4 latency=4\n" \
    "cache l1i size=128 ways=2 latency=4\n" \
    "cache l2 size=192 ways=3 latency=12 inclusive=" inclusive "\n"

static void what_an_inclusive_cache_evicts_is_gone_above(void)
{
    expect_of(INCLUSIVE("yes"), "d0=memory f0=l2 d1=memory d2=memory d0=l1 "
              "d3=memory f0=memory d0=l2 d1=memory d2=memory");
    EXPECT(4, CACHE(L2).evictions);
    EXPECT(4, CACHE(L1D).back_invalidations);
    EXPECT(1, CACHE(L1I).back_invalidations);
    EXPECT(0, CACHE(L1D).evictions + CACHE(L1I).evictions);
}

static void what_another_evicts_stays_above(void)
{
    expect_of(INCLUSIVE("no"), "d0=memory f0=l2 d1=memory d2=memory d0=l1 "
              "d3=memory f0=l1 d0=l1 d1=l1 d2=l1");
    EXPECT(1, CACHE(L2).evictions);
    EXPECT(0, CACHE(L1D).back_invalidations + CACHE(L1I).back_invalidations);
}

static void an_inclusive_llc_takes_from_all(void)
{
    expect_of("caches memory=200\n"
              "cache l1d size=128 ways=2 latency=4\n"
              "cache l1i size=64 ways=1 latency=4\n"
              "cache l2 size=256 ways=4 latency=12\n"
              "cache llc size=256 ways=4 latency=40 inclusive=yes\n",
              "d0=memory f0=l2 d1=memory d0=l1 d2=memory d0=l1 d3=memory "
              "d4=memory d3=l1");
    EXPECT(1, CACHE(LLC).evictions);
    EXPECT(0, CACHE(L2).evictions);
    EXPECT(2, CACHE(L1D).evictions);
    EXPECT(1, CACHE(L2).back_invalidations);
    EXPECT(1, CACHE(L1D).back_invalidations);
    EXPECT(1, CACHE(L1I).back_invalidations);
    expect_places("f0=memory");
    EXPECT(2, CACHE(L2).back_invalidations);
    EXPECT(1, CACHE(L1D).back_invalidations);
}

/*
 * Way 0 of l1d is lost and taken again. Its tree leads then to way 3, as the
 * touch of way 2 before has left it.
 */
static void a_lost_way_is_taken_first_and_the_tree_stays(void)
{
    expect_of("caches memory=200\n"
              "cache l1d size=256 ways=4 policy=plru latency=4\n"
              "cache l1i size=64 ways=1 latency=4\n"
              "cache l2 size=320 ways=5 latency=12 inclusive=yes\n",
              "d0=memory d1=memory d2=memory d3=memory d2=l1 f4=memory "
              "f5=memory d4=l2 d5=l2 d2=l1 d3=l2");
    EXPECT(1, CACHE(L1D).back_invalidations);
    EXPECT(2, CACHE(L1D).evictions);
}

/* -- Geometry -- */

static void expect_bad(const char *caches, const char *field)
{
    const char *wrong = init(caches);

    g_assert_nonnull(wrong);
    g_assert_true(g_str_has_prefix(wrong, field));
}

#define L1 "cache l1d size=256 ways=2 latency=4\n"

static void bad_caches(void)
{
    expect_bad("caches line=48 memory=9\n" L1, "line");
    expect_bad("caches line=8 memory=9\n" L1, "line");
    expect_bad("caches line=8192 memory=9\n" L1, "line");
    expect_bad("caches line=64\n" L1, "memory");
    expect_bad("caches memory=65536\n" L1, "memory");
    expect_bad("caches memory=9\n", "l1d");
    expect_bad("caches memory=9\ncache l2 size=64 ways=1 latency=1\n", "l1d");
    expect_bad("caches memory=3\n" L1, "latency");
    expect_bad("caches memory=9\ncache l1d size=64 ways=1\n", "latency");
    expect_bad("caches memory=9\n" L1 "cache l2 size=64 ways=1 latency=3\n",
               "latency");
    expect_bad("caches memory=9\n" L1 "cache llc size=64 ways=1 latency=3\n",
               "latency");
    expect_bad("caches memory=9\n" L1 "cache l1i size=64 ways=1 latency=5\n"
               "cache llc size=64 ways=1 latency=4\n", "latency");
    expect_bad("caches memory=9\n" L1
               "cache l1i size=64 ways=1 latency=1 inclusive=yes\n",
               "inclusive");
    expect_bad("caches memory=9\ncache l1d size=65 ways=1 latency=1\n",
               "size");
    expect_bad("caches memory=9\ncache l1d size=4294967360 ways=1 latency=1\n",
               "size");
    expect_bad("caches memory=9\ncache l1d size=4160 ways=65 latency=1\n",
               "ways");
    expect_bad("caches memory=9\n"
               "cache l1d size=192 ways=3 policy=plru latency=1\n", "policy");
    expect_bad("caches memory=9\n"
               "cache l1d size=64 ways=1 policy=fifo latency=1\n", "policy");
    /* A latency may be that of the cache above; l1i may take more than l1d. */
    g_assert_null(init("caches memory=4\n" L1
                       "cache l1i size=64 ways=1 latency=4\n"
                       "cache l2 size=64 ways=1 latency=4\n"));
    g_assert_null(init("caches memory=9\n" L1
                       "cache l1i size=64 ways=1 latency=8\n"));
}

static void lines_that_are_none(void)
{
    static const char *const lines[] = {
        "caches line", "caches lines=64", "cache l3 size=64",
        "cache l1d size=0", "cache l1d ways=-1", "cache l1d inclusive=maybe",
        "cache l1d policy=mru", "mode fast",
    };

    g_assert_null(init(""));
    for (unsigned i = 0; i < G_N_ELEMENTS(lines); i++) {
        g_autofree char *wrong = geometry_parse(&s, lines[i]);

        g_assert_cmpstr(wrong, ==, lines[i]);
    }
}

int main(int argc, char **argv)
{
    int result;

    g_test_init(&argc, &argv, NULL);
#define CASE(path, function) g_test_add_func("/tlb-caches/" path, function)
    CASE("pass/a-miss-fills-all-before-its-place",
         a_miss_fills_all_before_its_place);
    CASE("pass/a-level-may-be-absent", a_level_may_be_absent);
    CASE("pass/only-the-place-is-touched", only_the_place_is_touched);
    CASE("pass/fetches-have-their-own-l1", fetches_have_an_l1_of_their_own);
    CASE("pass/line-sizes", lines_have_their_size);
    CASE("pass/sets-that-are-no-power-of-two", sets_need_be_no_power_of_two);
    CASE("policy/lru", lru);
    CASE("policy/plru", plru);
    CASE("policy/random", random_victims);
    CASE("policy/random-of-another-cache",
         the_number_of_the_cache_adds_to_the_seed);
    CASE("inclusion/evicted-is-gone-above",
         what_an_inclusive_cache_evicts_is_gone_above);
    CASE("inclusion/not-inclusive", what_another_evicts_stays_above);
    CASE("inclusion/llc", an_inclusive_llc_takes_from_all);
    CASE("inclusion/lost-ways-and-the-tree",
         a_lost_way_is_taken_first_and_the_tree_stays);
    CASE("geometry/errors", bad_caches);
    CASE("geometry/lines", lines_that_are_none);
    result = g_test_run();
    caches_free(&s.passing.caches);
    return result;
}
