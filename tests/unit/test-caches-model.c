/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The caches against a naive model of docs/spec/caches.rst: small geometries of
 * all kinds, which data and fetches pass at random
 */

#include "caches-fixture.h"
#include "caches-model.h"
#include "random-caches.h"

enum { GEOMETRIES = 400, OPERATIONS = 3000 };

/* What the random operations have met, so that none is met too seldom. */
static unsigned places[2][DSEG_PLACE__MAX];
static unsigned policies[3];
static unsigned inclusive[4];
static unsigned evictions[DSEG_CACHE__MAX];
static unsigned back_invalidations[DSEG_CACHE_LLC];
static unsigned others[6];

static void assert_same_use(DsegCaches *caches, const Model *model)
{
    for (DsegCacheName i = 0; i < DSEG_CACHE__MAX; i++) {
        assert_use(caches, i, model_used(&model->caches[i]),
                   model->caches[i].evictions,
                   model->caches[i].back_invalidations);
    }
}

/* What an inclusive cache has not, those above it do not have either. */
static void assert_inclusion(const Model *model, DsegCacheName below)
{
    for (DsegCacheName i = 0; i < below; i++) {
        const ModelCache *above = &model->caches[i];

        for (unsigned j = 0; j < above->sets * above->is.ways; j++) {
            g_assert_true(!above->lines[j].valid ||
                          model_find(&model->caches[below],
                                     above->lines[j].number));
        }
    }
}

/* Half of the time lines that are likely to be there. */
static void do_pass(GRand *rand, DsegCaches *caches, Model *model)
{
    const DsegCachesGeometry *geometry = &model->geometry;
    unsigned lines = random_caches_lines(geometry);
    bool fetch = geometry->cache[DSEG_CACHE_L1I].size && random_bool(rand);
    uint64_t hpa = random_caches_hpa(rand, geometry, random_bool(rand) ?
                                     1 + lines / 4 : 2 * lines);
    DsegCachePlace place = dseg_caches_pass(caches, hpa, fetch);

    g_assert_cmpint(place, ==, model_pass(model, hpa, fetch));
    g_assert_cmpuint(dseg_caches_latency(caches, place, fetch), ==,
                     model_latency(model, place, fetch));
    places[fetch][place]++;
}

static void note_uses(const Model *model)
{
    for (DsegCacheName i = 0; i < DSEG_CACHE__MAX; i++) {
        evictions[i] += model->caches[i].evictions;
        if (i < DSEG_CACHE_LLC) {
            back_invalidations[i] += model->caches[i].back_invalidations;
        }
    }
}

static void operate(GRand *rand, DsegCaches *caches, Model *model)
{
    switch (random_below(rand, 1000)) {
    case 0:
        dseg_caches_empty(caches);
        model_empty(model);
        others[0]++;
        break;
    case 1:
        note_uses(model);
        dseg_caches_reset(caches);
        model_reset(model);
        others[1]++;
        break;
    default:
        do_pass(rand, caches, model);
    }
}

static void compare(GRand *rand, const DsegCachesGeometry *geometry)
{
    g_autoptr(DsegCaches) caches = caches_new(geometry);
    g_autoptr(Model) model = model_new(geometry);

    for (unsigned i = 0; i < OPERATIONS && !g_test_failed(); i++) {
        operate(rand, caches, model);
        assert_same_use(caches, model);
        if (i % 64 == 0 && geometry->cache[DSEG_CACHE_L2].inclusive) {
            assert_inclusion(model, DSEG_CACHE_L2);
        }
        if (i % 64 == 0 && geometry->cache[DSEG_CACHE_LLC].inclusive) {
            assert_inclusion(model, DSEG_CACHE_LLC);
        }
    }
    note_uses(model);
}

static void note_geometry(const DsegCachesGeometry *geometry)
{
    const DsegCacheGeometry *cache = geometry->cache;

    for (DsegCacheName i = 0; i < DSEG_CACHE__MAX; i++) {
        policies[0] += cache[i].size && cache[i].policy == DSEG_TLB_LRU;
        policies[1] += cache[i].size && cache[i].policy == DSEG_TLB_PLRU;
        policies[2] += cache[i].size && cache[i].policy == DSEG_TLB_RANDOM;
        others[2] += cache[i].ways > 16;
    }
    inclusive[cache[DSEG_CACHE_L2].inclusive +
              2 * cache[DSEG_CACHE_LLC].inclusive]++;
    others[3] += !cache[DSEG_CACHE_L1I].size;
    others[4] += !cache[DSEG_CACHE_L2].size;
    others[5] += !cache[DSEG_CACHE_LLC].size;
}

static void test_random_passes_equal_the_model(void)
{
    g_autoptr(GRand) rand = random_new();

    for (uint64_t n = random_rounds(GEOMETRIES); n && !g_test_failed(); n--) {
        bool l1i = random_below(rand, 4);
        DsegCachesGeometry geometry = random_caches(rand, l1i);

        note_geometry(&geometry);
        compare(rand, &geometry);
    }
    random_assert_seen(places[0], DSEG_PLACE__MAX, 10000);
    random_assert_seen(places[1], DSEG_PLACE__MAX, 10000);
    random_assert_seen(policies, G_N_ELEMENTS(policies), 100);
    random_assert_seen(inclusive, G_N_ELEMENTS(inclusive), 30);
    random_assert_seen(evictions, G_N_ELEMENTS(evictions), 10000);
    random_assert_seen(back_invalidations, G_N_ELEMENTS(back_invalidations),
                       1000);
    random_assert_seen(others, G_N_ELEMENTS(others), 20);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();

    g_test_add_func("/caches-model/random-passes-equal-the-model",
                    test_random_passes_equal_the_model);
    return g_test_run();
}
