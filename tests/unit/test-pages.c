/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unit tests of linux/run/pages: which pages of a primary region are in use
 */
#include "../../linux/run/pages.h"
#include "random.h"

#define START UINT64_C(0x7f0000003000)     /* a multiple of a page only */
#define NR 150u                            /* no multiple of a word's bits */

static struct pages *new_pages(size_t nr)
{
    struct pages *p = g_new(struct pages, 1);

    pages_init(p, START, nr, g_malloc0(pages_bits_size(nr)));
    return p;
}

static void free_pages(struct pages *p)
{
    g_free(p->used);
    g_free(p);
}

static uintptr_t at(size_t page)
{
    return START + page * PAGE_SIZE;
}

static void test_takes_the_lowest(void)
{
    struct pages *p = new_pages(NR);

    g_assert_cmphex(pages_take(p, 3, PAGE_SIZE), ==, at(0));
    g_assert_cmphex(pages_take(p, 2, PAGE_SIZE), ==, at(3));
    pages_free(p, at(0), 3);
    g_assert_cmphex(pages_take(p, 4, PAGE_SIZE), ==, at(5));
    g_assert_cmphex(pages_take(p, 3, PAGE_SIZE), ==, at(0));
    free_pages(p);
}

static void test_full(void)
{
    struct pages *p = new_pages(NR);

    g_assert_cmphex(pages_take(p, NR + 1, PAGE_SIZE), ==, 0);
    g_assert_cmphex(pages_take(p, SIZE_MAX / PAGE_SIZE, PAGE_SIZE), ==, 0);
    g_assert_cmphex(pages_take(p, NR, PAGE_SIZE), ==, at(0));
    g_assert_cmphex(pages_take(p, 1, PAGE_SIZE), ==, 0);
    pages_free(p, at(NR - 1), 1);
    g_assert_cmphex(pages_take(p, 2, PAGE_SIZE), ==, 0);
    g_assert_cmphex(pages_take(p, 1, PAGE_SIZE), ==, at(NR - 1));
    free_pages(p);
}

/* Addresses are aligned, not distances from the first. */
static void test_alignment(void)
{
    struct pages *p = new_pages(NR);

    g_assert_cmphex(pages_take(p, 1, 0x10000), ==, START + 0xd000);
    g_assert_cmphex(pages_take(p, 16, 0x10000), ==, START + 0x1d000);
    g_assert_cmphex(pages_take(p, 1, 0x100000000), ==, 0);
    free_pages(p);
}

static void test_take_at(void)
{
    struct pages *p = new_pages(NR);

    g_assert_true(pages_take_at(p, at(10), 5));
    g_assert_false(pages_take_at(p, at(14), 1));
    g_assert_false(pages_take_at(p, at(8), 3));
    g_assert_true(pages_take_at(p, at(8), 2));
    g_assert_false(pages_take_at(p, at(NR - 1), 2));
    g_assert_false(pages_take_at(p, at(NR), 1));
    g_assert_cmpuint(p->in_use, ==, 7);
    free_pages(p);
}

/* Those that the program gave away to the kernel are never handed out. */
static void test_foreign_stay_in_use(void)
{
    struct pages *p = new_pages(NR);

    pages_take(p, 10, PAGE_SIZE);
    pages_make_foreign(p, at(4), 2);
    pages_free(p, at(0), 10);
    g_assert_cmpuint(p->in_use, ==, 2);
    g_assert_cmphex(pages_take(p, 5, PAGE_SIZE), ==, at(6));
    g_assert_cmpuint(pages_alike(p, at(0), NR), ==, 4);
    g_assert_cmpuint(pages_alike(p, at(4), NR - 4), ==, 2);
    g_assert_cmpuint(pages_alike(p, at(5), 1), ==, 1);
    g_assert_cmpuint(pages_alike(p, at(6), NR - 6), ==, NR - 6);
    g_assert_true(pages_are_foreign(p, at(5)));
    g_assert_false(pages_are_foreign(p, at(6)));
    free_pages(p);
}

static void test_most_in_use(void)
{
    struct pages *p = new_pages(NR);

    pages_take(p, 100, PAGE_SIZE);
    pages_free(p, at(0), 60);
    pages_free(p, at(0), 60);       /* once more changes nothing */
    pages_use(p, at(50), 20);       /* 10 of them are in use */
    g_assert_cmpuint(p->in_use, ==, 40 + 10);
    g_assert_cmpuint(p->most_in_use, ==, 100);
    free_pages(p);
}

/* The first run of @nr free pages at a multiple of @align, page by page. */
static size_t model_find(const bool *used, size_t nr, size_t align)
{
    for (size_t i = 0, run; i + nr <= NR; i++) {
        for (run = 0; run < nr && !used[i + run]; run++) {
        }
        if (run == nr && at(i) % align == 0) {
            return i;
        }
    }
    return NR;
}

static void test_equal_model(void)
{
    GRand *rand = random_new();
    struct pages *p = new_pages(NR);
    bool used[NR] = { false };

    for (unsigned step = 0; step < random_rounds(100000); step++) {
        size_t nr = 1 + random_below(rand, 39), in_use = 0;
        size_t align = PAGE_SIZE << random_below(rand, 4);
        size_t first = random_below(rand, NR);
        bool take = random_bool(rand);

        if (take) {
            size_t found = model_find(used, nr, align);

            g_assert_cmphex(pages_take(p, nr, align), ==,
                            found < NR ? at(found) : 0);
            first = found;
        } else {
            nr = MIN(nr, NR - first);
            pages_free(p, at(first), nr);
        }
        for (size_t i = first; i < NR && i < first + nr; i++) {
            used[i] = take;
        }
        for (size_t i = 0; i < NR; i++) {
            in_use += used[i];
        }
        g_assert_cmpuint(p->in_use, ==, in_use);
    }
    free_pages(p);
    g_rand_free(rand);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/pages/takes-the-lowest", test_takes_the_lowest);
    g_test_add_func("/pages/full", test_full);
    g_test_add_func("/pages/addresses-are-aligned", test_alignment);
    g_test_add_func("/pages/take-at-an-address", test_take_at);
    g_test_add_func("/pages/foreign-stay-in-use", test_foreign_stay_in_use);
    g_test_add_func("/pages/most-in-use", test_most_in_use);
    g_test_add_func("/pages/random-takes-equal-the-model", test_equal_model);
    return g_test_run();
}
