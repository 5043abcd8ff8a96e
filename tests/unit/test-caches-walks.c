/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What walks and data pass through the caches, at random, against a naive
 * statement of docs/spec/caches.rst; and that its sums are those of the walks
 */

#include "caches-fixture.h"
#include "caches-model.h"
#include "caches/counts.h"
#include "random-caches.h"
#include "random-translation.h"

static unsigned seen_places[DSEG_STEP_PLACES];
static unsigned seen_regimes[DSEG_REGIME__MAX];

/* All that a random walk comes to, counted by the test itself as well. */
typedef struct Truth {
    Model *model;
    DsegCacheCounters counters;
    DsegCounters walks;     /* what query-x86-dseg-walks has */
} Truth;

/* The entries of one dimension, which end at a page of 2^@lg_size bytes. */
static DsegEntries random_entries(GRand *rand,
                                  const DsegCachesGeometry *geometry,
                                  unsigned count, unsigned lg_size)
{
    DsegEntries entries = { .count = count, .leaf = dseg_leaf_level(lg_size) };

    for (unsigned i = 0; i < count; i++) {
        entries.hpa[i] = random_caches_hpa(
            rand, geometry, 2 * random_caches_lines(geometry));
    }
    return entries;
}

/* Walk caches spare some of the first entries; the nested TLB a gPA's all. */
static DsegWalkEntries random_walk_entries(GRand *rand, const Translation *t,
                                           const DsegCachesGeometry *geometry)
{
    unsigned refs = translation_guest_refs(t);
    bool spare = random_bool(rand);
    DsegWalkEntries entries = {
        .guest = random_entries(rand, geometry, refs, t->guest_lg_size),
        .gpas = translation_gpas(t),
    };

    entries.guest.spared = spare && refs ? random_below(rand, refs) : 0;
    for (unsigned i = 0; i < entries.gpas; i++) {
        unsigned count = t->gpa[i].how == DSEG_NESTED_SEGMENT ? 0 :
                         dseg_paging_refs(t->nested, t->gpa[i].lg_size);

        entries.nested[i] = random_entries(rand, geometry, count,
                                           t->gpa[i].lg_size);
        entries.nested[i].spared = i < entries.guest.spared ? count :
                                   spare ? random_below(rand, count + 1) : 0;
    }
    return entries;
}

/* The events of the walk that is left when those are spared. */
static DsegCost cost_without_spared(const Translation *t,
                                    const DsegWalkEntries *entries)
{
    DsegCost cost;

    dseg_cost_begin(&cost, translation_is_nested(t), t->guest_segment,
                    t->vmm_segment);
    dseg_cost_check_guest(&cost, t->guest_hit);
    for (unsigned i = entries->guest.spared; i <= entries->guest.count; i++) {
        const DsegEntries *nested = &entries->nested[i];

        if (i < entries->gpas) {
            dseg_cost_gpa_refs(&cost, t->gpa[i].how,
                               nested->count - nested->spared,
                               t->gpa[i].lg_size);
        }
        if (i < entries->guest.count) {
            dseg_cost_guest_ref(&cost);
        }
    }
    if (entries->guest.count) {
        dseg_cost_guest_page(&cost, t->guest_lg_size);
    }
    return cost;
}

/* One entry; returns its cycles. */
static uint64_t true_step(Truth *truth, uint64_t hpa, bool spared,
                          uint64_t *places)
{
    DsegCachePlace place;

    if (spared) {
        places[DSEG_PLACE_SPARED]++;
        seen_places[DSEG_PLACE_SPARED]++;
        return 0;
    }
    place = model_pass(truth->model, hpa, false);
    places[place]++;
    seen_places[place]++;
    return model_latency(truth->model, place, false);
}

/* Level by level, from the top of each table, as the manual draws a walk. */
static uint64_t true_steps(Truth *truth, const Translation *t,
                           const DsegWalkEntries *entries, DsegPrivilege p)
{
    DsegCacheCounters *c = &truth->counters;
    DsegWorld world = translation_is_nested(t) ? DSEG_WORLD_NESTED
                                               : DSEG_WORLD_NATIVE;
    unsigned guest_top = dseg_paging_levels(t->guest);
    unsigned nested_top = dseg_paging_levels(t->nested);
    unsigned refs = translation_guest_refs(t);
    uint64_t cycles = 0;

    for (unsigned i = 0; i <= refs; i++) {
        unsigned level = i < refs ? guest_top - i : 0;
        const DsegEntries *nested = &entries->nested[i];

        for (unsigned j = 0; i < translation_gpas(t) && j < nested->count;
             j++) {
            cycles += true_step(truth, nested->hpa[j], j < nested->spared,
                                c->nested[p][level][nested_top - j]);
        }
        if (i < refs) {
            cycles += true_step(truth, entries->guest.hpa[i],
                                i < entries->guest.spared,
                                c->guest[world][p][level]);
        }
    }
    return cycles;
}

