/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * INVLPGA of the host's, each guest's and nobody's pages, of any size; one
 * guest's pages of 2M are pieces of 4K in its nested tables.
 */
#include "lib/tap.h"
#include "guest.h"

#define PAGES 40
#define LARGE_PAGES 8
#define LARGE (DATA + GiB)
#define ROUNDS 400
#define ACCESSES 60

static struct machine guests[2];
static uint64_t state = 37;

static uint64_t any_address(void)
{
    return random_below(&state, 4)
        ? DATA + random_below(&state, PAGES * PAGE / 8) * 8
        : LARGE + random_below(&state, LARGE_PAGES * MiB2 / 8) * 8;
}

static void accesses(uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        random_access(&state, any_address());
    }
}

static void map_data(struct tables *tables)
{
    space_map(tables, DATA, PAGES, 1, LEAF);
    space_map(tables, DATA, PAGES / 2, 1, LEAF | PTE_G);
    space_map(tables, LARGE, LARGE_PAGES, 2, LEAF);
}

void tests(void)
{
    struct tables tables;

    case_begin("INVLPGA");
    space_init(&tables, 0);
    map_data(&tables);
    for (unsigned i = 0; i < 2; i++) {
        machine_init(&guests[i], 5 + i, 1 + i, 2 - i);
        guests[i].guest.vmcb->cr4 |= CR4_PGE;
        map_data(&guests[i].tables);
    }
    space_enter(&tables);
    write_cr4(read_cr4() | CR4_PGE);
    REGION_BEGIN();
    for (unsigned i = 0; i < ROUNDS; i++) {
        /* 0, 5, 6, and 7, which nobody has. */
        static const uint8_t asids[] = { 0, 5, 6, 7 };

        accesses(ACCESSES / 4);
        machine_call(&guests[i & 1], accesses, ACCESSES);
        for (unsigned j = 0; j < 4; j++) {
            invlpga(any_address(), asids[random_below(&state, 4)]);
        }
    }
    REGION_END();
    expect("ASID", 6, guests[1].guest.vmcb->asid);
    case_end();
}
