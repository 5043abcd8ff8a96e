/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unit tests of the geometry of TLBs: every rule, and that presets obey them
 */

#include <stdlib.h>

#include "random.h"
#include "tlb/geometry.h"

enum { K4 = 1 << DSEG_TLB_4K, M2 = 1 << DSEG_TLB_2M, G1 = 1 << DSEG_TLB_1G };

/* What is right, for a test to spoil a field of it. */
static DsegTlbGeometry right(void)
{
    return (DsegTlbGeometry) {
        .count = 4,
        .arrays = {
            { DSEG_TLB_PLACE_L1D, K4, 64, 4, DSEG_TLB_LRU },
            { DSEG_TLB_PLACE_L1D, M2 | G1, 12, 12, DSEG_TLB_FIFO },
            { DSEG_TLB_PLACE_L1I, K4 | M2, 16, 4, DSEG_TLB_PLRU },
            { DSEG_TLB_PLACE_L2, K4 | M2, 1536, 12, DSEG_TLB_RANDOM },
        },
    };
}

static void assert_right(const DsegTlbGeometry *geometry)
{
    char *text = dseg_tlb_geometry_check(geometry);

    g_assert_cmpstr(text, ==, NULL);
    free(text);
}

static void assert_wrong(const DsegTlbGeometry *geometry, const char *expected)
{
    char *text = dseg_tlb_geometry_check(geometry);

    g_assert_cmpstr(text, ==, expected);
    free(text);
}

static void test_right(void)
{
    DsegTlbGeometry geometry = right();

    assert_right(&geometry);
    geometry.arrays[0].policy = DSEG_TLB_FIFO;
    geometry.arrays[2].policy = DSEG_TLB_RANDOM;
    assert_right(&geometry);
}

static void test_count(void)
{
    DsegTlbGeometry geometry = right();

    geometry.count = 17;
    assert_wrong(&geometry, "arrays: must be at most 16");
    geometry.count = UINT_MAX;
    assert_wrong(&geometry, "arrays: must be at most 16");
}

/* Sixteen that do not overlap: there are no more than 12 for accesses. */
static void test_most_arrays(void)
{
    static const DsegTlbPlace places[] = {
        DSEG_TLB_PLACE_L1D, DSEG_TLB_PLACE_L1I, DSEG_TLB_PLACE_L2D,
        DSEG_TLB_PLACE_L2I, DSEG_TLB_PLACE_NESTED,
    };
    DsegTlbGeometry geometry = { .count = 0 };

    for (unsigned i = 0; i < G_N_ELEMENTS(places); i++) {
        for (DsegTlbSize size = 0; size < DSEG_TLB_SIZE__MAX; size++) {
            geometry.arrays[geometry.count++] = (DsegTlbArrayGeometry) {
                places[i], 1 << size, 1, 1, DSEG_TLB_PLRU,
            };
        }
    }
    g_assert_cmpuint(geometry.count, ==, 15);
    assert_right(&geometry);
}

static void test_place(void)
{
    DsegTlbGeometry geometry = right();

    geometry.arrays[3].place = DSEG_TLB_PLACE__MAX;
    assert_wrong(&geometry, "arrays[3].level: must be l1d, l1i, l2, l2d, l2i "
                            "or nested");
}

static void test_sizes(void)
{
    DsegTlbGeometry geometry = right();

    geometry.arrays[1].sizes = 0;
    assert_wrong(&geometry,
                 "arrays[1].pages: must be one or more of 4k, 2m and 1g");
    geometry.arrays[1].sizes = 8;
    assert_wrong(&geometry,
                 "arrays[1].pages: must be one or more of 4k, 2m and 1g");
}

static void test_entries(void)
{
    DsegTlbGeometry geometry = right();

    geometry.arrays[0].entries = 0;
    assert_wrong(&geometry, "arrays[0].entries: must be 1 to 65536");
    geometry.arrays[0].entries = 65537;
    assert_wrong(&geometry, "arrays[0].entries: must be 1 to 65536");
    geometry.arrays[0].entries = 65536;
    assert_right(&geometry);
    geometry.arrays[0].ways = 65536;
    assert_right(&geometry);
    geometry.arrays[0].entries = geometry.arrays[0].ways = 1;
    assert_right(&geometry);
}

static void test_ways(void)
{
    DsegTlbGeometry geometry = right();

    geometry.arrays[0].ways = 0;
    assert_wrong(&geometry, "arrays[0].ways: must be 1 to entries (64)");
    geometry.arrays[0].ways = 65;
    assert_wrong(&geometry, "arrays[0].ways: must be 1 to entries (64)");
    geometry.arrays[0].ways = 5;
    assert_wrong(&geometry, "arrays[0].ways: must divide entries (64)");
    geometry.arrays[0].ways = 64;
    assert_right(&geometry);
    geometry.arrays[0].ways = 1;
    assert_right(&geometry);
}

