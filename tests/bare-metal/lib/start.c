/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The first C code of the first CPU. */
#include "print.h"
#include "svm.h"
#include "tap.h"
#include "trap.h"

void start_c(void) __attribute__((noreturn));

void start_c(void)
{
    trap_init();
    svm_init();
    tests();
    quit(tap_finish() ? 1 : QUIT_PASSED);
}
