/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * docs/spec/tlb.rst once more, as naively as it can be put: entries with all
 * that it says of them, times of a clock, and searches from end to end
 */

#ifndef TEST_TLB_MODEL_H
#define TEST_TLB_MODEL_H

#include <glib.h>
#include <string.h>

#include "policies.h"
#include "tlb/tlb.h"

typedef struct ModelEntry {
    bool valid;
    uint64_t number;        /* of the page: address / size */
    DsegTlbSize size;
    DsegTlbSpace space;
    bool global, store;
    uint64_t mapped;        /* bytes of the page that it may be a piece of */
    uint64_t touched, filled;
    uint64_t serial;        /* of all fills; tells one entry from the next */
} ModelEntry;

typedef struct ModelArray {
    DsegTlbArrayGeometry is;
    ModelEntry *entries;    /* a set after the other */
    bool (*nodes)[64];      /* plru: of each set */
    uint64_t random, clock;
} ModelArray;

typedef struct Model {
    DsegTlbGeometry geometry;
    ModelArray arrays[DSEG_TLB_MAX_ARRAYS];
    uint64_t fills;
    uint64_t pieces;        /* removed by an address that is not in them */
    DsegTlbCounters counters;
} Model;

static inline uint64_t model_bytes(DsegTlbSize size)
{
    const uint64_t bytes[] = { 4096, 2097152, 1073741824 };

    return bytes[size];
}

static inline Model *model_new(const DsegTlbGeometry *geometry)
{
    Model *model = g_new0(Model, 1);

    model->geometry = *geometry;
    for (unsigned i = 0; i < geometry->count; i++) {
        ModelArray *array = &model->arrays[i];

        array->is = geometry->arrays[i];
        array->entries = g_new0(ModelEntry, array->is.entries);
        array->nodes = g_malloc0(sizeof(*array->nodes) * array->is.entries);
        array->random = geometry->seed + i;
    }
    return model;
}

static inline void model_free(Model *model)
{
    for (unsigned i = 0; i < model->geometry.count; i++) {
        g_free(model->arrays[i].entries);
        g_free(model->arrays[i].nodes);
    }
    g_free(model);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Model, model_free)

/* The array for @size at @level, or NULL. */
static inline ModelArray *model_array(Model *model, DsegTlbLevel level,
                                      DsegTlbKind kind, DsegTlbSize size)
{
    for (unsigned i = 0; i < model->geometry.count; i++) {
        DsegTlbPlace place = model->arrays[i].is.place;
        bool fetch = kind == DSEG_TLB_FETCH;
        DsegTlbPlace l1 = fetch ? DSEG_TLB_PLACE_L1I : DSEG_TLB_PLACE_L1D;
        DsegTlbPlace l2 = fetch ? DSEG_TLB_PLACE_L2I : DSEG_TLB_PLACE_L2D;
        bool mine = level == DSEG_TLB_L1
                    ? place == l1
                    : place == l2 || place == DSEG_TLB_PLACE_L2;

        if (mine && model->arrays[i].is.sizes & 1 << size) {
            return &model->arrays[i];
        }
    }
    return NULL;
}

static inline bool model_contains(const ModelEntry *entry, uint64_t va)
{
    return entry->number == va / model_bytes(entry->size);
}

/* The entry that a lookup finds, or NULL. */
static inline ModelEntry *model_find(Model *model, DsegTlbLevel level,
                                     DsegTlbSpace space, uint64_t va,
                                     DsegTlbKind kind, ModelArray **array)
{
    for (DsegTlbSize size = 0; size < DSEG_TLB_SIZE__MAX; size++) {
        *array = model_array(model, level, kind, size);
        for (unsigned i = 0; *array && i < (*array)->is.entries; i++) {
            ModelEntry *e = &(*array)->entries[i];

            if (e->valid && e->size == size && model_contains(e, va) &&
                e->space.asid == space.asid &&
                (e->global || e->space.pcid == space.pcid)) {
                return e;
            }
        }
    }
    return NULL;
}

static inline unsigned model_sets(const ModelArray *array)
{
    return array->is.entries / array->is.ways;
}

static inline void model_touch(ModelArray *array, ModelEntry *entry)
{
    unsigned index = entry - array->entries;

    entry->touched = ++array->clock;
    if (array->is.policy == DSEG_TLB_PLRU) {
        policy_point_away(array->nodes[index / array->is.ways], 1, 0,
                          array->is.ways, index % array->is.ways);
    }
}

static inline unsigned model_victim(ModelArray *array, unsigned set)
{
    const ModelEntry *entries = &array->entries[set * array->is.ways];
    unsigned oldest = 0;

    if (array->is.policy == DSEG_TLB_RANDOM) {
        return policy_next_random(&array->random) % array->is.ways;
    }
    if (array->is.policy == DSEG_TLB_PLRU) {
        return policy_leads_to(array->nodes[set], 1, 0, array->is.ways);
    }
    for (unsigned way = 1; way < array->is.ways; way++) {
        if (array->is.policy == DSEG_TLB_LRU
            ? entries[way].touched < entries[oldest].touched
            : entries[way].filled < entries[oldest].filled) {
            oldest = way;
        }
    }
    return oldest;
}

static inline unsigned model_way(Model *model, ModelArray *array, unsigned set)
{
    for (unsigned way = 0; way < array->is.ways; way++) {
        if (!array->entries[set * array->is.ways + way].valid) {
            return way;
        }
    }
    model->counters.evictions[array - model->arrays]++;
    return model_victim(array, set);
}

