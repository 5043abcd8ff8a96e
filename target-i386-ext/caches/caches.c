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

    /*
     * A byte of each way that tells most lines from each other, so that a set
     * is searched eight ways at a time.  Those of a set fill whole words; what
     * an invalid way or no way has there does not matter.
     */
    uint64_t *hints;
    uint32_t hint_words;    /* of a set */
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
    cache->hint_words = (geometry->ways + 7) / 8;
    cache->hints = dseg_tlb_zeroed((size_t)cache->sets * cache->hint_words *
                                   sizeof(*cache->hints));
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
            free(caches->cache[name].hints);
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

static inline uint8_t hint_of(uint64_t line)
{
    return line * UINT64_C(0x9e3779b97f4a7c15) >> 56;
}

static inline const uint64_t *hints_of(const DsegCache *cache, uint32_t set)
{
    return cache->hints + (size_t)set * cache->hint_words;
}

/*
 * Which ways of eight have the hint that each byte of @wanted is: the top bits of
 * their bytes, and perhaps of others above them.
 */
static inline uint64_t match(uint64_t hints, uint64_t wanted)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t other = hints ^ wanted;

    return (other - ones) & ~other & ones << 7;
}

/* The byte of @line's hint, in all bytes. */
static inline uint64_t wanted_hints(uint64_t line)
{
    return hint_of(line) * UINT64_C(0x0101010101010101);
}

/* The way of @set that has @line. */
static inline uint32_t find(const DsegCache *cache, uint32_t set, uint64_t line)
{
    const uint64_t *tags = cache->tags + (size_t)set * cache->ways;
    const uint64_t *hints = hints_of(cache, set);
    uint64_t wanted = wanted_hints(line);

    for (uint32_t word = 0; word < cache->hint_words; word++) {
        uint64_t found = match(hints[word], wanted);

        for (; found; found &= found - 1) {
            uint32_t way = 8 * word + __builtin_ctzll(found) / 8;

            if (way < cache->ways && tags[way] == line + 1) {
                return way;
            }
        }
    }
    return DSEG_TLB_NO_WAY;
}

/* L1 is so small that the host's caches have not forgotten any of it. */
void dseg_caches_prefetch(const DsegCaches *caches, uint64_t hpa)
{
    const DsegCachePath *path = &caches->path[false];
    uint64_t line = hpa >> caches->line_shift;

    for (unsigned i = 1; i < path->length; i++) {
        uint32_t set = set_of(path->cache[i], line);

        __builtin_prefetch(hints_of(path->cache[i], set), 1);
        dseg_tlb_replacement_prefetch(&path->cache[i]->order, set);
    }
}

/* Those that may be of the line, and that of the victim, if it is known. */
static void prefetch_tags(const DsegCache *cache, uint32_t set, uint64_t line)
{
    const uint64_t *tags = cache->tags + (size_t)set * cache->ways;
    uint32_t next = dseg_tlb_replacement_next(&cache->order, set);

    for (uint32_t word = 0; word < cache->hint_words; word++) {
        uint64_t found = match(hints_of(cache, set)[word], wanted_hints(line));

        if (found) {
            next = 8 * word + __builtin_ctzll(found) / 8;
        }
    }
    if (next < cache->ways) {
        __builtin_prefetch(tags + next, 1);
    }
}

void dseg_caches_prefetch_tags(const DsegCaches *caches, uint64_t hpa)
{
    const DsegCachePath *path = &caches->path[false];
    uint64_t line = hpa >> caches->line_shift;

    for (unsigned i = 1; i < path->length; i++) {
        prefetch_tags(path->cache[i], set_of(path->cache[i], line), line);
    }
}

/* The invalid way of the lowest number. */
static uint32_t find_invalid(const DsegCache *cache, uint32_t set)
{
    const uint64_t *tags = cache->tags + (size_t)set * cache->ways;

    for (uint32_t way = 0; way < cache->ways; way++) {
        if (!tags[way]) {
            return way;
        }
    }
    return DSEG_TLB_NO_WAY;
}

/* An inclusive cache below has evicted @line. */
static void back_invalidate(DsegCache *cache, uint64_t line)
{
    uint32_t set = set_of(cache, line);
    uint32_t way = find(cache, set, line);

    if (way != DSEG_TLB_NO_WAY) {
        cache->tags[(size_t)set * cache->ways + way] = 0;
        cache->use.used--;
        cache->use.back_invalidations++;
    }
}

static void back_invalidate_above(DsegCaches *caches, const DsegCache *below,
                                  uint64_t line)
{
    for (DsegCache *cache = caches->cache; cache < below; cache++) {
        if (cache->ways) {
            back_invalidate(cache, line);
        }
    }
}

/* The way for a new line in a set. */
static uint32_t make_room(DsegCaches *caches, DsegCache *cache, uint32_t set)
{
    uint32_t way;

    if (cache->use.used < cache->sets * cache->ways) {
        way = find_invalid(cache, set);
        if (way != DSEG_TLB_NO_WAY) {
            cache->use.used++;
            return way;
        }
    }
    way = dseg_tlb_replacement_victim(&cache->order, set);
    cache->use.evictions++;
    if (cache->inclusive) {
        back_invalidate_above(caches, cache,
                              cache->tags[(size_t)set * cache->ways + way] - 1);
    }
    return way;
}

static void set_hint(DsegCache *cache, uint32_t set, uint32_t way,
                     uint64_t line)
{
    uint64_t *word = cache->hints + (size_t)set * cache->hint_words + way / 8;
    unsigned shift = way % 8 * 8;

    *word = (*word & ~(UINT64_C(0xff) << shift)) |
            (uint64_t)hint_of(line) << shift;
}

static void fill(DsegCaches *caches, DsegCache *cache, uint64_t line)
{
    uint32_t set = set_of(cache, line);
    uint32_t way = make_room(caches, cache, set);

    cache->tags[(size_t)set * cache->ways + way] = line + 1;
    set_hint(cache, set, way, line);
    dseg_tlb_replacement_fill(&cache->order, set, way);
}

static bool hits(DsegCache *cache, uint64_t line)
{
    uint32_t set = set_of(cache, line);
    uint32_t way = find(cache, set, line);

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
