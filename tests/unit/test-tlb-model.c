/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The TLB hierarchy against a naive model of docs/spec/tlb.rst: small
 * geometries of all kinds, under random accesses and invalidations
 */

#include "random.h"
#include "tlb-fixture.h"
#include "tlb-model.h"

enum { GEOMETRIES = 500, OPERATIONS = 2000 };

/* What the random operations have met, so that none is met too seldom. */
static unsigned outcomes[DSEG_TLB_WALK + 1];
static unsigned policies[DSEG_TLB_POLICY__MAX];
static unsigned causes[DSEG_TLB_CAUSE__MAX];
static unsigned others[9];

/* Random geometries. */

static DsegTlbArrayGeometry random_array(GRand *rand, DsegTlbPlace place,
                                         unsigned sizes)
{
    DsegTlbPolicy policy = random_below(rand, DSEG_TLB_POLICY__MAX);
    uint32_t sets = 1 << random_below(rand, 3);
    uint32_t ways = policy == DSEG_TLB_PLRU ? 1u << random_below(rand, 4)
                                            : 1 + random_below(rand, 10);

    policies[policy]++;
    return (DsegTlbArrayGeometry) { place, sizes, sets * ways, ways, policy };
}

/* Spreads the page sizes over up to three arrays; not all have to be there. */
static void add_place(GRand *rand, DsegTlbGeometry *geometry,
                      DsegTlbPlace place, bool has_4k)
{
    unsigned sizes[4] = { 0 };

    for (DsegTlbSize size = 0; size < DSEG_TLB_SIZE__MAX; size++) {
        sizes[random_below(rand, 4)] |= 1 << size;
    }
    for (unsigned i = 0; i < 4; i++) {
        bool left_out = i == 3 && !(has_4k && (sizes[i] & K4));

        if (sizes[i] && !left_out) {
            geometry->arrays[geometry->count++] =
                random_array(rand, place, sizes[i]);
        }
    }
}

static DsegTlbGeometry random_geometry(GRand *rand)
{
    DsegTlbGeometry geometry = {
        .seed = random_u64(rand),
        .segments_beside_l1 = !random_below(rand, 4),
    };
    unsigned l2 = random_below(rand, 6);

    add_place(rand, &geometry, DSEG_TLB_PLACE_L1D, true);
    add_place(rand, &geometry, DSEG_TLB_PLACE_L1I, true);
    if (l2 == 0) {
        add_place(rand, &geometry, DSEG_TLB_PLACE_L2D, false);
        add_place(rand, &geometry, DSEG_TLB_PLACE_L2I, false);
    } else if (l2 == 1) {
        add_place(rand, &geometry, DSEG_TLB_PLACE_L2I, false);
    } else if (l2 > 2) {
        add_place(rand, &geometry, DSEG_TLB_PLACE_L2, false);
    }
    for (unsigned i = geometry.count; i > 1; i--) {
        unsigned j = random_below(rand, i);
        DsegTlbArrayGeometry array = geometry.arrays[j];

        geometry.arrays[j] = geometry.arrays[i - 1];
        geometry.arrays[i - 1] = array;
    }
    return geometry;
}

/* Random operations, of few addresses and spaces. */

static uint64_t random_va(GRand *rand)
{
    uint64_t top = random_bool(rand) ? UINT64_C(0xffffffff80000000)
                                     : UINT64_C(0x40000000);

    return top + ((uint64_t)random_below(rand, 2) << 30)
               + ((uint64_t)random_below(rand, 3) << 21)
               + ((uint64_t)random_below(rand, 4) << 12)
               + random_below(rand, 4096);
}

static DsegTlbSpace random_space(GRand *rand)
{
    return (DsegTlbSpace) {
        .asid = random_below(rand, 3) * random_below(rand, 2),
        .pcid = random_below(rand, 3),
    };
}

static DsegTlbPage random_page(GRand *rand)
{
    DsegTlbPage page = {
        .size = random_below(rand, DSEG_TLB_SIZE__MAX),
        .global = !random_below(rand, 4),
        .store = random_bool(rand),
    };

    if (!random_below(rand, 4)) {
        page.lg_mapping = dseg_tlb_size_shift(
            page.size + random_below(rand, DSEG_TLB_SIZE__MAX - page.size));
    }
    if (!random_below(rand, 8)) {
        page = (DsegTlbPage) { .store = true, .segments_only = true };
    }
    return page;
}

static DsegTlbScope random_scope(GRand *rand)
{
    DsegTlbSpace space = random_space(rand);

    return (DsegTlbScope) {
        .asids = random_below(rand, 8) ? DSEG_TLB_ASID_ONE
                                       : random_below(rand, 3),
        .asid = space.asid,
        .one_pcid = random_bool(rand),
        .pcid = space.pcid,
        .globals = random_below(rand, 2),
        .one_page = random_below(rand, 4),
        .va = random_va(rand),
    };
}

