/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What was tried, and what went wrong. */
#ifndef DIFFERENTIAL_REPORT_H
#define DIFFERENTIAL_REPORT_H

#include "trial.h"

/* How often each kind of translation was tried, by what became of it. */
struct coverage {
    /* [regime or fault][load, store, fetch][user, kernel] */
    uint64_t regime[REGIMES][3][2];
    uint64_t fault[REF_NPF_TABLE + 1][3][2];
    uint64_t without_guest, implicit, straddling, after_load;
    uint64_t escapes, false_escapes;
    uint64_t skipped;
    uint64_t mode[MODE_UNPAGED + 1];
};

/* Count a trial. */
void coverage_add(struct coverage *coverage, const struct world *world,
                  const struct trial *trial);

/* Print the table; the number of its fields that are 0, but should not be. */
unsigned coverage_print(const struct coverage *coverage);

/*
 * Print all that is needed to understand a trial, and the state that it was in.
 */
void report_world(const struct world *world);
void report_trial(const struct trial *trial);

#endif
