/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unit tests of linux/workloads/xsbench: the grids, the lookups, and what its
 * checks see
 */
#define main xsbench_main
#include "../../linux/workloads/xsbench.c"
#undef main

#include "workload.h"

#include <math.h>

static const struct workload xsbench = { build, work, check, "lookups_per_s" };

struct fixture {
    struct options o;
    struct library l;
    void *area;
};

static void set_up(struct fixture *f, uint64_t seed, uint64_t bytes)
{
    f->o = (struct options){
        .name = "xsbench", .bytes = bytes, .updates = 1000, .seed = seed,
    };
    f->l = (struct library){ .seed = seed };
    f->area = g_malloc(bytes);
    g_assert_cmpuint(lay_out(&f->l, f->area,
                             largest_problem(&f->o, bytes_of, SMALLEST_GRID)),
                     <=, bytes);
    build(&f->l, &f->o);
}

static void tear_down(struct fixture *f)
{
    g_free(f->area);
}

/* From 0 to 1, no energy twice. */
static void test_grids(void)
{
    struct fixture f;

    set_up(&f, 1, 1 << 20);
    for (unsigned nuclide = 0; nuclide < NUCLIDES; nuclide++) {
        const struct point *grid = f.l.grids + nuclide * f.l.points;

        g_assert_cmpfloat(grid[0].energy, ==, 0);
        g_assert_cmpfloat(grid[f.l.points - 1].energy, ==, 1);
        for (uint64_t i = 1; i < f.l.points; i++) {
            g_assert_cmpfloat(grid[i].energy, >, grid[i - 1].energy);
        }
    }
    tear_down(&f);
}

/* The last point of a grid that is not above @energy, one after the other. */
static uint64_t last_below(const struct point *grid, uint64_t n, double energy)
{
    uint64_t place = 0;

    while (place + 1 < n && grid[place + 1].energy <= energy) {
        place++;
    }
    return place;
}

/* In order, with each energy of each nuclide once; places are those below. */
static void test_unionized_grid(void)
{
    for (unsigned seed = 0; seed < 3; seed++) {
        struct fixture f;
        uint64_t n, seen = 0;

        set_up(&f, seed, (180 + 300 * seed) << 10);
        n = f.l.points * NUCLIDES;
        for (uint64_t i = 0; i < n; i++) {
            double energy = f.l.energies[i];

            if (i > 0) {
                g_assert_cmpfloat(energy, >=, f.l.energies[i - 1]);
            }
            for (unsigned nuclide = 0; nuclide < NUCLIDES; nuclide++) {
                const struct point *grid = f.l.grids + nuclide * f.l.points;
                uint64_t place = f.l.places[i * NUCLIDES + nuclide];

                /* Of equal ones the last has all. */
                if (i + 1 == n || f.l.energies[i + 1] > energy) {
                    g_assert_cmpuint(place, ==,
                                     last_below(grid, f.l.points, energy));
                }
                seen += i + 1 == n && place == f.l.points - 1;
            }
        }
        g_assert_cmpuint(seen, ==, NUCLIDES);
        g_assert_cmpfloat(f.l.energies[0], ==, 0);
        g_assert_cmpfloat(f.l.energies[n - 1], ==, 1);
        tear_down(&f);
    }
}

/* As many nuclides as Hoogenboom and Martin have, all of them different. */
static void test_materials(void)
{
    struct fixture f;
    unsigned all = 0;

    set_up(&f, 1, 180 << 10);
    for (unsigned i = 0; i < MATERIALS; i++) {
        const struct material *m = &f.l.materials[i];
        unsigned n = kinds_of_material[i].nuclides;
        uint8_t seen[NUCLIDES] = { 0 };

        g_assert_cmpuint(n, <=, FUEL_NUCLIDES);
        for (unsigned j = 0; j < n; j++) {
            g_assert_cmpuint(m->nuclides[j], <, NUCLIDES);
            g_assert_cmpuint(seen[m->nuclides[j]]++, ==, 0);
        }
        all += n;
    }
    g_assert_cmpuint(kinds_of_material[0].nuclides, ==, 34);
    g_assert_cmpuint(all, ==, 34 + 5 + 4 + 4 + 27 + 5 * 21 + 9 + 9);
    tear_down(&f);
}

