/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unit tests of linux/workloads/cg and sparse: the matrix, what is solved, and
 * what its checks see
 */
#define main cg_main
#include "../../linux/workloads/sparse.c"
#include "../../linux/workloads/cg.c"
#undef main

#include "workload.h"

#include <math.h>

static const struct workload cg = { build, work, check, "updates_per_s" };

struct fixture {
    struct options o;
    struct system s;
    uint64_t n;
    double *a;                /* A, by its definition, all n * n of it */
    void *area;
};

/* The sum of the products of the vectors, each of them in full. */
static double *make_dense(const struct sparse *m)
{
    double *a = g_new0(double, m->n * m->n);
    double *vector = g_new(double, m->n);

    for (uint64_t i = 0; i < m->n; i++) {
        double weight = pow(0.1, (double)i / m->n);
        struct element elements[SPARSE_NONZEROS];

        memset(vector, 0, m->n * sizeof(*vector));
        make_vector(m, i, elements);
        for (unsigned j = 0; j < SPARSE_NONZEROS; j++) {
            vector[elements[j].at] = elements[j].value;
        }
        g_assert_cmpfloat(vector[i], ==, 0.5);
        for (uint64_t row = 0; row < m->n; row++) {
            for (uint64_t column = 0; column < m->n; column++) {
                a[row * m->n + column] += weight * vector[row] * vector[column];
            }
        }
    }
    for (uint64_t i = 0; i < m->n; i++) {
        a[i * m->n + i] += 0.1;
    }
    g_free(vector);
    return a;
}

static void set_up(struct fixture *f, uint64_t seed, uint64_t bytes)
{
    f->o = (struct options){
        .name = "cg", .bytes = bytes, .updates = 1, .seed = seed,
    };
    f->n = largest_problem(&f->o, bytes_of, SMALLEST_MATRIX);
    f->s = (struct system){ .matrix.seed = seed };
    f->area = g_malloc(bytes);
    g_assert_cmpuint(lay_out(&f->s, f->area, f->n), <=, bytes);
    f->a = make_dense(&f->s.matrix);
    build(&f->s, &f->o);
}

static void tear_down(struct fixture *f)
{
    g_free(f->a);
    g_free(f->area);
}

/* S has what shift - A has, no element twice, and is symmetric to the bit. */
static void test_matrix(void)
{
    for (unsigned seed = 0; seed < 10; seed++) {
        struct fixture f;
        const struct sparse *m = &f.s.matrix;
        g_autofree double *s = NULL;

        set_up(&f, seed, (52 + 4 * seed) << 10);
        s = g_new0(double, f.n * f.n);
        g_assert_cmpuint(m->rows[f.n], <=, 57 * f.n);
        for (uint64_t row = 0; row < f.n; row++) {
            for (uint64_t i = m->rows[row]; i < m->rows[row + 1]; i++) {
                uint64_t at = row * f.n + m->columns[i];

                g_assert_cmpfloat(s[at], ==, 0);
                s[at] = m->values[i];
            }
        }
        for (uint64_t i = 0; i < f.n * f.n; i++) {
            double shift = i % (f.n + 1) ? 0 : f.s.shift;

            g_assert_cmpfloat(s[i], ==, s[i % f.n * f.n + i / f.n]);
            g_assert_cmpfloat(fabs(shift - f.a[i] - s[i]), <, 1e-12);
        }
        tear_down(&f);
    }
}

/* In a large matrix few products of two vectors meet: 57 elements a row. */
static void test_elements(void)
{
    struct fixture f = { .o.bytes = 16 << 20 };
    uint64_t elements;

    f.n = largest_problem(&f.o, bytes_of, SMALLEST_MATRIX);
    f.area = g_malloc(f.o.bytes);
    lay_out(&f.s, f.area, f.n);
    f.s.matrix.seed = 1;
    build(&f.s, &f.o);
    elements = f.s.matrix.rows[f.n];
    g_assert_cmpuint(elements, <=, 57 * f.n);
    g_assert_cmpuint(elements, >, 56 * f.n);
    g_free(f.area);
}

