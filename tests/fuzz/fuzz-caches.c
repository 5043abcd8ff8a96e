/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz the caches: the check of a geometry names a field of it, or all of its
 * rules hold; and whatever passes, what has passed is in L1 after it, no cache
 * has more lines than room, lines that came are there, evicted, or lost, and
 * counts and cycles add up
 */

#include <stdlib.h>

#include "caches/counts.h"
#include "input.h"

enum { MAX_LINES = 1024 };      /* of a cache that is built */

/* What the fuzzer knows besides the counts, since the last reset. */
typedef struct Shadow {
    DsegCaches *caches;
    const DsegCachesGeometry *geometry;
    uint64_t accesses, steps, spared;
    uint64_t used_at_reset[DSEG_CACHE__MAX];
    uint64_t emptied[DSEG_CACHE__MAX];
} Shadow;

static bool take_seldom(Input *in)
{
    return take_below(in, 64) == 63;
}

/* From 1 to @small, or seldom anything. */
static uint64_t take_number(Input *in, unsigned small)
{
    return take_seldom(in) ? take_edge(in) : 1 + take_below(in, small);
}

static DsegCacheGeometry take_cache(Input *in, uint32_t line)
{
    static const DsegTlbPolicy policies[] = {
        DSEG_TLB_LRU, DSEG_TLB_PLRU, DSEG_TLB_RANDOM,
    };
    DsegCacheGeometry cache = { .policy = policies[take_below(in, 3)] };

    cache.ways = cache.policy == DSEG_TLB_PLRU ? 1u << take_below(in, 5)
                                               : take_number(in, 20);
    cache.size = take_number(in, 6) * cache.ways * line;
    if (take_seldom(in)) {
        cache.size = take_edge(in);
        cache.policy = take_below(in, DSEG_TLB_POLICY__MAX + 1);
    }
    return cache;
}

/* Small, and right more often than not. */
static DsegCachesGeometry take_geometry(Input *in)
{
    DsegCachesGeometry geometry = {
        .line = take_seldom(in) ? take_edge(in) : 16u << take_below(in, 9),
        .seed = take_bytes(in, 2),
    };
    unsigned bits = take_bytes(in, 1);
    uint32_t latency = 0;

    for (DsegCacheName i = 0; i < DSEG_CACHE__MAX; i++) {
        if (i ? bits >> i & 1 : !take_seldom(in)) {
            geometry.cache[i] = take_cache(in, geometry.line);
            latency += take_number(in, 9);
            geometry.cache[i].latency = latency;
            geometry.cache[i].inclusive =
                bits >> (i + 4) & 1 && (i >= DSEG_CACHE_L2 || take_seldom(in));
        }
    }
    geometry.memory = latency + take_number(in, 9);
    return geometry;
}

static bool is_there(const DsegCachesGeometry *geometry, DsegCacheName name)
{
    return geometry->cache[name].size;
}

/* What a geometry that has passed the check must be. */
static void check_rules(const DsegCachesGeometry *g)
{
    uint32_t least = 1;

    assert(g->line >= 16 && g->line <= 4096 && !(g->line & (g->line - 1)));
    assert(is_there(g, DSEG_CACHE_L1D));
    for (DsegCacheName i = 0; i < DSEG_CACHE__MAX; i++) {
        const DsegCacheGeometry *cache = &g->cache[i];

        if (is_there(g, i)) {
            assert(cache->ways >= 1 && cache->ways <= 64);
            assert(cache->size <= UINT64_C(1) << 32);
            assert(cache->size % ((uint64_t)cache->ways * g->line) == 0);
            assert(cache->policy == DSEG_TLB_LRU ||
                   cache->policy == DSEG_TLB_RANDOM ||
                   (cache->policy == DSEG_TLB_PLRU &&
                    !(cache->ways & (cache->ways - 1))));
            assert(!cache->inclusive || i >= DSEG_CACHE_L2);
            assert(cache->latency >= (i == DSEG_CACHE_L1I ? 1 : least));
            least = cache->latency > least ? cache->latency : least;
        }
    }
    assert(g->memory >= least && g->memory <= 65535);
}

