/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lookups of macroscopic cross sections, as XSBench makes them.
 *
 * Each of 68 nuclides, those of the small Hoogenboom-Martin reactor, has a grid
 * of random energies from 0 to 1, and five cross sections at each point of it.
 * The unionized grid has all these energies in order, and for each of them where
 * it is in the grid of every nuclide. A lookup is of a random energy in a random
 * material: it finds the energy in the unionized grid by binary search, and adds
 * up what interpolation in the grid of each nuclide of the material gives.
 *
 * What is verified is a hash over the lookups, of which cross section was the
 * largest, and what it was to the last bit. The same lookups are done again with
 * a binary search in the grid of each nuclide instead of the unionized one.
 */
#include "area.h"
#include "common.h"
#include "numbers.h"
#include "rounds.h"

#include <string.h>

#define NUCLIDES 68
#define MATERIALS 12
#define FUEL_NUCLIDES 34      /* no material has more */
#define SECTIONS 5            /* total, elastic, absorption, fission, nu-fission */
#define SMALLEST_GRID 8       /* points of a nuclide */

enum kind { GRIDS, MIXTURES, LOOKUPS };

struct point {
    double energy;
    double sections[SECTIONS];
};

struct material {
    uint32_t nuclides[FUEL_NUCLIDES];
    double densities[FUEL_NUCLIDES];
};

struct library {
    uint64_t seed;
    uint64_t points;          /* in the grid of a nuclide */
    struct point *grids;      /* of all nuclides, one after the other */
    double *energies;         /* of the unionized grid */
    uint32_t *places;         /* of each of these, in the grids: NUCLIDES numbers */
    struct material *materials;
    uint64_t sum;             /* checksum of it all, as it was made */
    uint64_t hash;            /* of the round's lookups */
};

/* How many nuclides there are in each material, and how often it is met. */
static const struct {
    uint32_t nuclides;
    double share;
} kinds_of_material[MATERIALS] = {
    { 34, 0.140 },      /* fuel */
    { 5, 0.052 },       /* cladding */
    { 4, 0.275 },       /* cold water, borated */
    { 4, 0.134 },       /* hot water, borated */
    { 27, 0.154 },      /* pressure vessel */
    { 21, 0.064 },      /* reflectors: lower, upper */
    { 21, 0.066 },
    { 21, 0.055 },      /* plates: bottom, nozzle */
    { 21, 0.008 },
    { 21, 0.015 },      /* top of the assemblies */
    { 9, 0.025 },       /* bottom of the assemblies */
    { 9, 0.013 },
};

/*
 * The grid of a nuclide, from 0 to 1. Its energies are the sums of random
 * numbers, so that they need not be sorted.
 */
static void make_grid(struct point *grid, uint64_t points, uint64_t state)
{
    double sum = 0;

    for (uint64_t i = 0; i < points; i++) {
        grid[i].energy = sum;
        sum += 0.01 + fraction(random_number(&state));
        for (unsigned j = 0; j < SECTIONS; j++) {
            grid[i].sections[j] = fraction(random_number(&state));
        }
    }
    sum = grid[points - 1].energy;
    for (uint64_t i = 0; i < points; i++) {
        grid[i].energy /= sum;
    }
}

/* Nuclides with the one that is next in the unionized grid first: a heap. */
struct queue {
    const struct point *next[NUCLIDES];
    unsigned n;
};

static void sift_down(struct queue *q, unsigned at)
{
    for (;;) {
        unsigned first = at, child = 2 * at + 1;
        const struct point *point = q->next[at];

        for (unsigned i = child; i < child + 2 && i < q->n; i++) {
            if (q->next[i]->energy < q->next[first]->energy) {
                first = i;
            }
        }
        if (first == at) {
            return;
        }
        q->next[at] = q->next[first];
        q->next[first] = point;
        at = first;
    }
}

