/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A hierarchy of caches. */
#include "caches.h"

#include <glib.h>

const char *const cache_names[CACHES] = { "l1d", "l1i", "l2", "llc" };
const char *const where_names[PLACES] = {
    "l1", "l2", "llc", "memory", "spared",
};

static bool is_there(const struct cache *cache)
{
    return cache->size != 0;
}

/* -- Geometry -- */

static const char *check_cache(const struct caches *caches,
                               enum cache_number number)
{
    const struct cache *cache = &caches->cache[number];

    if (cache->ways < 1 || cache->ways > 64) {
        return "ways: not from 1 to 64";
    }
    if (cache->size > 1ull << 32 ||
        cache->size % ((uint64_t)cache->ways * caches->line)) {
        return "size: no multiple of ways times line, or more than 2^32";
    }
    if (cache->policy == FIFO) {
        return "policy: caches have no fifo";
    }
    if (cache->policy == PLRU && !is_power_of_2(cache->ways)) {
        return "policy: plru needs a power of two of ways";
    }
    if (cache->inclusive && number < CACHE_L2) {
        return "inclusive: nothing is above l1d and l1i";
    }
    return NULL;
}

/* Whether something in a cache takes cycles in order, up to memory. */
static bool is_latency(const struct caches *caches, enum cache_number number)
{
    unsigned latency = caches->cache[number].latency;

    for (enum cache_number below = MAX(number + 1, CACHE_L2); below < CACHES;
         below++) {
        if (is_there(&caches->cache[below]) &&
            caches->cache[below].latency < latency) {
            return false;
        }
    }
    return latency >= 1 && latency <= 65535 && latency <= caches->memory;
}

static const char *check(const struct caches *caches)
{
    if (!is_power_of_2(caches->line) || caches->line < 16 ||
        caches->line > 4096) {
        return "line: no power of two from 16 to 4096";
    }
    if (caches->memory < 1 || caches->memory > 65535) {
        return "memory: not from 1 to 65535";
    }
    if (!is_there(&caches->cache[CACHE_L1D])) {
        return "l1d: it has to be there";
    }
    for (enum cache_number number = 0; number < CACHES; number++) {
        const char *wrong = NULL;

        if (is_there(&caches->cache[number])) {
            wrong = check_cache(caches, number);
        }
        if (wrong) {
            return wrong;
        }
        if (is_there(&caches->cache[number]) && !is_latency(caches, number)) {
            return "latency: not from 1 to 65535, or more than one below it";
        }
    }
    return NULL;
}

static void init_cache(struct cache *cache, unsigned line_bytes,
                       uint64_t random)
{
    uint64_t lines = cache->size / line_bytes;

    cache->sets = lines / cache->ways;
    cache->line = g_new0(struct cache_line, lines);
    cache->tree = g_new0(bool, lines);
    cache->clock = 0;
    cache->random = random;
    cache->evictions = cache->back_invalidations = 0;
}

const char *caches_init(struct caches *caches)
{
    const char *wrong = caches->present ? check(caches) : NULL;

    if (wrong) {
        return wrong;
    }
    for (enum cache_number number = 0; number < CACHES; number++) {
        if (is_there(&caches->cache[number])) {
            init_cache(&caches->cache[number], caches->line,
                       caches->seed + number);
        }
    }
    return NULL;
}

void caches_free(struct caches *caches)
{
    for (enum cache_number number = 0; number < CACHES; number++) {
        g_free(caches->cache[number].line);
        g_free(caches->cache[number].tree);
    }
}

uint64_t cache_used(const struct caches *caches, const struct cache *cache)
{
    uint64_t used = 0;

    for (uint64_t i = 0; i < cache->size / caches->line; i++) {
        used += cache->line[i].valid;
    }
    return used;
}

/* -- Sets -- */

static struct cache_line *set_of(const struct cache *cache, uint64_t number)
{
    return &cache->line[number % cache->sets * cache->ways];
}

/* The line of that number, or NULL. */
static struct cache_line *find(const struct cache *cache, uint64_t number)
{
    struct cache_line *set = set_of(cache, number);

