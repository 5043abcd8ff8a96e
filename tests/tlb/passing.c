/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What passes through the caches, and what is counted of it. */
#include "passing.h"

static bool fetches_pass(const struct passing *passing)
{
    return passing->caches.cache[CACHE_L1I].size != 0;
}

void passing_begin(struct passing *passing)
{
    passing->counts = (struct passed) { 0 };
    for (enum cache_number number = 0; number < CACHES; number++) {
        passing->caches.cache[number].evictions = 0;
        passing->caches.cache[number].back_invalidations = 0;
    }
}

void pass_access(struct passing *passing, enum kind kind, uint64_t hpa)
{
    struct caches *caches = &passing->caches;
    bool fetch = kind == FETCH;
    enum where where;

    if (!caches->present || (fetch && !fetches_pass(passing))) {
        return;
    }
    where = caches_pass(caches, hpa, fetch);
    passing->counts.data[kind][where]++;
    passing->counts.data_cycles += caches_latency(caches, where, fetch);
}

void pass_instruction(struct passing *passing, uint64_t hpa, bool in_any_case)
{
    uint64_t line;

    if (!passing->caches.present) {
        return;
    }
    line = hpa / passing->caches.line;
    if (in_any_case || line != passing->fetched_line) {
        pass_access(passing, FETCH, hpa);
    }
    passing->fetched_line = line;
}

void pass_step(struct passing *passing, const struct passing_walk *walk,
               const struct step *step)
{
    struct caches *caches = &passing->caches;
    enum privilege privilege = passing->privilege;
    enum where where = SPARED;

    if (!caches->present) {
        return;
    }
    if (!step->spared) {
        where = caches_pass(caches, step->hpa, false);
        passing->counts.walk_cycles[walk->regime][walk->kind][privilege] +=
            caches_latency(caches, where, false);
    }
    passing->counts.steps[walk->world][privilege][step->dimension]
        [step->for_level][step->table_level][where]++;
}
