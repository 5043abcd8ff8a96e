/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: what passes a hierarchy of caches
 */

#include "caches/inside.h"
#include "tlb/memory.h"

static bool is_there(const DsegCaches *caches, DsegCacheName name)
{
    return caches->geometry.cache[name].size;
}

static size_t round_up(size_t bytes, size_t unit)
{
    return (bytes + unit - 1) / unit * unit;
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
    cache->hint_bytes = round_up(cache->ways, sizeof(uint64_t));
    cache->stride = cache->hint_bytes + cache->ways * sizeof(uint64_t);
    /* Of smaller sets there may be many. */
    if (cache->stride > DSEG_TLB_LINE / 2) {
        cache->stride = round_up(cache->stride, DSEG_TLB_LINE);
    }
    cache->memory = dseg_tlb_zeroed(cache->sets * cache->stride);
    if (name < DSEG_CACHE_L2) {
        cache->last = dseg_tlb_zeroed(cache->sets * sizeof(*cache->last));
    }
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

static void end_path(DsegCaches *caches, bool fetch)
{
    const DsegCacheGeometry *cache = caches->geometry.cache;
    DsegCachePath *path = &caches->path[fetch];

    path->place[path->length] = DSEG_PLACE_MEMORY;
    path->latency[DSEG_PLACE_L1] =
        cache[fetch ? DSEG_CACHE_L1I : DSEG_CACHE_L1D].latency;
    path->latency[DSEG_PLACE_L2] = cache[DSEG_CACHE_L2].latency;
    path->latency[DSEG_PLACE_LLC] = cache[DSEG_CACHE_LLC].latency;
    path->latency[DSEG_PLACE_MEMORY] = caches->geometry.memory;
}

DsegCaches *dseg_caches_new(const DsegCachesGeometry *geometry)
{
    DsegCaches *caches = dseg_tlb_zeroed(sizeof(*caches));

    pthread_mutex_init(&caches->lock, NULL);
    dseg_caches_init_queue(caches, 1);
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
        end_path(caches, fetch);
    }
    return caches;
}