/* Comparisons. */

static DsegTlbSlot model_slot(const Model *model, const ModelEntry *entry)
{
    DsegTlbSlot first = 0;

    for (unsigned i = 0; i < model->geometry.count; i++) {
        const ModelArray *array = &model->arrays[i];

        if (array->is.place > DSEG_TLB_PLACE_L1I) {
            continue;
        }
        if (entry >= array->entries &&
            entry < array->entries + array->is.entries) {
            return first + (entry - array->entries);
        }
        first += array->is.entries;
    }
    return DSEG_TLB_NO_SLOT;
}

/* The entries of L1, by slot. */
static GArray *snapshot(const Model *model)
{
    GArray *entries = g_array_new(false, false, sizeof(ModelEntry));

    for (unsigned i = 0; i < model->geometry.count; i++) {
        if (model->arrays[i].is.place <= DSEG_TLB_PLACE_L1I) {
            g_array_append_vals(entries, model->arrays[i].entries,
                                model->arrays[i].is.entries);
        }
    }
    return entries;
}

static const Gone *gone_of(const Tlb *t, DsegTlbSlot slot)
{
    const Gone *found = NULL;

    for (unsigned i = 0; i < t->gone->len; i++) {
        if (tlb_gone_at(t, i)->slot == slot) {
            g_assert_null(found);
            found = tlb_gone_at(t, i);
        }
    }
    return found;
}

static void assert_same_entry(const Gone *gone, const ModelEntry *entry)
{
    g_assert_nonnull(gone);
    if (gone) {
        g_assert_cmphex(gone->va, ==, entry->number * model_bytes(entry->size));
        g_assert_cmpint(gone->size, ==, entry->size);
        g_assert_cmpuint(gone->space.asid, ==, entry->space.asid);
        g_assert_cmpuint(gone->space.pcid, ==, entry->space.pcid);
        g_assert_cmpint(gone->global, ==, entry->global);
    }
}

/*
 * That those are gone, and no others unless they are @announced, that L1 had before
 * and has no longer.
 */
static void assert_gone(const Tlb *t, const Model *model, const GArray *before,
                        bool announced)
{
    g_autoptr(GArray) after = snapshot(model);
    unsigned gone = 0;

    g_assert_cmpuint(after->len, ==, dseg_tlb_l1_slots(t->tlb));
    for (DsegTlbSlot slot = 0; slot < after->len; slot++) {
        const ModelEntry *was = &g_array_index(before, ModelEntry, slot);
        const ModelEntry *is = &g_array_index(after, ModelEntry, slot);

        if (was->valid && (!is->valid || is->serial != was->serial)) {
            assert_same_entry(gone_of(t, slot), was);
            gone++;
        }
    }
    if (announced) {
        g_assert_cmpuint(t->gone->len, >=, gone);
    } else {
        g_assert_cmpuint(t->gone->len, ==, gone);
    }
    others[0] += gone;
}

static void assert_same_peek(const Tlb *t, Model *model, DsegTlbSpace space,
                             uint64_t va, DsegTlbKind kind)
{
    DsegTlbPage expected = { 0 }, page = { 0 };
    bool hit = model_peek(model, space, va, kind, &expected);

    g_assert_cmpint(dseg_tlb_peek(t->tlb, space, va, kind, &page), ==, hit);
    g_assert_cmpint(page.size, ==, expected.size);
    g_assert_cmpint(page.global, ==, expected.global);
    g_assert_cmpint(page.store, ==, expected.store);
    g_assert_cmpint(page.lg_mapping, ==, expected.lg_mapping);
    g_assert_false(page.segments_only);
    others[1 + hit]++;
}

static void assert_same_state(const Tlb *t, const Model *model)
{
    g_assert_cmpmem(tlb_counters(t), sizeof(DsegTlbCounters),
                    &model->counters, sizeof(DsegTlbCounters));
    for (unsigned i = 0; i < model->geometry.count; i++) {
        g_assert_cmpuint(dseg_tlb_array_used(t->tlb, i), ==,
                         model_used(model, i));
    }
}

static uint64_t by_size(const uint64_t *counters)
{
    return counters[0] + counters[1] + counters[2];
}

/* What the specification says of sums, whatever the model says. */
static void assert_invariants(const DsegTlbCounters *c)
{
    for (DsegTlbKind kind = 0; kind < DSEG_TLB_KIND__MAX; kind++) {
        uint64_t l1_misses = by_size(c->misses[DSEG_TLB_L1][kind]);
        uint64_t l2_hits = by_size(c->hits[DSEG_TLB_L2][kind]);
        uint64_t l2_misses = by_size(c->misses[DSEG_TLB_L2][kind]);

        g_assert_cmpuint(l2_hits + l2_misses, ==, l1_misses);
        g_assert_cmpuint(c->walks[kind] + c->segment_hits[kind], ==, l2_misses);
    }
    others[3] += c->dirty_misses[DSEG_TLB_L1];
    others[4] += c->dirty_misses[DSEG_TLB_L2];
}

