/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which pages of the primary region are in use
 *
 * Bits only, no locks: whoever calls has one. As a change of a bit makes no
 * other bit wrong, a child forked in the middle of a change by another thread
 * can go on with what it has: at worst, pages stay in use for good.
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
    uint64_t *used;         /* a bit for each page */
    uint64_t *foreign;      /* likewise: its page tables are not the region's
                               any more, it is the kernel's to change */
};

/* Bytes that pages_init() wants for the bits of @nr pages. */
size_t pages_bits_size(size_t nr);

/* All pages are free. @bits: zeroed memory, which stays in use. */
void pages_init(struct pages *p, uintptr_t start, size_t nr, void *bits);

/*
 * Takes @nr free pages in a row, the lowest that there are, beginning at a
 * multiple of @align bytes. Returns their address, or 0.
 */
uintptr_t pages_take(struct pages *p, size_t nr, size_t align);

/* Takes the pages from @address on if all are free. Returns if they were. */
bool pages_take_at(struct pages *p, uintptr_t address, size_t nr);

/* Pages that may be free, and are taken now. */
void pages_use(struct pages *p, uintptr_t address, size_t nr);

/* Frees pages; those that are foreign stay in use. */
void pages_free(struct pages *p, uintptr_t address, size_t nr);

/* Gives pages to the kernel, for good. */
void pages_make_foreign(struct pages *p, uintptr_t address, size_t nr);

bool pages_are_foreign(const struct pages *p, uintptr_t address);

/* How many of the @nr pages from @address on are in a row what the first is,
   foreign or not. */
size_t pages_alike(const struct pages *p, uintptr_t address, size_t nr);

#endif
