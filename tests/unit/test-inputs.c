/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The inputs of Debian's programs: that each is what its kind says
 *
 * Usage: test-inputs INPUTS
 */
#define _GNU_SOURCE
#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shell.h"

static const char *program;

/* What it prints on both streams. */
static char *run(const char *words, int *code)
{
    g_autofree char *command = g_strdup_printf("exec 2>&1; timeout -k 1 60 %s %s",
                                               program, words);

    return output_of(command, code);
}

static char *right(const char *words)
{
    int code;
    char *output = run(words, &code);

    g_assert_cmpint(code, ==, 0);
    return output;
}

/* Its lines, without an empty one behind the last. */
static char **lines(const char *words, const char *end)
{
    g_autofree char *output = right(words);
    size_t length = strlen(output), of_end = strlen(end);

    g_assert_true(g_str_has_suffix(output, end));
    output[length - of_end] = 0;
    return g_strsplit(output, end, -1);
}

static void test_seeds(void)
{
    static const char *const kinds[] = { "set 3 100", "values 3 100", "genome 1000",
                                         "reads 1000 5", "vectors 5 100", "text 1000" };

    for (unsigned i = 0; i < G_N_ELEMENTS(kinds); i++) {
        g_autofree char *one = g_strdup_printf("%s 1", kinds[i]);
        g_autofree char *two = g_strdup_printf("%s 2", kinds[i]);
        g_autofree char *first = right(one), *again = right(one), *other = right(two);

        g_assert_cmpstr(first, ==, again);
        g_assert_cmpstr(first, !=, other);
    }
}

static void test_values(void)
{
    g_auto(GStrv) set = lines("set 3 37 7", "\r\n");
    g_auto(GStrv) get = lines("get 3", "\r\n");
    g_auto(GStrv) values = lines("values 3 37 7", "\r\n");

    g_assert_cmpuint(g_strv_length(set), ==, 7);
    g_assert_cmpuint(g_strv_length(get), ==, 4);
    g_assert_cmpuint(g_strv_length(values), ==, 9);
    for (unsigned i = 0; i < 3; i++) {
        g_autofree char *key = g_strdup_printf("ours%u", i);
        g_autofree char *stored = g_strdup_printf("set %s 0 0 37 noreply", key);
        g_autofree char *asked = g_strdup_printf("get %s", key);
        g_autofree char *answer = g_strdup_printf("VALUE %s 0 37", key);

        g_assert_cmpstr(set[2 * i], ==, stored);
        g_assert_cmpstr(get[i], ==, asked);
        g_assert_cmpstr(values[3 * i], ==, answer);
        g_assert_cmpuint(strlen(set[2 * i + 1]), ==, 37);
        g_assert_cmpstr(values[3 * i + 1], ==, set[2 * i + 1]);
        g_assert_cmpstr(values[3 * i + 2], ==, "END");
    }
    g_assert_cmpstr(set[1], !=, set[3]);
    g_assert_cmpstr(set[6], ==, "quit");
    g_assert_cmpstr(get[3], ==, "quit");
}

/* The bases of a genome, without its first line and the ends of the others. */
static char *bases(const char *words)
{
    g_auto(GStrv) found = lines(words, "\n");

    g_assert_cmpstr(found[0], ==, ">genome");
    for (unsigned i = 1; found[i]; i++) {
        g_assert_cmpuint(strlen(found[i]), ==, found[i + 1] ? 80 : 1000 % 80);
        g_assert_cmpuint(strspn(found[i], "ACGT"), ==, strlen(found[i]));
    }
    return g_strjoinv("", found + 1);
}

static void test_reads(void)
{
    g_autofree char *genome = bases("genome 1000 3");
    g_auto(GStrv) reads = lines("reads 1000 500 3", "\n");
    unsigned wrong = 0;

    g_assert_cmpuint(strlen(genome), ==, 1000);
    g_assert_cmpuint(g_strv_length(reads), ==, 2000);
    for (unsigned i = 0; i < 500; i++) {
        unsigned at, number;

        g_assert_cmpint(sscanf(reads[4 * i], "@%u_%u", &at, &number), ==, 2);
        g_assert_cmpuint(number, ==, i);
        g_assert_cmpuint(at, >=, 1);
        g_assert_cmpuint(at - 1 + 100, <=, 1000);
        g_assert_cmpuint(strlen(reads[4 * i + 1]), ==, 100);
        g_assert_cmpuint(strlen(reads[4 * i + 3]), ==, 100);
        for (unsigned j = 0; j < 100; j++) {
            wrong += reads[4 * i + 1][j] != genome[at - 1 + j];
        }
    }
    /* A hundredth of 50000, of which a fourth is what it was. */
    g_assert_cmpuint(wrong, >, 300);
    g_assert_cmpuint(wrong, <, 450);
}

