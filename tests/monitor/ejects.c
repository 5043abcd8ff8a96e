/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest that lets go of each CPU that is to be unplugged, sooner or later:
 * test_unplug.py. QEMU, docs/specs/acpi_cpu_hotplug.rst.
 */
#include "lib/cpu.h"
#include "lib/tap.h"
#include "../../linux/include/dseg.h"

/* Of the machine "pc". */
#define SELECTOR 0xaf00
#define FLAGS (SELECTOR + 4)
#define REMOVE_EVENT BIT(2)
#define EJECT BIT(3)
#define COMMAND (SELECTOR + 5)
#define SELECT_NEXT_WITH_EVENT 0

#define LONGEST 4000        /* pause instructions */

static uint8_t in8(uint16_t port)
{
    uint8_t value;

    asm volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

void tests(void)
{
    unsigned pauses = 0;

    out32(SELECTOR, 0);     /* from the interface with a bitmap to this one */
    DSEG_MARK(1);           /* tells the test */
    for (;;) {
        out8(COMMAND, SELECT_NEXT_WITH_EVENT);
        if (!(in8(FLAGS) & REMOVE_EVENT)) {
            continue;
        }
        pauses = (pauses * 5 + 1237) % LONGEST;
        for (unsigned i = 0; i < pauses; i++) {
            asm volatile("pause");
        }
        out8(FLAGS, REMOVE_EVENT);      /* seen */
        out8(FLAGS, EJECT);
    }
}
