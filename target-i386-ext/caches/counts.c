/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: where the references of walks, and data, were found
 */

#include "caches/inside.h"

static inline void data(DsegCaches *caches, uint64_t hpa, uint16_t more,
                        DsegAccess access)
{
    const DsegCacheCounters *counters = &caches->passed;

    enqueue(caches, hpa, more, access == DSEG_FETCH, counters->data[access],
            &counters->cycles.data);
}

void dseg_caches_data(DsegCaches *caches, uint64_t hpa, DsegAccess access)
{
    data(caches, hpa, 0, access);
}

void dseg_caches_sweep(DsegCaches *caches, uint64_t hpa, DsegAccess access)
{
    unsigned lines = DSEG_PAGE_SIZE >> caches->line_shift;

    data(caches, hpa & DSEG_PAGE_MASK, lines - 1, access);
    caches->unpassed.swept[access] += lines;
}

/* The level of the table that entry @i of @entries is in. */
static unsigned level_of(const DsegEntries *entries, unsigned i)
{
    return entries->leaf + entries->count - 1 - i;
}

/* Where the steps of a dimension are counted, by level. */
typedef struct Steps {
    DsegStepPlaces *unpassed, *passed;
    const uint64_t *cycles;
} Steps;

/* Entry @i passes, if it has been read. */
static inline void step(DsegCaches *caches, const DsegEntries *entries,
                        unsigned i, const Steps *to)
{
    unsigned level = level_of(entries, i);

    if (i < entries->spared) {
        (*to->unpassed)[level][DSEG_PLACE_SPARED]++;
    } else {
        enqueue(caches, entries->hpa[i], 0, false, (*to->passed)[level],
                to->cycles);
    }
}

/* The nested walk for the gPA of the guest's entry of a level; 0: the final one. */
static inline void nested_steps(DsegCaches *caches, const DsegEntries *entries,
                                DsegPrivilege privilege, unsigned level,
                                const uint64_t *cycles)
{
    const Steps to = {
        .unpassed = &caches->unpassed.nested[privilege][level],
        .passed = &caches->passed.nested[privilege][level],
        .cycles = cycles,
    };

    for (unsigned i = 0; i < entries->count; i++) {
        step(caches, entries, i, &to);
    }
}

void dseg_caches_walk(DsegCaches *caches, const DsegWalkEntries *entries,
                      const DsegCost *cost, DsegAccess access,
                      DsegPrivilege privilege)
{
    const DsegEntries *guest = &entries->guest;
    DsegWorld world = cost->in_nested ? DSEG_WORLD_NESTED : DSEG_WORLD_NATIVE;
    DsegRegime regime = dseg_cost_regime(cost);
    const Steps to = {
        .unpassed = &caches->unpassed.guest[world][privilege],
        .passed = &caches->passed.guest[world][privilege],
        .cycles = &caches->passed.cycles.walks[regime][access][privilege],
    };

    for (unsigned i = 0; i < guest->count; i++) {
        if (entries->gpas) {
            nested_steps(caches, &entries->nested[i], privilege,
                         level_of(guest, i), to.cycles);
        }
        step(caches, guest, i, &to);
    }
    if (entries->gpas) {
        nested_steps(caches, &entries->nested[guest->count], privilege, 0,
                     to.cycles);
    }
}

const DsegCacheCounters *dseg_caches_counters(DsegCaches *caches)
{
    const uint64_t *unpassed = (const uint64_t *)&caches->unpassed;
    const uint64_t *passed = (const uint64_t *)&caches->passed;
    uint64_t *all = (uint64_t *)&caches->all;

    dseg_caches_settle(caches);
    for (size_t i = 0; i < sizeof(caches->all) / sizeof(*all); i++) {
        all[i] = unpassed[i] + passed[i];
    }
    return &caches->all;
}

const DsegCycles *dseg_caches_cycles(const DsegCaches *caches)
{
    return &caches->passed.cycles;
}

uint64_t dseg_caches_walk_cycles(const DsegCycles *cycles)
{
    uint64_t sum = 0;

    for (unsigned r = 0; r < DSEG_REGIME__MAX; r++) {
        for (unsigned a = 0; a < DSEG_ACCESS__MAX; a++) {
            for (unsigned p = 0; p < DSEG_PRIVILEGE__MAX; p++) {
                sum += cycles->walks[r][a][p];
            }
        }
    }
    return sum;
}
