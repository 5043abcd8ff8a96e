/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which pages of the primary region are in use
 *
 * Bits only, no locks: whoever calls has one. As a change of a bit makes no
 * other bit wrong, a child forked in the middle of a change by another thread
 * can go on with what it has; so can others if a process is killed there.
 */
#ifndef RUN_PAGES_H
#define RUN_PAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE_SIZE 4096ul

struct pages {
    uintptr_t start;        /* address of the first page */
    size_t nr;              /* of all pages */
    size_t in_use;
    size_t most_in_use;     /* ever */
    uint64_t *used;         /* a bit for each page: it is the program's */
    uint64_t *held;         /* not to be had, as the kernel refers to it */
    uint64_t *stale;        /* free, with what the program has left there */
};

/* Bytes that pages_init() wants for the bits of @nr pages. */
size_t pages_bits_size(size_t nr);

/* All pages are free. @bits: zeroed memory, which stays in use. */
void pages_init(struct pages *p, uintptr_t start, size_t nr, void *bits);

/*
 * Finds @nr pages in a row that are free and not held, the lowest that there
 * are, beginning at a multiple of @align bytes. Returns their address, or 0.
 */
uintptr_t pages_find(const struct pages *p, size_t nr, size_t align);

/* Pages that are the program's from now on, whatever they were. */
void pages_use(struct pages *p, uintptr_t address, size_t nr);

/* Frees those that are in use: they are stale then. */
void pages_free(struct pages *p, uintptr_t address, size_t nr);

/* Pages that are neither the program's nor free from now on. */
void pages_leave(struct pages *p, uintptr_t address, size_t nr);

/* Holds free pages back, until pages_release() lets go of all such. */
void pages_hold(struct pages *p, uintptr_t address, size_t nr);

/* Returns whether there were any. */
bool pages_release(struct pages *p);

/* Whether all, or none, of the pages are the program's. */
bool pages_are_used(const struct pages *p, uintptr_t address, size_t nr);
bool pages_are_unused(const struct pages *p, uintptr_t address, size_t nr);

/*
 * The first run of pages with @bits (one of the arrays) as @wanted, of the @nr
 * from @address on. Returns how many they are, or 0, and where they begin.
 */
size_t pages_run(const struct pages *p, const uint64_t *bits, bool wanted,
                 uintptr_t *address, size_t nr);

#endif