/* Twice the largest sum of a row. */
static void test_shift(void)
{
    struct fixture f;
    double largest = 0;

    set_up(&f, 3, 80 << 10);
    for (uint64_t row = 0; row < f.n; row++) {
        double sum = 0;

        for (uint64_t column = 0; column < f.n; column++) {
            sum += f.a[row * f.n + column];
        }
        largest = fmax(largest, sum);
    }
    g_assert_cmpfloat(fabs(f.s.shift - 2 * largest), <, 1e-12);
    tear_down(&f);
}

static void test_square_root(void)
{
    GRand *rand = random_new();

    for (unsigned i = 0; i < 10000; i++) {
        double a = g_rand_double(rand) * 1000;

        g_assert_cmpfloat(square_root(a), ==, sqrt(a));
    }
    g_rand_free(rand);
}

/* @out = A @in */
static void multiply_dense(const struct fixture *f, const double *in, double *out)
{
    for (uint64_t row = 0; row < f->n; row++) {
        out[row] = 0;
        for (uint64_t column = 0; column < f->n; column++) {
            out[row] += f->a[row * f->n + column] * in[column];
        }
    }
}

/* A step of 25 iterations solves (shift - A) z = x, x even and of length 1. */
static void test_solution(void)
{
    for (unsigned seed = 0; seed < 5; seed++) {
        struct fixture f;
        g_autofree double *az = NULL;

        set_up(&f, seed, 80 << 10);
        az = g_new(double, f.n);
        f.o.updates = 25 * f.s.matrix.rows[f.n];
        g_assert_cmpuint(work(&f.s, &f.o, 1), ==, f.o.updates);
        multiply_dense(&f, f.s.z, az);
        for (uint64_t i = 0; i < f.n; i++) {
            double residual = f.s.shift * f.s.z[i] - az[i] - 1 / sqrt(f.n);

            g_assert_cmpfloat(fabs(residual), <, 1e-12);
        }
        tear_down(&f);
    }
}

/* The largest eigenvalue of A, by the power method. */
static double largest_eigenvalue(const struct fixture *f)
{
    g_autofree double *x = g_new(double, f->n), *y = g_new(double, f->n);
    double length = 0;

    for (uint64_t i = 0; i < f->n; i++) {
        x[i] = 1;
    }
    for (unsigned step = 0; step < 3000; step++) {
        multiply_dense(f, x, y);
        length = 0;
        for (uint64_t i = 0; i < f->n; i++) {
            length += y[i] * y[i];
        }
        length = sqrt(length);
        for (uint64_t i = 0; i < f->n; i++) {
            x[i] = y[i] / length;
        }
    }
    return length;
}

/* By enough steps, each of 25 iterations and the last one of 7. */
static void test_zeta(void)
{
    struct fixture f;

    set_up(&f, 2, 52 << 10);
    f.o.updates = (400 * 25 + 7) * f.s.matrix.rows[f.n];
    assert_round(&cg, &f.s, &f.o, 1, true);
    g_assert_cmpuint(f.s.iterations, ==, 7);
    g_assert_cmpfloat(fabs(f.s.shift - 1 / f.s.x_z - largest_eigenvalue(&f)), <,
                      1e-6);
    tear_down(&f);
}

/* With any number of iterations, and the same in each round. */
static void test_rounds_are_right(void)
{
    for (unsigned iterations = 1; iterations <= 60; iterations++) {
        struct fixture f;

        set_up(&f, iterations, 56 << 10);
        f.o.updates = iterations * f.s.matrix.rows[f.n] - 1;
        assert_round(&cg, &f.s, &f.o, 1, true);
        g_assert_cmpuint(f.s.iterations, ==, (iterations - 1) % 25 + 1);
        assert_round(&cg, &f.s, &f.o, 2, true);
        tear_down(&f);
    }
}

