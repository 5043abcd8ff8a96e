/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unit tests of the scan for linear runs
 */

#include "model/runs.h"
#include "page-memory.h"
#include "random.h"

#define HALF (UINT64_C(1) << 47)    /* where the lower canonical half ends */

static void map(Memory *memory, uint64_t from, uint64_t to, unsigned pages)
{
    for (unsigned i = 0; i < pages; i++) {
        map_page(memory, from + i * PAGE, to + i * PAGE, 12, ALL);
    }
}

static DsegRunSearch scan_range(Memory *memory, uint64_t base, uint64_t limit)
{
    return (DsegRunSearch) {
        .in_tables = &memory->tables, .in_limit = limit, .in_runs = 10,
        .next = base,
    };
}

static DsegRunSearch scan_all(Memory *memory)
{
    DsegRunSearch scan = scan_range(memory, 0, HALF);

    g_assert_true(dseg_runs_step(&scan, 1000000));
    return scan;
}

static void assert_run(const DsegRunSearch *scan, unsigned i, uint64_t base,
                       uint64_t size, uint64_t target)
{
    g_assert_cmpuint(i, <, scan->out_runs);
    g_assert_cmphex(scan->out_run[i].base, ==, base);
    g_assert_cmphex(scan->out_run[i].size, ==, size);
    g_assert_cmphex(scan->out_run[i].target, ==, target);
}

static void test_nothing_mapped(void)
{
    static Memory memory;
    DsegRunSearch scan;

    make_tables(&memory);
    scan = scan_all(&memory);
    g_assert_cmpuint(scan.out_runs, ==, 0);
    g_assert_cmpuint(scan.out_mapped, ==, 0);
    g_assert_cmpuint(scan.out_suitable, ==, 0);
}

static void test_one_run(void)
{
    static Memory memory;
    DsegRunSearch scan;

    make_tables(&memory);
    map(&memory, 3 * TIB + 7 * PAGE, 5 * GIB, 9);
    scan = scan_all(&memory);
    g_assert_cmpuint(scan.out_runs, ==, 1);
    assert_run(&scan, 0, 3 * TIB + 7 * PAGE, 9 * PAGE, 5 * GIB);
    g_assert_cmpuint(scan.out_mapped, ==, 9 * PAGE);
    g_assert_cmpuint(scan.out_suitable, ==, 9 * PAGE);
}

/* A run ends where the target jumps, though the pages are neighbours. */
static void test_jump_of_target_ends_a_run(void)
{
    static Memory memory;
    DsegRunSearch scan;

    make_tables(&memory);
    map(&memory, GIB, 5 * GIB, 3);
    map(&memory, GIB + 3 * PAGE, 5 * GIB + 4 * PAGE, 5);
    scan = scan_all(&memory);
    g_assert_cmpuint(scan.out_runs, ==, 2);
    assert_run(&scan, 0, GIB + 3 * PAGE, 5 * PAGE, 5 * GIB + 4 * PAGE);
    assert_run(&scan, 1, GIB, 3 * PAGE, 5 * GIB);
}

/* And where a page is missing, though the offset stays. */
static void test_hole_ends_a_run(void)
{
    static Memory memory;
    DsegRunSearch scan;

    make_tables(&memory);
    map(&memory, GIB, 5 * GIB, 3);
    map(&memory, GIB + 4 * PAGE, 5 * GIB + 4 * PAGE, 2);
    scan = scan_all(&memory);
    g_assert_cmpuint(scan.out_runs, ==, 2);
    assert_run(&scan, 0, GIB, 3 * PAGE, 5 * GIB);
    assert_run(&scan, 1, GIB + 4 * PAGE, 2 * PAGE, 5 * GIB + 4 * PAGE);
}

static void test_runs_go_on_across_tables(void)
{
    static Memory memory;
    DsegRunSearch scan;

    make_tables(&memory);
    map(&memory, TIB - 2 * PAGE, 5 * GIB, 4);
    scan = scan_all(&memory);
    g_assert_cmpuint(scan.out_runs, ==, 1);
    assert_run(&scan, 0, TIB - 2 * PAGE, 4 * PAGE, 5 * GIB);
}

static void test_pages_of_all_sizes_make_one_run(void)
{
    static Memory memory;
    DsegRunSearch scan;
    uint64_t from = 3 * GIB, to = 6 * GIB;

    make_tables(&memory);
    map(&memory, from - 2 * MIB - PAGE, to - 2 * MIB - PAGE, 1);
    map_page(&memory, from - 2 * MIB, to - 2 * MIB, 21, ALL);
    map_page(&memory, from, to, 30, ALL);
    map(&memory, from + GIB, to + GIB, 2);
    scan = scan_all(&memory);
    g_assert_cmpuint(scan.out_runs, ==, 1);
    assert_run(&scan, 0, from - 2 * MIB - PAGE, GIB + 2 * MIB + 3 * PAGE,
               to - 2 * MIB - PAGE);
    g_assert_cmpuint(scan.out_run[0].pages[DSEG_PAGE_4K], ==, 3);
    g_assert_cmpuint(scan.out_run[0].pages[DSEG_PAGE_2M], ==, 1);
    g_assert_cmpuint(scan.out_run[0].pages[DSEG_PAGE_1G], ==, 1);
}

