/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A workload as a program: what it prints, and what options it takes
 *
 * Usage: test-workload PROGRAM NAME SMALLEST UPDATES CHECKSUM
 *
 * NAME begins its lines.  SMALLEST is the least for --bytes, in K.  CHECKSUM is
 * that of the second round with the options known(), which have UPDATES.
 */
#define _GNU_SOURCE
#include <glib.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shell.h"

/* An address that the sanitizers leave alone. */
#define AT " --at 0x200000000000"

static const char *program, *name, *known_updates, *known_checksum;
static unsigned smallest;

/* Run it with these options; returns what it prints on both streams. */
static char *run(const char *options, int *code)
{
    char *command = g_strdup_printf("exec 2>&1; timeout -k 1 60 %s" AT " %s",
                                    program, options);
    char *output = output_of(command, code);

    g_free(command);
    return output;
}

/* The checksums of its two rounds, both of which must be right. */
static char **checksums(const char *options)
{
    char *pattern = g_strdup_printf(
        "^%s: ready va=0x[0-9a-f]+ pa=anonymous bytes=[0-9]+\n"
        "%s: round 1 updates [0-9]+ seconds [0-9.]+ [a-z_]+ [0-9a-z.]+ "
        "checksum ([0-9a-f]{16}) ok errors 0\n"
        "%s: round 2 updates [0-9]+ seconds [0-9.]+ [a-z_]+ [0-9a-z.]+ "
        "checksum ([0-9a-f]{16}) ok errors 0\n"
        "%s: end rounds 2 bad 0\n$", name, name, name, name);
    GRegex *regex = g_regex_new(pattern, 0, 0, NULL);
    GMatchInfo *match;
    int code;
    char *output = run(options, &code), **found;

    if (!g_regex_match(regex, output, 0, &match)) {
        g_error("%s: no two rounds that are right: %s", options, output);
    }
    g_assert_cmpint(code, ==, 0);
    found = g_match_info_fetch_all(match);
    g_match_info_free(match);
    g_regex_unref(regex);
    g_free(pattern);
    g_free(output);
    return found;
}

/* The options of which the checksum is known, and others behind them. */
static char *known(const char *others)
{
    return g_strdup_printf("--bytes 1M --rounds 2 --seed 3 --updates %s %s",
                           known_updates, others);
}

/* Whether it has the known checksums with other options, too, or no such. */
static void assert_checksums(const char *others, bool same)
{
    g_autofree char *options = known(""), *changed = known(others);
    char **a = checksums(options), **b = checksums(changed);

    for (unsigned i = 1; i <= 2; i++) {
        g_assert_cmpint(!strcmp(a[i], b[i]), ==, same);
    }
    g_strfreev(a);
    g_strfreev(b);
}

static void assert_error(const char *options, const char *error)
{
    int code;
    char *output = run(options, &code);
    char *expected = g_strdup_printf("%s: %s\n", name, error);

    g_assert_cmpstr(output, ==, expected);
    g_assert_cmpint(code, ==, 2);
    g_free(expected);
    g_free(output);
}

static void test_sizes_and_seeds(void)
{
    static const unsigned sizes[] = { 0, 4, 8, 100, 556, 1020, 1024, 4000 };
    static const char *const seeds[] = { "0", "1", "0xffffffffffffffff" };

    for (unsigned i = 0; i < G_N_ELEMENTS(sizes); i++) {
        for (unsigned j = 0; j < G_N_ELEMENTS(seeds); j++) {
            char *options = g_strdup_printf(
                "--bytes %uK --updates 3000 --rounds 2 --seed %s",
                smallest + sizes[i], seeds[j]);

            g_strfreev(checksums(options));
            g_free(options);
        }
    }
}

static void test_seeds(void)
{
    assert_checksums("", true);
    assert_checksums("--seed 4", false);
    assert_checksums("--bytes 2M", false);
}

static void test_address(void)
{
    assert_checksums("--at 0x300000001000", true);
}

static void test_known_checksum(void)
{
    g_autofree char *options = known("");
    char **found = checksums(options);

    g_assert_cmpstr(found[2], ==, known_checksum);
    g_strfreev(found);
}

