/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the fuzzer gives, taken a number at a time: zeros after its end
 */

#ifndef FUZZ_INPUT_H
#define FUZZ_INPUT_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef unsigned __int128 Wide;

typedef struct Input {
    const uint8_t *data;
    size_t left;
} Input;

static inline uint64_t take_bytes(Input *in, unsigned count)
{
    uint64_t value = 0;

    for (; count && in->left; count--, in->left--) {
        value = value << 8 | *in->data++;
    }
    return value;
}

static inline uint64_t take_u64(Input *in)
{
    return take_bytes(in, 8);
}

static inline unsigned take_below(Input *in, unsigned n)
{
    return take_bytes(in, 1) % n;
}

static inline bool take_bool(Input *in)
{
    return take_bytes(in, 1) & 1;
}

/* @value, give or take some pages or bytes. */
static inline uint64_t take_near(Input *in, uint64_t value)
{
    uint64_t unit = take_below(in, 4) ? 4096 : 1;

    return value + unit * (uint64_t)((int)take_below(in, 8) - 4);
}

/*
 * A number where rules change, in a few bytes: near a power of two or its
 * negative, or any number at all.
 */
static inline uint64_t take_edge(Input *in)
{
    uint64_t power;

    if (!take_below(in, 4)) {
        return take_u64(in);
    }
    power = UINT64_C(1) << take_below(in, 64);
    return take_near(in, take_bool(in) ? power : -power);
}

/* MAXPHYADDR of some CPU. */
static inline unsigned take_phys_bits(Input *in)
{
    return 32 + take_below(in, 21);
}

static inline unsigned take_virt_bits(Input *in)
{
    return take_bool(in) ? 57 : 48;
}

/* libFuzzer's entry. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
