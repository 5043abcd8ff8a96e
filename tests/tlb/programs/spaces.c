/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Processes: address spaces with the same global pages and others of their own,
 * one after the other by MOV to CR3; with CR4.PGE, without, and again with.
 */
#include "lib/tap.h"
#include "space.h"

#define SPACES 5
#define SWITCHES 400
#define ACCESSES 40
#define SHARED (DATA + GiB)

static struct tables spaces[SPACES];

static void run(uint64_t *state)
{
    for (unsigned i = 0; i < SWITCHES; i++) {
        space_enter(&spaces[random_below(state, SPACES)]);
        for (unsigned j = 0; j < ACCESSES; j++) {
            uint64_t page = random_below(state, 24) * PAGE;

            random_access(state, (j & 1 ? DATA : SHARED) + page);
        }
    }
}

void tests(void)
{
    uint64_t state = 5, cr4 = read_cr4();

    case_begin("process switches");
    for (unsigned i = 0; i < SPACES; i++) {
        space_init(&spaces[i], PTE_G);
        space_map(&spaces[i], DATA, 24, 1, LEAF);
        space_map(&spaces[i], SHARED, 24, 1, LEAF | PTE_G);
    }
    space_enter(&spaces[0]);
    write_cr4(cr4 | CR4_PGE);
    REGION_BEGIN();
    run(&state);
    write_cr4(cr4);
    run(&state);
    write_cr4(cr4 | CR4_PGE);
    run(&state);
    REGION_END();
    expect("CR4.PGE", CR4_PGE, read_cr4() & CR4_PGE);
    case_end();
}
