/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The differential test: random worlds (page tables of both dimensions,
 * segments, filter, state) and random accesses; each is translated by the
 * reference and made by the CPU, and all that can be seen of it is compared:
 * where it arrives or how it faults, the accessed and dirty bits, and what CR13
 * says it has cost.
 *
 * Options, on the command line that QEMU gets (-append), or of
 * scripts/dseg/differential.py:
 *   translations=N   how many to try (default: a million)
 *   seed=S           of all that is random (default: 1)
 *   first=W          the world to begin with: that of a mismatch, to repeat it
 *
 * The last line is "differential: N translations, M mismatches, seed S".
 */
#include "counts.h"
#include "lib/cpu.h"
#include "lib/print.h"
#include "lib/tap.h"
#include "lib/vm.h"
#include "machine.h"
#include "native.h"
#include "options.h"
#include "report.h"
#include "trial.h"
#include "world.h"

#define TRANSLATIONS 1000000
#define SEED 1
#define ENOUGH 100000                       /* for each kind to be among them */
#define TRIALS 40                           /* in each world */
#define WORLDS_OF_LEVELS 64                 /* then the host changes them */
#define MAX_REPORTS 10
#define PROGRESS 100000

struct test {
    uint64_t seed, world_number, translations, mismatches;
    bool reported;                          /* this world, or this trial */
    struct world world;
    struct trial trial;
    struct guest guest;
    struct coverage coverage;
    struct ref_hash hash;
    unsigned maxphyaddr;
    uint64_t access_count[ACCESS_COUNTERS], world_count[WORLD_COUNTERS];
    struct expected_costs world_costs;
};

static struct test test;
static struct vmcb vmcb __attribute__((aligned(PAGE)));

/* A translation counts as one mismatch, however much of it is wrong. */
static void mismatch(void *opaque, const char *what, uint64_t expected,
                     uint64_t got)
{
    struct test *t = opaque;

    if (!t->reported) {
        t->reported = true;
        t->mismatches++;
        if (t->mismatches <= MAX_REPORTS) {
            print("mismatch %lu: seed %lu, world %lu, translation %lu\n",
                  t->mismatches, t->seed, t->world_number, t->translations);
            report_world(&t->world);
            report_trial(&t->trial);
        }
    }
    if (t->mismatches <= MAX_REPORTS) {
        print("  %s: expected 0x%lx, got 0x%lx\n", what, expected, got);
    }
}

/*
 * Compare one counter with what it was. False if nothing was counted, as
 * expected. Where "quiet", what is wrong has been reported.
 */
static bool compare_counter(struct test *t, const struct expected_costs *costs,
                            uint64_t selector, uint64_t *count, bool quiet)
{
    uint64_t delta = counter(selector) - *count;
    uint64_t expected = expected_count(costs, selector);

    *count += delta;
    if (delta != expected && !quiet) {
        mismatch(t, "selector of a wrong count", selector, selector);
        mismatch(t, "... that count", expected, delta);
    }
    return delta || expected;
}

/* Where a regime had no walks, its other counters wait for the world's end. */
static void compare_access_counters(struct test *t)
{
    for (unsigned i = 0; i < ACCESS_COUNTERS; i++) {
        bool counted = compare_counter(t, &t->trial.costs, access_counter(i),
                                       &t->access_count[i], false);

        if (!counted && i >= WALK_COUNTS && i % WALK_COUNTS == WALKS) {
            i += WALK_COUNTS - 1;
        }
    }
}

/*
 * Go on from what the counters say now: how many walks a store after a load
 * costs is up to QEMU's TLB.
 */
static void skip_counters(struct test *t)
{
    for (unsigned i = 0; i < ACCESS_COUNTERS; i++) {
        t->access_count[i] = counter(access_counter(i));
    }
    for (unsigned i = 0; i < WORLD_COUNTERS; i++) {
        uint64_t selector = world_counter(i);

        t->world_count[i] =
            counter(selector) - expected_count(&t->world_costs, selector);
    }
}

