/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unit tests of the presets of caches
 */

#include "caches-check.h"

#define KIB UINT64_C(1024)

static void test_a_preset_for_each_tlb(void)
{
    unsigned count = 0;

    for (const DsegTlbPreset *p = dseg_tlb_presets; p->name; p++, count++) {
        const DsegCachesGeometry *geometry = dseg_caches_preset(p->name);

        g_test_message("%s", p->name);
        g_assert_nonnull(geometry);
        if (geometry) {
            assert_right(geometry);
        }
    }
    g_assert_cmpuint(count, >=, 3);
}

static void test_no_other_preset(void)
{
    g_assert_null(dseg_caches_preset(""));
    g_assert_null(dseg_caches_preset("off"));
    g_assert_null(dseg_caches_preset("sandybridge"));
    g_assert_null(dseg_caches_preset("sandybridge-ep "));
    g_assert_null(dseg_caches_preset("Genoa"));
}

/* KiB, as those who made the processors say. */
static const struct {
    const char *name;
    uint64_t kib[DSEG_CACHE__MAX];
} sizes[] = {
    { "sandybridge-ep", { 32, 32, 256, 20 * 1024 } },
    { "sapphire-rapids", { 48, 32, 2048, 105 * 1024 } },
    { "genoa", { 32, 32, 1024, 32 * 1024 } },
};

static void test_sizes_of_presets(void)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(sizes); i++) {
        const DsegCachesGeometry *geometry = dseg_caches_preset(sizes[i].name);

        g_assert_nonnull(geometry);
        g_assert_cmpuint(geometry->line, ==, 64);
        for (DsegCacheName j = 0; j < DSEG_CACHE__MAX; j++) {
            g_assert_cmpuint(geometry->cache[j].size, ==,
                             sizes[i].kib[j] * KIB);
        }
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();

    g_test_add_func("/caches-presets/a-preset-for-each-tlb-obeys-the-rules",
                    test_a_preset_for_each_tlb);
    g_test_add_func("/caches-presets/no-preset-of-another-name",
                    test_no_other_preset);
    g_test_add_func("/caches-presets/sizes-of-presets", test_sizes_of_presets);
    return g_test_run();
}
