/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest that executes marker instructions all the time, and with more labels
 * than a CPU keeps: test_markers.py.
 */
#include "lib/cpu.h"
#include "lib/tap.h"
#include "../../linux/include/dseg.h"

/* As in test_markers.py. */
#define ROUNDS 20000
#define FIRST_LABEL 1000
#define LABELS 300

/* nop disp32(%rdi), whose label is bits 23:0 of the displacement; ret. */
static uint8_t marker[] = { 0x0f, 0x1f, 0x87, 0, 0, 0, 0xd5, 0xc3 };

static void mark(unsigned label)
{
    marker[3] = label;
    marker[4] = label >> 8;
    ((void (*)(void))(uintptr_t)marker)();
}

void tests(void)
{
    case_begin("a flood of markers");
    for (unsigned i = 0; i < ROUNDS; i++) {
        DSEG_MARK(1);
        DSEG_MARK(2);
    }
    for (unsigned i = 0; i < LABELS; i++) {
        mark(FIRST_LABEL + i);
    }
    DSEG_MARK(1);       /* it has a snapshot: this one is the last */
    case_end();
}
