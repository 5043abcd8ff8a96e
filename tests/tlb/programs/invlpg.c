/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * INVLPG all over: of pages of each size, global ones, pages that are not
 * there, the own code; and after a page has been mapped elsewhere.
 */
#include "lib/tap.h"
#include "space.h"

#define ROUNDS 12000
#define SMALL_PAGES 150
#define LARGE_PAGES 20
#define LARGE (DATA + GiB)
#define HUGE_ (DATA + 64 * GiB)
#define HUGE_PAGES 4

static uint64_t any_address(uint64_t *state)
{
    switch (random_below(state, 4)) {
    case 0:
        return LARGE + random_below(state, LARGE_PAGES * MiB2 / 8) * 8;
    case 1:
        return HUGE_ + random_below(state, HUGE_PAGES) * GiB + FRAMES +
               random_below(state, FRAMES_SIZE / 8) * 8;
    default:
        return DATA + random_below(state, SMALL_PAGES * PAGE / 8) * 8;
    }
}

void tests(void)
{
    uint64_t state = 13, wrong = 0;
    volatile uint64_t *entry;
    struct tables tables;

    case_begin("INVLPG");
    space_init(&tables, PTE_G);
    space_map(&tables, DATA, SMALL_PAGES, 1, LEAF);
    space_map(&tables, DATA, SMALL_PAGES / 3, 1, LEAF | PTE_G);
    space_map(&tables, LARGE, LARGE_PAGES, 2, LEAF);
    space_map(&tables, HUGE_, HUGE_PAGES, 3, LEAF);
    entry = tables_entry(&tables, DATA, 1);
    space_enter(&tables);
    write_cr4(read_cr4() | CR4_PGE);
    store(FRAMES + 0x100, 1);
    store(FRAMES + PAGE + 0x100, 2);
    REGION_BEGIN();
    for (unsigned i = 0; i < ROUNDS; i++) {
        random_access(&state, any_address(&state));
        random_access(&state, any_address(&state));
        if (i % 3 == 0) {
            invlpg(any_address(&state));
        }
        if (i % 50 == 0) {
            uint64_t frame = FRAMES + (i & 1) * PAGE;

            *entry = frame | LEAF;
            invlpg(DATA);
            wrong += load(DATA + 0x100) != load(frame + 0x100);
        }
    }
    invlpg((uint64_t)tests);
    invlpg(DATA + 32 * GiB);
    load(DATA);
    REGION_END();
    expect("loads by a page's old place", 0, wrong);
    case_end();
}
