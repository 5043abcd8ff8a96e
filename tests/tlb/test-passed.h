/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What has passed through the caches of a simulator under test. */
#ifndef TEST_PASSED_H
#define TEST_PASSED_H

#include "test-cpu.h"

#include <inttypes.h>

#define TLB "array l1d pages=4k entries=16 ways=16\n" \
            "array l1i pages=4k entries=2 ways=2\n"
/* What has passed as data is all there. */
#define BIG TLB "caches line=16 memory=100\n" \
                "cache l1d size=1024 ways=64 latency=1\n"

#define STEPS(world, privilege) \
    s.passing.counts.steps[WORLD_##world][PRIVILEGE_##privilege]
#define GUEST_STEPS(level, where) \
    STEPS(NATIVE, KERNEL)[DIMENSION_GUEST][0][level][where]
#define NESTED_STEPS(for_level, level, where) \
    STEPS(NESTED, KERNEL)[DIMENSION_NESTED][for_level][level][where]
#define DATA_AT(kind, where) s.passing.counts.data[kind][where]
#define WALK_CYCLES(regime, kind) \
    s.passing.counts.walk_cycles[REF_##regime][kind][PRIVILEGE_KERNEL]

/* Steps of all levels with that place. */
static inline uint64_t steps_at(step_counts counts, enum where where)
{
    uint64_t all = 0;

    for (unsigned i = 0; i < DIMENSIONS * (MAX_LEVELS + 1); i++) {
        for (unsigned level = 1; level <= MAX_LEVELS; level++) {
            all += counts[i / (MAX_LEVELS + 1)][i % (MAX_LEVELS + 1)][level]
                         [where];
        }
    }
    return all;
}

static inline int by_touch(const void *a, const void *b)
{
    const struct cache_line *const *one = a, *const *two = b;

    return (*one)->touched < (*two)->touched ? -1 : 1;
}

/* The lines that a cache has, as hPAs, in the order of their last touches. */
static inline void expect_order(const struct cache *cache, const char *expected)
{
    g_autoptr(GPtrArray) lines = g_ptr_array_new();
    g_autoptr(GString) got = g_string_new(NULL);

    for (uint64_t i = 0; i < cache->sets * cache->ways; i++) {
        if (cache->line[i].valid) {
            g_ptr_array_add(lines, &cache->line[i]);
        }
    }
    g_ptr_array_sort(lines, by_touch);
    for (unsigned i = 0; i < lines->len; i++) {
        const struct cache_line *line = g_ptr_array_index(lines, i);

        g_string_append_printf(got, "%s%" PRIx64, i ? " " : "",
                               line->number * s.passing.caches.line);
    }
    g_assert_cmpstr(got->str, ==, expected);
}

/* A CPU without walk caches would have made all steps, spared ones too. */
static inline void end(void)
{
    uint64_t steps = 0;

    for (unsigned i = 0; i < WORLDS * PRIVILEGES * PLACES; i++) {
        steps += steps_at(s.passing.counts.steps[i / PLACES / PRIVILEGES]
                                                [i / PLACES % PRIVILEGES],
                          i % PLACES);
    }
    EXPECT(s.counts.guest_refs + s.counts.nested_refs, steps);
    g_assert_null(s.error);
    simulator_free(&s);
    s = (struct simulator) { 0 };
}

#endif
