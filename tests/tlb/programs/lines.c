/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What lines of caches matter to: jumps between two virtual addresses of one
 * line, code on many lines, and accesses that straddle lines and pages; and
 * locked instructions. In the host, and in a guest.
 */
#include "lib/tap.h"
#include "guest.h"

/* Each frame has two pages, as many pages apart as there are frames. */
#define FRAME_COUNT (FRAMES_SIZE / PAGE)
#define ALIAS (FRAME_COUNT * PAGE)
#define CODE_PAGES 32
#define PAGES 200               /* of data, behind those of code */
#define ROUNDS 4000
#define GUEST_ROUNDS 2000

/* In each page of code: JMP *%RDI, 8 bytes behind it RET; and many NOPs. */
#define JUMP_AT 0x400
#define RET_AT (JUMP_AT + 8)
#define NOPS_AT 0x800
#define NOPS 300

static struct machine machine;
static uint64_t state = 47, sum;

static void write_code(void)
{
    for (unsigned i = 0; i < CODE_PAGES; i++) {
        uint8_t *bytes = at_hpa(FRAMES + i * PAGE);

        bytes[JUMP_AT] = 0xff;
        bytes[JUMP_AT + 1] = 0xe7;
        bytes[RET_AT] = 0xc3;
        for (unsigned j = 0; j < NOPS; j++) {
            bytes[NOPS_AT + j] = 0x90;
        }
        bytes[NOPS_AT + NOPS] = 0xc3;
    }
}

static void call(uint64_t address, uint64_t rdi)
{
    asm volatile("call *%0" : : "r"(address), "D"(rdi) : "memory");
}

/* Through one of a frame's pages to the other, in the same line. */
static void jump(void)
{
    uint64_t page = DATA + random_below(&state, CODE_PAGES) * PAGE;

    if (random_below(&state, 2)) {
        call(page + JUMP_AT, page + ALIAS + RET_AT);
    } else {
        call(page + ALIAS + JUMP_AT, page + RET_AT);
    }
}

/* Any address of data, aligned or not. */
static uint64_t somewhere(void)
{
    return DATA + CODE_PAGES * PAGE +
           random_below(&state, PAGES * PAGE - sizeof(uint64_t));
}

/* The last bytes of a page of data, and the first ones of the next. */
static uint64_t at_a_page_end(void)
{
    return DATA + (CODE_PAGES + random_below(&state, PAGES - 1) + 1) * PAGE -
           1 - random_below(&state, 7);
}

static void access_data(void)
{
    random_access(&state, somewhere());
    random_access(&state, at_a_page_end());
    asm volatile("lock incq %0" : "+m"(*(uint64_t *)(somewhere() & -8)));
    sum += load(DATA + random_below(&state, CODE_PAGES) * PAGE + JUMP_AT);
}

static void rounds(uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        jump();
        access_data();
        if (i % 16 == 0) {
            call(DATA + random_below(&state, CODE_PAGES) * PAGE + NOPS_AT +
                 random_below(&state, NOPS), 0);
        }
    }
}

static void map_all(struct tables *tables)
{
    space_map(tables, DATA, FRAME_COUNT + CODE_PAGES, 1, LEAF);
}

void tests(void)
{
    struct tables tables;

    case_begin("code and data by lines");
    space_init(&tables, 0);
    machine_init(&machine, 1, 1, 2);
    map_all(&tables);
    map_all(&machine.tables);
    write_code();
    space_enter(&tables);
    REGION_BEGIN();
    rounds(ROUNDS);
    machine_call(&machine, rounds, GUEST_ROUNDS);
    REGION_END();
    /* Stores to data have left the code alone: each load was of its bytes. */
    expect("sum of what was loaded of code",
           (ROUNDS + GUEST_ROUNDS) * load(DATA + JUMP_AT), sum);
    case_end();
}
