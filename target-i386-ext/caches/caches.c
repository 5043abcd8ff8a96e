/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: what passes a hierarchy of caches
 */

#include "caches/caches.h"
#include "tlb/memory.h"
#include "tlb/replacement.h"

/* Way w of set s is number s * ways + w. */
typedef struct DsegCache {
    uint64_t *tags;         /* of each way: its line + 1; 0: it is invalid */
    uint32_t ways;
    uint32_t sets;
    uint32_t mask;          /* sets - 1 if that is a power of two, else 0 */
    bool inclusive;
    DsegCacheUse use;
    DsegTlbReplacement order;
} DsegCache;

/* The caches that data, or fetches, pass, from the first one on. */
typedef struct DsegCachePath {
    unsigned length;
    DsegCache *cache[DSEG_PLACE_MEMORY];
    DsegCachePlace place[DSEG_PLACE_MEMORY];
} DsegCachePath;

struct DsegCaches {
    DsegCachePath path[2];  /* of data; of fetches, if there is an l1i */
    unsigned line_shift;
    DsegCache cache[DSEG_CACHE__MAX];
    DsegCachesGeometry geometry;
};

static bool is_there(const DsegCaches *caches, DsegCacheName name)
{
    return caches->geometry.cache[name].size;
}

static void init_cache(DsegCaches *caches, DsegCacheName name)
{
    const DsegCacheGeometry *geometry = &caches->geometry.cache[name];
    DsegCache *cache = &caches->cache[name];
    uint32_t lines = geometry->size / caches->geometry.line;

    cache->ways = geometry->ways;
    cache->sets = lines / geometry->ways;
    cache->mask = cache->sets & (cache->sets - 1) ? 0 : cache->sets - 1;
    cache->inclusive = geometry->inclusive;
    cache->tags = dseg_tlb_zeroed(lines * sizeof(*cache->tags));
    dseg_tlb_replacement_init(&cache->order, cache->sets, cache->ways,
                              geometry->policy, caches->geometry.seed + name);
}

static void append(DsegCaches *caches, bool fetch, DsegCacheName name,
                   DsegCachePlace place)
{
    DsegCachePath *path = &caches->path[fetch];

    if (is_there(caches, name)) {
        path->cache[path->length] = &caches->cache[name];
        path->place[path->length++] = place;
    }
}

DsegCaches *dseg_caches_new(const DsegCachesGeometry *geometry)
{
    DsegCaches *caches = dseg_tlb_zeroed(sizeof(*caches));

    caches->geometry = *geometry;
    caches->line_shift = __builtin_ctz(geometry->line);
    for (DsegCacheName name = 0; name < DSEG_CACHE__MAX; name++) {
        if (is_there(caches, name)) {
            init_cache(caches, name);
        }
    }
    for (int fetch = 0; fetch < 2; fetch++) {
        append(caches, fetch, fetch ? DSEG_CACHE_L1I : DSEG_CACHE_L1D,
               DSEG_PLACE_L1);
        append(caches, fetch, DSEG_CACHE_L2, DSEG_PLACE_L2);
        append(caches, fetch, DSEG_CACHE_LLC, DSEG_PLACE_LLC);
    }
    return caches;
}

void dseg_caches_free(DsegCaches *caches)
{
    if (!caches) {
        return;
    }
    for (DsegCacheName name = 0; name < DSEG_CACHE__MAX; name++) {
        if (is_there(caches, name)) {
            free(caches->cache[name].tags);
            dseg_tlb_replacement_destroy(&caches->cache[name].order);
        }
    }
    free(caches);
}

const DsegCachesGeometry *dseg_caches_geometry(const DsegCaches *caches)
{
    return &caches->geometry;
}

uint64_t dseg_caches_line(const DsegCaches *caches, uint64_t hpa)
{
    return hpa >> caches->line_shift;
}

static inline uint32_t set_of(const DsegCache *cache, uint64_t line)
{
    return cache->mask ? line & cache->mask : line % cache->sets;
}