/* Whether it is right, and small. */
static bool can_be_built(const DsegCachesGeometry *geometry)
{
    char *text = dseg_caches_geometry_check(geometry);

    if (text) {
        assert(!strncmp(text, "caches.", 7) && strstr(text, ": "));
        free(text);
        return false;
    }
    check_rules(geometry);
    for (DsegCacheName i = 0; i < DSEG_CACHE__MAX; i++) {
        if (geometry->cache[i].size / geometry->line > MAX_LINES) {
            return false;
        }
    }
    return true;
}

static uint64_t take_hpa(Input *in, const DsegCachesGeometry *geometry)
{
    unsigned bits = take_bytes(in, 1);

    return (bits & 1 ? UINT64_C(0xffff000000000) : 0) +
           (bits >> 1) * (uint64_t)geometry->line +
           bits % 16;
}

static void take_data(Input *in, Shadow *shadow)
{
    uint64_t hpa = take_hpa(in, shadow->geometry);
    bool l1i = is_there(shadow->geometry, DSEG_CACHE_L1I);
    DsegAccess access = take_below(in, l1i ? DSEG_ACCESS__MAX : DSEG_FETCH);
    bool fetch = access == DSEG_FETCH;

    dseg_caches_data(shadow->caches, hpa, access);
    shadow->accesses++;
    /* What has passed is in L1.  Else it waits, till somebody looks. */
    if (take_below(in, 4) == 0) {
        assert(dseg_caches_pass(shadow->caches, hpa, fetch) == DSEG_PLACE_L1);
    }
}

static DsegEntries take_entries(Input *in, Shadow *shadow)
{
    DsegEntries entries = { .leaf = 1 + take_below(in, 3) };

    entries.count = take_below(in, DSEG_MAX_LEVELS + 2 - entries.leaf);
    entries.spared = take_below(in, entries.count + 1);
    for (unsigned i = 0; i < entries.count; i++) {
        entries.hpa[i] = take_hpa(in, shadow->geometry);
    }
    shadow->steps += entries.count - entries.spared;
    shadow->spared += entries.spared;
    return entries;
}

static void take_walk(Input *in, Shadow *shadow)
{
    DsegCost cost = { .in_nested = take_bool(in) };
    DsegAccess access = take_below(in, DSEG_ACCESS__MAX);
    DsegPrivilege privilege = take_below(in, DSEG_PRIVILEGE__MAX);
    DsegWalkEntries walk = { .guest = take_entries(in, shadow) };

    walk.gpas = cost.in_nested ? walk.guest.count + 1 : 0;
    for (unsigned i = 0; i < walk.gpas; i++) {
        walk.nested[i] = take_entries(in, shadow);
    }
    cost.out_gpas = walk.gpas;
    cost.out_vmm_hits = take_below(in, walk.gpas + 1);
    dseg_caches_walk(shadow->caches, &walk, &cost, access, privilege);
}

static void empty(Shadow *shadow)
{
    for (DsegCacheName i = 0; i < DSEG_CACHE__MAX; i++) {
        shadow->emptied[i] += dseg_caches_use(shadow->caches, i).used;
    }
    dseg_caches_empty(shadow->caches);
}

static void reset(Shadow *shadow)
{
    Shadow fresh = {
        .caches = shadow->caches, .geometry = shadow->geometry,
    };

    dseg_caches_reset(shadow->caches);
    for (DsegCacheName i = 0; i < DSEG_CACHE__MAX; i++) {
        fresh.used_at_reset[i] = dseg_caches_use(shadow->caches, i).used;
    }
    *shadow = fresh;
}

/* The steps of all walks, by place. */
static void sum_steps(const DsegCacheCounters *c, uint64_t *places)
{
    /* An array after the other, of which the last index is the place. */
    const uint64_t *guest = &c->guest[0][0][0][0];
    const uint64_t *nested = &c->nested[0][0][0][0];

    for (size_t i = 0; i < sizeof(c->guest) / sizeof(*guest); i++) {
        places[i % DSEG_STEP_PLACES] += guest[i];
    }
    for (size_t i = 0; i < sizeof(c->nested) / sizeof(*nested); i++) {
        places[i % DSEG_STEP_PLACES] += nested[i];
    }
}

