/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A table that is made in ascending order, and random updates of it: what mode
 * inclusive does not see when the table is made decides where the updates find it.
 */
#include "lib/tap.h"
#include "space.h"

/* Each frame has eight pages, so that there are more than any preset has entries. */
#define PAGES (8 * FRAMES_SIZE / PAGE)
#define WORD 32                 /* bytes from one that is used to the next */
#define WORDS (PAGES * PAGE / WORD)
#define OF_FRAMES (FRAMES_SIZE / WORD)
#define UPDATES 20000

static uint64_t word(uint64_t i)
{
    return DATA + i * WORD;
}

void tests(void)
{
    struct tables tables;
    uint64_t state = 59, sum = 0;

    case_begin("a table");
    space_init(&tables, 0);
    space_map(&tables, DATA, PAGES, 1, LEAF);
    space_enter(&tables);
    for (uint64_t i = 0; i < WORDS; i++) {
        store(word(i), i % OF_FRAMES);
    }
    REGION_BEGIN();
    for (unsigned i = 0; i < UPDATES; i++) {
        uint64_t address = word(random_below(&state, WORDS));

        store(address, load(address) + 1);
    }
    REGION_END();
    for (uint64_t i = 0; i < OF_FRAMES; i++) {
        sum += load(word(i)) - i;
    }
    expect("updates", UPDATES, sum);
    case_end();
}
