/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RUN_START_H
#define RUN_START_H

#include "shared.h"

/*
 * Runs the program, with signals as we have found them, and hands on those that
 * are sent to us.  Returns its exit code, or EXIT_SIGNAL and the signal that
 * has killed it; ends this one if it can't be run.
 */
int run(char **command, struct run_page *page);

#endif
