/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unit tests of the reasons of a #VMEXIT, against APM volume 2, appendix C
 */

#include <glib.h>

#include "model/exits.h"

static void test_each_place_has_its_code(void)
{
    for (unsigned i = 0; i < DSEG_EXITS; i++) {
        uint64_t code = 12345;

        if (i == DSEG_EXITS - 1) {
            g_assert_false(dseg_exit_code(i, &code));
            g_assert_cmphex(code, ==, 12345);
        } else {
            g_assert_true(dseg_exit_code(i, &code));
            g_assert_cmpuint(dseg_exit_index(code), ==, i);
        }
    }
}

static void test_codes_that_the_manual_lacks_share_a_place(void)
{
    static const uint64_t others[] = {
        0x100, 0x3ff, 0x404, 0xffffffff, UINT64_MAX - 1, UINT64_C(1) << 63,
        UINT64_C(0x100000000), UINT64_C(0x100000400),
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(others); i++) {
        g_assert_cmpuint(dseg_exit_index(others[i]), ==, DSEG_EXITS - 1);
    }
}

static void test_names(void)
{
    static const struct { uint64_t code; const char *name; } table[] = {
        { 0x00, "cr0-read" }, { 0x0f, "cr15-read" }, { 0x13, "cr3-write" },
        { 0x27, "dr7-read" }, { 0x30, "dr0-write" },
        { 0x4e, "exception-14" }, { 0x5f, "exception-31" },
        { 0x60, "intr" }, { 0x64, "vintr" }, { 0x65, "cr0-selective-write" },
        { 0x6e, "rdtsc" }, { 0x72, "cpuid" }, { 0x78, "hlt" },
        { 0x79, "invlpg" }, { 0x7b, "ioio" }, { 0x7c, "msr" },
        { 0x7f, "shutdown" }, { 0x80, "vmrun" }, { 0x81, "vmmcall" },
        { 0x87, "rdtscp" }, { 0x8b, "mwait" }, { 0x8d, "xsetbv" },
        { 0x93, "cr3-write-trap" }, { 0xa2, "invpcid" }, { 0xb0, "0xb0" },
        { 0x400, "npf" }, { 0x403, "vmgexit" }, { UINT64_MAX, "invalid" },
        { 0x500, "other" },
    };
    char name[DSEG_EXIT_NAME];

    for (unsigned i = 0; i < G_N_ELEMENTS(table); i++) {
        dseg_exit_name(dseg_exit_index(table[i].code), name);
        g_assert_cmpstr(name, ==, table[i].name);
    }
}

static void test_names_differ(void)
{
    g_autoptr(GHashTable) names = g_hash_table_new_full(g_str_hash, g_str_equal,
                                                        g_free, NULL);

    for (unsigned i = 0; i < DSEG_EXITS; i++) {
        char name[DSEG_EXIT_NAME];

        dseg_exit_name(i, name);
        g_assert_true(g_hash_table_add(names, g_strdup(name)));
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();

    g_test_add_func("/exits/each-place-has-its-code",
                    test_each_place_has_its_code);
    g_test_add_func("/exits/codes-that-the-manual-lacks-share-a-place",
                    test_codes_that_the_manual_lacks_share_a_place);
    g_test_add_func("/exits/names", test_names);
    g_test_add_func("/exits/names-differ", test_names_differ);
    return g_test_run();
}
