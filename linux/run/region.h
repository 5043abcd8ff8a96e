/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The primary region of the program, as the library deals it out
 *
 * As long as the library has it, page tables of the region do not change, as
 * that would end its segment. For what can't be done so, it is given up: what
 * the program does not use is unmapped, and the kernel has the rest.
 */
#ifndef RUN_REGION_H
#define RUN_REGION_H

#include "critical.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What maps in it may be used for. */
#define ALL_PROT (PROT_READ | PROT_WRITE)

/* The library is loaded, or is about to go. */
void region_start(void);
void region_end(void);

/*
 * If there is a region: nobody else deals with it until region_leave(). The
 * first call makes it. All below that is between the two.
 */
bool region_enter(struct signals *before);
void region_leave(const struct signals *before);

/* What a range has to do with the region. Without one, it is outside. */
enum region_part { OUTSIDE, INSIDE, ACROSS };

/* @size: any. What is no range of memory is outside. Needs no lock. */
enum region_part region_part(const void *address, size_t size);

/* The part of a range that is in the region: its size, and where it begins. */
size_t region_overlap(const void *address, size_t size, uintptr_t *first);

/* Whole pages that hold @size bytes. */
size_t page_align(size_t size);

/* Ranges that are INSIDE, of whole pages: are all pages, or none, in use? */
bool region_is_used(const void *address, size_t size);
bool region_is_unused(const void *address, size_t size);

/* Memory for a map, zeroed: the address, or 0 if the kernel shall do it. */
uintptr_t region_take(size_t size);

/* The same at an address INSIDE, of whole pages, whatever is there now. */
bool region_take_at(const void *address, size_t size);

void region_free(const void *address, size_t size);

/*
 * Zeroes memory INSIDE in place. Returns if so: not if the kernel refers to it
 * otherwise, and would find zeros as well, or if its page tables have changed.
 */
bool region_zero(const void *address, size_t size);

/* Whether region_zero() would. */
bool region_can_zero(const void *address, size_t size);

void region_give_up(void);

/* The same, but without a system call: what is unused stays mapped. */
void region_stand_aside(void);

/*
 * Calls @visit for each page that the program uses, unless the kernel refers to
 * it otherwise; the region is given up by that. Returns if so: what the kernel
 * refers to is not known when page tables have changed.
 */
bool region_give_up_by(void (*visit)(void *page));

/* Whether there is a region now. Needs no lock, and makes no system call. */
bool region_is_there(void);

/* Whether there is one, or has been. */
bool region_has_been(void);

/* A library was to be loaded with RTLD_DEEPBIND: returns whether it may be. */
bool region_may_bind_deep(void);

#endif
