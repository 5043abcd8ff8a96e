/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: the reasons of a #VMEXIT
 *
 * Their codes and meanings are those of APM volume 2, appendix C.
 *
 * Plain C: no QEMU headers, so that unit tests can compile it by itself.
 */

#ifndef DSEG_MODEL_EXITS_H
#define DSEG_MODEL_EXITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Codes 0 to 0xff, 0x400 to 0x403, -1, and all others together. */
#define DSEG_EXITS 262

/* Where in an array of DSEG_EXITS an exit code has its place. */
unsigned dseg_exit_index(uint64_t code);

/* The reverse.  False for the place of all others; *@code stays as it is then. */
bool dseg_exit_code(unsigned index, uint64_t *code);

/* Room for the longest name. */
#define DSEG_EXIT_NAME 24

/*
 * Writes what is at @index as a word into @name, which has DSEG_EXIT_NAME bytes:
 * "npf", "cr3-write"; "0xb0" for a code without a name, "other" for all others.
 */
void dseg_exit_name(unsigned index, char *name);

#endif
