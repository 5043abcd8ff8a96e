/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RUN_SAY_H
#define RUN_SAY_H

#include "shared.h"

/* Exit codes, those of env(1) and timeout(1); a program's own is handed on. */
enum { EXIT_USAGE = RUN_EXIT_NO_REGION, EXIT_NOT_RUN = 126, EXIT_NOT_FOUND,
       EXIT_SIGNAL = 128 };

/* A line on stderr, whatever bytes there are in it. */
__attribute__((format(printf, 1, 2)))
void say(const char *format, ...);

/* The same, and ends the program with @code. */
__attribute__((format(printf, 2, 3)))
_Noreturn void die(int code, const char *format, ...);

#endif