static void test_sets(void)
{
    DsegTlbGeometry geometry = right();

    geometry.arrays[3].ways = 8;
    assert_wrong(&geometry, "arrays[3].ways: must make the number of sets, "
                            "entries (1536) / ways, a power of two");
    geometry.arrays[3].ways = 6;
    assert_right(&geometry);
}

static void test_policy(void)
{
    DsegTlbGeometry geometry = right();

    geometry.arrays[2].policy = DSEG_TLB_POLICY__MAX;
    assert_wrong(&geometry,
                 "arrays[2].policy: must be lru, plru, fifo or random");
}

static void test_plru(void)
{
    DsegTlbGeometry geometry = right();

    geometry.arrays[1].policy = DSEG_TLB_PLRU;
    assert_wrong(&geometry,
                 "arrays[1].ways: must be a power of two for plru");
    geometry.arrays[1].entries = geometry.arrays[1].ways = 128;
    assert_wrong(&geometry, "arrays[1].ways: must be at most 64 for plru");
    geometry.arrays[1].entries = geometry.arrays[1].ways = 64;
    assert_right(&geometry);
    geometry.arrays[1].entries = geometry.arrays[1].ways = 1;
    assert_right(&geometry);
}

static void test_4k(void)
{
    DsegTlbGeometry geometry = right();

    geometry.arrays[0] = geometry.arrays[3];
    geometry.arrays[0].place = DSEG_TLB_PLACE_NESTED;
    assert_wrong(&geometry, "arrays: one of level l1d must have 4k pages");
    geometry = right();
    geometry.arrays[2].sizes = M2 | G1;
    assert_wrong(&geometry, "arrays: one of level l1i must have 4k pages");
    geometry.count = 0;
    assert_wrong(&geometry, "arrays: one of level l1d must have 4k pages");
}

static void test_overlap(void)
{
    DsegTlbGeometry geometry = right();

    geometry.arrays[1].sizes |= K4;
    assert_wrong(&geometry,
                 "arrays[1].pages: 4k is in arrays[0] (l1d) already");
    geometry.arrays[0].sizes = K4 | G1;
    geometry.arrays[1].sizes = M2 | G1;
    assert_wrong(&geometry,
                 "arrays[1].pages: 1g is in arrays[0] (l1d) already");
}

static void test_overlap_of_levels(void)
{
    DsegTlbGeometry geometry = right();

    geometry.count = 5;
    geometry.arrays[4] = (DsegTlbArrayGeometry) {
        DSEG_TLB_PLACE_L2D, M2, 8, 8, DSEG_TLB_LRU,
    };
    assert_wrong(&geometry, "arrays[4].pages: 2m is in arrays[3] (l2) already");
    geometry.arrays[4].place = DSEG_TLB_PLACE_L2I;
    assert_wrong(&geometry, "arrays[4].pages: 2m is in arrays[3] (l2) already");
    geometry.arrays[3].place = DSEG_TLB_PLACE_L2D;
    assert_right(&geometry);
    geometry.arrays[3].place = DSEG_TLB_PLACE_NESTED;
    assert_right(&geometry);
    geometry.arrays[4].place = DSEG_TLB_PLACE_NESTED;
    assert_wrong(&geometry,
                 "arrays[4].pages: 2m is in arrays[3] (nested) already");
}

static void test_walk_caches(void)
{
    for (unsigned i = 0; i < DSEG_TLB_WALK_LEVELS; i++) {
        g_autofree char *guest = g_strdup_printf(
            "guest-walk-cache[%u]: must be at most 65536", i);
        g_autofree char *nested = g_strdup_printf(
            "nested-walk-cache[%u]: must be at most 65536", i);
        DsegTlbGeometry geometry = right();

        geometry.guest_walk_cache[i] = 65536;
        geometry.nested_walk_cache[i] = 65536;
        assert_right(&geometry);
        geometry.guest_walk_cache[i] = 65537;
        assert_wrong(&geometry, guest);
        geometry.guest_walk_cache[i] = 0;
        geometry.nested_walk_cache[i] = UINT32_MAX;
        assert_wrong(&geometry, nested);
    }
}

static void test_names(void)
{
    static const char *const places[] = {
        "l1d", "l1i", "l2", "l2d", "l2i", "nested",
    };
    static const char *const policies[] = { "lru", "plru", "fifo", "random" };
    static const char *const sizes[] = { "4k", "2m", "1g" };

    for (unsigned i = 0; i < G_N_ELEMENTS(places); i++) {
        g_assert_cmpstr(dseg_tlb_place_names[i], ==, places[i]);
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(policies); i++) {
        g_assert_cmpstr(dseg_tlb_policy_names[i], ==, policies[i]);
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(sizes); i++) {
        g_assert_cmpstr(dseg_tlb_size_names[i], ==, sizes[i]);
    }
}