/* More than one pass over the input, or one step of it. */
static void test_many_updates(void)
{
    char *options = g_strdup_printf("--bytes %uK --updates 200000 --rounds 2",
                                    smallest);

    g_strfreev(checksums(options));
    g_free(options);
}

static void test_smallest(void)
{
    if (smallest > 4) {
        char *error = g_strdup_printf("--bytes: must be at least %uK", smallest);
        char *options = g_strdup_printf("--bytes %uK", smallest - 4);

        assert_error(options, error);
        assert_error("--bytes 4K", error);
        g_free(options);
        g_free(error);
    }
    assert_error("--bytes 0", "--bytes: must be a multiple of 4K and not 0");
    assert_error("--bytes 1000000",
                 "--bytes: must be a multiple of 4K and not 0");
}

static void test_bad_options(void)
{
    assert_error("--bytes many", "--bytes: 'many' is not a number");
    assert_error("--bytes 1T", "--bytes: unexpected 'T' after the number "
                 "(K, M and G are allowed)");
    assert_error("--updates 0", "--updates: must not be 0");
    assert_error("--threads 2", "--threads: must be 1");
    assert_error("--threads 0", "--threads: must be 1");
    assert_error("--seed -1", "--seed: '-1' is not a number");
    assert_error("--phys 4K --primary",
                 "--phys, --primary, --pages: only one of them");
    assert_error("all", "unexpected argument 'all'; see --help");
}

/* More than there are addresses: no rounding, and no wrap, makes it fit. */
static void test_too_large(void)
{
    int code;
    char *output = run("--bytes 1073741824G", &code);
    char *expected = g_strdup_printf("%s: cannot map 1152921504606846976 bytes",
                                     name);

    g_assert_true(g_str_has_prefix(output, expected));
    g_assert_cmpint(code, ==, 2);
    g_free(expected);
    g_free(output);
}

static void test_help(void)
{
    int code;
    char *output = run("--help", &code);
    char *usage = g_strdup_printf("Usage: %s [OPTION]...\n", name);

    g_assert_true(g_str_has_prefix(output, usage));
    g_assert_nonnull(strstr(output, "--updates"));
    g_assert_nonnull(strstr(output, "An update is"));
    for (char *line = strtok(output, "\n"); line; line = strtok(NULL, "\n")) {
        g_assert_cmpuint(strlen(line), <=, 85);
    }
    g_assert_cmpint(code, ==, 0);
    g_free(usage);
    g_free(output);
}

/* Without a number of rounds it runs until it is told to end, and says so. */
static void test_signal(void)
{
    char *command = g_strdup_printf(
        "timeout --preserve-status -k 10 -s TERM 1 %s" AT
        " --bytes 1M --updates 1000", program);
    FILE *pipe = popen(command, "re");
    char line[256], *last = NULL;
    int status;

    while (fgets(line, sizeof(line), pipe)) {
        g_free(last);
        last = g_strdup(line);
    }
    status = pclose(pipe);
    g_assert_true(WIFEXITED(status));
    g_assert_cmpint(WEXITSTATUS(status), ==, 0);
    g_assert_nonnull(last);
    g_assert_true(g_pattern_match_simple("*: end rounds * bad 0\n", last));
    g_free(last);
    g_free(command);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_assert_cmpint(argc, ==, 6);
    program = argv[1];
    name = argv[2];
    smallest = atoi(argv[3]);
    known_updates = argv[4];
    known_checksum = argv[5];
    g_test_add_func("/workload/each-size-and-seed-is-right",
                    test_sizes_and_seeds);
    g_test_add_func("/workload/checksum-is-that-of-its-options", test_seeds);
    g_test_add_func("/workload/checksum-does-not-depend-on-the-address",
                    test_address);
    g_test_add_func("/workload/checksum-is-known", test_known_checksum);
    g_test_add_func("/workload/many-updates-are-right", test_many_updates);
    g_test_add_func("/workload/too-few-bytes-are-refused", test_smallest);
    g_test_add_func("/workload/too-many-bytes-are-refused", test_too_large);
    g_test_add_func("/workload/bad-options-are-named", test_bad_options);
    g_test_add_func("/workload/help", test_help);
    g_test_add_func("/workload/ends-on-a-signal", test_signal);
    return g_test_run();
}
