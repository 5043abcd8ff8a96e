/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unit tests of linux/workloads/numbers, area and kronecker: what the workloads
 * make their input of
 */
#include "../../linux/workloads/area.h"
#include "../../linux/workloads/common.h"
#include "../../linux/workloads/kronecker.h"
#include "random.h"

#include <math.h>

/* Of @n draws with a chance of @p each: within 5 standard deviations. */
static void assert_share(uint64_t found, uint64_t n, double p)
{
    double off = fabs(found - n * p) / sqrt(n * p * (1 - p));

    g_assert_cmpfloat(off, <, 5);
}

static void test_order_has_each_once(void)
{
    GRand *rand = random_new();

    for (uint64_t n = 1; n < 300; n++) {
        struct order order = make_order(random_u64(rand), 1, n);
        g_autofree uint8_t *seen = g_malloc0(n);

        for (uint64_t i = 0; i < n; i++) {
            uint64_t at = in_order(&order, i);

            g_assert_cmpuint(at, <, n);
            g_assert_cmpuint(seen[at]++, ==, 0);
        }
    }
    g_rand_free(rand);
}

/* How far apart neighbours are, on average: a third of all for a random order. */
static void test_order_is_random(void)
{
    const uint64_t n = 100000;

    for (uint64_t seed = 0; seed < 10; seed++) {
        struct order order = make_order(seed, 0, n);
        double sum = 0;

        for (uint64_t i = 0; i + 1 < n; i++) {
            sum += fabs((double)in_order(&order, i) - in_order(&order, i + 1));
        }
        g_assert_cmpfloat(sum / n / n, >, 0.25);
        g_assert_cmpfloat(sum / n / n, <, 0.42);
    }
}

static void test_ranges(void)
{
    uint64_t counts[10] = { 0 }, state = 5;

    g_assert_cmpuint(below(UINT64_MAX, 10), ==, 9);
    g_assert_cmpuint(below(UINT64_MAX, UINT64_MAX), ==, UINT64_MAX - 1);
    g_assert_cmpuint(below(0, 10), ==, 0);
    g_assert_cmpfloat(fraction(UINT64_MAX), <, 1);
    g_assert_cmpfloat(fraction(0), ==, 0);
    for (unsigned i = 0; i < 100000; i++) {
        counts[below(random_number(&state), 10)]++;
    }
    for (unsigned i = 0; i < 10; i++) {
        assert_share(counts[i], 100000, 0.1);
    }
}

/* splitmix64's, from its reference implementation, with seed 1234567. */
static void test_splitmix64(void)
{
    uint64_t state = 1234567;

    g_assert_cmpuint(random_number(&state), ==, UINT64_C(6457827717110365317));
    g_assert_cmpuint(random_number(&state), ==, UINT64_C(3203168211198807973));
    g_assert_cmpuint(random_number(&state), ==, UINT64_C(9817491932198370423));
}

/* Arrays begin a cache line each, and none is in another. */
static void test_arrays(void)
{
    struct area area = area_at((void *)0x1000), none = area_at(NULL);

    g_assert_cmphex((uintptr_t)area_take(&area, 3, 8), ==, 0x1000);
    g_assert_cmphex((uintptr_t)area_take(&area, 16, 4), ==, 0x1040);
    g_assert_cmphex((uintptr_t)area_take(&area, 1, 65), ==, 0x1080);
    g_assert_cmpuint(area_bytes(&area), ==, 0x100);
    area_take(&none, 65, 1);
    g_assert_cmpuint(area_bytes(&none), ==, 128);
}

static uint64_t hundred_and_seven_each(uint64_t n)
{
    return 100 + 7 * n;
}

static void test_largest_problem(void)
{
    for (uint64_t bytes = 4096; bytes < 4 << 20; bytes += 4096) {
        struct options o = { .name = "test", .bytes = bytes };
        uint64_t n = largest_problem(&o, hundred_and_seven_each, 5);

        g_assert_cmpuint(hundred_and_seven_each(n), <=, bytes);
        g_assert_cmpuint(hundred_and_seven_each(n + 1), >, bytes);
    }
}

/* A, B, C and D, at each level, once the vertices have their old numbers again. */
static void test_quadrants(void)
{
    const uint64_t edges = 400000;
    static struct kronecker k;

    for (unsigned scale = 1; scale <= 11; scale += 2) {
        uint64_t counts[11][2][2] = { 0 };
        g_autofree uint32_t *old = g_new(uint32_t, 1 << scale);

        kronecker_init(&k, scale, scale);
        for (uint32_t i = 0; i < 1u << scale; i++) {
            old[in_order(&k.names, i)] = i;
        }
        for (uint64_t i = 0; i < edges; i++) {
            struct edge edge = kronecker_edge(&k, i);

            for (unsigned level = 0; level < scale; level++) {
                counts[level][old[edge.u] >> level & 1]
                             [old[edge.v] >> level & 1]++;
            }
        }
        for (unsigned level = 0; level < scale; level++) {
            assert_share(counts[level][0][0], edges, 0.57);
            assert_share(counts[level][0][1], edges, 0.19);
            assert_share(counts[level][1][0], edges, 0.19);
            assert_share(counts[level][1][1], edges, 0.05);
        }
    }
}

/* That one level says nothing of another: two of them, in one draw or in two. */
static void test_levels_are_independent(void)
{
    static const double shares[2][2] = { { 0.57, 0.19 }, { 0.19, 0.05 } };
    const uint64_t edges = 400000;
    static struct kronecker k;
    uint32_t old[256];

    kronecker_init(&k, 1, 8);
    for (uint32_t i = 0; i < 256; i++) {
        old[in_order(&k.names, i)] = i;
    }
    for (unsigned other = 1; other < 8; other++) {
        uint64_t counts[16] = { 0 };

        for (uint64_t i = 0; i < edges; i++) {
            struct edge edge = kronecker_edge(&k, i);
            uint32_t u = old[edge.u], v = old[edge.v];

            counts[(u & 1) << 3 | (v & 1) << 2 | (u >> other & 1) << 1 |
                   (v >> other & 1)]++;
        }
        for (unsigned i = 0; i < 16; i++) {
            assert_share(counts[i], edges, shares[i >> 3][i >> 2 & 1] *
                                           shares[i >> 1 & 1][i & 1]);
        }
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/numbers/order-has-each-once", test_order_has_each_once);
    g_test_add_func("/numbers/order-is-random", test_order_is_random);
    g_test_add_func("/numbers/ranges-are-even", test_ranges);
    g_test_add_func("/numbers/splitmix64", test_splitmix64);
    g_test_add_func("/area/arrays-are-apart", test_arrays);
    g_test_add_func("/area/largest-problem-that-fits", test_largest_problem);
    g_test_add_func("/kronecker/quadrants-have-their-shares", test_quadrants);
    g_test_add_func("/kronecker/levels-are-independent",
                    test_levels_are_independent);
    return g_test_run();
}