static const DsegTlbPreset *preset(const char *name)
{
    for (const DsegTlbPreset *p = dseg_tlb_presets; p->name; p++) {
        if (!strcmp(p->name, name)) {
            return p;
        }
    }
    g_assert_not_reached();
}

static void test_presets_are_right(void)
{
    unsigned count = 0;

    for (const DsegTlbPreset *p = dseg_tlb_presets; p->name; p++, count++) {
        g_test_message("%s: %s", p->name, p->description);
        assert_right(&p->geometry);
        g_assert_true(preset(p->name) == p);
        g_assert_null(strchr(p->description, '\n'));
        g_assert_cmpuint(strlen(p->description), >, 20);
    }
    g_assert_cmpuint(count, >=, 3);
}

/* How many bytes the arrays of a level map with pages of @size. */
static uint64_t reach(const DsegTlbGeometry *geometry, DsegTlbPlace place,
                      DsegTlbSize size)
{
    uint64_t bytes = 0;

    for (unsigned i = 0; i < geometry->count; i++) {
        if (geometry->arrays[i].place == place &&
            (geometry->arrays[i].sizes >> size & 1)) {
            bytes += (uint64_t)geometry->arrays[i].entries
                     << dseg_tlb_size_shift(size);
        }
    }
    return bytes;
}

#define KIB UINT64_C(1024)
#define MIB (KIB * KIB)
#define GIB (KIB * MIB)

/* By page size, in the order of the levels l1d, l1i, l2, l2d, l2i. */
static const struct {
    const char *name;
    uint64_t reach[DSEG_TLB_PLACE_NESTED][DSEG_TLB_SIZE__MAX];
} reaches[] = {
    { "sandybridge-ep", { { 256 * KIB, 64 * MIB, 4 * GIB },
                          { 512 * KIB, 16 * MIB, 0 },
                          { 2 * MIB, 0, 0 } } },
    { "sapphire-rapids", { { 384 * KIB, 64 * MIB, 8 * GIB },
                           { 1 * MIB, 64 * MIB, 0 },
                           { 8 * MIB, 4 * GIB, 2048 * GIB } } },
    { "genoa", { { 288 * KIB, 144 * MIB, 72 * GIB },
                 { 256 * KIB, 128 * MIB, 64 * GIB },
                 { 0, 0, 0 },
                 { 12 * MIB, 6 * GIB, 64 * GIB },
                 { 2 * MIB, 1 * GIB, 0 } } },
};

static void test_reach_of_presets(void)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(reaches); i++) {
        const DsegTlbGeometry *geometry = &preset(reaches[i].name)->geometry;

        for (DsegTlbPlace place = 0; place < DSEG_TLB_PLACE_NESTED; place++) {
            for (DsegTlbSize size = 0; size < DSEG_TLB_SIZE__MAX; size++) {
                g_assert_cmpuint(reach(geometry, place, size), ==,
                                 reaches[i].reach[place][size]);
            }
        }
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();

    g_test_add_func("/tlb-geometry/right", test_right);
    g_test_add_func("/tlb-geometry/at-most-16-arrays", test_count);
    g_test_add_func("/tlb-geometry/an-array-for-each-size-and-level",
                    test_most_arrays);
    g_test_add_func("/tlb-geometry/level-is-known", test_place);
    g_test_add_func("/tlb-geometry/sizes-are-some-and-known", test_sizes);
    g_test_add_func("/tlb-geometry/entries-are-1-to-65536", test_entries);
    g_test_add_func("/tlb-geometry/ways-divide-entries", test_ways);
    g_test_add_func("/tlb-geometry/sets-are-a-power-of-two", test_sets);
    g_test_add_func("/tlb-geometry/policy-is-known", test_policy);
    g_test_add_func("/tlb-geometry/ways-of-plru", test_plru);
    g_test_add_func("/tlb-geometry/l1-has-4k", test_4k);
    g_test_add_func("/tlb-geometry/a-size-has-one-array", test_overlap);
    g_test_add_func("/tlb-geometry/l2-overlaps-l2d-and-l2i",
                    test_overlap_of_levels);
    g_test_add_func("/tlb-geometry/walk-caches-at-most-65536",
                    test_walk_caches);
    g_test_add_func("/tlb-geometry/names", test_names);
    g_test_add_func("/tlb-geometry/presets-are-right", test_presets_are_right);
    g_test_add_func("/tlb-geometry/reach-of-presets", test_reach_of_presets);
    return g_test_run();
}
