/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What walks should have cost, and what the counters of the CPU say. */
#include "counts.h"

static void add_fault(struct expected_costs *costs,
                      const struct ref_result *result)
{
    if (result->fault != REF_NON_CANONICAL) {
        costs->fault[result->fault - FAULTS_NOT_PRESENT]++;
        costs->fault[FAULTING_GUEST_REFS - FAULTS_NOT_PRESENT] +=
            result->guest_refs;
        costs->fault[FAULTING_NESTED_REFS - FAULTS_NOT_PRESENT] +=
            result->nested_refs;
    }
}

void expected_add(struct expected_costs *costs, const struct ref_access *access,
               const struct ref_result *result)
{
    const unsigned values[WALK_COUNTS] = {
        1, result->guest_refs, result->nested_refs, result->checks,
        result->filter_lookups, result->escapes, result->false_escapes,
    };

    if (result->fault) {
        add_fault(costs, result);
        return;
    }
    for (unsigned i = 0; i < WALK_COUNTS; i++) {
        costs->walk[result->regime][i][!access->user][access->kind - 1] +=
            values[i];
    }
}

uint64_t expected_count(const struct expected_costs *costs, uint64_t selector)
{
    unsigned count = selector & 15, regime = selector >> 4 & 15;
    unsigned privilege = selector >> 8 & 3, kind = selector >> 10 & 3;
    uint64_t sum = 0;

    if (count >= FAULTS_NOT_PRESENT) {
        return costs->fault[count - FAULTS_NOT_PRESENT];
    }
    for (unsigned i = 0; i < 2; i++) {
        for (unsigned j = 0; j < 3; j++) {
            if ((!privilege || privilege == i + 1) &&
                (!kind || kind == j + 1)) {
                sum += costs->walk[regime][count][i][j];
            }
        }
    }
    return sum;
}

/*
 * All walks of a regime, where native ones are a user's; and in place of regime
 * 0, faults.
 */
uint64_t access_counter(unsigned number)
{
    unsigned count = number % WALK_COUNTS, regime = number / WALK_COUNTS;

    if (regime == ALL_REGIMES) {
        return SELECTOR(FAULTS_NOT_PRESENT + count, 0, 0, 0);
    }
    return SELECTOR(count, regime, regime == NATIVE ? USER : ALL_PRIVILEGES,
                    ALL_ACCESSES);
}

uint64_t world_counter(unsigned number)
{
    unsigned count = number % WALK_COUNTS;
    unsigned kind = number / WALK_COUNTS % 3 + LOAD;
    unsigned rest = number / WALK_COUNTS / 3;       /* 0: native user, 1: ... */

    return SELECTOR(count, NATIVE + (rest + 1) / 2,
                    rest == 0 || rest % 2 ? USER : KERNEL, kind);
}
