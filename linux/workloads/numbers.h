/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pseudo-random numbers, the same on every machine, and random orders.
 */
#ifndef WORKLOADS_NUMBERS_H
#define WORKLOADS_NUMBERS_H

#include <stdint.h>

#define GOLDEN 0x9e3779b97f4a7c15ull

/* The output function of splitmix64: a bijection that looks random. */
static inline uint64_t mix(uint64_t z)
{
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

/* splitmix64: a full-period generator that takes any seed, 0 too. */
static inline uint64_t random_number(uint64_t *state)
{
    return mix(*state += GOLDEN);
}

/*
 * Where random_number() begins for the @i-th thing of a kind: so each of them
 * can be made again alone.
 */
static inline uint64_t sequence(uint64_t seed, uint64_t kind, uint64_t i)
{
    return mix(mix(mix(seed) + kind) + i);
}

/* From 0 to @n - 1, all as likely, of a random number. */
static inline uint64_t below(uint64_t random, uint64_t n)
{
    return (unsigned __int128)random * n >> 64;
}

/* From 0 to 1, without 1. */
static inline double fraction(uint64_t random)
{
    return (random >> 11) * 0x1p-53;
}

/* The numbers from 0 to n - 1 in a random order. */
struct order {
    uint64_t n;
    uint64_t mask;        /* all bits of n - 1 and those below */
    unsigned shift;       /* half of them */
    uint64_t factors[3], terms[3];
};

static inline struct order make_order(uint64_t seed, uint64_t kind, uint64_t n)
{
    uint64_t state = sequence(seed, kind, 0);
    unsigned bits = n > 1 ? 64 - __builtin_clzll(n - 1) : 1;
    struct order order = {
        .n = n, .mask = UINT64_MAX >> (64 - bits), .shift = (bits + 1) / 2,
    };

    for (unsigned i = 0; i < 3; i++) {
        order.factors[i] = random_number(&state) | 1;
        order.terms[i] = random_number(&state);
    }
    return order;
}

/*
 * The @i-th of them. Each step is a bijection of the numbers up to the mask;
 * what is beyond n goes on until it is not.
 */
static inline uint64_t in_order(const struct order *order, uint64_t i)
{
    do {
        for (unsigned step = 0; step < 3; step++) {
            i = (i * order->factors[step] + order->terms[step]) & order->mask;
            i ^= i >> order->shift;
        }
    } while (i >= order->n);
    return i;
}

#endif
