/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: where the references of walks, and data, were found
 */

#include "caches/counts.h"
#include "caches/inside.h"

void dseg_caches_data(DsegCaches *caches, DsegCacheCounters *counters,
                      uint64_t hpa, DsegAccess access)
{
    enqueue(caches, hpa, access == DSEG_FETCH, counters->data[access],
            &counters->cycles.data);
}

void dseg_caches_sweep(DsegCaches *caches, DsegCacheCounters *counters,
                       uint64_t hpa, DsegAccess access)
{
    uint64_t page = hpa & DSEG_PAGE_MASK;
    uint32_t line = dseg_caches_geometry(caches)->line;

    for (uint64_t at = page; at < page + DSEG_PAGE_SIZE; at += line) {
        dseg_caches_data(caches, counters, at, access);
        counters->swept[access]++;
    }
}

/* The level of the table that entry @i of @entries is in. */
static unsigned level_of(const DsegEntries *entries, unsigned i)
{
    return entries->leaf + entries->count - 1 - i;
}

/* Entry @i passes, if it has been read. */
static inline void step(DsegCaches *caches, const DsegEntries *entries,
                        unsigned i, DsegStepPlaces places, uint64_t *cycles)
{
    uint64_t *of_level = places[level_of(entries, i)];

    if (i < entries->spared) {
        of_level[DSEG_PLACE_SPARED]++;
    } else {
        enqueue(caches, entries->hpa[i], false, of_level, cycles);
    }
}

static inline void steps(DsegCaches *caches, const DsegEntries *entries,
                         DsegStepPlaces places, uint64_t *cycles)
{
    for (unsigned i = 0; i < entries->count; i++) {
        step(caches, entries, i, places, cycles);
    }
}

void dseg_caches_walk(DsegCaches *caches, DsegCacheCounters *counters,
                      const DsegWalkEntries *entries, const DsegCost *cost,
                      DsegAccess access, DsegPrivilege privilege)
{
    const DsegEntries *guest = &entries->guest;
    DsegWorld world = cost->in_nested ? DSEG_WORLD_NESTED : DSEG_WORLD_NATIVE;
    DsegStepPlaces *nested = counters->nested[privilege];
    uint64_t *cycles =
        &counters->cycles.walks[dseg_cost_regime(cost)][access][privilege];

    for (unsigned i = 0; i < guest->count; i++) {
        if (entries->gpas) {
            steps(caches, &entries->nested[i], nested[level_of(guest, i)],
                  cycles);
        }
        step(caches, guest, i, counters->guest[world][privilege], cycles);
    }
    if (entries->gpas) {
        steps(caches, &entries->nested[guest->count], nested[0], cycles);
    }
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
