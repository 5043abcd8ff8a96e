/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Test cases and their results, in the Test Anything Protocol. */
#ifndef BARE_METAL_TAP_H
#define BARE_METAL_TAP_H

#include <stdbool.h>
#include <stdint.h>

/* Each program has this: its test cases. */
void tests(void);

/* A test case from here to case_end(). The name says what it proves. */
void case_begin(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * The case fails if these are not the same; "what" says of what they are
 * values.
 */
void expect(const char *what, uint64_t expected, uint64_t got);

/* Print the result; true if all was as expected. */
bool case_end(void);

/*
 * Print the summary; the number of cases that failed, and 1 if there were no
 * cases.
 */
unsigned tap_finish(void);

#endif
