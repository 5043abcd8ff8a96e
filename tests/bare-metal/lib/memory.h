/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Physical memory for page tables and data: from 8 MiB up to 32 MiB, behind the
 * program. Some of it goes to arenas, which hand out pages in order; so it is
 * known where a page is, and resetting an arena gives all of it back.
 */
#ifndef BARE_METAL_MEMORY_H
#define BARE_METAL_MEMORY_H

#include <stdint.h>

#define PAGE 0x1000ull
#define MiB 0x100000ull
#define GiB 0x40000000ull

#define MEMORY_START (8 * MiB)
#define MEMORY_END (32 * MiB)

/* hPAs: the next page to hand out, and the end. */
struct arena {
    uint64_t next, end;
};

/* The hPA of a page of zeros. Ends the run if there is none left. */
uint64_t arena_page(struct arena *arena);

/* The hPA of the first of so many consecutive pages of zeros. */
uint64_t arena_pages(struct arena *arena, unsigned pages);

#endif
