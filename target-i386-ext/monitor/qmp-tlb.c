/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: QMP commands that show modelled TLBs
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "hw/core/cpu.h"
#include "qapi/qapi-commands-x86-dseg.h"
#include "dseg.h"
#include "cpu/caches.h"
#include "monitor/qmp.h"

/* The QAPI enumerations list the same things in the same order. */
QEMU_BUILD_BUG_ON((int)X86_DSEG_TLB_PLACE__MAX != DSEG_TLB_PLACE__MAX);
QEMU_BUILD_BUG_ON((int)X86_DSEG_TLB_PAGES__MAX != DSEG_TLB_SIZE__MAX);
QEMU_BUILD_BUG_ON((int)X86_DSEG_TLB_POLICY__MAX != DSEG_TLB_POLICY__MAX);
QEMU_BUILD_BUG_ON((int)X86_DSEG_TLB_LEVEL__MAX != DSEG_TLB_LEVEL__MAX);
QEMU_BUILD_BUG_ON((int)X86_DSEG_TLB_CAUSE__MAX != DSEG_TLB_CAUSE__MAX);
QEMU_BUILD_BUG_ON((int)X86_DSEG_ACCESS__MAX != DSEG_TLB_KIND__MAX);

/*
 * Geometries
 */

static X86DsegTlbArray *array_of(const DsegTlbArrayGeometry *from)
{
    X86DsegTlbArray *array = g_new0(X86DsegTlbArray, 1);
    X86DsegTlbPagesList **tail = &array->pages;

    array->level = from->place;
    for (unsigned size = 0; size < DSEG_TLB_SIZE__MAX; size++) {
        if (from->sizes >> size & 1) {
            QAPI_LIST_APPEND(tail, size);
        }
    }
    array->entries = from->entries;
    array->ways = from->ways;
    array->has_policy = true;
    array->policy = from->policy;
    return array;
}

static X86DsegTlbWalkCache *walk_cache_of(const uint32_t *entries)
{
    X86DsegTlbWalkCache *cache = g_new0(X86DsegTlbWalkCache, 1);

    *cache = (X86DsegTlbWalkCache) {
        .has_pml5e = true, .pml5e = entries[0],
        .has_pml4e = true, .pml4e = entries[1],
        .has_pdpte = true, .pdpte = entries[2],
        .has_pde = true, .pde = entries[3],
    };
    return cache;
}

/* @caches: NULL if there are none */
static X86DsegTlbGeometry *geometry_of(const DsegTlbGeometry *from,
                                       const DsegCachesGeometry *caches)
{
    X86DsegTlbGeometry *geometry = g_new0(X86DsegTlbGeometry, 1);
    X86DsegTlbArrayList **tail = &geometry->arrays;

    for (unsigned i = 0; i < from->count; i++) {
        QAPI_LIST_APPEND(tail, array_of(&from->arrays[i]));
    }
    geometry->has_seed = true;
    geometry->seed = from->seed;
    geometry->has_segments = true;
    geometry->segments = from->segments_beside_l1 ? X86_DSEG_TLB_SEGMENTS_L1
                                                  : X86_DSEG_TLB_SEGMENTS_L2;
    geometry->guest_walk_cache = walk_cache_of(from->guest_walk_cache);
    geometry->nested_walk_cache = walk_cache_of(from->nested_walk_cache);
    geometry->caches = caches ? x86_dseg_describe_caches_geometry(caches)
                              : NULL;
    return geometry;
}

X86DsegTlbPresetList *qmp_query_x86_dseg_tlb_presets(Error **errp)
{
    X86DsegTlbPresetList *list = NULL;
    X86DsegTlbPresetList **tail = &list;

    for (const DsegTlbPreset *preset = dseg_tlb_presets; preset->name;
         preset++) {
        X86DsegTlbPreset *out = g_new0(X86DsegTlbPreset, 1);

        out->name = g_strdup(preset->name);
        out->description = g_strdup(preset->description);
        out->geometry = geometry_of(&preset->geometry,
                                    dseg_caches_preset(preset->name));
        QAPI_LIST_APPEND(tail, out);
    }
    return list;
}

/*
 * Counters
 */

typedef uint64_t Counts[DSEG_TLB_LEVEL__MAX][DSEG_TLB_KIND__MAX]
                       [DSEG_TLB_SIZE__MAX];

static X86DsegTlbCountList *counts_of(const Counts counts)
{
    X86DsegTlbCountList *list = NULL;
    X86DsegTlbCountList **tail = &list;

    for (unsigned level = 0; level < DSEG_TLB_LEVEL__MAX; level++) {
        for (unsigned kind = 0; kind < DSEG_TLB_KIND__MAX; kind++) {
            for (unsigned size = 0; size < DSEG_TLB_SIZE__MAX; size++) {
                X86DsegTlbCount *count;

                if (!counts[level][kind][size]) {
                    continue;
                }
                count = g_new0(X86DsegTlbCount, 1);
                count->level = level;
                count->kind = kind;
                count->pages = size;
                count->count = counts[level][kind][size];
                QAPI_LIST_APPEND(tail, count);
            }
        }
    }
    return list;
}

