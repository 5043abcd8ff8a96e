/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The markers of a workload, for one that can't execute them itself.
 */
#include "common.h"

#include <stdio.h>
#include <string.h>

static const struct options o = { .name = "mark" };

static void print_help(void)
{
    puts("Usage: mark begin|end\n\n"
         "Executes the marker instruction with label 0x104 (begin) or 0x105 (end): what is between\n"
         "them is what is measured, as in round 1 of the other workloads.\n\n"
         "Example: mark begin; sleep 1; mark end");
}

int main(int argc, char **argv)
{
    const char *what = argc == 2 ? argv[1] : "";

    if (!strcmp(what, "--help")) {
        print_help();
    } else if (!strcmp(what, "begin")) {
        mark(1, UPDATES_BEGIN);
    } else if (!strcmp(what, "end")) {
        mark(1, UPDATES_END);
    } else {
        die(&o, "begin or end? see --help");
    }
    return 0;
}
