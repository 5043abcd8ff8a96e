/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unit tests of the escape filter: its hash functions, how often it is wrong,
 * and the list of pages behind it
 */

#include <math.h>

#include "model/filter.h"
#include "random.h"

#define PAGE_BITS 12
#define PAGE (UINT64_C(1) << PAGE_BITS)
#define HASH_BITS 6
#define ALL_HASH_BITS (DSEG_FILTER_HASHES * HASH_BITS)

/* All four functions side by side: a number of 24 bits. */
static uint32_t hash_all(uint64_t pfn)
{
    uint32_t all = 0;

    for (unsigned i = 0; i < DSEG_FILTER_HASHES; i++) {
        all = all << HASH_BITS | dseg_filter_hash(i, pfn);
    }
    return all;
}

/* The rank over GF(2) of @count columns, by Gauss's elimination. */
static unsigned rank(const uint32_t *columns, unsigned count)
{
    uint32_t pivot[32] = { 0 };
    unsigned found = 0;

    for (unsigned i = 0; i < count; i++) {
        uint32_t column = columns[i];

        while (column && pivot[g_bit_storage(column) - 1]) {
            column ^= pivot[g_bit_storage(column) - 1];
        }
        if (column) {
            pivot[g_bit_storage(column) - 1] = column;
            found++;
        }
    }
    return found;
}

static void test_hash_of_zero(void)
{
    g_assert_cmphex(hash_all(0), ==, 0);
}