static void random_walk(GRand *rand, DsegCaches *caches, Truth *truth)
{
    Translation t = random_translation(rand);
    DsegWalkEntries entries =
        random_walk_entries(rand, &t, &truth->model->geometry);
    DsegCost cost = cost_without_spared(&t, &entries);
    DsegRegime regime = dseg_cost_regime(&cost);
    DsegAccess access = random_below(rand, DSEG_ACCESS__MAX);
    DsegPrivilege privilege = random_below(rand, DSEG_PRIVILEGE__MAX);

    dseg_caches_walk(caches, &entries, &cost, access, privilege);
    truth->counters.cycles.walks[regime][access][privilege] +=
        true_steps(truth, &t, &entries, privilege);
    dseg_counters_walk(&truth->walks, &cost, access, privilege);
    seen_regimes[regime]++;
}

static void random_data(GRand *rand, DsegCaches *caches, Truth *truth)
{
    const DsegCachesGeometry *geometry = &truth->model->geometry;
    DsegAccess access = random_below(rand, DSEG_ACCESS__MAX);
    bool fetch = access == DSEG_FETCH;
    uint64_t hpa = random_caches_hpa(rand, geometry,
                                     2 * random_caches_lines(geometry));
    DsegCachePlace place;

    dseg_caches_data(caches, hpa, access);
    place = model_pass(truth->model, hpa, fetch);
    truth->counters.data[access][place]++;
    truth->counters.cycles.data += model_latency(truth->model, place, fetch);
}

static uint64_t not_spared(const uint64_t *places)
{
    return places[DSEG_PLACE_L1] + places[DSEG_PLACE_L2] +
           places[DSEG_PLACE_LLC] + places[DSEG_PLACE_MEMORY];
}

/* Steps that are not spared are those of query-x86-dseg-walks. */
static void assert_sums(const DsegCacheCounters *c, const DsegCounters *walks)
{
    for (DsegPrivilege p = 0; p < DSEG_PRIVILEGE__MAX; p++) {
        DsegSteps nested = dseg_counters_steps(walks, DSEG_WORLD_NESTED, p);
        DsegSteps native = dseg_counters_steps(walks, DSEG_WORLD_NATIVE, p);

        for (unsigned level = 0; level <= DSEG_MAX_LEVELS; level++) {
            g_assert_cmpuint(not_spared(c->guest[DSEG_WORLD_NESTED][p][level]),
                             ==, nested.guest[level]);
            g_assert_cmpuint(not_spared(c->guest[DSEG_WORLD_NATIVE][p][level]),
                             ==, native.guest[level]);
            for (unsigned i = 0; i <= DSEG_MAX_LEVELS; i++) {
                g_assert_cmpuint(not_spared(c->nested[p][level][i]), ==,
                                 nested.nested[level][i]);
            }
        }
    }
}

static void assert_settled(DsegCaches *caches, const Truth *truth)
{
    for (DsegCacheName i = 0; i < DSEG_CACHE__MAX; i++) {
        const ModelCache *cache = &truth->model->caches[i];

        assert_use(caches, i, model_used(cache), cache->evictions,
                   cache->back_invalidations);
    }
    g_assert_cmpmem(dseg_caches_counters(caches), sizeof(truth->counters),
                    &truth->counters, sizeof(truth->counters));
}

static void compare(GRand *rand, const DsegCachesGeometry *geometry)
{
    g_autoptr(DsegCaches) caches = caches_new(geometry);
    g_autoptr(Model) model = model_new(geometry);
    Truth truth = { .model = model };

    for (unsigned i = 0; i < 1000 && !g_test_failed(); i++) {
        if (random_bool(rand)) {
            random_walk(rand, caches, &truth);
        } else {
            random_data(rand, caches, &truth);
        }
        if (random_below(rand, 50) == 0) {
            dseg_caches_empty(caches);
            model_empty(model);
        }
        /* Whoever looks does so after any number of them. */
        if (random_below(rand, 20) == 0) {
            assert_settled(caches, &truth);
        }
    }
    assert_settled(caches, &truth);
    assert_sums(dseg_caches_counters(caches), &truth.walks);
}

static void test_random_walks_equal_the_model(void)
{
    g_autoptr(GRand) rand = random_new();

    for (uint64_t n = random_rounds(100); n && !g_test_failed(); n--) {
        DsegCachesGeometry geometry = random_caches(rand, true);

        compare(rand, &geometry);
    }
    random_assert_seen(seen_places, G_N_ELEMENTS(seen_places), 2000);
    random_assert_seen(seen_regimes, G_N_ELEMENTS(seen_regimes), 500);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();

    g_test_add_func("/caches-walks/random-walks-equal-the-model",
                    test_random_walks_equal_the_model);
    return g_test_run();
}
