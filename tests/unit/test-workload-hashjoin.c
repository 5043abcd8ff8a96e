/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unit tests of linux/workloads/hashjoin: the relations, the join, and what its
 * checks see
 */
#define main hashjoin_main
#include "../../linux/workloads/hashjoin.c"
#undef main

#include "workload.h"

#include <math.h>

static const struct workload hashjoin = { build, work, check, "probes_per_s" };

struct fixture {
    struct options o;
    struct join j;
    void *area;
};

static void set_up(struct fixture *f, uint64_t seed, bool zipf, uint64_t n)
{
    f->o = (struct options){ .name = "hashjoin", .updates = n, .seed = seed };
    f->j = (struct join){ .seed = seed, .zipf = zipf };
    f->o.bytes = bytes_of(n);
    f->area = g_malloc(f->o.bytes);
    lay_out(&f->j, f->area, n);
    build(&f->j, &f->o);
}

static void tear_down(struct fixture *f)
{
    g_free(f->area);
}

/* Each entry is in the chain of its bucket, once, and all have other keys. */
static void test_table(void)
{
    for (unsigned n = 16; n < 300; n++) {
        struct fixture f;
        g_autoptr(GHashTable) keys = g_hash_table_new(g_int64_hash, g_int64_equal);
        unsigned entries = 0;

        set_up(&f, n, false, n);
        for (unsigned bucket = 0; bucket < n; bucket++) {
            for (uint64_t link = f.j.buckets[bucket]; link;
                 link = f.j.entries[link - 1].next) {
                struct entry *entry = &f.j.entries[link - 1];

                g_assert_cmpuint(link, <=, n);
                g_assert_true(bucket_of(&f.j, entry->key) ==
                              &f.j.buckets[bucket]);
                g_assert_true(g_hash_table_add(keys, &entry->key));
                entries++;
            }
        }
        g_assert_cmpuint(entries, ==, n);
        tear_down(&f);
    }
}

/* Keys are spread as by chance: of n buckets, 1 / e have none. */
static void test_chains(void)
{
    const unsigned n = 100000;
    struct fixture f;
    unsigned empty = 0;

    set_up(&f, 1, false, n);
    for (unsigned i = 0; i < n; i++) {
        empty += !f.j.buckets[i];
    }
    g_assert_cmpfloat(fabs(empty - n * exp(-1)), <, 5 * sqrt(n * 0.0973));
    tear_down(&f);
}

/* Every tuple of one relation with every one of the other. */
static void test_join(void)
{
    for (unsigned n = 16; n < 400; n += 17) {
        struct fixture f;
        uint64_t matches = 0, sum = 0;

        set_up(&f, n, n % 2, n);
        for (unsigned i = 0; i < n; i++) {
            for (unsigned j = 0; j < n; j++) {
                if (f.j.probes[i].key == f.j.entries[j].key) {
                    matches++;
                    sum += f.j.probes[i].payload + f.j.entries[j].payload;
                }
            }
        }
        g_assert_cmpuint(work(&f.j, &f.o, 1), ==, n);
        g_assert_cmpuint(f.j.matches, ==, matches);
        g_assert_cmpuint(f.j.matches, ==, n);
        g_assert_cmpuint(f.j.sum, ==, sum);
        g_assert_cmpuint(expected_sum(&f.j, 0, n), ==, sum);
        tear_down(&f);
    }
}

/* A key that is not there, and one that is there twice. */
static void test_matches(void)
{
    struct fixture f;
    struct probe probe = { 0, 10 };
    uint64_t sum = 0;

    set_up(&f, 1, false, 100);
    for (probe.key = 0; probe.key < 1000; probe.key++) {
        g_assert_cmpuint(find_matches(&f.j, &probe, &sum), ==, 0);
    }
    g_assert_cmpuint(sum, ==, 0);
    for (unsigned i = 0; i < 100; i++) {
        struct entry *next = &f.j.entries[f.j.entries[i].next - 1];

        if (f.j.entries[i].next) {
            probe.key = next->key = f.j.entries[i].key;
            g_assert_cmpuint(find_matches(&f.j, &probe, &sum), >=, 2);
            break;
        }
    }
    g_assert_cmpuint(sum, !=, 0);
    tear_down(&f);
}