/* An access by dseg_tlb_hit(), which announces, if it is a hit. */
static bool try_hit(Tlb *t, DsegTlbKind kind, uint64_t va)
{
    DsegTlbFound found;

    if (!dseg_tlb_find(t->tlb, t->space, va, kind, &found)) {
        return false;
    }
    g_array_set_size(t->gone, 0);
    t->spot = dseg_tlb_hit(t->tlb, t->space, va, kind, &found);
    others[7]++;
    return true;
}

/* As tlb_access(), but where nothing is found by dseg_tlb_miss(), half of the time. */
static DsegTlbOutcome access_or_miss(GRand *rand, Tlb *t, DsegTlbKind kind,
                                     uint64_t va, DsegTlbPage page)
{
    DsegTlbFound found;

    if (random_bool(rand) ||
        dseg_tlb_find(t->tlb, t->space, va, kind, &found) || found.in_the_way) {
        return tlb_access(t, kind, va, page);
    }
    g_array_set_size(t->gone, 0);
    others[8]++;
    return dseg_tlb_miss(t->tlb, t->space, va, kind, &page, &t->spot);
}

/* Returns whether it has announced what has to go next. */
static bool do_access(GRand *rand, Tlb *t, Model *model)
{
    DsegTlbSpace space = random_space(rand);
    uint64_t va = random_va(rand);
    DsegTlbKind kind = random_below(rand, DSEG_TLB_KIND__MAX);
    DsegTlbPage page = random_page(rand);
    ModelEntry *filled;
    DsegTlbOutcome expected, outcome;
    bool announced;

    if (random_bool(rand)) {
        assert_same_peek(t, model, space, va, kind);
    }
    if (!random_below(rand, 4)) {
        /* A peek for something else must not get into the way. */
        assert_same_peek(t, model, random_space(rand), random_va(rand),
                         random_below(rand, DSEG_TLB_KIND__MAX));
    }
    expected = model_access(model, space, va, kind, &page, &filled);
    t->space = space;
    announced = random_bool(rand) && expected != DSEG_TLB_HIT_SEGMENT_L1 &&
                try_hit(t, kind, va);
    if (!announced) {
        outcome = access_or_miss(rand, t, kind, va, page);
        g_assert_cmpint(outcome, ==, expected);
    }
    g_assert_cmpuint(t->spot.slot, ==, model_slot(model, filled));
    outcomes[expected]++;
    return announced;
}

static void do_invalidate(GRand *rand, Tlb *t, Model *model)
{
    DsegTlbCause cause = random_below(rand, DSEG_TLB_CAUSE__MAX);
    DsegTlbScope scope = random_scope(rand);

    g_array_set_size(t->gone, 0);
    dseg_tlb_invalidate(t->tlb, cause, &scope);
    model_invalidate(model, cause, &scope);
    causes[cause]++;
}

static void compare(GRand *rand, const DsegTlbGeometry *geometry)
{
    g_autoptr(Tlb) t = tlb_new(geometry);
    g_autoptr(Model) model = model_new(geometry);

    for (unsigned i = 0; i < OPERATIONS && !g_test_failed(); i++) {
        g_autoptr(GArray) before = snapshot(model);
        bool announced = false;

        if (random_below(rand, 16)) {
            announced = do_access(rand, t, model);
        } else {
            do_invalidate(rand, t, model);
        }
        assert_gone(t, model, before, announced);
        assert_same_state(t, model);
        assert_same_peek(t, model, random_space(rand), random_va(rand),
                         random_below(rand, DSEG_TLB_KIND__MAX));
    }
    assert_invariants(tlb_counters(t));
    others[5] += geometry->segments_beside_l1;
    others[6] += model->pieces;
}

static void test_random_operations_equal_the_model(void)
{
    g_autoptr(GRand) rand = random_new();

    for (uint64_t n = random_rounds(GEOMETRIES); n && !g_test_failed(); n--) {
        DsegTlbGeometry geometry = random_geometry(rand);

        compare(rand, &geometry);
    }
    random_assert_seen(outcomes, G_N_ELEMENTS(outcomes), 10000);
    random_assert_seen(policies, G_N_ELEMENTS(policies), 100);
    random_assert_seen(causes, G_N_ELEMENTS(causes), 1000);
    random_assert_seen(others, G_N_ELEMENTS(others), 50);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();

    g_test_add_func("/tlb-model/random-operations-equal-the-model",
                    test_random_operations_equal_the_model);
    return g_test_run();
}
