/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Output, and the end of the run. */
#ifndef BARE_METAL_PRINT_H
#define BARE_METAL_PRINT_H

#include <stdarg.h>

/*
 * Print to QEMU's debug console. Known: %s, %c, %d, %u, %x, %lu, %lx (64 bits),
 * %%.
 */
void print(const char *format, ...) __attribute__((format(printf, 1, 2)));
void vprint(const char *format, va_list values);

/* As vprint(), into a buffer, cut off at its end. */
void vprint_to(char *buffer, unsigned size, const char *format, va_list values);

/* Not 0, as QEMU's exit code 1 is that of an error of its own. */
#define QUIT_PASSED 16

/* End QEMU, with the exit code 2 * code + 1 (isa-debug-exit). */
void quit(unsigned code) __attribute__((noreturn));

/* Say why the run can't go on, and end it: QEMU's exit code is 255. */
void die(const char *format, ...)
    __attribute__((format(printf, 1, 2), noreturn));

#endif