/* Merge the grids. */
static void make_unionized_grid(struct library *l)
{
    struct queue q = { .n = NUCLIDES };
    uint32_t places[NUCLIDES] = { 0 };

    for (unsigned i = 0; i < NUCLIDES; i++) {
        q.next[i] = l->grids + i * l->points;     /* all have energy 0 */
    }
    for (uint64_t i = 0; q.n && !stop_requested; i++) {
        uint64_t point = q.next[0] - l->grids;
        unsigned nuclide = point / l->points;

        places[nuclide] = point % l->points;
        l->energies[i] = q.next[0]->energy;
        memcpy(l->places + i * NUCLIDES, places, sizeof(places));
        if (++q.next[0] == l->grids + (nuclide + 1) * l->points) {
            q.next[0] = q.next[--q.n];
        }
        sift_down(&q, 0);
    }
}

/* Different nuclides, of random densities. */
static void make_material(struct material *material, uint32_t n, uint64_t state)
{
    struct order order = make_order(random_number(&state), MIXTURES, NUCLIDES);

    for (uint32_t i = 0; i < n; i++) {
        material->nuclides[i] = in_order(&order, i);
        material->densities[i] = fraction(random_number(&state));
    }
}

/* Of all that there is, but what is between materials and behind places. */
static uint64_t library_sum(const struct library *l)
{
    uint64_t points = l->points * NUCLIDES;
    uint64_t sums[3 + MATERIALS] = {
        checksum((const uint64_t *)l->grids,
                 points * sizeof(*l->grids) / sizeof(uint64_t)),
        checksum((const uint64_t *)l->energies, points),
        checksum((const uint64_t *)l->places, points * NUCLIDES / 2),
    };

    for (unsigned i = 0; i < MATERIALS; i++) {
        const struct material *m = &l->materials[i];
        uint32_t n = kinds_of_material[i].nuclides;

        sums[3 + i] = checksum((const uint64_t *)m->densities, n);
        for (uint32_t j = 0; j < n; j++) {
            sums[3 + i] = mix(sums[3 + i] + m->nuclides[j]);
        }
    }
    return checksum(sums, sizeof(sums) / sizeof(*sums));
}

static void build(void *data, const struct options *o)
{
    struct library *l = data;

    (void)o;
    for (uint64_t i = 0; i < NUCLIDES && !stop_requested; i++) {
        make_grid(l->grids + i * l->points, l->points,
                  sequence(l->seed, GRIDS, i));
    }
    for (uint64_t i = 0; i < MATERIALS; i++) {
        make_material(&l->materials[i], kinds_of_material[i].nuclides,
                      sequence(l->seed, MIXTURES, i));
    }
    make_unionized_grid(l);
    l->sum = library_sum(l);
}

/* Its energy, and the material by number. */
struct lookup {
    double energy;
    unsigned material;
};

static struct lookup make_lookup(const struct library *l, uint64_t i)
{
    uint64_t state = sequence(l->seed, LOOKUPS, i);
    struct lookup lookup = { .energy = fraction(random_number(&state)) };
    double left = fraction(random_number(&state));

    /* Their sum is 1.001, as in XSBench; the last one gets less. */
    for (unsigned i = 0; i < MATERIALS - 1; i++) {
        left -= kinds_of_material[i].share;
        if (left < 0) {
            return lookup;
        }
        lookup.material++;
    }
    return lookup;
}

/* The last of @n energies, @stride doubles apart, that is not above @energy. */
static inline uint64_t find(const double *energies, uint64_t n, uint64_t stride,
                            double energy)
{
    uint64_t at = 0;

    while (n > 1) {
        uint64_t half = n / 2;

        at += energies[(at + half) * stride] <= energy ? half : 0;
        n -= half;
    }
    return at;
}

/* Add what a nuclide contributes, by its points below and above the energy. */
static inline void add_nuclide(double sums[SECTIONS], const struct point *below,
                               double energy, double density)
{
    const struct point *above = below + 1;
    double share = (above->energy - energy) / (above->energy - below->energy);

    for (unsigned i = 0; i < SECTIONS; i++) {
        sums[i] += density * (above->sections[i] - share *
                              (above->sections[i] - below->sections[i]));
    }
}

