/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A sparse symmetric matrix with a random pattern, made as in CG of the NAS
 * Parallel Benchmarks: the sum of w[i] * x[i] * x[i]^T, plus 0.1 on the diagonal.
 * x[i] is a sparse vector: 1/2 at i, and seven random numbers from 0 to 1 at
 * random places. The weights w fall from 1 to 0.1 as a geometric series.
 *
 * So no element is negative, and all eigenvalues are at least 0.1.
 */
#ifndef WORKLOADS_SPARSE_H
#define WORKLOADS_SPARSE_H

#include "area.h"

#include <stdint.h>

#define SPARSE_NONZEROS 8     /* of each vector */

struct sparse {
    uint64_t n, seed;
    uint64_t *rows;           /* where each row begins; one more: the end */
    uint32_t *columns;
    double *values;

    /* While it is made. */
    double *weights;
    uint64_t *first;          /* of the vectors that have an element in a row */
    uint32_t *members;        /* these vectors */
    uint64_t *places;         /* of each column, in the row that is being made */
};

/* Take arrays for @n rows. */
void sparse_take(struct sparse *m, struct area *area, uint64_t n);

/* Fill in all elements, unless stop_requested is set. */
void sparse_make(struct sparse *m);

/* @out = matrix @in, unless stop_requested is set. */
void sparse_multiply(const struct sparse *m, const double *in, double *out);

#endif
