/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * System calls without the C library's functions, of which the library takes
 * the place, and without errno
 */
#ifndef RUN_KERNEL_H
#define RUN_KERNEL_H

#include <stdbool.h>

/* Returns what the kernel does: a negative errno is an error. */
long kernel_call(long number, long a, long b, long c, long d, long e, long f);

static inline bool kernel_error(long result)
{
    return result < 0 && result >= -4095;
}

#endif
