/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unit tests of the escape filter, of each of its sizes: its hash functions, its
 * bits, and how often it is wrong
 */

#include <math.h>

#include "model/filter.h"
#include "random.h"

#define PAGE_BITS 12
#define PAGE (UINT64_C(1) << PAGE_BITS)

/* What the tests are given: a filter of so many bits, and none in it. */
static DsegFilter empty_of(gconstpointer bits)
{
    DsegFilter filter;

    memset(&filter, 0x55, sizeof(filter));
    g_assert_true(dseg_filter_init(&filter, GPOINTER_TO_UINT(bits)));
    return filter;
}

static unsigned partition_of(gconstpointer bits)
{
    return GPOINTER_TO_UINT(bits) / DSEG_FILTER_HASHES;
}

/* Of one hash: log2 of the bits of a partition. */
static unsigned hash_bits(gconstpointer bits)
{
    return g_bit_storage(partition_of(bits)) - 1;
}

static bool bit_is_set(const DsegFilter *filter, unsigned bit)
{
    return filter->word[bit / 64] >> (bit % 64) & 1;
}

/* All four functions side by side: a number of 16 to 32 bits. */
static uint32_t hash_all(gconstpointer bits, uint64_t pfn)
{
    const DsegFilter filter = empty_of(bits);
    uint64_t all = 0;

    for (unsigned i = 0; i < DSEG_FILTER_HASHES; i++) {
        all = all << hash_bits(bits) | dseg_filter_hash(&filter, i, pfn);
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

static void test_there_are_five_sizes(void)
{
    unsigned found = 0;

    for (unsigned bits = 0; bits <= 4096; bits++) {
        DsegFilter filter = { .word = { 42 } };

        if (!dseg_filter_init(&filter, bits)) {
            g_assert_cmpuint(filter.word[0], ==, 42);
            continue;
        }
        found++;
        g_assert_true(bits == 64 || bits == 128 || bits == 256 ||
                      bits == 512 || bits == 1024);
        g_assert_cmpuint(dseg_filter_bits(&filter), ==, bits);
        g_assert_cmpuint(dseg_filter_words(&filter), ==, bits / 64);
        g_assert_true(dseg_filter_empty(&filter));
    }
    g_assert_cmpuint(found, ==, 5);
    g_assert_false(dseg_filter_init(&(DsegFilter) { 0 }, UINT_MAX));
    g_assert_false(dseg_filter_init(&(DsegFilter) { 0 }, 1u << 31));
}

static void test_zeros_are_a_filter_of_256_bits(void)
{
    const DsegFilter zeros = { 0 };

    g_assert_cmpuint(dseg_filter_bits(&zeros), ==, 256);
    g_assert_true(dseg_filter_empty(&zeros));
}

/*
 * By hand, from docs/spec/registers.rst.  The top 8 bits of the first outputs of
 * splitmix64 make row[i][0] 193, 53, 148 and 106, and row[i][1] 192, 128, 87 and
 * 153; the hashes of pages 1 and 3 are the top bits of those, and of 1, 181, 195
 * and 243.
 */
static const struct {
    unsigned bits, page[4][4];      /* the bits of pages 0, 1, 2 and 3 */
} goldens[] = {
    { 64, { { 0, 16, 32, 48 }, { 12, 19, 41, 54 }, { 12, 24, 37, 57 },
            { 0, 27, 44, 63 } } },
    { 128, { { 0, 32, 64, 96 }, { 24, 38, 82, 109 }, { 24, 48, 74, 115 },
             { 0, 54, 88, 126 } } },
    { 256, { { 0, 64, 128, 192 }, { 48, 77, 165, 218 }, { 48, 96, 149, 230 },
             { 0, 109, 176, 252 } } },
    { 512, { { 0, 128, 256, 384 }, { 96, 154, 330, 437 }, { 96, 192, 299, 460 },
             { 0, 218, 353, 505 } } },
    { 1024, { { 0, 256, 512, 768 }, { 193, 309, 660, 874 },
              { 192, 384, 599, 921 }, { 1, 437, 707, 1011 } } },
};

static void test_goldens(void)
{
    for (unsigned size = 0; size < G_N_ELEMENTS(goldens); size++) {
        for (unsigned page = 0; page < 4; page++) {
            DsegFilter filter = empty_of(GUINT_TO_POINTER(goldens[size].bits));
            DsegFilter wanted = filter;

            dseg_filter_add(&filter, page * PAGE);
            for (unsigned i = 0; i < 4; i++) {
                unsigned bit = goldens[size].page[page][i];

                wanted.word[bit / 64] |= UINT64_C(1) << bit % 64;
            }
            g_assert_cmpmem(filter.word, sizeof(filter.word), wanted.word,
                            sizeof(wanted.word));
        }
    }
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
static void test_hash_constants(gconstpointer bits)
{
    const DsegFilter filter = empty_of(bits);
    uint64_t state = 0x64736567;

    for (unsigned i = 0; i < DSEG_FILTER_HASHES; i++) {
        for (unsigned j = 0; j < DSEG_FILTER_KEY_BITS; j++) {
            uint64_t output;

            do {
                output = splitmix64(&state);
            } while (!(output >> 58));
            g_assert_cmpuint(dseg_filter_hash(&filter, i, UINT64_C(1) << j), ==,
                             output >> (64 - hash_bits(bits)));
        }
    }
}

static void test_hash_of_zero(gconstpointer bits)
{
    g_assert_cmphex(hash_all(bits, 0), ==, 0);
}

static void test_hash_ignores_other_bits(gconstpointer bits)
{
    for (unsigned bit = DSEG_FILTER_KEY_BITS; bit < 64; bit++) {
        g_assert_cmphex(hash_all(bits, 5 | UINT64_C(1) << bit), ==,
                        hash_all(bits, 5));
    }
}

static void test_hash_is_linear(gconstpointer bits)
{
    g_autoptr(GRand) rand = random_new();

    for (uint64_t n = random_rounds(5000); n && !g_test_failed(); n--) {
        uint64_t a = random_bits(rand, DSEG_FILTER_KEY_BITS);
        uint64_t b = random_bits(rand, DSEG_FILTER_KEY_BITS);

        g_assert_cmphex(hash_all(bits, a ^ b), ==,
                        hash_all(bits, a) ^ hash_all(bits, b));
    }
}

/* And reaches all of a partition. */
static void test_hash_range(gconstpointer bits)
{
    const DsegFilter filter = empty_of(bits);
    g_autoptr(GRand) rand = random_new();
    bool seen[DSEG_FILTER_HASHES][256] = { 0 };

    for (uint64_t n = random_rounds(20000); n && !g_test_failed(); n--) {
        uint64_t pfn = random_bits(rand, 64);

        for (unsigned i = 0; i < DSEG_FILTER_HASHES; i++) {
            unsigned hash = dseg_filter_hash(&filter, i, pfn);

            g_assert_cmpuint(hash, <, partition_of(bits));
            seen[i][hash % 256] = true;
        }
    }
    for (unsigned i = 0; i < DSEG_FILTER_HASHES; i++) {
        for (unsigned hash = 0; hash < partition_of(bits); hash++) {
            g_assert_true(seen[i][hash]);
        }
    }
}

/* Of the key: in all functions, or, of the small filters, in two at least. */
static void test_hash_uses_every_key_bit(gconstpointer bits)
{
    const DsegFilter filter = empty_of(bits);
    unsigned least = GPOINTER_TO_UINT(bits) < 256 ? 2 : 4;

    for (unsigned bit = 0; bit < DSEG_FILTER_KEY_BITS; bit++) {
        unsigned used = 0;

        for (unsigned i = 0; i < DSEG_FILTER_HASHES; i++) {
            used += !!dseg_filter_hash(&filter, i, UINT64_C(1) << bit);
        }
        g_assert_cmpuint(used, >=, least);
    }
}

static void test_hash_reaches_every_bit_evenly(gconstpointer bits)
{
    const DsegFilter filter = empty_of(bits);

    for (unsigned i = 0; i < DSEG_FILTER_HASHES; i++) {
        uint32_t columns[DSEG_FILTER_KEY_BITS];

        for (unsigned bit = 0; bit < DSEG_FILTER_KEY_BITS; bit++) {
            columns[bit] = dseg_filter_hash(&filter, i, UINT64_C(1) << bit);
        }
        g_assert_cmpuint(rank(columns, DSEG_FILTER_KEY_BITS), ==,
                         hash_bits(bits));
    }
}

static void test_hashes_differ(gconstpointer bits)
{
    const DsegFilter filter = empty_of(bits);

    for (unsigned i = 0; i < DSEG_FILTER_HASHES; i++) {
        for (unsigned j = 0; j < i; j++) {
            unsigned same = 0;

            for (unsigned bit = 0; bit < DSEG_FILTER_KEY_BITS; bit++) {
                same += dseg_filter_hash(&filter, i, UINT64_C(1) << bit)
                        == dseg_filter_hash(&filter, j, UINT64_C(1) << bit);
            }
            g_assert_cmpuint(same, <, DSEG_FILTER_KEY_BITS / 2);
        }
    }
}

static unsigned rank_of_all(gconstpointer bits, unsigned key_bits)
{
    uint32_t columns[DSEG_FILTER_KEY_BITS];

    for (unsigned bit = 0; bit < key_bits; bit++) {
        columns[bit] = hash_all(bits, UINT64_C(1) << bit);
    }
    return rank(columns, key_bits);
}

/*
 * With full rank, a random page number gives four independent random hashes:
 * what the theory of false positives below supposes.
 */
static void test_hashes_are_independent(gconstpointer bits)
{
    g_assert_cmpuint(rank_of_all(bits, DSEG_FILTER_KEY_BITS), ==,
                     DSEG_FILTER_HASHES * hash_bits(bits));
}

/* No two pages of an aligned GiB share all four hashes. */
static void test_lone_page_within_a_gib(gconstpointer bits)
{
    g_assert_cmpuint(rank_of_all(bits, 30 - PAGE_BITS), ==, 30 - PAGE_BITS);
}

static void test_starts_empty(gconstpointer bits)
{
    g_autoptr(GRand) rand = random_new();
    const DsegFilter filter = empty_of(bits);

    g_assert_true(dseg_filter_empty(&filter));
    for (unsigned n = 0; n < 1000; n++) {
        g_assert_false(dseg_filter_test(&filter, random_edge(rand)));
    }
}

static void test_not_empty_with_any_bit(gconstpointer bits)
{
    for (unsigned bit = 0; bit < GPOINTER_TO_UINT(bits); bit++) {
        DsegFilter filter = empty_of(bits);

        filter.word[bit / 64] = UINT64_C(1) << bit % 64;
        g_assert_false(dseg_filter_empty(&filter));
    }
}

/* Not all filters that let none pass are known by that, but no other one is. */
static void test_none_passes_at_a_glance(gconstpointer bits)
{
    g_autoptr(GRand) rand = random_new();

    for (uint64_t n = random_rounds(2000); n && !g_test_failed(); n--) {
        uint64_t page = random_bits(rand, 40) << PAGE_BITS;
        DsegFilter filter = empty_of(bits);

        g_assert_true(dseg_filter_none_passes(&filter));
        dseg_filter_add(&filter, page);
        g_assert_true(dseg_filter_test(&filter, page));
        g_assert_false(dseg_filter_none_passes(&filter));
    }
}

/* Each bit of each word counts, and so does the size. */
static void test_same_if_all_words_are(gconstpointer bits)
{
    const DsegFilter filter = empty_of(bits);

    for (unsigned bit = 0; bit < 64 * DSEG_FILTER_MAX_WORDS; bit++) {
        DsegFilter other = filter;

        other.word[bit / 64] ^= UINT64_C(1) << bit % 64;
        g_assert_false(dseg_filter_same(&filter, &other));
        g_assert_false(dseg_filter_same(&other, &filter));
        other.word[bit / 64] = 0;
        g_assert_true(dseg_filter_same(&filter, &other));
    }
    for (unsigned other = 64; other <= 1024; other *= 2) {
        const DsegFilter wider = empty_of(GUINT_TO_POINTER(other));

        g_assert_true(dseg_filter_same(&filter, &wider) ==
                      (other == GPOINTER_TO_UINT(bits)));
    }
}

static void test_valid_without_bits_beyond_the_size(gconstpointer bits)
{
    for (unsigned bit = 0; bit < 64 * DSEG_FILTER_MAX_WORDS; bit++) {
        DsegFilter filter = empty_of(bits);

        filter.word[bit / 64] = UINT64_C(1) << bit % 64;
        g_assert_true(dseg_filter_valid(&filter) ==
                      (bit < GPOINTER_TO_UINT(bits)));
    }
}

static void test_add_sets_one_bit_a_partition(gconstpointer bits)
{
    g_autoptr(GRand) rand = random_new();

    for (uint64_t n = random_rounds(1000); n && !g_test_failed(); n--) {
        uint64_t pfn = random_bits(rand, 1 + random_below(rand, 52));
        DsegFilter filter = empty_of(bits);
        unsigned set = 0;

        dseg_filter_add(&filter, pfn << PAGE_BITS);
        for (unsigned bit = 0; bit < 64 * DSEG_FILTER_MAX_WORDS; bit++) {
            set += bit_is_set(&filter, bit);
        }
        g_assert_cmpuint(set, ==, DSEG_FILTER_HASHES);
        for (unsigned i = 0; i < DSEG_FILTER_HASHES; i++) {
            g_assert_true(bit_is_set(&filter, i * partition_of(bits) +
                                     dseg_filter_hash(&filter, i, pfn)));
        }
        g_assert_true(dseg_filter_valid(&filter));
    }
}

static void test_each_partition_can_deny(gconstpointer bits)
{
    const uint64_t gpa = 0x12345678;
    DsegFilter filter = empty_of(bits);

    dseg_filter_add(&filter, gpa);
    for (unsigned i = 0; i < DSEG_FILTER_HASHES; i++) {
        unsigned bit = i * partition_of(bits) +
                       dseg_filter_hash(&filter, i, gpa / PAGE);
        DsegFilter without = filter;

        without.word[bit / 64] ^= UINT64_C(1) << bit % 64;
        g_assert_false(dseg_filter_empty(&without));
        g_assert_false(dseg_filter_test(&without, gpa));
    }
    g_assert_true(dseg_filter_test(&filter, gpa));
}

static void test_page_offset_is_ignored(gconstpointer bits)
{
    DsegFilter page = empty_of(bits), byte = page;

    dseg_filter_add(&page, 5 * PAGE);
    dseg_filter_add(&byte, 6 * PAGE - 1);

    g_assert_true(dseg_filter_same(&page, &byte));
    g_assert_true(dseg_filter_test(&page, 5 * PAGE));
    g_assert_true(dseg_filter_test(&page, 6 * PAGE - 1));
    g_assert_false(dseg_filter_test(&page, 5 * PAGE - 1));
    g_assert_false(dseg_filter_test(&page, 6 * PAGE));
}

static void test_no_false_negatives(gconstpointer bits)
{
    g_autoptr(GRand) rand = random_new();

    for (uint64_t n = random_rounds(10); n && !g_test_failed(); n--) {
        DsegFilter filter = empty_of(bits);
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
 * A filter folds: bit n of one of half the size is set if bit 2n or 2n + 1 is.
 * So what passes a filter passes all smaller ones.
 */
static void test_half_the_size_is_folded(gconstpointer bits)
{
    gconstpointer half = GUINT_TO_POINTER(GPOINTER_TO_UINT(bits) / 2);
    g_autoptr(GRand) rand = random_new();
    DsegFilter large = empty_of(bits), small = empty_of(half);
    unsigned seen[2] = { 0 };

    for (unsigned n = 0; n < 32; n++) {
        uint64_t gpa = random_edge(rand);

        dseg_filter_add(&large, gpa);
        dseg_filter_add(&small, gpa);
        for (unsigned bit = 0; bit < GPOINTER_TO_UINT(half); bit++) {
            g_assert_true(bit_is_set(&small, bit) ==
                          (bit_is_set(&large, 2 * bit) ||
                           bit_is_set(&large, 2 * bit + 1)));
        }
        for (unsigned i = 0; i < 1000; i++) {
            uint64_t other = random_bits(rand, 52);

            seen[dseg_filter_test(&small, other)]++;
            g_assert_true(dseg_filter_test(&small, other) ||
                          !dseg_filter_test(&large, other));
        }
    }
    random_assert_seen(seen, G_N_ELEMENTS(seen), 3);
}

/*
 * False positives.
 *
 * Add n pages to an empty filter and ask for others.  In theory n random hashes
 * leave each of the P bits of a partition clear with probability (1 - 1/P)^n, and
 * a page is let through if its bit is set in all four partitions:
 *
 *     (1 - (1 - 1/P)^n)^4
 *
 * exactly, since the hashes are independent and even (proved above).  Measured
 * is the mean over many filters.  Their rates are independent of each other, so
 * by the central limit theorem the mean lies within 5 of its standard errors of
 * that, but for one set of filters in 1.7 million; and the set is always the
 * same.  Where only a few hits are expected they are Poisson's rather than
 * Gauss's, and 3 more or less are allowed.
 */
enum { FILTERS = 300, PROBES = 1000 };

static const unsigned page_counts[] = { 1, 2, 4, 8, 16, 32, 64, 128 };

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

static Rate measure(GRand *rand, gconstpointer bits, const Pages *pages,
                    unsigned n)
{
    double sum = 0, squares = 0;

    for (unsigned i = 0; i < FILTERS; i++) {
        DsegEscapes escapes = { .filter = empty_of(bits) };
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

static double theory(gconstpointer bits, unsigned n)
{
    return pow(1 - pow(1 - 1.0 / partition_of(bits), n), DSEG_FILTER_HASHES);
}

static void print_row(gconstpointer bits, const Pages *pages, unsigned n,
                      Rate rate)
{
    const double probes = FILTERS * PROBES;

    g_test_message("%u bits, %2u pages, %s: measured %.6f, theory %.6f, "
                   "standard error %.6f", GPOINTER_TO_UINT(bits), n,
                   pages->name, rate.hits / probes, theory(bits, n),
                   rate.error / probes);
}

static void equal_theory(gconstpointer bits, const Pages *pages)
{
    g_autoptr(GRand) rand = random_new();

    for (unsigned i = 0; i < G_N_ELEMENTS(page_counts); i++) {
        unsigned n = page_counts[i];
        Rate rate = measure(rand, bits, pages, n);
        double expected = theory(bits, n) * FILTERS * PROBES;

        print_row(bits, pages, n, rate);
        g_assert_cmpfloat(fabs(rate.hits - expected), <=, 5 * rate.error + 3);
    }
}

static void test_false_positives_in_52_bits(gconstpointer bits)
{
    equal_theory(bits, &random_pages_52);
}

static void test_false_positives_in_40_bits(gconstpointer bits)
{
    equal_theory(bits, &random_pages_40);
}

/*
 * Sequential pages are no random ones: the hashes of neighbours differ by few
 * of the constants, so their rate may lie on either side of the theory.  What
 * holds is that n pages set at most n bits of each partition: (n/P)^4.
 */
static void test_false_positives_of_sequential_pages(gconstpointer bits)
{
    g_autoptr(GRand) rand = random_new();

    for (unsigned i = 0; i < G_N_ELEMENTS(page_counts); i++) {
        unsigned n = page_counts[i];
        Rate rate = measure(rand, bits, &sequential_pages, n);
        double bound = pow((double)n / partition_of(bits), DSEG_FILTER_HASHES)
                       * FILTERS * PROBES;

        print_row(bits, &sequential_pages, n, rate);
        g_assert_cmpfloat(rate.hits, <=, bound + 5 * rate.error + 3);
    }
}

/* Each is for each size, or for those from some size on. */
static const struct {
    const char *name;
    GTestDataFunc function;
    unsigned from;
} tests[] = {
    { "hash/constants-are-those-specified", test_hash_constants, 64 },
    { "hash/of-zero-is-zero", test_hash_of_zero, 64 },
    { "hash/looks-at-40-bits", test_hash_ignores_other_bits, 64 },
    { "hash/is-linear", test_hash_is_linear, 64 },
    { "hash/is-within-a-partition", test_hash_range, 64 },
    { "hash/uses-every-key-bit", test_hash_uses_every_key_bit, 64 },
    { "hash/reaches-every-bit-evenly", test_hash_reaches_every_bit_evenly, 64 },
    { "hash/functions-differ", test_hashes_differ, 64 },
    { "hash/functions-are-independent", test_hashes_are_independent, 64 },
    { "hash/lone-page-is-alone-in-its-gib", test_lone_page_within_a_gib, 256 },
    { "starts-empty", test_starts_empty, 64 },
    { "not-empty-with-any-bit", test_not_empty_with_any_bit, 64 },
    { "none-passes-at-a-glance", test_none_passes_at_a_glance, 64 },
    { "same-if-all-words-are", test_same_if_all_words_are, 64 },
    { "valid-without-bits-beyond-the-size",
      test_valid_without_bits_beyond_the_size, 64 },
    { "add-sets-one-bit-a-partition", test_add_sets_one_bit_a_partition, 64 },
    { "each-partition-can-deny", test_each_partition_can_deny, 64 },
    { "page-offset-is-ignored", test_page_offset_is_ignored, 64 },
    { "no-false-negatives", test_no_false_negatives, 64 },
    { "half-the-size-is-the-same-folded", test_half_the_size_is_folded, 128 },
    { "false-positives-of-random-pages-in-52-bits",
      test_false_positives_in_52_bits, 64 },
    { "false-positives-of-random-pages-in-40-bits",
      test_false_positives_in_40_bits, 64 },
    { "false-positives-of-sequential-pages",
      test_false_positives_of_sequential_pages, 64 },
};

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();

    g_test_add_func("/filter/there-are-five-sizes", test_there_are_five_sizes);
    g_test_add_func("/filter/zeros-have-256-bits",
                    test_zeros_are_a_filter_of_256_bits);
    g_test_add_func("/filter/goldens", test_goldens);
    for (unsigned bits = 64; bits <= 1024; bits *= 2) {
        for (unsigned i = 0; i < G_N_ELEMENTS(tests); i++) {
            g_autofree char *path = g_strdup_printf("/filter/%u/%s", bits,
                                                    tests[i].name);

            if (bits >= tests[i].from) {
                g_test_add_data_func(path, GUINT_TO_POINTER(bits),
                                     tests[i].function);
            }
        }
    }
    return g_test_run();
}
