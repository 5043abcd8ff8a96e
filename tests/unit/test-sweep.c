/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unit tests of the sweep over page tables
 */

#include "model/sweep.h"
#include "page-memory.h"
#include "random.h"

#define LARGE (512 * PAGE)
#define BASE (5 * GIB)                  /* of the GiB in which pages are */
#define LEVELS 4

/* A page of 4 KiB, number @page of the GiB; it maps to itself, plus 1 GiB. */
static void map_small(Memory *memory, unsigned page)
{
    uint64_t addr = BASE + page * PAGE;

    map_page(memory, addr, addr + GIB, 12, ALL);
}

static void map_large(Memory *memory, unsigned large)
{
    uint64_t addr = BASE + large * LARGE;

    map_page(memory, addr, addr + GIB, 21, ALL);
}

/* What a sweep has met. */
typedef struct Met {
    uint64_t visits;
    uint64_t bytes;
    uint64_t end;       /* of the last one */
    uint64_t stop_at;   /* ends the sweep at this address, if not 0 */
} Met;

static bool visit(void *opaque, uint64_t addr, uint64_t size,
                  const DsegMapping *mapping)
{
    Met *met = opaque;

    g_assert_cmphex(addr, >=, met->end);
    g_assert_cmphex(mapping->addr, ==, addr + GIB);
    met->visits++;
    met->bytes += size;
    met->end = addr + size;
    return addr != met->stop_at;
}

static DsegSweep sweep_of(Memory *memory, Met *met, uint64_t base,
                          uint64_t limit)
{
    return (DsegSweep) {
        .in_tables = &memory->tables, .in_limit = limit, .in_visit = visit,
        .in_opaque = met, .next = base,
    };
}

/* However much is mapped: a CPU's guest waits for no more than that. */
static void test_step_makes_as_many_lookups_as_it_may(void)
{
    static Memory memory;

    make_tables(&memory);
    for (unsigned page = 0; page < 3000; page++) {
        map_small(&memory, page);
    }
    for (unsigned lookups = 1; lookups < 3000; lookups = lookups * 3 + 1) {
        Met met = { 0 };
        DsegSweep sweep = sweep_of(&memory, &met, BASE, BASE + 3000 * PAGE);
        unsigned left = 3000;

        while (left > lookups) {
            memory.loads = 0;
            g_assert_cmpint(dseg_sweep_step(&sweep, lookups), ==, DSEG_SWEPT_PART);
            g_assert_cmpuint(memory.loads, ==, lookups * LEVELS);
            left -= lookups;
            g_assert_cmpuint(met.visits, ==, 3000 - left);
        }
        g_assert_cmpint(dseg_sweep_step(&sweep, lookups), ==, DSEG_SWEPT_ALL);
        g_assert_cmpuint(met.visits, ==, 3000);
    }
}

static void test_hole_costs_one_lookup_whatever_its_size(void)
{
    static Memory memory;
    Met met = { 0 };
    DsegSweep sweep = sweep_of(&memory, &met, 0, UINT64_C(1) << 47);

    make_tables(&memory);
    map_small(&memory, 0);
    /* The page; 511 holes in each of its three tables, 255 above. */
    g_assert_cmpint(dseg_sweep_step(&sweep, 1 + 3 * 511 + 254), ==, DSEG_SWEPT_PART);
    g_assert_cmpint(dseg_sweep_step(&sweep, 1), ==, DSEG_SWEPT_ALL);
    g_assert_cmpuint(met.visits, ==, 1);
}

static void test_range_cuts_pages(void)
{
    static Memory memory;
    Met met = { 0 };
    DsegSweep sweep = sweep_of(&memory, &met, BASE + 3 * PAGE, BASE + LARGE + 5 * PAGE);

    make_tables(&memory);
    map_large(&memory, 0);
    map_large(&memory, 1);
    g_assert_cmpint(dseg_sweep_step(&sweep, 2), ==, DSEG_SWEPT_ALL);
    g_assert_cmpuint(met.visits, ==, 2);
    g_assert_cmphex(met.bytes, ==, LARGE + 2 * PAGE);
}

static void test_visitor_ends_it(void)
{
    static Memory memory;
    Met met = { .stop_at = BASE + 7 * PAGE };
    DsegSweep sweep = sweep_of(&memory, &met, BASE, BASE + 100 * PAGE);

    make_tables(&memory);
    for (unsigned page = 0; page < 100; page++) {
        map_small(&memory, page);
    }
    g_assert_cmpint(dseg_sweep_step(&sweep, 1000), ==, DSEG_SWEPT_ENDED);
    g_assert_cmpuint(met.visits, ==, 8);
}

static void test_steps_of_any_size_meet_the_same(void)
{
    g_autoptr(GRand) rand = random_new();

    for (uint64_t n = random_rounds(30); n; n--) {
        static Memory memory;
        uint64_t mapped = 0;

        make_tables(&memory);
        for (unsigned large = 0; large < 8; large++) {
            bool whole = random_bool(rand);

            for (unsigned page = 0; !whole && page < 512; page++) {
                if (random_bool(rand)) {
                    map_small(&memory, large * 512 + page);
                    mapped += PAGE;
                }
            }
            if (whole) {
                map_large(&memory, large);
                mapped += LARGE;
            }
        }
        for (unsigned lookups = 1; lookups < 5000; lookups *= 7) {
            Met met = { 0 };
            DsegSweep sweep = sweep_of(&memory, &met, BASE, BASE + 8 * LARGE);

            while (dseg_sweep_step(&sweep, lookups) == DSEG_SWEPT_PART) {
                continue;
            }
            g_assert_cmphex(met.bytes, ==, mapped);
        }
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);

    g_test_add_func("/sweep/step-makes-as-many-lookups-as-it-may",
                    test_step_makes_as_many_lookups_as_it_may);
    g_test_add_func("/sweep/hole-costs-one-lookup-whatever-its-size",
                    test_hole_costs_one_lookup_whatever_its_size);
    g_test_add_func("/sweep/range-cuts-pages", test_range_cuts_pages);
    g_test_add_func("/sweep/visitor-ends-it", test_visitor_ends_it);
    g_test_add_func("/sweep/steps-of-any-size-meet-the-same",
                    test_steps_of_any_size_meet_the_same);
    return g_test_run();
}