/* Each in proportion to its share, within 5 standard deviations. */
static void test_material_shares(void)
{
    struct library l = { .seed = 1 };
    const unsigned n = 100000;
    unsigned counts[MATERIALS] = { 0 };
    double left = 1;

    for (unsigned i = 0; i < n; i++) {
        struct lookup lookup = make_lookup(&l, i);

        g_assert_cmpfloat(lookup.energy, >=, 0);
        g_assert_cmpfloat(lookup.energy, <, 1);
        counts[lookup.material]++;
    }
    for (unsigned i = 0; i < MATERIALS; i++) {
        double p = i < MATERIALS - 1 ? kinds_of_material[i].share : left;

        g_assert_cmpfloat(fabs(counts[i] - n * p), <, 5 * sqrt(n * p * (1 - p)));
        left -= p;
    }
}

static void test_find(void)
{
    double energies[2 * 40];

    for (unsigned i = 0; i < 40; i++) {
        energies[2 * i] = i;
        energies[2 * i + 1] = -1;
    }
    for (unsigned n = 1; n <= 40; n++) {
        for (unsigned i = 0; i < n; i++) {
            g_assert_cmpuint(find(energies, n, 2, i), ==, i);
            g_assert_cmpuint(find(energies, n, 2, i + 0.5), ==, i);
        }
        g_assert_cmpuint(find(energies, n, 2, 1e9), ==, n - 1);
    }
}

/* One nuclide after the other, in another form and with more digits. */
static void expect(const struct library *l, const struct lookup *lookup,
                   long double sums[SECTIONS])
{
    const struct material *m = &l->materials[lookup->material];

    for (unsigned i = 0; i < kinds_of_material[lookup->material].nuclides; i++) {
        const struct point *grid = l->grids + m->nuclides[i] * l->points;
        const struct point *p =
            grid + last_below(grid, l->points, lookup->energy);
        long double share = ((long double)lookup->energy - p->energy) /
                            ((long double)p[1].energy - p->energy);

        for (unsigned j = 0; j < SECTIONS; j++) {
            sums[j] += m->densities[i] * ((1 - share) * p->sections[j] +
                                          share * p[1].sections[j]);
        }
    }
}

static void assert_lookup(const struct library *l, struct lookup lookup)
{
    long double expected[SECTIONS] = { 0 };
    double sums[SECTIONS] = { 0 }, others[SECTIONS] = { 0 };

    expect(l, &lookup, expected);
    add_material(l, true, &lookup, sums);
    add_material(l, false, &lookup, others);
    for (unsigned j = 0; j < SECTIONS; j++) {
        g_assert_cmpfloat(fabsl(sums[j] - expected[j]), <, 1e-12);
        g_assert_cmpfloat(sums[j], ==, others[j]);
    }
}

static void test_lookups(void)
{
    struct fixture f;

    for (unsigned seed = 0; seed < 3; seed++) {
        set_up(&f, seed, (180 + 1000 * seed) << 10);
        for (unsigned i = 0; i < 2000; i++) {
            assert_lookup(&f.l, make_lookup(&f.l, i));
        }
        /* Where there are points, and at both ends. */
        for (unsigned i = 0; i < f.l.points * NUCLIDES; i++) {
            if (f.l.energies[i] < 1) {
                assert_lookup(&f.l, (struct lookup){ f.l.energies[i], i % 12 });
            }
        }
        assert_lookup(&f.l, (struct lookup){ nextafter(1, 0), 0 });
        tear_down(&f);
    }
}