/* The limit to the residual is no more than what theory has, if not by much. */
static void test_convergence(void)
{
    struct fixture f;

    set_up(&f, 1, 80 << 10);
    f.o.updates = 8 * f.s.matrix.rows[f.n];
    work(&f.s, &f.o, 1);
    g_assert_true(has_converged(&f.s));
    solve(&f.s, 3);
    f.s.x_z = product(&f.s, f.s.x, f.s.z);
    g_assert_cmpuint(workload_check(&cg, &f.s, &f.o, 1).errors, ==, 0);
    f.s.iterations = 8;
    g_assert_false(has_converged(&f.s));
    g_assert_cmpuint(workload_check(&cg, &f.s, &f.o, 1).errors, ==, 1);
    f.s.r[0] = NAN;
    g_assert_false(has_converged(&f.s));
    f.s.x_z = NAN;
    g_assert_false(is_eigenvalue_of_a(&f.s));
    tear_down(&f);
}

/* Change the sign bit, or bits that are worth less and less. */
static void assert_double_is_seen(struct fixture *f, double *value, bool before)
{
    assert_is_seen(&cg, &f->s, &f->o, *value, 1ull << 63, before);
    assert_is_seen(&cg, &f->s, &f->o, *value, 1ull << 52, before);
    assert_is_seen(&cg, &f->s, &f->o, *value, 1ull << 30, before);
    assert_is_seen(&cg, &f->s, &f->o, *value, 1, before);
}

static void test_wrong_memory_is_seen(void)
{
    for (unsigned before = 0; before < 2; before++) {
        struct fixture f;
        struct sparse *m = &f.s.matrix;

        set_up(&f, 4, 80 << 10);
        f.o.updates = 30 * m->rows[f.n];
        assert_double_is_seen(&f, &m->values[0], before);
        assert_double_is_seen(&f, &m->values[m->rows[f.n] - 1], before);
        assert_is_seen(&cg, &f.s, &f.o, m->columns[9], 1, before);
        assert_is_seen(&cg, &f.s, &f.o, m->columns[9], UINT32_MAX, before);
        assert_is_seen(&cg, &f.s, &f.o, m->rows[9], 1, before);
        tear_down(&f);
    }
}

/* What a round has found: not what it must be, or not what it was before. */
static void test_wrong_results_are_seen(void)
{
    struct fixture f;

    set_up(&f, 4, 80 << 10);
    f.o.updates = 30 * f.s.matrix.rows[f.n];
    assert_double_is_seen(&f, &f.s.z[1], false);
    assert_is_seen(&cg, &f.s, &f.o, f.s.x_z, 1, false);
    /* By the first round alone, with nothing to compare it with. */
    for (unsigned i = 0; i < 3; i++) {
        double *vectors[] = { f.s.z, f.s.x, f.s.r };

        build(&f.s, &f.o);
        work(&f.s, &f.o, 1);
        vectors[i][f.n / 2] += 1e-9;
        g_assert_cmpuint(workload_check(&cg, &f.s, &f.o, 1).errors, >, 0);
    }
    tear_down(&f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/cg/matrix-is-by-its-definition", test_matrix);
    g_test_add_func("/cg/rows-have-57-elements", test_elements);
    g_test_add_func("/cg/shift-is-beyond-all-eigenvalues", test_shift);
    g_test_add_func("/cg/square-root-is-exact", test_square_root);
    g_test_add_func("/cg/step-solves", test_solution);
    g_test_add_func("/cg/zeta-is-the-largest-eigenvalue", test_zeta);
    g_test_add_func("/cg/rounds-are-right", test_rounds_are_right);
    g_test_add_func("/cg/slow-convergence-is-seen", test_convergence);
    g_test_add_func("/cg/wrong-memory-is-seen", test_wrong_memory_is_seen);
    g_test_add_func("/cg/wrong-results-are-seen", test_wrong_results_are_seen);
    return g_test_run();
}
