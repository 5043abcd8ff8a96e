/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Clean pages: loads, then stores; stores first; pages that are cleaned again;
 * and pages without W, which the kernel may store to with CR0.WP = 0.
 */
#include "lib/tap.h"
#include "space.h"

#define PAGES 200
#define LARGE_PAGES 12
#define ROUNDS 8
#define ACCESSES 2000
#define LARGE (DATA + GiB)
#define HUGE_ (DATA + 64 * GiB)
#define CLEAN (LEAF & ~PTE_D)

static uint64_t any_address(uint64_t *state)
{
    switch (random_below(state, 8)) {
    case 0:
        return LARGE + random_below(state, LARGE_PAGES * MiB2 / 8) * 8;
    case 1:
        return HUGE_ + FRAMES + random_below(state, FRAMES_SIZE / 8) * 8;
    default:
        return DATA + random_below(state, PAGES * PAGE / 8) * 8;
    }
}

static unsigned dirty_pages(struct tables *tables)
{
    unsigned n = 0;

    for (unsigned i = 0; i < PAGES; i++) {
        n += (*tables_entry(tables, DATA + i * PAGE, 1) & PTE_D) != 0;
    }
    return n;
}

/* Make some pages clean again. */
static void clean(struct tables *tables, uint64_t *state)
{
    for (unsigned i = 0; i < PAGES / 2; i++) {
        uint64_t address = DATA + random_below(state, PAGES) * PAGE;

        *tables_entry(tables, address, 1) &= ~PTE_D;
        invlpg(address);
    }
}

void tests(void)
{
    struct tables tables;
    uint64_t state = 17;
    unsigned before;

    case_begin("dirty pages");
    space_init(&tables, 0);
    space_map(&tables, DATA, PAGES, 1, CLEAN);
    space_map(&tables, DATA, PAGES / 4, 1, CLEAN & ~PTE_W);
    space_map(&tables, LARGE, LARGE_PAGES, 2, CLEAN);
    space_map(&tables, HUGE_, 1, 3, CLEAN);
    space_enter(&tables);
    before = dirty_pages(&tables);
    REGION_BEGIN();
    for (unsigned i = 0; i < ACCESSES; i++) {
        load(any_address(&state));
    }
    write_cr0(read_cr0() & ~CR0_WP);
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (unsigned i = 0; i < ACCESSES; i++) {
            random_access(&state, any_address(&state));
        }
        clean(&tables, &state);
    }
    write_cr0(read_cr0() | CR0_WP);
    REGION_END();
    expect("dirty pages before", 0, before);
    expect("some afterwards", 1, dirty_pages(&tables) > PAGES / 8);
    case_end();
}
