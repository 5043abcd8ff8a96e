/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest segment without a guest: accesses inside it, outside it, and across
 * its ends, while it is changed, removed, and written with what it has.
 */
#include "lib/tap.h"
#include "guest.h"

#define PAGES 400
#define ROUNDS 60
#define ACCESSES 500

static void accesses(uint64_t *state)
{
    for (unsigned i = 0; i < ACCESSES; i++) {
        random_access(state, DATA + random_below(state, PAGES * PAGE - 8));
    }
}

void tests(void)
{
    struct tables tables;
    uint64_t state = 29;

    case_begin("native-direct");
    space_init(&tables, PTE_G);
    space_map(&tables, DATA, PAGES, 1, LEAF);
    space_enter(&tables);
    write_cr4(read_cr4() | CR4_PGE);
    REGION_BEGIN();
    for (unsigned i = 0; i < ROUNDS; i++) {
        uint64_t first = random_below(&state, PAGES / 2);
        uint64_t pages = random_below(&state, PAGES / 2);

        set_own_segment(segment(DATA + first * PAGE, pages * PAGE,
                                FRAMES + first * PAGE % MiB));
        accesses(&state);
        write_cr10(read_cr10());        /* no change */
        write_cr3(read_cr3());          /* the segment stays */
        accesses(&state);
        if (i % 4 == 0) {
            set_own_segment(NO_SEGMENT);
            write_cr11(PAGE * i);       /* no segment before and after */
            accesses(&state);
        }
    }
    set_own_segment(NO_SEGMENT);
    REGION_END();
    expect("CR10", 0, read_cr10());
    case_end();
}
