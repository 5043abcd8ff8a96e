/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Arrays in the work area.
 */
#include "area.h"
#include "common.h"

#include <inttypes.h>

#define LINE 64u
#define PAGE 4096u

struct area area_at(void *start)
{
    return (struct area){ (uintptr_t)start, (uintptr_t)start };
}

void *area_take(struct area *area, uint64_t n, size_t size)
{
    uintptr_t array = area->next;

    area->next += (n * size + LINE - 1) / LINE * LINE;
    return (void *)array;
}

uint64_t area_bytes(const struct area *area)
{
    return area->next - area->start;
}

uint64_t largest_problem(const struct options *o,
                         uint64_t (*bytes_of)(uint64_t n), uint64_t smallest)
{
    uint64_t fits = smallest;
    uint64_t too_large = o->bytes + 1;

    if (bytes_of(smallest) > o->bytes) {
        die(o, "--bytes: must be at least %" PRIu64 "K",
            (bytes_of(smallest) + PAGE - 1) / PAGE * (PAGE / 1024));
    }
    while (too_large - fits > 1) {
        uint64_t n = fits + (too_large - fits) / 2;

        if (bytes_of(n) <= o->bytes) {
            fits = n;
        } else {
            too_large = n;
        }
    }
    return fits;
}
