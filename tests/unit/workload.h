/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For tests that include a workload's source, with its main() renamed: its
 * rounds, on memory of just the size that it may use.
 */
#ifndef TEST_WORKLOAD_H
#define TEST_WORKLOAD_H

#include "../../linux/workloads/rounds.h"
#include "random.h"

/* The check of a round is to find its work right, or wrong. */
#define assert_round(w, data, o, n, right) \
    g_assert_cmpint(workload_round(w, data, o, n).errors == 0, ==, right)

/* Once more the check, of what is in memory now. */
static inline struct round workload_check(const struct workload *w, void *data,
                                          const struct options *o, uint64_t n)
{
    struct round r = { .number = n };

    w->check(data, o, &r);
    return r;
}

static inline struct round workload_round(const struct workload *w, void *data,
                                          const struct options *o, uint64_t n)
{
    uint64_t updates = w->work(data, o, n);
    struct round r = workload_check(w, data, o, n);

    g_assert_cmpuint(updates, >=, o->updates);
    return r;
}

/* Of a number of any type. */
static inline void flip_bits(void *value, size_t size, uint64_t bits)
{
    uint8_t *bytes = value;

    for (size_t i = 0; i < size; i++) {
        bytes[i] ^= bits >> 8 * i;
    }
}

/*
 * That a wrong value in memory is an error of the round: flip @bits of
 * @value before the check, or before the work.
 */
#define assert_is_seen(w, data, o, value, bits, before_work) do { \
    (w)->build(data, o); \
    assert_round(w, data, o, 1, true); \
    if (!(before_work)) { \
        (w)->work(data, o, 2); \
    } \
    flip_bits(&(value), sizeof(value), bits); \
    if (before_work) { \
        (w)->work(data, o, 2); \
    } \
    g_assert_cmpuint(workload_check(w, data, o, 2).errors, >, 0); \
    flip_bits(&(value), sizeof(value), bits); \
} while (0)

#endif