    for (unsigned way = 0; way < cache->ways; way++) {
        if (set[way].valid && set[way].number == number) {
            return &set[way];
        }
    }
    return NULL;
}

static void touch(struct cache *cache, struct cache_line *line)
{
    uint64_t set = (line - cache->line) / cache->ways * cache->ways;

    line->touched = ++cache->clock;
    if (cache->policy == PLRU) {
        tree_touch(&cache->tree[set], cache->ways, line - &cache->line[set]);
    }
}

static unsigned oldest(const struct cache *cache, const struct cache_line *set)
{
    unsigned victim = 0;

    for (unsigned way = 1; way < cache->ways; way++) {
        if (set[way].touched < set[victim].touched) {
            victim = way;
        }
    }
    return victim;
}

/* The way that a fill takes. */
static unsigned choose_way(struct cache *cache, const struct cache_line *set)
{
    for (unsigned way = 0; way < cache->ways; way++) {
        if (!set[way].valid) {
            return way;
        }
    }
    switch (cache->policy) {
    case PLRU:
        return tree_victim(&cache->tree[set - cache->line], cache->ways);
    case RANDOM:
        return next_random(&cache->random) % cache->ways;
    default:
        return oldest(cache, set);
    }
}

/* -- Passing -- */

/* An inclusive cache has evicted a line: those above it lose it. */
static void invalidate_above(struct caches *caches, const struct cache *cache,
                             uint64_t number)
{
    for (struct cache *above = caches->cache; above < cache; above++) {
        struct cache_line *line = is_there(above) ? find(above, number) : NULL;

        if (line) {
            line->valid = false;
            above->back_invalidations++;
        }
    }
}

static void fill(struct caches *caches, struct cache *cache, uint64_t number)
{
    struct cache_line *set = set_of(cache, number);
    struct cache_line *line = &set[choose_way(cache, set)];

    if (line->valid) {
        cache->evictions++;
        if (cache->inclusive) {
            invalidate_above(caches, cache, line->number);
        }
    }
    *line = (struct cache_line) { .valid = true, .number = number };
    touch(cache, line);
}

/* The caches that something passes, as far as there are such. */
static unsigned path_of(struct caches *caches, bool fetch,
                        struct cache *path[CACHES])
{
    const enum cache_number numbers[] = {
        fetch ? CACHE_L1I : CACHE_L1D, CACHE_L2, CACHE_LLC,
    };
    unsigned length = 0;

    for (unsigned i = 0; i < G_N_ELEMENTS(numbers); i++) {
        struct cache *cache = &caches->cache[numbers[i]];

        if (is_there(cache)) {
            path[length++] = cache;
        }
    }
    return length;
}

static enum where place_of(const struct caches *caches,
                           const struct cache *cache)
{
    switch (cache - caches->cache) {
    case CACHE_L2:
        return IN_L2;
    case CACHE_LLC:
        return IN_LLC;
    default:
        return IN_L1;
    }
}

enum where caches_pass(struct caches *caches, uint64_t hpa, bool fetch)
{
    uint64_t number = hpa / caches->line;
    struct cache *path[CACHES];
    unsigned length = path_of(caches, fetch, path), at = 0;

    while (at < length && !find(path[at], number)) {
        at++;
    }
    if (at < length) {
        touch(path[at], find(path[at], number));
    }
    for (unsigned before = at; before > 0; before--) {
        fill(caches, path[before - 1], number);
    }
    return at < length ? place_of(caches, path[at]) : IN_MEMORY;
}

unsigned caches_latency(const struct caches *caches, enum where where,
                        bool fetch)
{
    switch (where) {
    case IN_L1:
        return caches->cache[fetch ? CACHE_L1I : CACHE_L1D].latency;
    case IN_L2:
        return caches->cache[CACHE_L2].latency;
    case IN_LLC:
        return caches->cache[CACHE_LLC].latency;
    case IN_MEMORY:
        return caches->memory;
    default:
        return 0;
    }
}
