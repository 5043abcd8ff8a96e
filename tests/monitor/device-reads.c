/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest that reads a device's register all the time, often in one block of
 * code, and marks any other value than the first: test_memory_map.py.
 */
#include "lib/cpu.h"
#include "lib/tables.h"
#include "lib/tap.h"
#include "../../linux/include/dseg.h"

#define APIC_VERSION 0xfee00030ull

void tests(void)
{
    volatile uint32_t *version = at_hpa(APIC_VERSION);
    uint32_t right = *version, different = 0;

    DSEG_MARK(1);               /* as in test_memory_map.py */
    while (!different) {
        different |= *version ^ right;
        different |= *version ^ right;
        different |= *version ^ right;
        different |= *version ^ right;
        different |= *version ^ right;
        different |= *version ^ right;
        different |= *version ^ right;
        different |= *version ^ right;
    }
    DSEG_MARK(2);
}
