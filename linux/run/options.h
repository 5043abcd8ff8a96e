/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RUN_OPTIONS_H
#define RUN_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

struct options {
    uint64_t size, at_least;    /* bytes, multiples of RUN_SIZE_UNIT */
    unsigned share;             /* percent */
    bool if_possible, children, no_malloc;
    const char *report;         /* or NULL */
};

/*
 * Reads the command line into @o, which has the defaults.  Returns the index of
 * PROGRAM in @argv, or ends the program.
 */
int parse(struct options *o, int argc, char **argv);

#endif