static void compare_world_counters(struct test *t, bool quiet)
{
    for (unsigned i = 0; i < WORLD_COUNTERS; i++) {
        compare_counter(t, &t->world_costs, world_counter(i),
                        &t->world_count[i], quiet);
    }
}

static void add_costs(struct test *t)
{
    for (unsigned i = 0; i < t->trial.steps; i++) {
        expected_add(&t->world_costs, &t->trial.step[i].access,
                     &t->trial.step[i].result);
    }
}

static void try_access(struct test *t, struct random *random)
{
    world_access(&t->world, random, &t->trial.access);
    t->trial.value = random64(random);
    t->trial.code_may_fault = one_in(random, 16);
    if (!trial_plan(&t->trial, &t->world)) {
        t->coverage.skipped++;
        return;
    }
    t->reported = false;
    trial_run(&t->trial, &t->world, &t->guest, mismatch, t);
    if (t->trial.access.after_load) {
        skip_counters(t);
    } else {
        compare_access_counters(t);
        add_costs(t);
    }
    coverage_add(&t->coverage, &t->world, &t->trial);
    t->translations++;
    if (t->translations % PROGRESS == 0) {
        print("%lu translations, %lu mismatches, seed %lu, at world %lu\n",
              t->translations, t->mismatches, t->seed, t->world_number);
    }
}

/* Nothing but the walks that were to be expected has written to a table. */
static void compare_table(struct test *t, uint64_t hpa)
{
    uint64_t *table = at_hpa(hpa);
    const uint64_t *shadow = shadow_of(hpa);

    for (unsigned i = 0; i < PAGE / sizeof(*table); i++) {
        if (table[i] != shadow[i]) {
            mismatch(t, "hPA of an entry that was changed", (uint64_t)&table[i],
                     (uint64_t)&table[i]);
            mismatch(t, "... that entry", shadow[i], table[i]);
            __builtin_memcpy(table, shadow, PAGE);
        }
    }
}

static void try_world(struct test *t)
{
    uint64_t before = t->mismatches;
    struct random random = {
        t->seed * 0x9e3779b97f4a7c15 ^ t->world_number << 20,
    };
    unsigned levels = t->world_number / WORLDS_OF_LEVELS % 2 ? 5 : 4;

    set_levels(levels);
    world_make(&t->world, &random, &t->hash, levels, t->maxphyaddr);
    if (t->world.without_guest) {
        native_load(&t->world);
    } else {
        machine_load(&t->guest, &t->world);
    }
    __builtin_memset(&t->world_costs, 0, sizeof(t->world_costs));
    for (unsigned i = 0; i < TRIALS; i++) {
        try_access(t, &random);
    }
    if (t->world.without_guest) {
        native_unload();
    }
    t->reported = false;
    compare_world_counters(t, t->mismatches != before);
    for (unsigned number = 0; number < TABLES; number++) {
        compare_table(t, table_hpa(number));
    }
    t->world_number++;
}

static void start(struct test *t)
{
    const struct tables none = { .levels = 4 };

    ref_hash_init(&t->hash);
    t->maxphyaddr = cpuid(0x80000008, 0).eax & 0xff;
    world_init();
    native_init();
    guest_init(&t->guest, &vmcb, &none, NULL);
    skip_counters(t);
}

void tests(void)
{
    uint64_t wanted = option("translations", TRANSLATIONS);
    struct test *t = &test;
    unsigned missing;

    t->seed = option("seed", SEED);
    t->world_number = option("first", 0);
    start(t);
    while (t->translations < wanted) {
        try_world(t);
    }
    missing = coverage_print(&t->coverage);
    if (missing && wanted >= ENOUGH) {
        print("%u of these kinds were never tried\n", missing);
    }
    print("differential: %lu translations, %lu mismatches, seed %lu\n",
          t->translations, t->mismatches, t->seed);
    quit(t->mismatches || (missing && wanted >= ENOUGH) ? 1
                                                             : QUIT_PASSED);
}
