/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DSEG_VM_OPTIONS_H
#define DSEG_VM_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Ends the program with @code, and with a line that says why. */
__attribute__((format(printf, 2, 3)))
_Noreturn void die(int code, const char *format, ...);

/*
 * The number in @text, or with @sizes that of bytes, which may end in K, M or G.
 * Else ends the program; @what is what the user calls it.
 */
uint64_t parse(const char *what, const char *text, bool sizes);

/* The only word of @argv, a PID. */
pid_t parse_pid(int argc, char **argv);

/* The number of @word among @words; else ends with what is wrong. */
int choose(const char *option, const char *word, const char *const *words,
           int n);

#endif