/* With 20 features of 20 all are in each vector, and their averages by label tell the plane. */
static void test_vectors(void)
{
    g_auto(GStrv) found = lines("vectors 4000 20 1", "\n");
    double weights[21] = { 0 };
    unsigned above = 0, right = 0;

    g_assert_cmpuint(g_strv_length(found), ==, 4000);
    for (unsigned pass = 0; pass < 2; pass++) {
        for (unsigned i = 0; i < 4000; i++) {
            g_auto(GStrv) words = g_strsplit(found[i], " ", -1);
            int label = atoi(words[0]);
            double sum = 0;

            g_assert_cmpuint(g_strv_length(words), ==, 21);
            g_assert_true(label == 1 || label == -1);
            above += pass == 0 && label == 1;
            for (int j = 1; j <= 20; j++) {
                int feature;
                double value;

                g_assert_cmpint(sscanf(words[j], "%d:%lf", &feature, &value), ==, 2);
                g_assert_cmpint(feature, ==, j);
                if (pass == 0) {
                    weights[j] += label * (value - 0.5);
                } else {
                    sum += (weights[j] > 0 ? 1 : -1) * value;
                }
            }
            right += pass == 1 && (sum >= 0) == (label == 1);
        }
    }
    g_assert_cmpuint(above, >, 0);
    g_assert_cmpuint(above, <, 4000);
    g_assert_cmpuint(right, ==, 4000);
}

static void test_features_ascend(void)
{
    g_auto(GStrv) found = lines("vectors 100 1000 1", "\n");

    for (unsigned i = 0; found[i]; i++) {
        g_auto(GStrv) words = g_strsplit(found[i], " ", -1);

        for (int j = 1, last = 0; j <= 20; j++) {
            g_assert_cmpint(atoi(words[j]), >, last);
            last = atoi(words[j]);
            g_assert_cmpint(last, <=, 1000);
        }
    }
}

static void test_text(void)
{
    g_autofree char *text = right("text 100000 1");
    g_auto(GStrv) words = NULL;
    g_autoptr(GHashTable) counts = g_hash_table_new(g_str_hash, g_str_equal);
    unsigned most = 0;

    g_assert_cmpuint(strlen(text), ==, 100000);
    g_assert_cmpuint(strspn(text, "abcdefghijklmnopqrstuvwxyz \n"), ==, 100000);
    words = g_strsplit_set(text, " \n", -1);
    for (unsigned i = 0; words[i]; i++) {
        unsigned count = GPOINTER_TO_UINT(g_hash_table_lookup(counts, words[i])) + 1;

        g_hash_table_insert(counts, words[i], GUINT_TO_POINTER(count));
        most = MAX(most, count);
    }
    /* The most frequent is much more so than the average. */
    g_assert_cmpuint(g_hash_table_size(counts), >, 1000);
    g_assert_cmpuint(most, >, 50 * g_strv_length(words) / g_hash_table_size(counts));
}

static void assert_error(const char *words, const char *error)
{
    int code;
    g_autofree char *output = run(words, &code);
    g_autofree char *expected = g_strdup_printf("inputs: %s\n", error);

    g_assert_cmpstr(output, ==, expected);
    g_assert_cmpint(code, ==, 2);
}

static void test_errors(void)
{
    assert_error("", "which input? see --help");
    assert_error("pictures 1", "which input? see --help");
    assert_error("text 1", "text: takes 2 numbers; see --help");
    assert_error("text 1 2 3", "text: takes 2 numbers; see --help");
    assert_error("text 1K 1", "text: '1K' is no number");
    assert_error("text -1 1", "text: '-1' is no number");
    assert_error("text 18446744073709551616 1", "text: '18446744073709551616' is no number");
    assert_error("text many 1", "text: 'many' is no number");
    assert_error("reads 99 1 1", "reads: BASES must be at least 100");
    assert_error("vectors 1 19 1", "vectors: FEATURES must be at least 20");
    assert_error("text 1000000 1 >/dev/full", "text: what it prints can't be written");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_assert_cmpint(argc, ==, 2);
    program = argv[1];
    g_test_add_func("/inputs/are-those-of-the-seed", test_seeds);
    g_test_add_func("/inputs/values-are-what-was-set", test_values);
    g_test_add_func("/inputs/reads-are-from-where-their-names-say", test_reads);
    g_test_add_func("/inputs/a-plane-divides-vectors", test_vectors);
    g_test_add_func("/inputs/features-ascend", test_features_ascend);
    g_test_add_func("/inputs/text-has-frequent-words", test_text);
    g_test_add_func("/inputs/what-can-not-be-is-named", test_errors);
    return g_test_run();
}
