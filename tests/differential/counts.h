/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What walks should have cost, and what the counters of the CPU say. */
#ifndef DIFFERENTIAL_COUNTS_H
#define DIFFERENTIAL_COUNTS_H

#include <stdint.h>

#include "lib/dseg.h"
#include "reference.h"

/*
 * Counts of walks that end well: WALKS to FALSE_ESCAPES; and of those that
 * fault.
 */
#define WALK_COUNTS 7
#define FAULT_COUNTS 7

/* Sums over walks, by [regime][count][user, kernel][load, store, fetch]. */
struct expected_costs {
    uint64_t walk[REGIMES][WALK_COUNTS][2][3];
    uint64_t fault[FAULT_COUNTS];
};

/* Add what the reference says of one walk. */
void expected_add(struct expected_costs *costs, const struct ref_access *access,
               const struct ref_result *result);

/* What a counter that CR12 selects should have counted. */
uint64_t expected_count(const struct expected_costs *costs, uint64_t selector);

/*
 * The counters that L1's own walks don't touch, which are native ones of the
 * kernel; and no faults. Those that are compared after each access, and those
 * after each world.
 */
#define ACCESS_COUNTERS (REGIMES * WALK_COUNTS)
#define WORLD_COUNTERS ((6 * 2 + 1) * 3 * WALK_COUNTS)

uint64_t access_counter(unsigned number);
uint64_t world_counter(unsigned number);

#endif
