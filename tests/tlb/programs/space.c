/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Address spaces. */
#include "space.h"

struct arena table_arena = { MEMORY_START, FRAMES };

void space_init(struct tables *tables, uint64_t flags)
{
    tables_init(tables, 4, 0, &table_arena);
    tables_map(tables, 0, 0, 64 * MiB, 2, LEAF | flags);
}

/* Pages of 1 GiB show all memory: accesses have to go to their FRAMES. */
void space_map(struct tables *tables, uint64_t address, unsigned pages,
               unsigned level, uint64_t flags)
{
    for (unsigned i = 0; i < pages; i++) {
        uint64_t hpa = level == 3 ? 0 : level == 2 ? FRAMES
            : FRAMES + i * PAGE % FRAMES_SIZE;

        tables_map(tables, address + i * level_size(level),
                   hpa - tables->to_hpa, level_size(level), level, flags);
    }
}
