/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * docs/spec/caches.rst once more, as naively as it can be put: lines with the
 * times of their touches, and searches from end to end
 */

#ifndef TEST_CACHES_MODEL_H
#define TEST_CACHES_MODEL_H

#include <glib.h>

#include "caches/caches.h"
#include "policies.h"

typedef struct ModelLine {
    bool valid;
    uint64_t number;        /* hPA / bytes of a line */
    uint64_t touched;
} ModelLine;

typedef struct ModelCache {
    DsegCacheGeometry is;
    unsigned sets;
    ModelLine *lines;       /* a set after the other */
    bool (*nodes)[64];      /* plru: of each set */
    uint64_t random, clock;
    uint64_t evictions, back_invalidations;
} ModelCache;

typedef struct Model {
    DsegCachesGeometry geometry;
    ModelCache caches[DSEG_CACHE__MAX];
} Model;

static inline Model *model_new(const DsegCachesGeometry *geometry)
{
    Model *model = g_new0(Model, 1);

    model->geometry = *geometry;
    for (DsegCacheName i = 0; i < DSEG_CACHE__MAX; i++) {
        ModelCache *cache = &model->caches[i];

        cache->is = geometry->cache[i];
        if (cache->is.size) {
            cache->sets = cache->is.size / (cache->is.ways * geometry->line);
            cache->lines = g_new0(ModelLine, cache->sets * cache->is.ways);
            cache->nodes = g_malloc0(sizeof(*cache->nodes) * cache->sets);
            cache->random = geometry->seed + i;
        }
    }
    return model;
}

static inline void model_free(Model *model)
{
    for (DsegCacheName i = 0; i < DSEG_CACHE__MAX; i++) {
        g_free(model->caches[i].lines);
        g_free(model->caches[i].nodes);
    }
    g_free(model);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Model, model_free)

/* The line of that number in a cache, or NULL. */
static inline ModelLine *model_find(const ModelCache *cache, uint64_t number)
{
    for (unsigned i = 0; i < cache->sets * cache->is.ways; i++) {
        if (cache->lines[i].valid && cache->lines[i].number == number) {
            return &cache->lines[i];
        }
    }
    return NULL;
}

static inline unsigned model_used(const ModelCache *cache)
{
    unsigned used = 0;

    for (unsigned i = 0; i < cache->sets * cache->is.ways; i++) {
        used += cache->lines[i].valid;
    }
    return used;
}

static inline void model_touch(ModelCache *cache, ModelLine *line)
{
    unsigned index = line - cache->lines;

    line->touched = ++cache->clock;
    if (cache->is.policy == DSEG_TLB_PLRU) {
        policy_point_away(cache->nodes[index / cache->is.ways], 1, 0,
                          cache->is.ways, index % cache->is.ways);
    }
}

/* The way that has to go of a set without a free one. */
static inline unsigned model_victim(ModelCache *cache, unsigned set)
{
    const ModelLine *lines = &cache->lines[set * cache->is.ways];
    unsigned oldest = 0;

    if (cache->is.policy == DSEG_TLB_RANDOM) {
        return policy_next_random(&cache->random) % cache->is.ways;
    }
    if (cache->is.policy == DSEG_TLB_PLRU) {
        return policy_leads_to(cache->nodes[set], 1, 0, cache->is.ways);
    }
    for (unsigned way = 1; way < cache->is.ways; way++) {
        if (lines[way].touched < lines[oldest].touched) {
            oldest = way;
        }
    }
    return oldest;
}

/* L1D and L1I are above L2, that above LLC. */
static inline bool model_is_above(DsegCacheName above, DsegCacheName below)
{
    return below == DSEG_CACHE_LLC ? above != DSEG_CACHE_LLC :
           below == DSEG_CACHE_L2 && above < DSEG_CACHE_L2;
}

static inline void model_evict(Model *model, DsegCacheName name,
                               const ModelLine *line)
{
    model->caches[name].evictions++;
    for (DsegCacheName i = 0; i < DSEG_CACHE__MAX; i++) {
        ModelLine *lost = model_find(&model->caches[i], line->number);

        if (model->caches[name].is.inclusive && model_is_above(i, name) &&
            lost) {
            lost->valid = false;
            model->caches[i].back_invalidations++;
        }
    }
}

static inline void model_fill(Model *model, DsegCacheName name, uint64_t number)
{
    ModelCache *cache = &model->caches[name];
    unsigned set = number % cache->sets, way = 0;
    ModelLine *lines = &cache->lines[set * cache->is.ways];

    while (way < cache->is.ways && lines[way].valid) {
        way++;
    }
    if (way == cache->is.ways) {
        way = model_victim(cache, set);
        model_evict(model, name, &lines[way]);
    }
    lines[way].valid = true;
    lines[way].number = number;
    model_touch(cache, &lines[way]);
}

/* pass() of the specification. */
static inline DsegCachePlace model_pass(Model *model, uint64_t hpa, bool fetch)
{
    static const DsegCachePlace places[] = {
        DSEG_PLACE_L1, DSEG_PLACE_L1, DSEG_PLACE_L2, DSEG_PLACE_LLC,
    };
    const DsegCacheName names[] = {
        fetch ? DSEG_CACHE_L1I : DSEG_CACHE_L1D, DSEG_CACHE_L2, DSEG_CACHE_LLC,
    };
    uint64_t number = hpa / model->geometry.line;
    DsegCachePlace place = DSEG_PLACE_MEMORY;
    unsigned found;

    for (found = 0; found < 3; found++) {
        ModelCache *cache = &model->caches[names[found]];
        ModelLine *line = model_find(cache, number);

        if (line) {
            model_touch(cache, line);
            place = places[names[found]];
            break;
        }
    }
    for (unsigned i = found; i > 0; i--) {
        if (model->caches[names[i - 1]].is.size) {
            model_fill(model, names[i - 1], number);
        }
    }
    return place;
}

static inline uint32_t model_latency(const Model *model, DsegCachePlace place,
                                     bool fetch)
{
    const DsegCacheGeometry *cache = model->geometry.cache;
    const uint32_t latencies[] = {
        cache[fetch ? DSEG_CACHE_L1I : DSEG_CACHE_L1D].latency,
        cache[DSEG_CACHE_L2].latency, cache[DSEG_CACHE_LLC].latency,
        model->geometry.memory,
    };

    return latencies[place];
}

static inline void model_empty(Model *model)
{
    for (DsegCacheName i = 0; i < DSEG_CACHE__MAX; i++) {
        ModelCache *cache = &model->caches[i];

        for (unsigned j = 0; j < cache->sets * cache->is.ways; j++) {
            cache->lines[j].valid = false;
        }
    }
}

static inline void model_reset(Model *model)
{
    for (DsegCacheName i = 0; i < DSEG_CACHE__MAX; i++) {
        model->caches[i].evictions = 0;
        model->caches[i].back_invalidations = 0;
    }
}

#endif
