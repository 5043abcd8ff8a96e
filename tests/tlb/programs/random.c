/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Random loads and stores at any byte: some straddle two pages. */
#include "lib/tap.h"
#include "space.h"

#define PAGES 2000
#define ACCESSES 60000

void tests(void)
{
    struct tables tables;
    uint64_t state = 1, straddling = 0;

    case_begin("random accesses");
    space_init(&tables, 0);
    space_map(&tables, DATA, PAGES + 1, 1, LEAF);
    space_enter(&tables);
    REGION_BEGIN();
    for (unsigned i = 0; i < ACCESSES; i++) {
        /* A tenth of the pages gets half of the accesses. */
        uint64_t pages = random_below(&state, 2) ? PAGES : PAGES / 10;
        uint64_t offset = random_below(&state, pages * PAGE);

        straddling += offset % PAGE > PAGE - sizeof(uint64_t);
        random_access(&state, DATA + offset);
    }
    REGION_END();
    expect("some straddle", 1, straddling > 50);
    case_end();
}
