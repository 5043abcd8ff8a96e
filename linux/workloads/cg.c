/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Conjugate gradient on a sparse matrix with a random pattern, as in CG of the
 * NAS Parallel Benchmarks.
 *
 * The matrix A is that of sparse.h. A round is the inverse power method on
 * S = shift - A: each step of it solves S z = x by up to 25 iterations of
 * conjugate gradients, and has an estimate of the largest eigenvalue of A, which
 * NPB calls zeta: shift - 1 / (x z).
 *
 * All eigenvalues of A are from 0 to the largest sum of a row, as there is
 * nothing negative in it. The shift is twice that sum. So S is positive
 * definite, its condition is 2 at most, and theory has a limit to the residual
 * after each iteration.
 *
 * Nothing here depends on more than IEEE arithmetic in the order of the source:
 * the results are the same to the last bit in each round, and on each machine.
 */
#include "area.h"
#include "common.h"
#include "rounds.h"
#include "sparse.h"

#include <emmintrin.h>
#include <string.h>

#define ITERATIONS 25         /* of a step, at most */
#define SMALLEST_MATRIX 64    /* rows */
#define ROUNDING 1e-12        /* more than rounding adds to a residual */

struct system {
    struct sparse matrix;     /* A while it is made, then S */
    double shift;
    uint64_t matrix_sum;      /* checksum of it, as it was made */

    double *x, *z, *p, *q, *r;
    double x_z;               /* x times z, after a step */
    unsigned iterations;      /* of the last step */
    uint64_t results_sum;     /* checksum of what a round found; 0: none has */
};

static double largest_row_sum(const struct sparse *a)
{
    double largest = 0;

    for (uint64_t row = 0; row < a->n; row++) {
        double sum = 0;

        for (uint64_t i = a->rows[row]; i < a->rows[row + 1]; i++) {
            sum += a->values[i];
        }
        largest = sum > largest ? sum : largest;
    }
    return largest;
}

/* Make shift - A of A, in place. */
static void subtract_from(double shift, struct sparse *a)
{
    for (uint64_t row = 0; row < a->n; row++) {
        for (uint64_t i = a->rows[row]; i < a->rows[row + 1]; i++) {
            a->values[i] = (a->columns[i] == row ? shift : 0) - a->values[i];
        }
    }
}

/* All of it, and maybe what is behind the last column. */
static uint64_t matrix_sum(const struct sparse *m)
{
    uint64_t elements = m->rows[m->n];
    uint64_t sums[] = {
        checksum(m->rows, m->n + 1),
        checksum((const uint64_t *)m->columns, (elements + 1) / 2),
        checksum((const uint64_t *)m->values, elements),
    };

    return checksum(sums, sizeof(sums) / sizeof(*sums));
}

static void build(void *data, const struct options *o)
{
    struct system *s = data;

    (void)o;
    sparse_make(&s->matrix);
    if (stop_requested) {
        return;
    }
    s->shift = 2 * largest_row_sum(&s->matrix);
    subtract_from(s->shift, &s->matrix);
    s->matrix_sum = matrix_sum(&s->matrix);
    s->results_sum = 0;
}

static double product(const struct system *s, const double *a, const double *b)
{
    double sum = 0;

    for (uint64_t i = 0; i < s->matrix.n; i++) {
        sum += a[i] * b[i];
    }
    return sum;
}

/* @out = @a + @factor * @b */
static void add(const struct system *s, double *out, const double *a,
                double factor, const double *b)
{
    for (uint64_t i = 0; i < s->matrix.n; i++) {
        out[i] = a[i] + factor * b[i];
    }
}

/* The instruction, not the library's function: so there is no library. */
static double square_root(double a)
{
    return _mm_cvtsd_f64(_mm_sqrt_sd(_mm_setzero_pd(), _mm_set_sd(a)));
}

/* Solve S z = x, by @iterations; leaves the residual x - S z in r. */
static void solve(struct system *s, unsigned iterations)
{
    double rho = product(s, s->x, s->x);

    memset(s->z, 0, s->matrix.n * sizeof(*s->z));
    memcpy(s->r, s->x, s->matrix.n * sizeof(*s->r));
    memcpy(s->p, s->x, s->matrix.n * sizeof(*s->p));
    for (unsigned i = 0; i < iterations && !stop_requested; i++) {
        double alpha, before = rho;

        sparse_multiply(&s->matrix, s->p, s->q);
        alpha = rho / product(s, s->p, s->q);
        add(s, s->z, s->z, alpha, s->p);
        add(s, s->r, s->r, -alpha, s->q);
        rho = product(s, s->r, s->r);
        add(s, s->p, s->r, rho / before, s->p);
    }
    s->iterations = iterations;
}