/* Puts @page, the one of its size around @va, into @array. */
static inline ModelEntry *model_put(Model *model, ModelArray *array,
                                    uint64_t va, ModelEntry page)
{
    ModelEntry *entry;
    unsigned set;

    page.valid = true;
    page.number = va / model_bytes(page.size);
    set = page.number % model_sets(array);
    entry = &array->entries[set * array->is.ways +
                            model_way(model, array, set)];
    page.serial = ++model->fills;
    *entry = page;
    model_touch(array, entry);
    entry->filled = entry->touched;
    return entry;
}

/* Fills @level with the page around @va, or with nothing. */
static inline ModelEntry *model_fill(Model *model, DsegTlbLevel level,
                                     DsegTlbKind kind, uint64_t va,
                                     ModelEntry page)
{
    ModelArray *array = model_array(model, level, kind, page.size);

    if (!array && level == DSEG_TLB_L2) {
        return NULL;
    }
    while (!array) {
        array = model_array(model, level, kind, --page.size);
    }
    return model_put(model, array, va, page);
}

static inline bool model_peek(Model *model, DsegTlbSpace space, uint64_t va,
                              DsegTlbKind kind, DsegTlbPage *page)
{
    for (DsegTlbLevel level = 0; level < DSEG_TLB_LEVEL__MAX; level++) {
        ModelArray *array;
        ModelEntry *e = model_find(model, level, space, va, kind, &array);

        if (e && (e->store || kind != DSEG_TLB_STORE)) {
            *page = (DsegTlbPage) {
                .size = e->size, .global = e->global, .store = e->store,
                .lg_mapping = __builtin_ctzll(e->mapped),
            };
            return true;
        }
    }
    return false;
}

/* A lookup; without the miss, which is counted by a size not known yet. */
static inline ModelEntry *model_lookup(Model *model, DsegTlbLevel level,
                                       DsegTlbSpace space, uint64_t va,
                                       DsegTlbKind kind)
{
    ModelArray *array;
    ModelEntry *e = model_find(model, level, space, va, kind, &array);

    if (e && kind == DSEG_TLB_STORE && !e->store) {
        e->valid = false;
        model->counters.dirty_misses[level]++;
        return NULL;
    }
    if (e) {
        model->counters.hits[level][kind][e->size]++;
        model_touch(array, e);
    }
    return e;
}

/* @filled becomes the entry of L1 that the access has used, or NULL. */
static inline DsegTlbOutcome model_access(Model *model, DsegTlbSpace space,
                                          uint64_t va, DsegTlbKind kind,
                                          const DsegTlbPage *page,
                                          ModelEntry **filled)
{
    DsegTlbCounters *counters = &model->counters;
    ModelEntry translated = {
        .size = page->size,
        .space = space,
        .global = page->global,
        .store = page->store || page->segments_only || kind == DSEG_TLB_STORE,
        .mapped = page->lg_mapping ? UINT64_C(1) << page->lg_mapping
                                   : model_bytes(page->size),
    };
    ModelEntry *found;

    *filled = NULL;
    if (model->geometry.segments_beside_l1 && page->segments_only) {
        counters->segment_hits_l1[kind]++;
        return DSEG_TLB_HIT_SEGMENT_L1;
    }
    found = model_lookup(model, DSEG_TLB_L1, space, va, kind);
    if (found) {
        *filled = found;
        return DSEG_TLB_HIT_L1;
    }
    found = model_lookup(model, DSEG_TLB_L2, space, va, kind);
    if (found) {
        counters->misses[DSEG_TLB_L1][kind][found->size]++;
        *filled = model_fill(model, DSEG_TLB_L1, kind, va, *found);
        return DSEG_TLB_HIT_L2;
    }
    counters->misses[DSEG_TLB_L1][kind][page->size]++;
    counters->misses[DSEG_TLB_L2][kind][page->size]++;
    if (page->segments_only) {
        counters->segment_hits[kind]++;
        *filled = model_fill(model, DSEG_TLB_L1, kind, va, translated);
        return DSEG_TLB_HIT_SEGMENT;
    }
    counters->walks[kind]++;
    model_fill(model, DSEG_TLB_L2, kind, va, translated);
    *filled = model_fill(model, DSEG_TLB_L1, kind, va, translated);
    return DSEG_TLB_WALK;
}

static inline bool model_in_scope(const ModelEntry *e, const DsegTlbScope *s)
{
    if (s->asids == DSEG_TLB_ASID_ONE && e->space.asid != s->asid) {
        return false;
    }
    if (s->asids == DSEG_TLB_ASID_GUESTS && e->space.asid == 0) {
        return false;
    }
    if (s->one_page &&
        e->number * model_bytes(e->size) / e->mapped != s->va / e->mapped) {
        return false;
    }
    if (e->global && s->globals == DSEG_TLB_GLOBAL_KEPT) {
        return false;
    }
    return e->global || !s->one_pcid || e->space.pcid == s->pcid;
}

static inline void model_invalidate(Model *model, DsegTlbCause cause,
                                    const DsegTlbScope *scope)
{
    model->counters.invalidations[cause]++;
    for (unsigned i = 0; i < model->geometry.count; i++) {
        for (unsigned j = 0; j < model->arrays[i].is.entries; j++) {
            ModelEntry *e = &model->arrays[i].entries[j];

            if (e->valid && model_in_scope(e, scope)) {
                e->valid = false;
                model->pieces += scope->one_page &&
                                 !model_contains(e, scope->va);
                model->counters.invalidated[cause]++;
            }
        }
    }
}

static inline unsigned model_used(const Model *model, unsigned array)
{
    unsigned used = 0;

    for (unsigned j = 0; j < model->arrays[array].is.entries; j++) {
        used += model->arrays[array].entries[j].valid;
    }
    return used;
}

#endif