/* Five pages of which the middle one lacks something. */
static DsegRunSearch scan_with_odd_page(uint64_t flags, bool executable)
{
    static Memory memory;
    DsegRunSearch scan = scan_range(&memory, 0, HALF);

    make_tables(&memory);
    map(&memory, GIB, 5 * GIB, 5);
    map_page(&memory, GIB + 2 * PAGE, 5 * GIB + 2 * PAGE, 12, flags);
    scan.in_executable = executable;
    g_assert_true(dseg_runs_step(&scan, 1000000));
    return scan;
}

static void assert_two_runs(const DsegRunSearch *scan)
{
    g_assert_cmpuint(scan->out_runs, ==, 2);
    assert_run(scan, 0, GIB, 2 * PAGE, 5 * GIB);
    assert_run(scan, 1, GIB + 3 * PAGE, 2 * PAGE, 5 * GIB + 3 * PAGE);
    g_assert_cmpuint(scan->out_mapped, ==, 5 * PAGE);
    g_assert_cmpuint(scan->out_suitable, ==, 4 * PAGE);
}

static void test_missing_permission_ends_a_run(void)
{
    DsegRunSearch read_only = scan_with_odd_page(P | US, false);
    DsegRunSearch supervisor = scan_with_odd_page(P | RW, false);
    DsegRunSearch no_execute = scan_with_odd_page(ALL | NX, true);

    assert_two_runs(&read_only);
    assert_two_runs(&supervisor);
    assert_two_runs(&no_execute);
}

/* A guest segment does not grant fetches, so NX does not matter to it. */
static void test_nx_matters_only_where_fetches_are_granted(void)
{
    DsegRunSearch scan = scan_with_odd_page(ALL | NX, false);

    g_assert_cmpuint(scan.out_runs, ==, 1);
    assert_run(&scan, 0, GIB, 5 * PAGE, 5 * GIB);
}

static void test_reserved_bit_is_a_hole(void)
{
    DsegRunSearch scan = scan_with_odd_page(ALL | UINT64_C(1) << 45, false);

    g_assert_cmpuint(scan.out_runs, ==, 2);
    g_assert_cmpuint(scan.out_mapped, ==, 4 * PAGE);
}

static void test_range_cuts_pages(void)
{
    static Memory memory;
    DsegRunSearch scan = scan_range(&memory, GIB + MIB, GIB + 3 * MIB + PAGE);

    make_tables(&memory);
    map_page(&memory, GIB, 5 * GIB, 21, ALL);
    map_page(&memory, GIB + 2 * MIB, 5 * GIB + 2 * MIB, 21, ALL);
    g_assert_true(dseg_runs_step(&scan, 1000000));
    g_assert_cmpuint(scan.out_runs, ==, 1);
    assert_run(&scan, 0, GIB + MIB, 2 * MIB + PAGE, 5 * GIB + MIB);
    g_assert_cmpuint(scan.out_run[0].pages[DSEG_PAGE_2M], ==, 2);
    g_assert_cmpuint(scan.out_mapped, ==, 2 * MIB + PAGE);
}

static void test_range_may_end_near_2_to_the_64(void)
{
    static Memory memory;
    DsegRunSearch scan = scan_range(&memory, -3 * PAGE, -PAGE);

    make_tables(&memory);
    map(&memory, -3 * PAGE, 5 * GIB, 3);
    g_assert_true(dseg_runs_step(&scan, 1000000));
    g_assert_cmpuint(scan.out_runs, ==, 1);
    assert_run(&scan, 0, -3 * PAGE, 2 * PAGE, 5 * GIB);
}

/* Runs of 1, 2, ... 8 pages, in another order, each with a hole behind. */
static void map_runs(Memory *memory)
{
    static const unsigned sizes[] = { 3, 7, 1, 8, 2, 6, 5, 4 };

    make_tables(memory);
    for (unsigned i = 0; i < G_N_ELEMENTS(sizes); i++) {
        map(memory, GIB + i * 16 * PAGE, 5 * GIB + i * MIB, sizes[i]);
    }
}