/* x = @vector, with a length of 1. */
static void set_x(struct system *s, const double *vector)
{
    double factor = 1 / square_root(product(s, vector, vector));

    for (uint64_t i = 0; i < s->matrix.n; i++) {
        s->x[i] = factor * vector[i];
    }
}

static uint64_t work(void *data, const struct options *o, uint64_t round)
{
    struct system *s = data;
    uint64_t elements = s->matrix.rows[s->matrix.n];
    uint64_t iterations = (o->updates + elements - 1) / elements;

    (void)round;
    for (uint64_t i = 0; i < s->matrix.n; i++) {
        s->z[i] = 1;
    }
    for (uint64_t done = 0; done < iterations && !stop_requested; ) {
        uint64_t left = iterations - done;

        set_x(s, s->z);
        solve(s, left < ITERATIONS ? left : ITERATIONS);
        s->x_z = product(s, s->x, s->z);
        done += s->iterations;
    }
    return iterations * elements;
}

static double length(const struct system *s, const double *vector)
{
    return square_root(product(s, vector, vector));
}

/*
 * Whether the residual is what conjugate gradients must have reached with x of
 * length 1: 2 sqrt(c) ((sqrt(c) - 1) / (sqrt(c) + 1))^iterations, c the condition.
 */
static bool has_converged(const struct system *s)
{
    double root = square_root(2), limit = 2 * root;

    for (unsigned i = 0; i < s->iterations; i++) {
        limit *= (root - 1) / (root + 1);
    }
    return length(s, s->r) <= limit + ROUNDING;
}

/* Whether r is x - S z indeed. */
static bool solves(struct system *s)
{
    sparse_multiply(&s->matrix, s->z, s->q);
    add(s, s->q, s->x, -1, s->q);
    add(s, s->q, s->q, -1, s->r);
    return length(s, s->q) <= ROUNDING;
}

static bool is_eigenvalue_of_a(const struct system *s)
{
    double zeta = s->shift - 1 / s->x_z;

    return zeta >= 0 && zeta <= s->shift / 2;
}

static uint64_t results_sum(const struct system *s)
{
    uint64_t sums[2] = { checksum((const uint64_t *)s->z, s->matrix.n), 0 };

    memcpy(&sums[1], &s->x_z, sizeof(sums[1]));
    return checksum(sums, 2);
}

static void check(void *data, const struct options *o, struct round *r)
{
    struct system *s = data;

    (void)o;
    r->checksum = results_sum(s);
    r->errors = matrix_sum(&s->matrix) != s->matrix_sum;
    r->errors += !has_converged(s) + !solves(s) + !is_eigenvalue_of_a(s);
    r->errors += s->results_sum && s->results_sum != r->checksum;
    s->results_sum = r->checksum;
}

/* Set where its arrays are; returns the bytes that they take. */
static uint64_t lay_out(struct system *s, void *start, uint64_t n)
{
    struct area area = area_at(start);

    sparse_take(&s->matrix, &area, n);
    s->x = area_take(&area, n, sizeof(*s->x));
    s->z = area_take(&area, n, sizeof(*s->z));
    s->p = area_take(&area, n, sizeof(*s->p));
    s->q = area_take(&area, n, sizeof(*s->q));
    s->r = area_take(&area, n, sizeof(*s->r));
    return area_bytes(&area);
}

static uint64_t bytes_of(uint64_t n)
{
    return lay_out(&(struct system){ 0 }, NULL, n);
}

int main(int argc, char **argv)
{
    static const struct workload cg = { build, work, check, "updates_per_s" };
    struct options o = {
        .name = "cg", .bytes = 64 << 20, .updates = 20000000,
        .threads = 1, .at = 0x600000000000,
    };
    struct system s;
    uint64_t n;

    parse_options(&o, argc, argv,
                  "Conjugate gradients as in NPB CG, on the largest sparse random matrix that\n"
                  "fits: 788 bytes a row, which has about 57 elements. An update is an element\n"
                  "multiplied; a round makes as many iterations as --updates need, 25 of them a\n"
                  "step of the inverse power method. Each round does the same again.");
    require_one_thread(&o);
    n = largest_problem(&o, bytes_of, SMALLEST_MATRIX);
    s.matrix.seed = o.seed;
    lay_out(&s, map_work_area(&o), n);
    return run_rounds(&o, &cg, &s);
}
