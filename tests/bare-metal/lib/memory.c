/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Physical memory for page tables and data. */
#include "memory.h"

#include "cpu.h"
#include "print.h"

uint64_t arena_pages(struct arena *arena, unsigned pages)
{
    uint64_t first = arena->next;

    arena->next += pages * PAGE;
    if (arena->next > arena->end) {
        die("an arena that ends at 0x%lx is empty", arena->end);
    }
    __builtin_memset(at_hpa(first), 0, pages * PAGE);
    return first;
}

uint64_t arena_page(struct arena *arena)
{
    return arena_pages(arena, 1);
}
