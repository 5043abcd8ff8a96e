/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the functions of the library share
 */
#ifndef RUN_PRELOAD_H
#define RUN_PRELOAD_H

#include "critical.h"

#include <stdbool.h>
#include <stddef.h>

#define EXPORT __attribute__((visibility("default")))

/* As the C library's functions return what the kernel does. */
long answer(long result);

/* Is the range in the region, and whole? If not, it is the kernel's, and so is
   the region if it has a part in it. If so, the caller calls region_leave(). */
bool enter_inside(struct signals *before, const void *address, size_t size);

/* The kernel does something with a range, or with memory: the region is given
   up if it has a part in that. */
void leave_to_kernel(const void *address, size_t size);
/* ... with an address anywhere in the first page of the range. */
void leave_page_to_kernel(const void *address, size_t size);
/* Only if the program has unmapped a part of the range. */
void leave_holes_to_kernel(const void *address, size_t size);
void leave_all_to_kernel(void);

#endif