static void test_longest_come_first(void)
{
    static Memory memory;
    DsegRunSearch scan;

    map_runs(&memory);
    scan = scan_all(&memory);
    g_assert_cmpuint(scan.out_runs, ==, 8);
    for (unsigned i = 0; i < 8; i++) {
        g_assert_cmpuint(scan.out_run[i].size, ==, (8 - i) * PAGE);
    }
    assert_run(&scan, 0, GIB + 48 * PAGE, 8 * PAGE, 5 * GIB + 3 * MIB);
}

static void test_of_equal_runs_the_lowest_comes_first(void)
{
    static Memory memory;
    DsegRunSearch scan;

    make_tables(&memory);
    for (unsigned i = 0; i < 4; i++) {
        map(&memory, GIB + 16 * i * PAGE, 5 * GIB - i * MIB, 3);
    }
    scan = scan_all(&memory);
    for (unsigned i = 0; i < 4; i++) {
        assert_run(&scan, i, GIB + 16 * i * PAGE, 3 * PAGE, 5 * GIB - i * MIB);
    }
}

static void test_only_as_many_as_wanted_are_kept(void)
{
    static Memory memory;

    map_runs(&memory);
    for (unsigned wanted = 0; wanted < 9; wanted++) {
        DsegRunSearch scan = scan_range(&memory, 0, HALF);

        scan.in_runs = wanted;
        g_assert_true(dseg_runs_step(&scan, 1000000));
        g_assert_cmpuint(scan.out_runs, ==, MIN(wanted, 8));
        for (unsigned i = 0; i < scan.out_runs; i++) {
            g_assert_cmpuint(scan.out_run[i].size, ==, (8 - i) * PAGE);
        }
        g_assert_cmpuint(scan.out_suitable, ==, 36 * PAGE);
    }
}

static void test_shorter_than_the_minimum_are_left_out(void)
{
    static Memory memory;
    DsegRunSearch scan = scan_range(&memory, 0, HALF);

    map_runs(&memory);
    scan.in_min_size = 6 * PAGE;
    g_assert_true(dseg_runs_step(&scan, 1000000));
    g_assert_cmpuint(scan.out_runs, ==, 3);
    g_assert_cmpuint(scan.out_run[2].size, ==, 6 * PAGE);
    g_assert_cmpuint(scan.out_suitable, ==, 36 * PAGE);
}

/* What costs time is what is mapped, not how much lies between. */
static void test_holes_cost_one_lookup_each(void)
{
    static Memory memory;
    DsegRunSearch scan = scan_range(&memory, 0, HALF);

    make_tables(&memory);
    map(&memory, 1 * TIB, 5 * GIB, 1);
    map(&memory, 77 * TIB + 123 * MIB, 6 * GIB, 1);
    /* For each page: 511 holes in each of its three tables, 254 above. */
    g_assert_false(dseg_runs_step(&scan, 2 * (1 + 3 * 511) + 253));
    g_assert_true(dseg_runs_step(&scan, 1));
    g_assert_cmpuint(memory.loads, <, 4 * 4000);
}

static void test_steps_of_any_size_find_the_same(void)
{
    static Memory memory;
    DsegRunSearch whole;

    map_runs(&memory);
    whole = scan_all(&memory);
    for (unsigned lookups = 1; lookups < 40; lookups++) {
        DsegRunSearch scan = scan_range(&memory, 0, HALF);

        while (!dseg_runs_step(&scan, lookups)) {
            continue;
        }
        g_assert_cmpmem(&scan, sizeof(scan), &whole, sizeof(whole));
    }
}

/* What has been found before a scan is given up counts; its run is cut. */
static void test_scan_can_end_early(void)
{
    static Memory memory;
    DsegRunSearch scan = scan_range(&memory, GIB, 2 * GIB);

    make_tables(&memory);
    map(&memory, GIB, 5 * GIB, 9);
    g_assert_false(dseg_runs_step(&scan, 4));
    dseg_runs_end_run(&scan);
    g_assert_cmpuint(scan.out_runs, ==, 1);
    assert_run(&scan, 0, GIB, 4 * PAGE, 5 * GIB);
    g_assert_cmphex(scan.next, ==, GIB + 4 * PAGE);
    g_assert_cmpuint(scan.out_mapped, ==, 4 * PAGE);
}

/* Random pages, against a look at each page by itself. */

#define WINDOW_PAGES 2048

typedef struct Page {
    bool mapped;
    bool suitable;
    uint64_t target;
} Page;

static Page look_at(const Memory *memory, uint64_t addr)
{
    DsegMapping m;
    bool mapped = dseg_tables_lookup(&memory->tables, addr, &m) ==
                  DSEG_LOOKUP_MAPPED;

    return (Page) { mapped, mapped && m.writable && m.user, m.addr };
}

static bool goes_on(const Page *page)
{
    return page[0].suitable && page[1].suitable &&
           page[1].target == page[0].target + PAGE;
}

