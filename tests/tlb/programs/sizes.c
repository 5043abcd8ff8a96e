/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pages of 4K, 2M and 1G side by side, data and code. */
#include "lib/tap.h"
#include "space.h"

#define ACCESSES 50000
#define RET 0xc3

static const struct {
    uint64_t at, size;
    unsigned level, pages;
} rows[] = {
    { DATA, PAGE, 1, 300 },
    { DATA + 64 * GiB, MiB2, 2, 80 },
    { DATA + 128 * GiB, GiB, 3, 12 },
};

/* An address in that page whose memory is in FRAMES. */
static uint64_t address_in(unsigned row, unsigned page, uint64_t *state)
{
    uint64_t start = rows[row].at + page * rows[row].size;

    switch (rows[row].level) {
    case 1:
        return start + random_below(state, PAGE / 8) * 8;
    case 2:
        return start + random_below(state, MiB2 / 8) * 8;
    default:
        return start + FRAMES + random_below(state, FRAMES_SIZE / 8) * 8;
    }
}

static void execute(uint64_t address)
{
    asm volatile("call *%0" : : "r"(address) : "memory");
}

void tests(void)
{
    struct tables tables;
    uint64_t state = 3;

    case_begin("mixed page sizes");
    space_init(&tables, 0);
    for (unsigned row = 0; row < ARRAY_SIZE(rows); row++) {
        space_map(&tables, rows[row].at, rows[row].pages, rows[row].level,
                  LEAF);
    }
    space_enter(&tables);
    REGION_BEGIN();
    for (unsigned i = 0; i < ACCESSES; i++) {
        unsigned row = random_below(&state, ARRAY_SIZE(rows));
        unsigned page = random_below(&state, rows[row].pages);
        uint64_t address = address_in(row, page, &state);

        if (i % 16) {
            random_access(&state, address);
        } else {
            *(volatile uint8_t *)address = RET;
            execute(address);
        }
    }
    REGION_END();
    expect("1G pages", 3, rows[2].level);
    case_end();
}