/* Which is the largest, its value, and the order of the lookups. */
static void test_hash(void)
{
    double a[SECTIONS] = { 1, 2, 3, 2, 1 }, b[SECTIONS] = { 1, 2, 2, 3, 1 };
    double c[SECTIONS] = { 1, 2, nextafter(3, 4), 2, 1 };
    double d[SECTIONS] = { 3, 3, 3, 3, 3 };
    uint64_t three;

    memcpy(&three, &a[2], sizeof(three));
    g_assert_cmphex(add_to_hash(7, a), ==, mix(7 + 2) ^ three);
    g_assert_cmphex(add_to_hash(7, d), ==, mix(7) ^ three);
    g_assert_cmphex(add_to_hash(0, a), !=, add_to_hash(0, b));
    g_assert_cmphex(add_to_hash(0, a), !=, add_to_hash(0, c));
    g_assert_cmphex(add_to_hash(add_to_hash(0, a), b), !=,
                    add_to_hash(add_to_hash(0, b), a));
}

static void test_rounds_are_right(void)
{
    for (unsigned seed = 0; seed < 3; seed++) {
        struct fixture f;

        set_up(&f, seed, (200 + 500 * seed) << 10);
        for (unsigned round = 1; round <= 5; round++) {
            assert_round(&xsbench, &f.l, &f.o, round, true);
        }
        tear_down(&f);
    }
}

static void test_wrong_memory_is_seen(void)
{
    for (unsigned before = 0; before < 2; before++) {
        struct fixture f;
        struct library *l = &f.l;
        uint64_t n;

        set_up(&f, 1, 400 << 10);
        n = l->points * NUCLIDES;
        assert_is_seen(&xsbench, l, &f.o, l->grids->energy, 1, before);
        assert_is_seen(&xsbench, l, &f.o,
                       l->grids[n - 1].sections[SECTIONS - 1], 1,
                       before);
        assert_is_seen(&xsbench, l, &f.o, l->energies[n / 2],
                       1ull << 60, before);
        assert_is_seen(&xsbench, l, &f.o, l->places[0], 1, before);
        assert_is_seen(&xsbench, l, &f.o, l->places[n / 2 * NUCLIDES],
                       UINT32_MAX, before);
        assert_is_seen(&xsbench, l, &f.o, l->places[n * NUCLIDES - 1], 1, before);
        assert_is_seen(&xsbench, l, &f.o, l->materials[0].nuclides[0],
                       UINT32_MAX, before);
        assert_is_seen(&xsbench, l, &f.o, l->materials[11].nuclides[8], 1,
                       before);
        assert_is_seen(&xsbench, l, &f.o,
                       l->materials[11].densities[8], 1, before);
        tear_down(&f);
    }
}

/* Also of a unionized grid that was wrong from the beginning. */
static void test_wrong_results_are_seen(void)
{
    struct fixture f;

    set_up(&f, 1, 400 << 10);
    assert_is_seen(&xsbench, &f.l, &f.o, f.l.hash, 1, false);
    for (uint64_t i = 0; i < NUCLIDES; i++) {
        f.l.places[f.l.points * NUCLIDES / 2 * NUCLIDES + i]++;
    }
    f.l.sum = library_sum(&f.l);
    assert_round(&xsbench, &f.l, &f.o, 1, false);
    tear_down(&f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/xsbench/grids-ascend", test_grids);
    g_test_add_func("/xsbench/unionized-grid-has-all", test_unionized_grid);
    g_test_add_func("/xsbench/materials-are-the-reactors", test_materials);
    g_test_add_func("/xsbench/materials-have-their-shares",
                    test_material_shares);
    g_test_add_func("/xsbench/search-finds-the-last-below", test_find);
    g_test_add_func("/xsbench/lookups-interpolate", test_lookups);
    g_test_add_func("/xsbench/hash-has-all", test_hash);
    g_test_add_func("/xsbench/rounds-are-right", test_rounds_are_right);
    g_test_add_func("/xsbench/wrong-memory-is-seen", test_wrong_memory_is_seen);
    g_test_add_func("/xsbench/wrong-results-are-seen",
                    test_wrong_results_are_seen);
    return g_test_run();
}