void dseg_caches_free(DsegCaches *caches)
{
    if (!caches) {
        return;
    }
    dseg_caches_end_helper(caches);
    pthread_mutex_destroy(&caches->lock);
    for (DsegCacheName name = 0; name < DSEG_CACHE__MAX; name++) {
        if (is_there(caches, name)) {
            free(caches->cache[name].memory);
            free(caches->cache[name].last);
            dseg_tlb_replacement_destroy(&caches->cache[name].order);
        }
    }
    free(caches->queue.memory);
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

/* What @hint_of tells lines by. */
static inline uint8_t hint_of(uint64_t line)
{
    uint8_t hint = line * UINT64_C(0x9e3779b97f4a7c15) >> 56;

    return hint | !hint;
}

static inline uint64_t *tags_of(const DsegCache *cache, uint8_t *hints)
{
    return (uint64_t *)(hints + cache->hint_bytes);
}

/* Which of the eight ways from @hints on have this hint: the top bits of bytes. */
static inline uint64_t match(const uint8_t *hints, uint8_t hint)
{
    const uint64_t rest = UINT64_C(0x7f7f7f7f7f7f7f7f);
    uint64_t other;

    memcpy(&other, hints, sizeof(other));
    if (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__) {
        other = __builtin_bswap64(other);
    }
    other ^= hint * UINT64_C(0x0101010101010101);
    return ~(((other & rest) + rest) | other | rest);
}

/* The way that has @line, of a set. */
static inline uint32_t find(const DsegCache *cache, uint8_t *hints,
                            uint64_t line, uint8_t hint)
{
    const uint64_t *tags = tags_of(cache, hints);

    for (uint32_t first = 0; first < cache->hint_bytes; first += 8) {
        uint64_t found = match(hints + first, hint);

        for (; found; found &= found - 1) {
            uint32_t way = first + __builtin_ctzll(found) / 8;

            if (tags[way] == line) {
                return way;
            }
        }
    }
    return DSEG_TLB_NO_WAY;
}

/* The invalid way of the lowest number. */
static inline uint32_t find_invalid(const DsegCache *cache,
                                    const uint8_t *hints)
{
    for (uint32_t first = 0; first < cache->hint_bytes; first += 8) {
        uint64_t found = match(hints + first, 0);

        if (found) {
            uint32_t way = first + __builtin_ctzll(found) / 8;

            return way < cache->ways ? way : DSEG_TLB_NO_WAY;
        }
    }
    return DSEG_TLB_NO_WAY;
}

/* An inclusive cache below has evicted @line. */
static inline void back_invalidate(DsegCache *cache, uint64_t line,
                                   uint8_t hint)
{
    uint32_t set = set_of(cache, line);
    uint8_t *hints = hints_of(cache, set);
    uint32_t way = find(cache, hints, line, hint);

    if (way == DSEG_TLB_NO_WAY) {
        return;
    }
    hints[way] = 0;
    if (cache->last && cache->last[set] == line + 1) {
        cache->last[set] = 0;
    }
    cache->use.used--;
    cache->use.back_invalidations++;
}

static void back_invalidate_above(DsegCaches *caches, const DsegCache *below,
                                  uint64_t line)
{
    uint8_t hint = hint_of(line);

    for (DsegCache *cache = caches->cache; cache < below; cache++) {
        if (cache->ways) {
            back_invalidate(cache, line, hint);
        }
    }
}

/* The way for a new line in a set. */
static inline uint32_t make_room(DsegCaches *caches, DsegCache *cache,
                                 uint32_t set, uint8_t *hints)
{
    uint32_t way;

    if (cache->use.used < cache->sets * cache->ways) {
        way = find_invalid(cache, hints);
        if (way != DSEG_TLB_NO_WAY) {
            cache->use.used++;
            return way;
        }
    }
    way = dseg_tlb_replacement_victim(&cache->order, set);
    cache->use.evictions++;
    if (cache->inclusive) {
        back_invalidate_above(caches, cache, tags_of(cache, hints)[way]);
    }
    return way;
}

static inline void fill(DsegCaches *caches, DsegCache *cache, uint32_t set,
                        uint64_t line, uint8_t hint)
{
    uint8_t *hints = hints_of(cache, set);
    uint32_t way = make_room(caches, cache, set, hints);

    tags_of(cache, hints)[way] = line;
    hints[way] = hint;
    dseg_tlb_replacement_fill(&cache->order, set, way);
}

DsegCachePlace dseg_caches_look_for(DsegCaches *caches, uint64_t line,
                                    bool fetch)
{
    const DsegCachePath *path = &caches->path[fetch];
    uint32_t sets[DSEG_PLACE_MEMORY];
    uint8_t hint = hint_of(line);
    unsigned found;

    for (found = 0; found < path->length; found++) {
        DsegCache *cache = path->cache[found];
        uint32_t set = sets[found] = set_of(cache, line);
        uint32_t way = find(cache, hints_of(cache, set), line, hint);

        if (way != DSEG_TLB_NO_WAY) {
            dseg_tlb_replacement_hit(&cache->order, set, way);
            break;
        }
    }
    for (unsigned i = found; i--;) {
        fill(caches, path->cache[i], sets[i], line, hint);
    }
    path->cache[0]->last[sets[0]] = line + 1;
    return path->place[found];
}

DsegCachePlace dseg_caches_pass(DsegCaches *caches, uint64_t hpa, bool fetch)
{
    dseg_caches_settle(caches);
    return dseg_caches_look_for(caches, hpa >> caches->line_shift, fetch);
}

uint32_t dseg_caches_latency(const DsegCaches *caches, DsegCachePlace place,
                             bool fetch)
{
    return caches->path[fetch].latency[place];
}

void dseg_caches_empty(DsegCaches *caches)
{
    dseg_caches_settle(caches);
    for (DsegCacheName name = 0; name < DSEG_CACHE__MAX; name++) {
        DsegCache *cache = &caches->cache[name];

        if (is_there(caches, name)) {
            memset(cache->memory, 0, cache->sets * cache->stride);
            if (cache->last) {
                memset(cache->last, 0, cache->sets * sizeof(*cache->last));
            }
            cache->use.used = 0;
        }
    }
}

DsegCacheUse dseg_caches_use(DsegCaches *caches, DsegCacheName name)
{
    dseg_caches_settle(caches);
    return caches->cache[name].use;
}

void dseg_caches_reset(DsegCaches *caches)
{
    dseg_caches_settle(caches);
    caches->unpassed = (DsegCacheCounters) {};
    caches->passed = (DsegCacheCounters) {};
    for (DsegCacheName name = 0; name < DSEG_CACHE__MAX; name++) {
        caches->cache[name].use.evictions = 0;
        caches->cache[name].use.back_invalidations = 0;
    }
}
