/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Arrays in the work area, one after the other.
 */
#ifndef WORKLOADS_AREA_H
#define WORKLOADS_AREA_H

#include <stddef.h>
#include <stdint.h>

struct options;

struct area {
    uintptr_t start, next;
};

/* At @start, or at NULL to see what it would take. */
struct area area_at(void *start);

/* The next array: @n elements of @size bytes, which begin a cache line. */
void *area_take(struct area *area, uint64_t n, size_t size);

/* What has been taken. */
uint64_t area_bytes(const struct area *area);

/*
 * The largest problem that fits in the work area, where one of size n takes
 * bytes_of(n), which is n or more. If even @smallest does not, the program ends
 * with an error that says what it takes.
 */
uint64_t largest_problem(const struct options *o,
                         uint64_t (*bytes_of)(uint64_t n), uint64_t smallest);

#endif
