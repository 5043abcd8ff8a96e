/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A chain of pointers through pages in random order: by 4K, then 2M pages. */
#include "lib/tap.h"
#include "space.h"

#define PAGES 1024
#define STEPS 30000
#define CHAIN (40 * MiB)        /* hPA: frames of their own */

/* The node of a page, on lines in turn; its physical offset. */
static uint64_t node(unsigned page)
{
    return page * PAGE + page * 64 % PAGE;
}

/* One cycle through all pages (Sattolo's shuffle). Pointers are offsets. */
static void make_chain(void)
{
    static uint16_t order[PAGES];
    uint64_t state = 7;

    for (unsigned i = 0; i < PAGES; i++) {
        order[i] = i;
    }
    for (unsigned i = PAGES - 1; i > 0; i--) {
        unsigned j = random_below(&state, i);
        uint16_t other = order[j];

        order[j] = order[i];
        order[i] = other;
    }
    for (unsigned i = 0; i < PAGES; i++) {
        *(uint64_t *)at_hpa(CHAIN + node(order[i])) =
            node(order[(i + 1) % PAGES]);
    }
}

static uint64_t chase(uint64_t base)
{
    uint64_t offset = node(0);

    for (unsigned i = 0; i < STEPS; i++) {
        offset = load(base + offset);
    }
    return offset;
}

void tests(void)
{
    struct tables tables;
    uint64_t small, large;

    case_begin("a pointer chase");
    make_chain();
    space_init(&tables, 0);
    tables_map(&tables, DATA, CHAIN, PAGES * PAGE, 1, LEAF);
    tables_map(&tables, DATA + GiB, CHAIN, PAGES * PAGE, 2, LEAF);
    space_enter(&tables);
    REGION_BEGIN();
    small = chase(DATA);
    large = chase(DATA + GiB);
    REGION_END();
    expect("both end at the same node", small, large);
    case_end();
}