static X86DsegTlbKinds *kinds_of(const uint64_t counts[DSEG_TLB_KIND__MAX])
{
    X86DsegTlbKinds *kinds = g_new0(X86DsegTlbKinds, 1);

    kinds->load = counts[DSEG_TLB_LOAD];
    kinds->store = counts[DSEG_TLB_STORE];
    kinds->fetch = counts[DSEG_TLB_FETCH];
    return kinds;
}

static X86DsegTlbUseList *arrays_of(const X86DsegTlbSnapshot *snapshot,
                                    unsigned count)
{
    X86DsegTlbUseList *list = NULL;
    X86DsegTlbUseList **tail = &list;

    for (unsigned i = 0; i < count; i++) {
        X86DsegTlbUse *use = g_new0(X86DsegTlbUse, 1);

        use->array = i;
        use->used = snapshot->used[i];
        use->evictions = snapshot->counters.evictions[i];
        QAPI_LIST_APPEND(tail, use);
    }
    return list;
}

static X86DsegTlbInvalidationsList *
invalidations_of(const DsegTlbCounters *counters)
{
    X86DsegTlbInvalidationsList *list = NULL;
    X86DsegTlbInvalidationsList **tail = &list;

    for (unsigned cause = 0; cause < DSEG_TLB_CAUSE__MAX; cause++) {
        X86DsegTlbInvalidations *out;

        if (!counters->invalidations[cause]) {
            continue;
        }
        out = g_new0(X86DsegTlbInvalidations, 1);
        out->cause = cause;
        out->count = counters->invalidations[cause];
        out->entries = counters->invalidated[cause];
        QAPI_LIST_APPEND(tail, out);
    }
    return list;
}

static uint64List *numbers_of(const uint64_t *numbers, unsigned count)
{
    uint64List *list = NULL;
    uint64List **tail = &list;

    for (unsigned i = 0; i < count; i++) {
        QAPI_LIST_APPEND(tail, numbers[i]);
    }
    return list;
}

static X86DsegTlbWalkCaches *walk_caches_of(const DsegTlbWalkCounters *c)
{
    X86DsegTlbWalkCaches *out = g_new0(X86DsegTlbWalkCaches, 1);

    out->guest_lookups = c->guest_lookups;
    out->guest_hits = numbers_of(c->guest_hits, DSEG_TLB_WALK_LEVELS);
    out->nested_lookups = c->nested_lookups;
    out->nested_hits = numbers_of(c->nested_hits, DSEG_TLB_WALK_LEVELS);
    out->gpa_lookups = c->gpa_lookups;
    out->gpa_hits = numbers_of(c->gpa_hits, DSEG_TLB_SIZE__MAX);
    return out;
}

X86DsegTlbInfo *x86_dseg_describe_tlb(const X86DsegTlb *tlb,
                                      const X86DsegTlbSnapshot *snapshot)
{
    const DsegTlbGeometry *geometry = dseg_tlb_geometry(tlb->model);
    const DsegTlbCounters *c = &snapshot->counters;
    X86DsegTlbInfo *info = g_new0(X86DsegTlbInfo, 1);

    info->cpu = env_cpu(tlb->env)->cpu_index;
    info->mode = tlb->exact ? X86_DSEG_TLB_MODE_EXACT
                            : X86_DSEG_TLB_MODE_INCLUSIVE;
    info->geometry = geometry_of(
        geometry, tlb->caches ? dseg_caches_geometry(tlb->caches->model) : NULL);
    info->hits = counts_of(c->hits);
    info->misses = counts_of(c->misses);
    info->dirty_misses = g_new0(X86DsegTlbLevels, 1);
    info->dirty_misses->l1 = c->dirty_misses[DSEG_TLB_L1];
    info->dirty_misses->l2 = c->dirty_misses[DSEG_TLB_L2];
    info->segment_hits = kinds_of(c->segment_hits);
    info->segment_hits_l1 = kinds_of(c->segment_hits_l1);
    info->walks = kinds_of(c->walks);
    info->arrays = arrays_of(snapshot, geometry->count);
    info->invalidations = invalidations_of(c);
    if (tlb->walk_caches) {
        info->walk_caches = walk_caches_of(&snapshot->walk_counters);
    }
    if (tlb->caches) {
        info->caches = x86_dseg_describe_caches(
            dseg_caches_geometry(tlb->caches->model), snapshot);
    }
    return info;
}

static void do_query(CPUState *cs, run_on_cpu_data data)
{
    X86DsegTlbInfoList ***tail = data.host_ptr;
    const X86DsegTlb *tlb = cpu_env(cs)->dseg->tlb;
    X86DsegTlbSnapshot snapshot;

    if (tlb) {
        x86_dseg_tlb_snapshot(tlb, &snapshot);
        QAPI_LIST_APPEND(*tail, x86_dseg_describe_tlb(tlb, &snapshot));
    }
}

X86DsegTlbInfoList *qmp_query_x86_dseg_tlb(bool has_cpu, int64_t cpu,
                                           Error **errp)
{
    X86DsegTlbInfoList *list = NULL;
    X86DsegTlbInfoList **tail = &list;

    if (x86_dseg_no_cpus(has_cpu)) {
        return NULL;
    }
    x86_dseg_on_cpus(has_cpu, cpu, do_query, &tail, errp);
    return list;
}
