/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Preloaded, executes the markers of a workload around a program's main(): not
 * in what starts the program, and not before what else is preloaded is there.
 */
#define _GNU_SOURCE
#include "../include/dseg.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static bool is_meant(void)
{
    const char *name = getenv("DSEG_MARKED");

    return name && !strcmp(name, program_invocation_short_name);
}

__attribute__((constructor)) static void begin(void)
{
    if (is_meant()) {
        DSEG_MARK(0x104);
    }
}

__attribute__((destructor)) static void end(void)
{
    if (is_meant()) {
        DSEG_MARK(0x105);
    }
}
