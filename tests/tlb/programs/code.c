/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Code on many pages of 4K and 2M: calls in random order, and instructions that
 * straddle two pages.
 */
#include "lib/tap.h"
#include "space.h"

#define PAGES 400
#define LARGE_PAGES 20
#define LARGE (DATA + GiB)
#define CALLS 25000
#define RET 0xc3

/*
 * In each page: RET; and at its end the first 6 bytes of MOV $imm64, %RAX whose
 * last 4 are at the start of the next page, before a RET.
 */
#define RET_AT 0x200
#define STRADDLING_AT (PAGE - 6)

static void write_code(void)
{
    static const uint8_t mov[] = { 0x48, 0xb8, 1, 2, 3, 4, 5, 6, 7, 8, RET };

    for (uint64_t page = FRAMES; page < FRAMES + FRAMES_SIZE; page += PAGE) {
        uint8_t *bytes = at_hpa(page);

        bytes[RET_AT] = RET;
        for (unsigned i = 0; i < sizeof(mov); i++) {
            bytes[(STRADDLING_AT + i) % PAGE] = mov[i];
        }
    }
}

static uint64_t call(uint64_t address)
{
    uint64_t rax = 0;

    asm volatile("call *%1" : "+a"(rax) : "r"(address) : "memory");
    return rax;
}

void tests(void)
{
    struct tables tables;
    uint64_t state = 19, wrong = 0;

    case_begin("code on many pages");
    space_init(&tables, 0);
    space_map(&tables, DATA, PAGES + 1, 1, LEAF);
    space_map(&tables, LARGE, LARGE_PAGES + 1, 2, LEAF);
    write_code();
    space_enter(&tables);
    REGION_BEGIN();
    for (unsigned i = 0; i < CALLS; i++) {
        uint64_t small = DATA + random_below(&state, PAGES) * PAGE;
        uint64_t large = LARGE +
            random_below(&state, LARGE_PAGES * MiB2 / PAGE) * PAGE;

        call(small + RET_AT);
        if (i % 3 == 0) {
            wrong += call(small + STRADDLING_AT) != 0x0807060504030201ull;
        }
        if (i % 5 == 0) {
            wrong += call(large + STRADDLING_AT) != 0x0807060504030201ull;
        }
    }
    REGION_END();
    expect("wrong results", 0, wrong);
    case_end();
}
