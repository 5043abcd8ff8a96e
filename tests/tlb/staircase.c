/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A chain of pointers through all lines of a part of memory, in an order that
 * looks random, for parts of several sizes: docs/spec/caches.rst says where it is
 * found. Markers 2 and 3 stand around the loads of the first size, 4 and 5 around
 * those of the second one, and so on.
 */
#include "lib/tap.h"
#include "programs/space.h"

#define LINE 64
#define LOADS (1ul << 19)
#define AREA FRAMES         /* up to the end of RAM; mapped 1:1 */

/* Of a full period for each power of two. */
static uint64_t after(uint64_t i, uint64_t lines)
{
    return (i * 0x9e3779b1 + 0x7f4a7c15) & (lines - 1);
}

static void make_chain(uint64_t lines)
{
    for (uint64_t i = 0; i < lines; i++) {
        store(AREA + i * LINE, AREA + after(i, lines) * LINE);
    }
}

static uint64_t follow(uint64_t at)
{
    uint64_t left = LOADS;

    /* All of it in one line: else its fetches would pass in each round. */
    asm volatile(".p2align 6\n"
                 "1: mov (%0), %0\n"
                 "dec %1\n"
                 "jnz 1b" : "+r"(at), "+r"(left) : : "memory");
    return at;
}

/* Labels are in the instruction. */
#define MEASURE(number, bytes) do { \
        make_chain((bytes) / LINE); \
        end = follow(AREA);         /* all that fits is there now */ \
        DSEG_MARK(2 * (number)); \
        end = follow(end); \
        DSEG_MARK(2 * (number) + 1); \
        expect("end of the chain", AREA, end); \
    } while (0)

void tests(void)
{
    struct tables tables;
    uint64_t end;

    case_begin("a chain of pointers");
    space_init(&tables, 0);
    space_enter(&tables);
    MEASURE(1, 8ul << 10);
    MEASURE(2, 128ul << 10);
    MEASURE(3, 4ul << 20);
    MEASURE(4, 32ul << 20);
    case_end();
}
