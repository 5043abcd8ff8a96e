/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A sparse symmetric matrix with a random pattern.
 *
 * A vector is a function of the seed and of its number, so it is made again
 * wherever it is needed. Each makes 8 * 8 products, of which 8 are for the
 * diagonal: so n rows have at most 57 n elements.
 */
#include "common.h"
#include "numbers.h"
#include "sparse.h"

#include <string.h>

#define ROW (SPARSE_NONZEROS * (SPARSE_NONZEROS - 1) + 1)   /* on average */
#define SMALLEST_WEIGHT 0.1
#define VECTORS 200           /* a kind of random numbers */

struct element {
    uint32_t at;
    double value;
};

static bool has(const struct element *elements, unsigned n, uint32_t at)
{
    for (unsigned i = 0; i < n; i++) {
        if (elements[i].at == at) {
            return true;
        }
    }
    return false;
}

/* The @i-th sparse vector. */
static void make_vector(const struct sparse *m, uint32_t i,
                        struct element elements[SPARSE_NONZEROS])
{
    uint64_t state = sequence(m->seed, VECTORS, i);

    elements[0] = (struct element){ i, 0.5 };
    for (unsigned n = 1; n < SPARSE_NONZEROS; n++) {
        do {
            elements[n].at = below(random_number(&state), m->n);
        } while (has(elements, n, elements[n].at));
        elements[n].value = fraction(random_number(&state));
    }
}

/* Fill in which vectors have an element in which row, in ascending order. */
static void make_members(struct sparse *m)
{
    struct element elements[SPARSE_NONZEROS];
    uint64_t end = 0;

    memset(m->first, 0, (m->n + 1) * sizeof(*m->first));
    for (uint64_t i = 0; i < m->n && !stop_requested; i++) {
        make_vector(m, i, elements);
        for (unsigned j = 0; j < SPARSE_NONZEROS; j++) {
            m->first[elements[j].at]++;
        }
    }
    /* So far the end of each list; it moves down as the list is filled. */
    for (uint64_t row = 0; row <= m->n; row++) {
        end += m->first[row];
        m->first[row] = end;
    }
    for (uint64_t i = m->n; i-- > 0 && !stop_requested; ) {
        make_vector(m, i, elements);
        for (unsigned j = 0; j < SPARSE_NONZEROS; j++) {
            m->members[--m->first[elements[j].at]] = i;
        }
    }
}

/* x with 0.1^(1/n) = x: e^y, by its series, as y is small. */
static double ratio_of_weights(uint64_t n)
{
    double y = -2.302585092994046 / n, term = 1, sum = 1;

    for (unsigned i = 1; i < 12; i++) {
        term *= y / i;
        sum += term;
    }
    return sum;
}

static void make_weights(struct sparse *m)
{
    double ratio = ratio_of_weights(m->n), weight = 1;

    for (uint64_t i = 0; i < m->n; i++) {
        m->weights[i] = weight;
        weight *= ratio;
    }
}

/* Add to an element of @row, which so far ends at @end; returns its new end. */
static uint64_t add_element(struct sparse *m, uint64_t row, uint64_t end,
                            uint32_t column, double value)
{
    uint64_t place = m->places[column];

    if (place >= m->rows[row] && place < end && m->columns[place] == column) {
        m->values[place] += value;
        return end;
    }
    m->places[column] = end;
    m->columns[end] = column;
    m->values[end] = value;
    return end + 1;
}

/* Returns where the row ends. */
static uint64_t make_row(struct sparse *m, uint64_t row)
{
    uint64_t end = add_element(m, row, m->rows[row], row, SMALLEST_WEIGHT);

    for (uint64_t i = m->first[row]; i < m->first[row + 1]; i++) {
        struct element elements[SPARSE_NONZEROS];
        uint32_t vector = m->members[i];
        double own = 0;

        make_vector(m, vector, elements);
        for (unsigned j = 0; j < SPARSE_NONZEROS; j++) {
            own = elements[j].at == row ? elements[j].value : own;
        }
        for (unsigned j = 0; j < SPARSE_NONZEROS; j++) {
            end = add_element(m, row, end, elements[j].at,
                              m->weights[vector] * (own * elements[j].value));
        }
    }
    return end;
}

void sparse_make(struct sparse *m)
{
    make_weights(m);
    make_members(m);
    m->rows[0] = 0;
    for (uint64_t row = 0; row < m->n && !stop_requested; row++) {
        m->rows[row + 1] = make_row(m, row);
    }
}

void sparse_multiply(const struct sparse *m, const double *in, double *out)
{
    for (uint64_t row = 0; row < m->n && !stop_requested; row++) {
        double sum = 0;

        for (uint64_t i = m->rows[row]; i < m->rows[row + 1]; i++) {
            uint32_t column = m->columns[i];

            /* Whatever memory says. */
            sum += m->values[i] * in[column < m->n ? column : 0];
        }
        out[row] = sum;
    }
}

void sparse_take(struct sparse *m, struct area *area, uint64_t n)
{
    m->n = n;
    m->rows = area_take(area, n + 1, sizeof(*m->rows));
    m->columns = area_take(area, n * ROW, sizeof(*m->columns));
    m->values = area_take(area, n * ROW, sizeof(*m->values));
    m->weights = area_take(area, n, sizeof(*m->weights));
    m->first = area_take(area, n + 1, sizeof(*m->first));
    m->members = area_take(area, n * SPARSE_NONZEROS, sizeof(*m->members));
    m->places = area_take(area, n, sizeof(*m->places));
}