/* By the unionized grid, or without it. */
static inline void add_material(const struct library *l, bool unionized,
                                const struct lookup *lookup,
                                double sums[SECTIONS])
{
    const struct material *material = &l->materials[lookup->material];
    uint32_t n = kinds_of_material[lookup->material].nuclides;
    const uint32_t *places = NULL;

    if (unionized) {
        places = l->places + NUCLIDES * find(l->energies, NUCLIDES * l->points,
                                             1, lookup->energy);
    }
    for (uint32_t i = 0; i < n; i++) {
        /* Numbers are made to fit, whatever memory says. */
        uint32_t nuclide = material->nuclides[i] % NUCLIDES;
        const struct point *grid = l->grids + nuclide * l->points;
        uint64_t place = places ? places[nuclide]
            : find(&grid->energy, l->points, sizeof(*grid) / sizeof(double),
                   lookup->energy);

        place = place < l->points - 1 ? place : 0;
        add_nuclide(sums, grid + place, lookup->energy, material->densities[i]);
    }
}

/* The hash, of lookups up to this one, with the largest sum. */
static inline uint64_t add_to_hash(uint64_t hash, const double sums[SECTIONS])
{
    unsigned largest = 0;
    uint64_t bits;

    for (unsigned i = 1; i < SECTIONS; i++) {
        largest = sums[i] > sums[largest] ? i : largest;
    }
    memcpy(&bits, &sums[largest], sizeof(bits));
    return mix(hash + largest) ^ bits;
}

static inline uint64_t look_up(const struct library *l, bool unionized,
                               uint64_t begin, uint64_t end)
{
    uint64_t hash = 0;

    for (uint64_t i = begin; i < end && !stop_at(i); i++) {
        struct lookup lookup = make_lookup(l, i);
        double sums[SECTIONS] = { 0 };

        add_material(l, unionized, &lookup, sums);
        hash = add_to_hash(hash, sums);
    }
    return hash;
}

static uint64_t work(void *data, const struct options *o, uint64_t round)
{
    struct library *l = data;

    l->hash = look_up(l, true, (round - 1) * o->updates, round * o->updates);
    return o->updates;
}

static void check(void *data, const struct options *o, struct round *r)
{
    struct library *l = data;

    r->checksum = l->hash;
    r->errors = library_sum(l) != l->sum;
    r->errors += l->hash != look_up(l, false, (r->number - 1) * o->updates,
                                    r->number * o->updates);
}

/* Set where its arrays are; returns the bytes that they take. */
static uint64_t lay_out(struct library *l, void *start, uint64_t points)
{
    struct area area = area_at(start);
    uint64_t all = NUCLIDES * points;

    l->points = points;
    l->grids = area_take(&area, all, sizeof(*l->grids));
    l->energies = area_take(&area, all, sizeof(*l->energies));
    l->places = area_take(&area, all, NUCLIDES * sizeof(*l->places));
    l->materials = area_take(&area, MATERIALS, sizeof(*l->materials));
    return area_bytes(&area);
}

static uint64_t bytes_of(uint64_t points)
{
    return lay_out(&(struct library){ 0 }, NULL, points);
}

int main(int argc, char **argv)
{
    static const struct workload xsbench = { build, work, check, "lookups_per_s" };
    struct options o = {
        .name = "xsbench", .bytes = 64 << 20, .updates = 50000,
        .threads = 1, .at = 0x600000000000,
    };
    struct library l;
    uint64_t points;

    parse_options(&o, argc, argv,
                  "Lookups of cross sections as in XSBench, for 68 nuclides, each of which has\n"
                  "as many points as fit (22304 bytes for one of each). An update is a lookup, of\n"
                  "a random energy in one of 12 materials: 16 nuclides on average.");
    require_one_thread(&o);
    points = largest_problem(&o, bytes_of, SMALLEST_GRID);
    l.seed = o.seed;
    lay_out(&l, map_work_area(&o), points);
    return run_rounds(&o, &xsbench, &l);
}