/* The way of @set that has @tag (0: an invalid one); of several, the lowest. */
static inline uint32_t find(const DsegCache *cache, uint32_t set, uint64_t tag)
{
    const uint64_t *tags = cache->tags + (size_t)set * cache->ways;

    for (uint32_t way = 0; way < cache->ways; way++) {
        if (tags[way] == tag) {
            return way;
        }
    }
    return DSEG_TLB_NO_WAY;
}

/* An inclusive cache below has evicted the line of @tag. */
static void back_invalidate(DsegCache *cache, uint64_t tag)
{
    uint32_t set = set_of(cache, tag - 1);
    uint32_t way = find(cache, set, tag);

    if (way != DSEG_TLB_NO_WAY) {
        cache->tags[(size_t)set * cache->ways + way] = 0;
        cache->use.used--;
        cache->use.back_invalidations++;
    }
}

static void back_invalidate_above(DsegCaches *caches, const DsegCache *below,
                                  uint64_t tag)
{
    for (DsegCache *cache = caches->cache; cache < below; cache++) {
        if (cache->ways) {
            back_invalidate(cache, tag);
        }
    }
}

/* The way for a new line in a set. */
static uint32_t make_room(DsegCaches *caches, DsegCache *cache, uint32_t set)
{
    uint32_t way;

    if (cache->use.used < cache->sets * cache->ways) {
        way = find(cache, set, 0);
        if (way != DSEG_TLB_NO_WAY) {
            cache->use.used++;
            return way;
        }
    }
    way = dseg_tlb_replacement_victim(&cache->order, set);
    cache->use.evictions++;
    if (cache->inclusive) {
        back_invalidate_above(caches, cache,
                              cache->tags[(size_t)set * cache->ways + way]);
    }
    return way;
}

static void fill(DsegCaches *caches, DsegCache *cache, uint64_t line)
{
    uint32_t set = set_of(cache, line);
    uint32_t way = make_room(caches, cache, set);

    cache->tags[(size_t)set * cache->ways + way] = line + 1;
    dseg_tlb_replacement_fill(&cache->order, set, way);
}

static bool hits(DsegCache *cache, uint64_t line)
{
    uint32_t set = set_of(cache, line);
    uint32_t way = find(cache, set, line + 1);

    if (way == DSEG_TLB_NO_WAY) {
        return false;
    }
    dseg_tlb_replacement_hit(&cache->order, set, way);
    return true;
}

DsegCachePlace dseg_caches_pass(DsegCaches *caches, uint64_t hpa, bool fetch)
{
    const DsegCachePath *path = &caches->path[fetch];
    uint64_t line = hpa >> caches->line_shift;
    unsigned found = 0;

    while (found < path->length && !hits(path->cache[found], line)) {
        found++;
    }
    for (unsigned i = found; i--;) {
        fill(caches, path->cache[i], line);
    }
    return found < path->length ? path->place[found] : DSEG_PLACE_MEMORY;
}

uint32_t dseg_caches_latency(const DsegCaches *caches, DsegCachePlace place,
                             bool fetch)
{
    const DsegCacheGeometry *cache = caches->geometry.cache;

    switch (place) {
    case DSEG_PLACE_L1:
        return cache[fetch ? DSEG_CACHE_L1I : DSEG_CACHE_L1D].latency;
    case DSEG_PLACE_L2:
        return cache[DSEG_CACHE_L2].latency;
    case DSEG_PLACE_LLC:
        return cache[DSEG_CACHE_LLC].latency;
    default:
        return caches->geometry.memory;
    }
}

void dseg_caches_empty(DsegCaches *caches)
{
    for (DsegCacheName name = 0; name < DSEG_CACHE__MAX; name++) {
        DsegCache *cache = &caches->cache[name];

        if (is_there(caches, name)) {
            memset(cache->tags, 0,
                   (size_t)cache->sets * cache->ways * sizeof(*cache->tags));
            cache->use.used = 0;
        }
    }
}

DsegCacheUse dseg_caches_use(const DsegCaches *caches, DsegCacheName name)
{
    return caches->cache[name].use;
}

void dseg_caches_reset(DsegCaches *caches)
{
    for (DsegCacheName name = 0; name < DSEG_CACHE__MAX; name++) {
        caches->cache[name].use.evictions = 0;
        caches->cache[name].use.back_invalidations = 0;
    }
}
