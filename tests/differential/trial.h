/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One access: what the reference expects of it, and what the CPU has done. */
#ifndef DIFFERENTIAL_TRIAL_H
#define DIFFERENTIAL_TRIAL_H

#include "counts.h"
#include "machine.h"
#include "world.h"

/*
 * The translations that an access needs: of the code's page, and of one page or
 * two.
 */
#define MAX_STEPS 3

struct step {
    struct ref_access access;
    struct ref_result result;
    /* What the walk has read is known; some of it is where no memory is; ... */
    bool known, in_hole;
    bool in_page_before;                    /* ... where the step before led */
};

struct trial {
    struct try access;
    bool code_may_fault;                    /* the fetch of the code for it */
    unsigned steps;
    struct step step[MAX_STEPS];
    struct expected_costs costs;
    uint32_t value;                         /* what is stored */
    struct outcome outcome;
};

/* Called once for each thing that is not as expected. */
typedef void trial_mismatch(void *opaque, const char *what, uint64_t expected,
                            uint64_t got);

/*
 * Work out what the access leads to. False if it can't be tried: it would meet
 * L1's own memory or a device, or execute what is no code.
 */
bool trial_plan(struct trial *trial, const struct world *world);

/* Make the access, compare, and undo what it has stored. */
void trial_run(struct trial *trial, const struct world *world,
               struct guest *guest, trial_mismatch *mismatch, void *opaque);

/* The last step: the one that faults, if there is one. */
static inline const struct step *last_step(const struct trial *trial)
{
    return &trial->step[trial->steps - 1];
}

#endif
