/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What passes through the caches, and what is counted of it. */
#include "passing.h"

#define PAGE 4096ull
/* Of so many pages that are swept one after the other, one is not trusted. */
#define TRUST_PERIOD 8

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

/* The watch of the page, or NULL. */
static struct watch *watch_of(struct passing *passing, uint64_t page)
{
    for (unsigned i = 0; i < WATCHES; i++) {
        struct watch *watch = &passing->watch[i];

        if (watch->on && watch->page == page) {
            return watch;
        }
    }
    return NULL;
}

static void begin_watch(struct passing *passing, uint64_t page, uint64_t n)
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
        .on = true, .page = page, .n = n, .begun = passing->watches++,
    };
}

static void sweep(struct passing *passing, enum kind kind, uint64_t page,
                  uint64_t n, uint64_t hpa)
{
    uint64_t line = passing->caches.line;

    for (uint64_t at = 0; at < PAGE / line; at++) {
        pass_access(passing, kind, hpa / PAGE * PAGE + at * line);
        passing->counts.swept[kind]++;
    }
    /* Behind the last page is page 0. */
    begin_watch(passing, (page + 1) % (UINT64_MAX / PAGE + 1), n + 1);
}

/* A hit of a watched page, not taken on trust; whether a sweep follows. */
static bool hit_watched(struct watch *watch, uint64_t line, uint64_t offset)
{
    if (offset < line) {
        watch->hits++;
        watch->on = watch->hits != line;
        return false;
    }
    watch->on = false;
    return offset == line;
}

void pass_watched(struct passing *passing, enum kind kind, enum answer answer,
                  uint64_t address, uint64_t hpa)
{
    uint64_t page = address / PAGE, offset = address % PAGE;
    struct watch *watch = watch_of(passing, page);
    uint64_t n = watch ? watch->n : 0;
    bool trust = offset == 0 && n % TRUST_PERIOD != 0;
    bool sweeps = trust && answer != BESIDE_L1;

    if (!passing->caches.present) {
        return;
    }
    if (watch && answer == L1_HIT && !trust) {
        sweeps = hit_watched(watch, passing->caches.line, offset);
    } else if (watch) {
        watch->on = false;
    }
    if (sweeps) {
        sweep(passing, kind, page, n, hpa);
    } else if (answer == L1_MISS && offset == 0) {
        begin_watch(passing, page, n);
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