/* How often each cache has been filled: where the place was below it. */
static void sum_fills(const DsegCacheCounters *c, const uint64_t *steps,
                      uint64_t *fills)
{
    for (DsegCachePlace p = DSEG_PLACE_L2; p < DSEG_PLACE__MAX; p++) {
        uint64_t data = c->data[DSEG_LOAD][p] + c->data[DSEG_STORE][p] +
                        steps[p];
        uint64_t fetches = c->data[DSEG_FETCH][p];

        fills[DSEG_CACHE_L1D] += data;
        fills[DSEG_CACHE_L1I] += fetches;
        fills[DSEG_CACHE_L2] += p > DSEG_PLACE_L2 ? data + fetches : 0;
        fills[DSEG_CACHE_LLC] += p > DSEG_PLACE_LLC ? data + fetches : 0;
    }
}

static void check_use(const Shadow *shadow, DsegCacheName name, uint64_t fills)
{
    const DsegCacheGeometry *cache = &shadow->geometry->cache[name];
    DsegCacheUse use = dseg_caches_use(shadow->caches, name);

    assert(use.used <= cache->size / shadow->geometry->line);
    assert(use.used + use.evictions + use.back_invalidations +
           shadow->emptied[name] ==
           shadow->used_at_reset[name] + (cache->size ? fills : 0));
    for (DsegCacheName i = DSEG_CACHE_L2; i < DSEG_CACHE__MAX; i++) {
        if (name < i && is_there(shadow->geometry, i) &&
            shadow->geometry->cache[i].inclusive) {
            assert(use.used <= dseg_caches_use(shadow->caches, i).used);
        }
    }
}

/* Accesses, steps and cycles, by place, are those that there were. */
static void check_counters(const Shadow *shadow, const DsegCacheCounters *c,
                           const uint64_t *steps)
{
    uint64_t accesses = 0, data_cycles = 0, read = 0, walk_cycles = 0;

    for (DsegCachePlace p = 0; p < DSEG_PLACE__MAX; p++) {
        for (DsegAccess a = 0; a < DSEG_ACCESS__MAX; a++) {
            accesses += c->data[a][p];
            data_cycles += c->data[a][p] * dseg_caches_latency(
                shadow->caches, p, a == DSEG_FETCH);
        }
        read += steps[p];
        walk_cycles += steps[p] *
                       dseg_caches_latency(shadow->caches, p, false);
    }
    assert(accesses == shadow->accesses && read == shadow->steps);
    assert(steps[DSEG_PLACE_SPARED] == shadow->spared);
    assert(data_cycles == c->cycles.data);
    assert(walk_cycles == dseg_caches_walk_cycles(&c->cycles));
}

static void check_invariants(const Shadow *shadow)
{
    const DsegCacheCounters *c = dseg_caches_counters(shadow->caches);
    uint64_t steps[DSEG_STEP_PLACES] = { 0 }, fills[DSEG_CACHE__MAX] = { 0 };

    sum_steps(c, steps);
    sum_fills(c, steps, fills);
    check_counters(shadow, c, steps);
    for (DsegCacheName i = 0; i < DSEG_CACHE__MAX; i++) {
        check_use(shadow, i, fills[i]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Input in = { data, size };
    DsegCachesGeometry geometry = take_geometry(&in);
    Shadow shadow = { .geometry = &geometry };

    if (!can_be_built(&geometry)) {
        return 0;
    }
    shadow.caches = dseg_caches_new(&geometry);
    while (in.left) {
        switch (take_below(&in, 32)) {
        case 0:
            empty(&shadow);
            break;
        case 1:
            reset(&shadow);
            break;
        case 2 ... 9:
            take_walk(&in, &shadow);
            break;
        default:
            take_data(&in, &shadow);
        }
        if (take_below(&in, 4) == 0) {
            check_invariants(&shadow);
        }
    }
    check_invariants(&shadow);
    dseg_caches_free(shadow.caches);
    return 0;
}
