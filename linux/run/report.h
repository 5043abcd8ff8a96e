/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RUN_REPORT_H
#define RUN_REPORT_H

#include "options.h"
#include "shared.h"

#include <stdio.h>

/*
 * Opens the file of --report.  Before the program runs: afterwards is too late
 * to say that it can't be.
 */
FILE *open_report(const char *name);

/*
 * Says what the programs' walks were: in @file, as JSON, or on stderr.  The
 * program has ended with @code.
 */
void report(struct run_page *page, const struct options *o, FILE *file,
            int code);

#endif