static void map_at_random(GRand *rand, Memory *memory, uint64_t base)
{
    static const uint64_t flags[] = { ALL, ALL, ALL, P | RW, P | US, 0 };
    uint64_t to = 5 * GIB;

    make_tables(memory);
    for (uint64_t i = 0; i < WINDOW_PAGES; ) {
        bool large = i % 512 == 0 && random_bool(rand);
        unsigned pages = large ? 512 : 1;

        if (random_below(rand, 8) == 0) {
            to = random_below(rand, 1000) * 2 * MIB + (large ? 0 : PAGE);
        }
        to = large ? to & ~(2 * MIB - 1) : to;
        map_page(memory, base + i * PAGE, to, large ? 21 : 12,
                 flags[random_below(rand, G_N_ELEMENTS(flags))]);
        i += pages;
        to += pages * PAGE;
    }
}

static void test_random_pages_equal_the_model(void)
{
    g_autoptr(GRand) rand = random_new();
    const uint64_t base = 7 * TIB;
    unsigned seen[2] = { 0 };

    for (uint64_t n = random_rounds(50); n && !g_test_failed(); n--) {
        static Memory memory;
        static Page page[WINDOW_PAGES + 1];
        uint64_t mapped = 0, suitable = 0, longest = 0, size = 0;
        DsegRunSearch scan;

        map_at_random(rand, &memory, base);
        for (unsigned i = 0; i < WINDOW_PAGES; i++) {
            page[i] = look_at(&memory, base + i * PAGE);
        }
        for (unsigned i = 0; i < WINDOW_PAGES; i++) {
            mapped += page[i].mapped * PAGE;
            suitable += page[i].suitable * PAGE;
            size = page[i].suitable ? size + PAGE : 0;
            longest = MAX(longest, size);
            size = goes_on(&page[i]) ? size : 0;
        }
        scan = scan_all(&memory);
        g_assert_cmpuint(scan.out_mapped, ==, mapped);
        g_assert_cmpuint(scan.out_suitable, ==, suitable);
        g_assert_cmpuint(scan.out_run[0].size, ==, longest);
        for (unsigned r = 0; r < scan.out_runs; r++) {
            const DsegRun *run = &scan.out_run[r];
            unsigned first = (run->base - base) / PAGE;
            unsigned last = first + run->size / PAGE - 1;

            g_assert_cmphex(page[first].target, ==, run->target);
            for (unsigned i = first; i < last; i++) {
                g_assert_true(goes_on(&page[i]));
            }
            g_assert_false(goes_on(&page[last]));
            g_assert_false(first && goes_on(&page[first - 1]));
            seen[run->pages[DSEG_PAGE_2M] > 0]++;
        }
    }
    random_assert_seen(seen, G_N_ELEMENTS(seen), 20);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();

    g_test_add_func("/scan/nothing-mapped", test_nothing_mapped);
    g_test_add_func("/scan/one-run", test_one_run);
    g_test_add_func("/scan/jump-of-target-ends-a-run",
                    test_jump_of_target_ends_a_run);
    g_test_add_func("/scan/hole-ends-a-run", test_hole_ends_a_run);
    g_test_add_func("/scan/runs-go-on-across-tables",
                    test_runs_go_on_across_tables);
    g_test_add_func("/scan/pages-of-all-sizes-make-one-run",
                    test_pages_of_all_sizes_make_one_run);
    g_test_add_func("/scan/missing-permission-ends-a-run",
                    test_missing_permission_ends_a_run);
    g_test_add_func("/scan/nx-matters-only-where-fetches-are-granted",
                    test_nx_matters_only_where_fetches_are_granted);
    g_test_add_func("/scan/reserved-bit-is-a-hole",
                    test_reserved_bit_is_a_hole);
    g_test_add_func("/scan/range-cuts-pages", test_range_cuts_pages);
    g_test_add_func("/scan/range-may-end-near-2-to-the-64",
                    test_range_may_end_near_2_to_the_64);
    g_test_add_func("/scan/longest-come-first", test_longest_come_first);
    g_test_add_func("/scan/of-equal-runs-the-lowest-comes-first",
                    test_of_equal_runs_the_lowest_comes_first);
    g_test_add_func("/scan/only-as-many-as-wanted-are-kept",
                    test_only_as_many_as_wanted_are_kept);
    g_test_add_func("/scan/shorter-than-the-minimum-are-left-out",
                    test_shorter_than_the_minimum_are_left_out);
    g_test_add_func("/scan/holes-cost-one-lookup-each",
                    test_holes_cost_one_lookup_each);
    g_test_add_func("/scan/steps-of-any-size-find-the-same",
                    test_steps_of_any_size_find_the_same);
    g_test_add_func("/scan/scan-can-end-early", test_scan_can_end_early);
    g_test_add_func("/scan/random-pages-equal-the-model",
                    test_random_pages_equal_the_model);
    return g_test_run();
}
