/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random numbers of the unit tests: the same in every run, unless the
 * environment asks for others (DSEG_TEST_SEED) or for more (DSEG_TEST_EFFORT).
 */

#ifndef TEST_RANDOM_H
#define TEST_RANDOM_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

static inline uint64_t random_setting(const char *name, uint64_t otherwise)
{
    const char *text = g_getenv(name);

    return text ? g_ascii_strtoull(text, NULL, 0) : otherwise;
}

static inline GRand *random_new(void)
{
    uint32_t seed = random_setting("DSEG_TEST_SEED", 2014);

    g_test_message("DSEG_TEST_SEED=%u", seed);
    return g_rand_new_with_seed(seed);
}

/* How often to repeat what is done @n times in an ordinary run. */
static inline uint64_t random_rounds(uint64_t n)
{
    return n * random_setting("DSEG_TEST_EFFORT", 1);
}

static inline uint64_t random_u64(GRand *rand)
{
    return (uint64_t)g_rand_int(rand) << 32 | g_rand_int(rand);
}

static inline uint64_t random_bits(GRand *rand, unsigned bits)
{
    return bits ? random_u64(rand) >> (64 - bits) : 0;
}

static inline unsigned random_below(GRand *rand, unsigned n)
{
    return g_rand_int_range(rand, 0, n);
}

static inline bool random_bool(GRand *rand)
{
    return g_rand_boolean(rand);
}

/*
 * A number where things go wrong: a power of two or zero, give or take a few
 * bytes or pages, or one of any width.
 */
static inline uint64_t random_edge(GRand *rand)
{
    unsigned shift = random_below(rand, 65);
    uint64_t power = shift < 64 ? UINT64_C(1) << shift : 0;

    switch (random_below(rand, 4)) {
    case 0:
        return power + random_below(rand, 5) - 2;
    case 1:
        return power + ((uint64_t)random_below(rand, 5) << 12)
                     - (UINT64_C(2) << 12);
    case 2:
        return -power + ((uint64_t)random_below(rand, 5) << 12)
                      - (UINT64_C(2) << 12);
    default:
        return random_bits(rand, shift);
    }
}

/* That a random test has met each of @n cases often enough to mean something. */
static inline void random_assert_seen(const unsigned *seen, unsigned n,
                                      unsigned least)
{
    for (unsigned i = 0; i < n && !g_test_failed(); i++) {
        g_assert_cmpuint(seen[i], >, least);
    }
}

#endif
