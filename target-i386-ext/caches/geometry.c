/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: the rules of a geometry of caches
 */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "caches/geometry.h"

const char *const dseg_cache_names[DSEG_CACHE__MAX] = {
    [DSEG_CACHE_L1D] = "l1d",
    [DSEG_CACHE_L1I] = "l1i",
    [DSEG_CACHE_L2] = "l2",
    [DSEG_CACHE_LLC] = "llc",
};

/* A text for the caller to free: what @format makes, behind "caches.". */
__attribute__((format(printf, 1, 2)))
static char *error(const char *format, ...)
{
    static const char prefix[] = "caches.";
    char text[200];
    va_list args;
    char *copy;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    copy = malloc(sizeof(prefix) + strlen(text));
    if (!copy) {
        abort();
    }
    return strcat(strcpy(copy, prefix), text);
}

static bool power_of_two(uint32_t n)
{
    return n && !(n & (n - 1));
}

static bool is_latency(uint32_t cycles)
{
    return cycles && cycles <= DSEG_CACHE_MAX_LATENCY;
}

static char *check_policy(const DsegCacheGeometry *cache, const char *name)
{
    switch (cache->policy) {
    case DSEG_TLB_LRU:
    case DSEG_TLB_RANDOM:
        return NULL;
    case DSEG_TLB_PLRU:
        return power_of_two(cache->ways) ? NULL :
               error("%s.ways: must be a power of two for plru", name);
    default:
        return error("%s.policy: must be lru, plru or random", name);
    }
}

/* One cache by itself. */
static char *check_cache(const DsegCachesGeometry *geometry, DsegCacheName i)
{
    const DsegCacheGeometry *cache = &geometry->cache[i];
    const char *name = dseg_cache_names[i];
    uint64_t way = (uint64_t)cache->ways * geometry->line;

    if (!cache->ways || cache->ways > DSEG_CACHE_MAX_WAYS) {
        return error("%s.ways: must be 1 to %u", name, DSEG_CACHE_MAX_WAYS);
    }
    if (cache->size > DSEG_CACHE_MAX_SIZE) {
        return error("%s.size: must be at most %llu", name,
                     (unsigned long long)DSEG_CACHE_MAX_SIZE);
    }
    if (cache->size % way) {
        return error("%s.size: must be a multiple of ways (%u) times line (%u)",
                     name, cache->ways, geometry->line);
    }
    if (!is_latency(cache->latency)) {
        return error("%s.latency: must be 1 to %u", name,
                     DSEG_CACHE_MAX_LATENCY);
    }
    if (cache->inclusive && i < DSEG_CACHE_L2) {
        return error("%s.inclusive: there is no cache above it", name);
    }
    return check_policy(cache, name);
}

/* No place is quicker than one above it. */
static char *check_order(const DsegCachesGeometry *geometry, DsegCacheName end,
                         const char *lower, uint32_t latency)
{
    for (DsegCacheName i = 0; i < end; i++) {
        if (geometry->cache[i].size && geometry->cache[i].latency > latency) {
            return error("%s: must be at least the latency of %s (%u)", lower,
                         dseg_cache_names[i], geometry->cache[i].latency);
        }
    }
    return NULL;
}

static char *check_orders(const DsegCachesGeometry *geometry)
{
    const DsegCacheGeometry *cache = geometry->cache;
    char *text = NULL;

    if (cache[DSEG_CACHE_L2].size) {
        text = check_order(geometry, DSEG_CACHE_L2, "l2.latency",
                           cache[DSEG_CACHE_L2].latency);
    }
    if (!text && cache[DSEG_CACHE_LLC].size) {
        text = check_order(geometry, DSEG_CACHE_LLC, "llc.latency",
                           cache[DSEG_CACHE_LLC].latency);
    }
    return text ? text : check_order(geometry, DSEG_CACHE__MAX, "memory",
                                     geometry->memory);
}

char *dseg_caches_geometry_check(const DsegCachesGeometry *geometry)
{
    char *text = NULL;

    if (!power_of_two(geometry->line) ||
        geometry->line < DSEG_CACHE_MIN_LINE ||
        geometry->line > DSEG_CACHE_MAX_LINE) {
        return error("line: must be a power of two from %u to %u",
                     DSEG_CACHE_MIN_LINE, DSEG_CACHE_MAX_LINE);
    }
    if (!geometry->cache[DSEG_CACHE_L1D].size) {
        return error("l1d.size: must be at least 1 line");
    }
    for (DsegCacheName i = 0; !text && i < DSEG_CACHE__MAX; i++) {
        text = geometry->cache[i].size ? check_cache(geometry, i) : NULL;
    }
    if (!text && !is_latency(geometry->memory)) {
        text = error("memory: must be 1 to %u", DSEG_CACHE_MAX_LATENCY);
    }
    return text ? text : check_orders(geometry);
}