/* As docs/spec/registers.rst writes it out. */
static uint64_t splitmix64(uint64_t *state)
{
    uint64_t x, y, z;

    x = *state += UINT64_C(0x9e3779b97f4a7c15);
    y = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (y ^ (y >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* Software that computes a filter itself must come to the same one. */
static void test_hash_constants(void)
{
    uint64_t state = 0x64736567;

    for (unsigned i = 0; i < DSEG_FILTER_HASHES; i++) {
        for (unsigned j = 0; j < DSEG_FILTER_KEY_BITS; j++) {
            unsigned row;

            do {
                row = splitmix64(&state) >> 58;
            } while (!row);
            g_assert_cmpuint(dseg_filter_hash(i, UINT64_C(1) << j), ==, row);
        }
    }
}

static void test_hash_ignores_other_bits(void)
{
    for (unsigned bit = DSEG_FILTER_KEY_BITS; bit < 64; bit++) {
        g_assert_cmphex(hash_all(5 | UINT64_C(1) << bit), ==, hash_all(5));
    }
}

static void test_hash_is_linear(void)
{
    g_autoptr(GRand) rand = random_new();

    for (uint64_t n = random_rounds(20000); n && !g_test_failed(); n--) {
        uint64_t a = random_bits(rand, DSEG_FILTER_KEY_BITS);
        uint64_t b = random_bits(rand, DSEG_FILTER_KEY_BITS);

        g_assert_cmphex(hash_all(a ^ b), ==, hash_all(a) ^ hash_all(b));
    }
}

static void test_hash_range(void)
{
    g_autoptr(GRand) rand = random_new();
    uint64_t seen[DSEG_FILTER_HASHES] = { 0 };

    for (uint64_t n = random_rounds(20000); n && !g_test_failed(); n--) {
        uint64_t pfn = random_edge(rand);

        for (unsigned i = 0; i < DSEG_FILTER_HASHES; i++) {
            unsigned hash = dseg_filter_hash(i, pfn);

            g_assert_cmpuint(hash, <, DSEG_FILTER_PARTITION_BITS);
            seen[i] |= UINT64_C(1) << hash;
        }
    }
    for (unsigned i = 0; i < DSEG_FILTER_HASHES; i++) {
        g_assert_cmphex(seen[i], ==, UINT64_MAX);
    }
}

static void test_hash_uses_every_key_bit(void)
{
    for (unsigned i = 0; i < DSEG_FILTER_HASHES; i++) {
        for (unsigned bit = 0; bit < DSEG_FILTER_KEY_BITS; bit++) {
            g_assert_cmpuint(dseg_filter_hash(i, UINT64_C(1) << bit), !=, 0);
        }
    }
}

static void test_hash_reaches_every_bit_evenly(void)
{
    for (unsigned i = 0; i < DSEG_FILTER_HASHES; i++) {
        uint32_t columns[DSEG_FILTER_KEY_BITS];

        for (unsigned bit = 0; bit < DSEG_FILTER_KEY_BITS; bit++) {
            columns[bit] = dseg_filter_hash(i, UINT64_C(1) << bit);
        }
        g_assert_cmpuint(rank(columns, DSEG_FILTER_KEY_BITS), ==, HASH_BITS);
    }
}

static void test_hashes_differ(void)
{
    for (unsigned i = 0; i < DSEG_FILTER_HASHES; i++) {
        for (unsigned j = 0; j < i; j++) {
            unsigned same = 0;

            for (unsigned bit = 0; bit < DSEG_FILTER_KEY_BITS; bit++) {
                same += dseg_filter_hash(i, UINT64_C(1) << bit)
                        == dseg_filter_hash(j, UINT64_C(1) << bit);
            }
            g_assert_cmpuint(same, <, DSEG_FILTER_KEY_BITS / 2);
        }
    }
}

static unsigned rank_of_all(unsigned key_bits)
{
    uint32_t columns[DSEG_FILTER_KEY_BITS];

    for (unsigned bit = 0; bit < key_bits; bit++) {
        columns[bit] = hash_all(UINT64_C(1) << bit);
    }
    return rank(columns, key_bits);
}

/*
 * With full rank, a random page number gives four independent random hashes:
 * what the theory of false positives below supposes.
 */
static void test_hashes_are_independent(void)
{
    g_assert_cmpuint(rank_of_all(DSEG_FILTER_KEY_BITS), ==, ALL_HASH_BITS);
}

/* No two pages of an aligned GiB share all four hashes. */
static void test_lone_page_within_a_gib(void)
{
    g_assert_cmpuint(rank_of_all(30 - PAGE_BITS), ==, 30 - PAGE_BITS);
}

static void test_starts_empty(void)
{
    g_autoptr(GRand) rand = random_new();
    const DsegFilter filter = { 0 };

    g_assert_true(dseg_filter_empty(&filter));
    for (unsigned n = 0; n < 1000; n++) {
        g_assert_false(dseg_filter_test(&filter, random_edge(rand)));
    }
}

/* Each bit of each word counts. */
static void test_same_if_all_words_are(void)
{
    const DsegFilter filter = { { 1, UINT64_MAX, 0, UINT64_C(1) << 63 } };

    g_assert_true(dseg_filter_same(&filter, &(DsegFilter) {
        { 1, UINT64_MAX, 0, UINT64_C(1) << 63 },
    }));
    for (unsigned i = 0; i < DSEG_FILTER_HASHES; i++) {
        for (unsigned bit = 0; bit < DSEG_FILTER_PARTITION_BITS; bit++) {
            DsegFilter other = filter;

            other.word[i] ^= UINT64_C(1) << bit;
            g_assert_false(dseg_filter_same(&filter, &other));
            g_assert_false(dseg_filter_same(&other, &filter));
        }
    }
}

static void test_add_sets_one_bit_a_partition(void)
{
    const uint64_t pfn = 0x12345;
    DsegFilter filter = { 0 };

    dseg_filter_add(&filter, pfn << PAGE_BITS);

    g_assert_false(dseg_filter_empty(&filter));
    for (unsigned i = 0; i < DSEG_FILTER_HASHES; i++) {
        g_assert_cmphex(filter.word[i], ==,
                        UINT64_C(1) << dseg_filter_hash(i, pfn));
    }
}

static void test_each_partition_can_deny(void)
{
    const uint64_t gpa = 0x12345678;
    DsegFilter filter = { 0 };

    dseg_filter_add(&filter, gpa);
    for (unsigned i = 0; i < DSEG_FILTER_HASHES; i++) {
        DsegFilter without = filter;

        without.word[i] = 0;
        g_assert_false(dseg_filter_empty(&without));
        g_assert_false(dseg_filter_test(&without, gpa));
    }
}

static void test_page_offset_is_ignored(void)
{
    DsegFilter page = { 0 }, byte = { 0 };

    dseg_filter_add(&page, 5 * PAGE);
    dseg_filter_add(&byte, 6 * PAGE - 1);

    g_assert_cmpmem(&page, sizeof(page), &byte, sizeof(byte));
    g_assert_true(dseg_filter_test(&page, 5 * PAGE));
    g_assert_true(dseg_filter_test(&page, 6 * PAGE - 1));
    g_assert_false(dseg_filter_test(&page, 5 * PAGE - 1));
    g_assert_false(dseg_filter_test(&page, 6 * PAGE));
}

static void test_no_false_negatives(void)
{
    g_autoptr(GRand) rand = random_new();

    for (uint64_t n = random_rounds(50); n && !g_test_failed(); n--) {
        DsegFilter filter = { 0 };
        uint64_t added[DSEG_ESCAPES_MAX];

        for (unsigned i = 0; i < G_N_ELEMENTS(added); i++) {
            added[i] = random_edge(rand);
            dseg_filter_add(&filter, added[i]);
            for (unsigned j = 0; j <= i; j++) {
                g_assert_true(dseg_filter_test(&filter, added[j]));
            }
        }
    }
}

/*
 * False positives.
 *
 * Add n pages to an empty filter and ask for others.  In theory n random hashes
 * leave each of the 64 bits of a partition clear with probability (1 - 1/64)^n,
 * and a page is let through if its bit is set in all four partitions:
 *
 *     P(n) = (1 - (1 - 1/64)^n)^4
 *
 * exactly, since the hashes are independent and even (proved above).  Measured
 * is the mean over many filters.  Their rates are independent of each other, so
 * by the central limit theorem the mean lies within 5 of its standard errors of
 * P(n), but for one set of filters in 1.7 million; and the set is always the
 * same.  Where only a few hits are expected they are Poisson's rather than
 * Gauss's, and 3 more or less are allowed.
 */
enum { FILTERS = 300, PROBES = 1000 };

static const unsigned page_counts[] = { 1, 2, 4, 8, 16, 32, 64 };

typedef struct Pages {
    const char *name;
    unsigned key_bits;
    bool sequential;
} Pages;

static const Pages random_pages_52 = { "random in 52 bits", 40, false };
static const Pages random_pages_40 = { "random in 40 bits", 28, false };
static const Pages sequential_pages = { "sequential", 40, true };

static void fill(GRand *rand, const Pages *pages, unsigned n,
                 DsegEscapes *escapes)
{
    uint64_t pfn = random_bits(rand, pages->key_bits - 1);

    while (escapes->count < n) {
        dseg_escapes_add(escapes, pfn << PAGE_BITS, 52);
        pfn = pages->sequential ? pfn + 1 : random_bits(rand, pages->key_bits);
    }
}

/* Of PROBES pages that were not added, how many the filter lets through. */
static unsigned probe(GRand *rand, const Pages *pages,
                      const DsegEscapes *escapes)
{
    unsigned hits = 0;

    for (unsigned i = 0; i < PROBES; i++) {
        uint64_t gpa = random_bits(rand, pages->key_bits) << PAGE_BITS;

        hits += !dseg_escapes_contains(escapes, gpa)
                && dseg_filter_test(&escapes->filter, gpa);
    }
    return hits;
}

typedef struct Rate {
    double hits;    /* of FILTERS * PROBES probes */
    double error;   /* the standard error of hits */
} Rate;

static Rate measure(GRand *rand, const Pages *pages, unsigned n)
{
    double sum = 0, squares = 0;

    for (unsigned i = 0; i < FILTERS; i++) {
        DsegEscapes escapes = { 0 };
        unsigned hits;

        fill(rand, pages, n, &escapes);
        hits = probe(rand, pages, &escapes);
        sum += hits;
        squares += (double)hits * hits;
    }
    return (Rate) {
        .hits = sum,
        .error = sqrt(squares - sum * sum / FILTERS),
    };
}

static double theory(unsigned n)
{
    return pow(1 - pow(1 - 1.0 / DSEG_FILTER_PARTITION_BITS, n),
               DSEG_FILTER_HASHES);
}

static void print_row(const Pages *pages, unsigned n, Rate rate)
{
    const double probes = FILTERS * PROBES;

    g_test_message("%2u pages, %s: measured %.6f, theory %.6f, "
                   "standard error %.6f", n, pages->name, rate.hits / probes,
                   theory(n), rate.error / probes);
}

static void test_false_positives_equal_theory(gconstpointer data)
{
    const Pages *pages = data;
    g_autoptr(GRand) rand = random_new();

    for (unsigned i = 0; i < G_N_ELEMENTS(page_counts); i++) {
        unsigned n = page_counts[i];
        Rate rate = measure(rand, pages, n);
        double expected = theory(n) * FILTERS * PROBES;

        print_row(pages, n, rate);
        g_assert_cmpfloat(fabs(rate.hits - expected), <=, 5 * rate.error + 3);
    }
}

/*
 * Sequential pages are no random ones: the hashes of neighbours differ by few
 * of the constants, so their rate may lie on either side of the theory.  What
 * holds is that n pages set at most n bits of each partition: (n/64)^4.
 */
static void test_false_positives_of_sequential_pages(void)
{
    g_autoptr(GRand) rand = random_new();

    for (unsigned i = 0; i < G_N_ELEMENTS(page_counts); i++) {
        unsigned n = page_counts[i];
        Rate rate = measure(rand, &sequential_pages, n);
        double bound = pow((double)n / DSEG_FILTER_PARTITION_BITS,
                           DSEG_FILTER_HASHES) * FILTERS * PROBES;

        print_row(&sequential_pages, n, rate);
        g_assert_cmpfloat(rate.hits, <=, bound + 5 * rate.error + 3);
    }
}

/* The list of escaped pages. */

static DsegFilter filter_of(const uint64_t *pages, unsigned count)
{
    DsegFilter filter = { 0 };

    for (unsigned i = 0; i < count; i++) {
        dseg_filter_add(&filter, pages[i]);
    }
    return filter;
}

static void assert_filter(const DsegEscapes *escapes, const uint64_t *pages,
                          unsigned count)
{
    DsegFilter expected = filter_of(pages, count);

    g_assert_cmpuint(escapes->count, ==, count);
    g_assert_cmpmem(&escapes->filter, sizeof(DsegFilter),
                    &expected, sizeof(DsegFilter));
}

/* Adds page numbers 1, 2, ... @count. */
static void add_pages(DsegEscapes *escapes, unsigned count)
{
    for (unsigned i = 1; i <= count; i++) {
        g_assert_cmpint(dseg_escapes_add(escapes, i * PAGE, 40), ==,
                        DSEG_ESCAPE_OK);
    }
}

static void assert_refused(DsegEscapes *escapes, uint64_t gpa,
                           unsigned phys_bits, DsegEscapeResult expected)
{
    const DsegEscapes before = *escapes;

    g_assert_cmpint(dseg_escapes_add(escapes, gpa, phys_bits), ==, expected);
    g_assert_cmpmem(escapes, sizeof(*escapes), &before, sizeof(before));
}

static void test_escapes_add(void)
{
    const uint64_t pages[] = { PAGE, 2 * PAGE, 3 * PAGE };
    DsegEscapes escapes = { 0 };

    add_pages(&escapes, 3);

    assert_filter(&escapes, pages, 3);
    for (unsigned i = 0; i < 3; i++) {
        g_assert_true(dseg_escapes_contains(&escapes, pages[i]));
        g_assert_true(dseg_escapes_contains(&escapes, pages[i] + PAGE - 1));
        g_assert_true(dseg_filter_test(&escapes.filter, pages[i]));
    }
    g_assert_false(dseg_escapes_contains(&escapes, PAGE - 1));
    g_assert_false(dseg_escapes_contains(&escapes, 4 * PAGE));
}

static void test_escapes_page_zero(void)
{
    const uint64_t zero = 0;
    DsegEscapes escapes = { 0 };

    g_assert_false(dseg_escapes_contains(&escapes, 0));
    g_assert_cmpint(dseg_escapes_add(&escapes, 0, 40), ==, DSEG_ESCAPE_OK);
    g_assert_true(dseg_escapes_contains(&escapes, 0));
    assert_filter(&escapes, &zero, 1);
}

static void test_escapes_refuse_unaligned(void)
{
    DsegEscapes escapes = { 0 };

    add_pages(&escapes, 3);
    assert_refused(&escapes, 8 * PAGE + 1, 40, DSEG_ESCAPE_UNALIGNED);
    assert_refused(&escapes, 8 * PAGE + 0x800, 40, DSEG_ESCAPE_UNALIGNED);
}

static void test_escapes_refuse_too_wide(void)
{
    static const unsigned widths[] = { 32, 36, 40, 48, 52 };

    for (unsigned i = 0; i < G_N_ELEMENTS(widths); i++) {
        uint64_t end = UINT64_C(1) << widths[i];
        DsegEscapes escapes = { 0 };

        assert_refused(&escapes, end, widths[i], DSEG_ESCAPE_TOO_WIDE);
        assert_refused(&escapes, -PAGE, widths[i], DSEG_ESCAPE_TOO_WIDE);
        g_assert_cmpint(dseg_escapes_add(&escapes, end - PAGE, widths[i]), ==,
                        DSEG_ESCAPE_OK);
    }
}

static void test_escapes_refuse_duplicate(void)
{
    DsegEscapes escapes = { 0 };

    add_pages(&escapes, 3);
    assert_refused(&escapes, 2 * PAGE, 40, DSEG_ESCAPE_PRESENT);
}

static void test_escapes_full_at_256(void)
{
    DsegEscapes escapes = { 0 };

    g_assert_cmpuint(DSEG_ESCAPES_MAX, ==, 256);
    add_pages(&escapes, 256);
    assert_refused(&escapes, 257 * PAGE, 40, DSEG_ESCAPE_FULL);
    g_assert_true(dseg_escapes_contains(&escapes, 256 * PAGE));

    g_assert_cmpint(dseg_escapes_remove(&escapes, PAGE), ==, DSEG_ESCAPE_OK);
    g_assert_cmpint(dseg_escapes_add(&escapes, 257 * PAGE, 40), ==,
                    DSEG_ESCAPE_OK);
}

static void test_escapes_remove_rebuilds(void)
{
    for (unsigned removed = 1; removed <= 20; removed++) {
        DsegEscapes escapes = { 0 };
        uint64_t left[19];
        unsigned n = 0;

        add_pages(&escapes, 20);
        for (unsigned i = 1; i <= 20; i++) {
            if (i != removed) {
                left[n++] = i * PAGE;
            }
        }
        g_assert_cmpint(dseg_escapes_remove(&escapes, removed * PAGE), ==,
                        DSEG_ESCAPE_OK);

        assert_filter(&escapes, left, 19);
        g_assert_false(dseg_escapes_contains(&escapes, removed * PAGE));
        for (unsigned i = 0; i < 19; i++) {
            g_assert_true(dseg_escapes_contains(&escapes, left[i]));
        }
    }
}

static void test_escapes_remove_last(void)
{
    DsegEscapes escapes = { 0 };

    add_pages(&escapes, 1);
    g_assert_cmpint(dseg_escapes_remove(&escapes, PAGE), ==, DSEG_ESCAPE_OK);
    g_assert_true(dseg_filter_empty(&escapes.filter));
    g_assert_cmpuint(escapes.count, ==, 0);
    g_assert_false(dseg_escapes_contains(&escapes, PAGE));
}

static void test_escapes_remove_absent(void)
{
    DsegEscapes escapes = { 0 }, before;

    add_pages(&escapes, 3);
    before = escapes;
    g_assert_cmpint(dseg_escapes_remove(&escapes, 4 * PAGE), ==,
                    DSEG_ESCAPE_ABSENT);
    g_assert_cmpint(dseg_escapes_remove(&escapes, 2 * PAGE + 1), !=,
                    DSEG_ESCAPE_OK);
    g_assert_cmpmem(&escapes, sizeof(escapes), &before, sizeof(before));
}

static void test_escapes_clear(void)
{
    DsegEscapes escapes = { 0 };

    add_pages(&escapes, 20);
    dseg_escapes_clear(&escapes);

    g_assert_cmpuint(escapes.count, ==, 0);
    g_assert_true(dseg_filter_empty(&escapes.filter));
    g_assert_false(dseg_escapes_contains(&escapes, PAGE));
    add_pages(&escapes, 256);
}

/* Nothing says so of the filter: software may have written its words. */
static void test_escapes_valid(void)
{
    DsegEscapes escapes = { 0 };

    g_assert_true(dseg_escapes_valid(&escapes, 32));
    add_pages(&escapes, 256);
    g_assert_true(dseg_escapes_valid(&escapes, 32));
    escapes.filter = (DsegFilter) { { UINT64_MAX, 0, 1, 2 } };
    g_assert_true(dseg_escapes_valid(&escapes, 32));
}

static void test_escapes_too_many_are_invalid(void)
{
    DsegEscapes escapes = { 0 };

    escapes.count = 257;
    g_assert_false(dseg_escapes_valid(&escapes, 40));
    escapes.count = UINT_MAX;
    g_assert_false(dseg_escapes_valid(&escapes, 40));
}

/* Wherever in the list the page is that could not have been added. */
static void test_escapes_bad_page_is_invalid(void)
{
    static const uint64_t bad[] = {
        1, PAGE + 0x800, UINT64_C(1) << 40, -PAGE, UINT64_MAX,
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
        for (unsigned at = 0; at < 3; at++) {
            DsegEscapes escapes = { 0 };

            add_pages(&escapes, 3);
            escapes.page[at] = bad[i];
            g_assert_false(dseg_escapes_valid(&escapes, 40));
        }
    }
}

static void test_escapes_twice_is_invalid(void)
{
    DsegEscapes escapes = { 0 };

    add_pages(&escapes, 3);
    escapes.page[2] = escapes.page[0];
    g_assert_false(dseg_escapes_valid(&escapes, 40));
}

/* A filter that misses a page, or has a bit too many, is not the list's. */
static void test_escapes_whole(void)
{
    DsegEscapes escapes = { 0 };

    g_assert_true(dseg_escapes_whole(&escapes));
    add_pages(&escapes, 20);
    g_assert_true(dseg_escapes_whole(&escapes));
    for (unsigned i = 0; i < DSEG_FILTER_HASHES; i++) {
        DsegEscapes more = escapes, less = escapes;

        more.filter.word[i] |= more.filter.word[i] + 1;
        g_assert_false(dseg_escapes_whole(&more));
        less.filter.word[i] &= less.filter.word[i] - 1;
        g_assert_false(dseg_escapes_whole(&less));
    }
}

static void test_escapes_valid_up_to_maxphyaddr(void)
{
    static const unsigned widths[] = { 32, 36, 40, 48, 52 };

    for (unsigned i = 0; i < G_N_ELEMENTS(widths); i++) {
        uint64_t end = UINT64_C(1) << widths[i];
        DsegEscapes escapes = { .count = 1, .page = { end - PAGE } };

        g_assert_true(dseg_escapes_valid(&escapes, widths[i]));
        escapes.page[0] = end;
        g_assert_false(dseg_escapes_valid(&escapes, widths[i]));
    }
}

/* Against a list kept by GLib, with pages few enough to collide often. */
static void test_escapes_equal_model(void)
{
    g_autoptr(GRand) rand = random_new();
    g_autoptr(GHashTable) model = g_hash_table_new_full(g_int64_hash,
                                                        g_int64_equal,
                                                        g_free, NULL);
    DsegEscapes escapes = { 0 };

    for (uint64_t n = random_rounds(20000); n && !g_test_failed(); n--) {
        uint64_t gpa = (uint64_t)random_below(rand, 400) << PAGE_BITS;
        unsigned count = g_hash_table_size(model);
        bool there = g_hash_table_contains(model, &gpa);
        unsigned action = random_below(rand, 1000);
        DsegFilter expected = { 0 };
        GHashTableIter iter;
        gpointer page;

        g_assert_true(dseg_escapes_contains(&escapes, gpa) == there);
        if (action == 0) {
            dseg_escapes_clear(&escapes);
            g_hash_table_remove_all(model);
        } else if (action < 350) {
            g_assert_cmpint(dseg_escapes_remove(&escapes, gpa), ==,
                            there ? DSEG_ESCAPE_OK : DSEG_ESCAPE_ABSENT);
            g_hash_table_remove(model, &gpa);
        } else if (there || count < DSEG_ESCAPES_MAX) {
            g_assert_cmpint(dseg_escapes_add(&escapes, gpa, 40), ==,
                            there ? DSEG_ESCAPE_PRESENT : DSEG_ESCAPE_OK);
            g_hash_table_add(model, g_memdup2(&gpa, sizeof(gpa)));
        } else {
            g_assert_cmpint(dseg_escapes_add(&escapes, gpa, 40), ==,
                            DSEG_ESCAPE_FULL);
        }

        g_hash_table_iter_init(&iter, model);
        while (g_hash_table_iter_next(&iter, &page, NULL)) {
            dseg_filter_add(&expected, *(uint64_t *)page);
        }
        g_assert_cmpuint(escapes.count, ==, g_hash_table_size(model));
        g_assert_cmpmem(&escapes.filter, sizeof(DsegFilter),
                        &expected, sizeof(DsegFilter));
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();

    g_test_add_func("/filter/hash/of-zero-is-zero", test_hash_of_zero);
    g_test_add_func("/filter/hash/constants-are-those-specified",
                    test_hash_constants);
    g_test_add_func("/filter/hash/looks-at-40-bits",
                    test_hash_ignores_other_bits);
    g_test_add_func("/filter/hash/is-linear", test_hash_is_linear);
    g_test_add_func("/filter/hash/is-below-64", test_hash_range);
    g_test_add_func("/filter/hash/uses-every-key-bit",
                    test_hash_uses_every_key_bit);
    g_test_add_func("/filter/hash/reaches-every-bit-evenly",
                    test_hash_reaches_every_bit_evenly);
    g_test_add_func("/filter/hash/functions-differ", test_hashes_differ);
    g_test_add_func("/filter/hash/functions-are-independent",
                    test_hashes_are_independent);
    g_test_add_func("/filter/hash/lone-page-is-alone-in-its-gib",
                    test_lone_page_within_a_gib);
    g_test_add_func("/filter/starts-empty", test_starts_empty);
    g_test_add_func("/filter/same-if-all-words-are",
                    test_same_if_all_words_are);
    g_test_add_func("/filter/add-sets-one-bit-a-partition",
                    test_add_sets_one_bit_a_partition);
    g_test_add_func("/filter/each-partition-can-deny",
                    test_each_partition_can_deny);
    g_test_add_func("/filter/page-offset-is-ignored",
                    test_page_offset_is_ignored);
    g_test_add_func("/filter/no-false-negatives", test_no_false_negatives);
    g_test_add_data_func("/filter/false-positives-of-random-pages-in-52-bits",
                         &random_pages_52, test_false_positives_equal_theory);
    g_test_add_data_func("/filter/false-positives-of-random-pages-in-40-bits",
                         &random_pages_40, test_false_positives_equal_theory);
    g_test_add_func("/filter/false-positives-of-sequential-pages",
                    test_false_positives_of_sequential_pages);
    g_test_add_func("/escapes/add", test_escapes_add);
    g_test_add_func("/escapes/page-zero-is-a-page", test_escapes_page_zero);
    g_test_add_func("/escapes/refuse-unaligned", test_escapes_refuse_unaligned);
    g_test_add_func("/escapes/refuse-too-wide", test_escapes_refuse_too_wide);
    g_test_add_func("/escapes/refuse-duplicate", test_escapes_refuse_duplicate);
    g_test_add_func("/escapes/full-at-256", test_escapes_full_at_256);
    g_test_add_func("/escapes/remove-rebuilds-the-filter",
                    test_escapes_remove_rebuilds);
    g_test_add_func("/escapes/remove-last-page", test_escapes_remove_last);
    g_test_add_func("/escapes/remove-absent-page", test_escapes_remove_absent);
    g_test_add_func("/escapes/clear", test_escapes_clear);
    g_test_add_func("/escapes/valid-if-all-could-be-added",
                    test_escapes_valid);
    g_test_add_func("/escapes/more-than-256-are-invalid",
                    test_escapes_too_many_are_invalid);
    g_test_add_func("/escapes/page-that-breaks-a-rule-is-invalid",
                    test_escapes_bad_page_is_invalid);
    g_test_add_func("/escapes/page-twice-is-invalid",
                    test_escapes_twice_is_invalid);
    g_test_add_func("/escapes/whole-if-the-filter-is-that-of-the-list",
                    test_escapes_whole);
    g_test_add_func("/escapes/valid-up-to-maxphyaddr",
                    test_escapes_valid_up_to_maxphyaddr);
    g_test_add_func("/escapes/random-edits-equal-the-model",
                    test_escapes_equal_model);
    return g_test_run();
}