/* The @i-th most frequent key of n, and all of them together. */
static void assert_frequencies(bool zipf)
{
    const unsigned n = 1000, probes = 300000;
    struct join j = {
        .seed = 1, .zipf = zipf, .n = n, .ranks = make_order(1, RANKS, n),
    };
    g_autoptr(GHashTable) ranks = g_hash_table_new(g_int64_hash, g_int64_equal);
    g_autofree uint64_t *keys = g_new(uint64_t, n);
    g_autofree unsigned *counts = g_new0(unsigned, n);
    double harmonic = 0;

    for (unsigned i = 0; i < n; i++) {
        keys[i] = make_entry(&j, zipf ? in_order(&j.ranks, i) : i).key;
        g_hash_table_insert(ranks, &keys[i], GUINT_TO_POINTER(i));
        harmonic += 1.0 / (i + 1);
    }
    for (unsigned i = 0; i < probes; i++) {
        uint64_t key = make_probe(&j, i).key;
        gpointer rank;

        g_assert_true(g_hash_table_lookup_extended(ranks, &key, NULL, &rank));
        counts[GPOINTER_TO_UINT(rank)]++;
    }
    for (unsigned i = 0; i < n; i++) {
        double expected = zipf ? probes / harmonic / (i + 1) : probes / 1000.0;

        g_assert_cmpfloat(fabs(counts[i] - expected), <, 5 * sqrt(expected));
    }
}

static void test_even(void)
{
    assert_frequencies(false);
}

static void test_zipf(void)
{
    assert_frequencies(true);
}

/* With as many probes as there are, fewer, and many times as many. */
static void test_rounds_are_right(void)
{
    static const unsigned updates[] = { 1, 99, 100, 101, 1234 };

    for (unsigned i = 0; i < G_N_ELEMENTS(updates); i++) {
        for (unsigned zipf = 0; zipf < 2; zipf++) {
            struct fixture f;

            set_up(&f, i, zipf, 100);
            f.o.updates = updates[i];
            for (unsigned round = 1; round <= 5; round++) {
                assert_round(&hashjoin, &f.j, &f.o, round, true);
            }
            tear_down(&f);
        }
    }
}

static void test_wrong_memory_is_seen(void)
{
    for (unsigned before = 0; before < 2; before++) {
        struct fixture f;
        struct join *j = &f.j;

        set_up(&f, 1, false, 100);
        assert_is_seen(&hashjoin, j, &f.o, j->buckets[99], 1, before);
        assert_is_seen(&hashjoin, j, &f.o, *bucket_of(j, j->probes[0].key),
                       1ull << 50, before);
        assert_is_seen(&hashjoin, j, &f.o, j->entries[0].key, 1, before);
        assert_is_seen(&hashjoin, j, &f.o, j->entries[0].payload, 1, before);
        assert_is_seen(&hashjoin, j, &f.o, j->entries[99].next, UINT64_MAX, before);
        assert_is_seen(&hashjoin, j, &f.o, j->probes[0].key, 1, before);
        assert_is_seen(&hashjoin, j, &f.o, j->probes[99].payload, 1, before);
        /* A chain that goes round. */
        assert_is_seen(&hashjoin, j, &f.o, j->entries[50].next,
                       51 ^ j->entries[50].next, before);
        tear_down(&f);
    }
}

/* Also where the table has been wrong from the beginning. */
static void test_wrong_results_are_seen(void)
{
    struct fixture f;
    uint64_t entry;

    set_up(&f, 1, false, 100);
    assert_is_seen(&hashjoin, &f.j, &f.o, f.j.matches, 1, false);
    assert_is_seen(&hashjoin, &f.j, &f.o, f.j.sum, 1, false);
    for (entry = 0; f.j.entries[entry].key != f.j.probes[0].key; entry++) {
    }
    for (unsigned i = 0; i < 3; i++) {
        uint64_t *values[] = {
            &f.j.entries[entry].key, &f.j.entries[entry].payload,
            &f.j.probes[0].payload,
        };

        *values[i] ^= 1;
        f.j.input_sum = input_sum(&f.j);
        assert_round(&hashjoin, &f.j, &f.o, 1, false);
        *values[i] ^= 1;
    }
    tear_down(&f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/hashjoin/table-has-each-key-once", test_table);
    g_test_add_func("/hashjoin/chains-are-short", test_chains);
    g_test_add_func("/hashjoin/joins-like-nested-loops", test_join);
    g_test_add_func("/hashjoin/finds-all-matches-of-a-key", test_matches);
    g_test_add_func("/hashjoin/keys-are-even", test_even);
    g_test_add_func("/hashjoin/keys-by-zipfs-law", test_zipf);
    g_test_add_func("/hashjoin/rounds-are-right", test_rounds_are_right);
    g_test_add_func("/hashjoin/wrong-memory-is-seen", test_wrong_memory_is_seen);
    g_test_add_func("/hashjoin/wrong-results-are-seen",
                    test_wrong_results_are_seen);
    return g_test_run();
}
