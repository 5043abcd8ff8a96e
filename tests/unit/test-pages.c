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

static uintptr_t take(struct pages *p, size_t nr, size_t align)
{
    uintptr_t address = pages_find(p, nr, align);

    if (address) {
        pages_use(p, address, nr);
    }
    return address;
}

static void test_finds_the_lowest(void)
{
    struct pages *p = new_pages(NR);

    g_assert_cmphex(take(p, 3, PAGE_SIZE), ==, at(0));
    g_assert_cmphex(take(p, 2, PAGE_SIZE), ==, at(3));
    pages_free(p, at(0), 3);
    g_assert_cmphex(take(p, 4, PAGE_SIZE), ==, at(5));
    g_assert_cmphex(take(p, 3, PAGE_SIZE), ==, at(0));
    free_pages(p);
}

static void test_full(void)
{
    struct pages *p = new_pages(NR);

    g_assert_cmphex(take(p, NR + 1, PAGE_SIZE), ==, 0);
    g_assert_cmphex(take(p, SIZE_MAX / PAGE_SIZE, PAGE_SIZE), ==, 0);
    g_assert_cmphex(take(p, NR, PAGE_SIZE), ==, at(0));
    g_assert_cmphex(take(p, 1, PAGE_SIZE), ==, 0);
    pages_free(p, at(NR - 1), 1);
    g_assert_cmphex(take(p, 2, PAGE_SIZE), ==, 0);
    g_assert_cmphex(take(p, 1, PAGE_SIZE), ==, at(NR - 1));
    free_pages(p);
}

/* Addresses are aligned, not distances from the first. */
static void test_alignment(void)
{
    struct pages *p = new_pages(NR);

    g_assert_cmphex(take(p, 1, 0x10000), ==, START + 0xd000);
    g_assert_cmphex(take(p, 16, 0x10000), ==, START + 0x1d000);
    g_assert_cmphex(take(p, 1, 0x100000000), ==, 0);
    free_pages(p);
}

static void test_used_and_unused(void)
{
    struct pages *p = new_pages(NR);

    g_assert_true(pages_are_unused(p, at(0), NR));
    pages_use(p, at(60), 10);       /* in two words */
    g_assert_true(pages_are_used(p, at(60), 10));
    g_assert_false(pages_are_used(p, at(59), 11));
    g_assert_false(pages_are_used(p, at(60), 11));
    g_assert_true(pages_are_unused(p, at(0), 60));
    g_assert_true(pages_are_unused(p, at(70), NR - 70));
    g_assert_false(pages_are_unused(p, at(0), 61));
    g_assert_false(pages_are_unused(p, at(69), 2));
    free_pages(p);
}

static void assert_run(const struct pages *p, const uint64_t *bits, bool wanted,
                       size_t from, size_t first, size_t nr)
{
    uintptr_t address = at(from);

    g_assert_cmpuint(pages_run(p, bits, wanted, &address, NR - from), ==, nr);
    if (nr) {
        g_assert_cmphex(address, ==, at(first));
    }
}

/* What has been freed, and not been used since. */
static void test_stale(void)
{
    struct pages *p = new_pages(NR);

    assert_run(p, p->stale, true, 0, 0, 0);
    take(p, 100, PAGE_SIZE);
    assert_run(p, p->stale, true, 0, 0, 0);
    assert_run(p, p->used, false, 0, 100, NR - 100);
    pages_free(p, at(10), 60);
    pages_free(p, at(90), 20);      /* 10 of them never were in use */
    pages_use(p, at(20), 5);
    assert_run(p, p->stale, true, 0, 10, 10);
    assert_run(p, p->stale, true, 20, 25, 45);
    assert_run(p, p->stale, true, 70, 90, 10);
    assert_run(p, p->stale, true, 100, 0, 0);
    free_pages(p);
}

/* Those to which the kernel refers are not found, until all are let go. */
static void test_held(void)
{
    struct pages *p = new_pages(NR);

    take(p, NR, PAGE_SIZE);
    pages_free(p, at(0), 8);
    g_assert_false(pages_release(p));
    pages_hold(p, at(2), 2);
    g_assert_cmphex(pages_find(p, 3, PAGE_SIZE), ==, at(4));
    g_assert_cmphex(pages_find(p, 5, PAGE_SIZE), ==, 0);
    g_assert_true(pages_are_unused(p, at(0), 8));
    g_assert_cmpuint(p->in_use, ==, NR - 8);
    g_assert_true(pages_release(p));
    g_assert_false(pages_release(p));
    g_assert_cmphex(pages_find(p, 8, PAGE_SIZE), ==, at(0));
    /* Used, whatever they were, and free again afterwards. */
    pages_hold(p, at(2), 2);
    pages_use(p, at(2), 2);
    pages_free(p, at(2), 2);
    g_assert_cmphex(pages_find(p, 8, PAGE_SIZE), ==, at(0));
    free_pages(p);
}

/* Those that have been left are never found again, and do not count. */
static void test_left(void)
{
    struct pages *p = new_pages(NR);

    take(p, 10, PAGE_SIZE);
    pages_leave(p, at(10), NR - 12);
    assert_run(p, p->used, false, 0, NR - 2, 2);
    g_assert_cmphex(pages_find(p, 1, PAGE_SIZE), ==, at(NR - 2));
    g_assert_cmphex(pages_find(p, 3, PAGE_SIZE), ==, 0);
    g_assert_cmpuint(p->in_use, ==, 10);
    free_pages(p);
}

static void test_most_in_use(void)
{
    struct pages *p = new_pages(NR);

    take(p, 100, PAGE_SIZE);
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
        bool taken = random_bool(rand);

        if (taken) {
            size_t found = model_find(used, nr, align);

            g_assert_cmphex(take(p, nr, align), ==,
                            found < NR ? at(found) : 0);
            first = found;
        } else {
            nr = MIN(nr, NR - first);
            pages_free(p, at(first), nr);
        }
        for (size_t i = first; i < NR && i < first + nr; i++) {
            used[i] = taken;
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
    g_test_add_func("/pages/finds-the-lowest", test_finds_the_lowest);
    g_test_add_func("/pages/full", test_full);
    g_test_add_func("/pages/addresses-are-aligned", test_alignment);
    g_test_add_func("/pages/used-and-unused", test_used_and_unused);
    g_test_add_func("/pages/stale-are-those-freed", test_stale);
    g_test_add_func("/pages/held-are-not-found", test_held);
    g_test_add_func("/pages/left-are-not-found", test_left);
    g_test_add_func("/pages/most-in-use", test_most_in_use);
    g_test_add_func("/pages/random-takes-equal-the-model", test_equal_model);
    return g_test_run();
}
