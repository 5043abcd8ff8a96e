/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pseudo-random numbers: splitmix64. A stream each for what is to be repeated
 * alone.
 */
#ifndef DIFFERENTIAL_RANDOM_H
#define DIFFERENTIAL_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

struct random {
    uint64_t state;
};

static inline uint64_t random64(struct random *random)
{
    uint64_t x = random->state += 0x9e3779b97f4a7c15;

    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
    x = (x ^ x >> 27) * 0x94d049bb133111eb;
    return x ^ x >> 31;
}

/* From 0 to n - 1. */
static inline unsigned random_below(struct random *random, unsigned n)
{
    return (random64(random) >> 32) * n >> 32;
}

/* True once in n times; never if n is 0. */
static inline bool one_in(struct random *random, unsigned n)
{
    return n && random_below(random, n) == 0;
}

/* One element of an array. */
#define random_of(random, array) \
    ((array)[random_below(random, sizeof(array) / sizeof((array)[0]))])

#endif
