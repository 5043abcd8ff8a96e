/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: modelled caches, as QMP shows them beside the TLB
 */

#include "qemu/osdep.h"
#include "qapi/qapi-types-x86-dseg.h"
#include "dseg.h"
#include "monitor/qmp.h"

/* The QAPI enumerations list the same things in the same order. */
QEMU_BUILD_BUG_ON((int)X86_DSEG_CACHE_NAME__MAX != DSEG_CACHE__MAX);
QEMU_BUILD_BUG_ON((int)X86_DSEG_PLACE__MAX != DSEG_STEP_PLACES);
QEMU_BUILD_BUG_ON((int)X86_DSEG_PLACE_SPARED != DSEG_PLACE_SPARED);

static X86DsegCache *cache_of(const DsegCachesGeometry *geometry,
                              DsegCacheName name)
{
    const DsegCacheGeometry *from = &geometry->cache[name];
    X86DsegCache *cache;

    if (!from->size) {
        return NULL;
    }
    cache = g_new0(X86DsegCache, 1);
    *cache = (X86DsegCache) {
        .size = from->size,
        .ways = from->ways,
        .has_policy = true, .policy = from->policy,
        .latency = from->latency,
        .has_inclusive = name >= DSEG_CACHE_L2, .inclusive = from->inclusive,
    };
    return cache;
}

X86DsegCacheHierarchy *
x86_dseg_describe_caches_geometry(const DsegCachesGeometry *geometry)
{
    X86DsegCacheHierarchy *caches = g_new0(X86DsegCacheHierarchy, 1);

    *caches = (X86DsegCacheHierarchy) {
        .has_line = true, .line = geometry->line,
        .l1d = cache_of(geometry, DSEG_CACHE_L1D),
        .l1i = cache_of(geometry, DSEG_CACHE_L1I),
        .l2 = cache_of(geometry, DSEG_CACHE_L2),
        .llc = cache_of(geometry, DSEG_CACHE_LLC),
        .memory = geometry->memory,
        .has_seed = true, .seed = geometry->seed,
    };
    return caches;
}

static X86DsegCacheDataList *data_of(const DsegCacheCounters *counters)
{
    X86DsegCacheDataList *list = NULL;
    X86DsegCacheDataList **tail = &list;

    for (unsigned kind = 0; kind < DSEG_ACCESS__MAX; kind++) {
        for (unsigned place = 0; place < DSEG_PLACE__MAX; place++) {
            X86DsegCacheData *data;

            if (!counters->data[kind][place]) {
                continue;
            }
            data = g_new0(X86DsegCacheData, 1);
            data->kind = kind;
            data->place = place;
            data->count = counters->data[kind][place];
            QAPI_LIST_APPEND(tail, data);
        }
    }
    return list;
}

static X86DsegTlbKinds *swept_of(const DsegCacheCounters *counters)
{
    X86DsegTlbKinds *kinds = g_new0(X86DsegTlbKinds, 1);

    kinds->load = counters->swept[DSEG_LOAD];
    kinds->store = counters->swept[DSEG_STORE];
    return kinds;
}

/* @entry has the members that all these steps share. */
static void append_steps(X86DsegCacheStepsList ***tail,
                         const DsegStepPlaces steps, X86DsegCacheSteps entry)
{
    for (unsigned level = 1; level <= DSEG_MAX_LEVELS; level++) {
        for (unsigned place = 0; place < DSEG_STEP_PLACES; place++) {
            if (steps[level][place]) {
                X86DsegCacheSteps *step = g_memdup2(&entry, sizeof(entry));

                step->table_level = level;
                step->place = place;
                step->count = steps[level][place];
                QAPI_LIST_APPEND(*tail, step);
            }
        }
    }
}

static X86DsegCacheStepsList *steps_of(const DsegCacheCounters *counters)
{
    static const X86DsegWorld worlds[] = {
        [DSEG_WORLD_NATIVE] = X86_DSEG_WORLD_NATIVE,
        [DSEG_WORLD_NESTED] = X86_DSEG_WORLD_NESTED,
    };
    X86DsegCacheStepsList *list = NULL;
    X86DsegCacheStepsList **tail = &list;

    for (unsigned w = 0; w < DSEG_WORLD__MAX; w++) {
        for (unsigned p = 0; p < DSEG_PRIVILEGE__MAX; p++) {
            X86DsegCacheSteps entry = {
                .world = worlds[w],
                .privilege = p,
                .dimension = X86_DSEG_DIMENSION_GUEST,
            };

            append_steps(&tail, counters->guest[w][p], entry);
            if (w == DSEG_WORLD_NATIVE) {
                continue;
            }
            entry.dimension = X86_DSEG_DIMENSION_NESTED;
            entry.has_for_level = true;
            for (int level = DSEG_MAX_LEVELS; level >= 0; level--) {
                entry.for_level = level;
                append_steps(&tail, counters->nested[p][level], entry);
            }
        }
    }
    return list;
}

static X86DsegWalkCyclesList *cycles_of(const DsegCacheCounters *counters)
{
    X86DsegWalkCyclesList *list = NULL;
    X86DsegWalkCyclesList **tail = &list;

    for (unsigned r = 0; r < DSEG_REGIME__MAX; r++) {
        for (unsigned a = 0; a < DSEG_ACCESS__MAX; a++) {
            for (unsigned p = 0; p < DSEG_PRIVILEGE__MAX; p++) {
                X86DsegWalkCycles *cycles;

                if (!counters->cycles.walks[r][a][p]) {
                    continue;
                }
                cycles = g_new0(X86DsegWalkCycles, 1);
                cycles->regime = r;
                cycles->access = a;
                cycles->privilege = p;
                cycles->cycles = counters->cycles.walks[r][a][p];
                QAPI_LIST_APPEND(tail, cycles);
            }
        }
    }
    return list;
}

static X86DsegCacheUseList *uses_of(const DsegCachesGeometry *geometry,
                                    const DsegCacheUse *uses)
{
    X86DsegCacheUseList *list = NULL;
    X86DsegCacheUseList **tail = &list;

    for (DsegCacheName name = 0; name < DSEG_CACHE__MAX; name++) {
        X86DsegCacheUse *use;

        if (!geometry->cache[name].size) {
            continue;
        }
        use = g_new0(X86DsegCacheUse, 1);
        use->cache = name;
        use->used = uses[name].used;
        use->evictions = uses[name].evictions;
        use->back_invalidations = uses[name].back_invalidations;
        QAPI_LIST_APPEND(tail, use);
    }
    return list;
}

X86DsegCachesInfo *
x86_dseg_describe_caches(const DsegCachesGeometry *geometry,
                         const X86DsegTlbSnapshot *snapshot)
{
    const DsegCacheCounters *counters = &snapshot->cache_counters;
    X86DsegCachesInfo *info = g_new0(X86DsegCachesInfo, 1);

    info->data = data_of(counters);
    info->swept = swept_of(counters);
    info->steps = steps_of(counters);
    info->walk_cycles = cycles_of(counters);
    info->data_cycles = counters->cycles.data;
    info->caches = uses_of(geometry, snapshot->cache_use);
    return info;
}
