/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What passes through the caches, and what is counted of it. */
#include "passing.h"

#define PAGE 4096ull

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

/* The watch of the address's page, or NULL. */
static struct watch *watch_of(struct passing *passing, uint64_t address)
{
    for (unsigned i = 0; i < WATCHES; i++) {
        struct watch *watch = &passing->watch[i];

        if (watch->on && watch->page == address / PAGE * PAGE) {
            return watch;
        }
    }
    return NULL;
}

static void begin_watch(struct passing *passing, uint64_t page)
{
    struct watch *before = watch_of(passing, page), *free = NULL;

    if (before) {
        before->on = false;
    }

    for (unsigned i = 0; i < WATCHES; i++) {
        struct watch *watch = &passing->watch[i];

        if (watch->on && watch->begun + WATCHES == passing->watches) {
            watch->on = false;      /* eight have begun since */
        }
        if (!watch->on) {
            free = watch;
        }
    }
    *free = (struct watch) {
        .on = true, .page = page, .begun = passing->watches++,
    };
}

static void sweep(struct passing *passing, enum kind kind, uint64_t hpa)
{
    uint64_t line = passing->caches.line;

    for (uint64_t at = 0; at < PAGE / line; at++) {
        pass_access(passing, kind, hpa / PAGE * PAGE + at * line);
        passing->counts.swept[kind]++;
    }
}

static void hit_watched(struct passing *passing, struct watch *watch,
                        enum kind kind, uint64_t address, uint64_t hpa)
{
    uint64_t line = passing->caches.line, offset = address % PAGE;

    if (offset < line) {
        watch->hits++;
        watch->on = watch->hits != line;
        return;
    }
    watch->on = false;
    if (offset == line) {
        sweep(passing, kind, hpa);
        begin_watch(passing, watch->page + PAGE);
    }
}

void pass_watched(struct passing *passing, enum kind kind, enum answer answer,
                  uint64_t address, uint64_t hpa)
{
    struct watch *watch = watch_of(passing, address);

    if (!passing->caches.present) {
        return;
    }
    if (watch && answer == L1_HIT) {
        hit_watched(passing, watch, kind, address, hpa);
    } else if (watch) {
        watch->on = false;
    }
    if (answer == L1_MISS && address % PAGE == 0) {
        begin_watch(passing, address);
    }
}

void passing_end_watches(struct passing *passing)
{
    for (unsigned i = 0; i < WATCHES; i++) {
        passing->watch[i].on = false;
    }
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
