/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: the counter that CR12 selects and CR13 reads
 */

#include <stddef.h>
#include "model/counter-select.h"

/* Bits 3:0. */
#define COUNT_FAULTS 8          /* the first of DSEG_FAULT__MAX */
#define COUNT_FAULT_GUEST_REFS 13
#define COUNT_FAULT_NESTED_REFS 14

_Static_assert(COUNT_FAULTS + DSEG_FAULT__MAX == COUNT_FAULT_GUEST_REFS,
               "bits 3:0 number the faults in their order");

static const size_t tally_offset[] = {
    offsetof(DsegTally, walks),
    offsetof(DsegTally, guest_refs),
    offsetof(DsegTally, nested_refs),
    offsetof(DsegTally, checks),
    offsetof(DsegTally, filter_lookups),
    offsetof(DsegTally, escapes),
    offsetof(DsegTally, false_escapes),
};

#define TALLIES (sizeof(tally_offset) / sizeof(tally_offset[0]))

/* The fields of CR12; 0 in all but the first means all. */
typedef struct Select {
    unsigned count;
    unsigned regime;
    unsigned privilege;
    unsigned access;
} Select;

static Select decode(uint64_t select)
{
    return (Select) {
        .count = select & 15,
        .regime = select >> 4 & 15,
        .privilege = select >> 8 & 3,
        .access = select >> 10 & 3,
    };
}

bool dseg_counter_select_valid(uint64_t select)
{
    Select s = decode(select);

    if (s.count >= COUNT_FAULTS) {
        return select <= COUNT_FAULT_NESTED_REFS;
    }
    return !(select >> 12) && s.count < TALLIES &&
           s.regime <= DSEG_REGIME__MAX && s.privilege <= DSEG_PRIVILEGE__MAX;
}

static uint64_t read_tally(const DsegTally *tally, unsigned count)
{
    return *(const uint64_t *)((const char *)tally + tally_offset[count]);
}

static bool chosen(unsigned wanted, unsigned which)
{
    return !wanted || wanted == which + 1;
}

static uint64_t sum_tallies(const DsegCounters *counters, const Select *s)
{
    uint64_t sum = 0;

    for (unsigned r = 0; r < DSEG_REGIME__MAX; r++) {
        for (unsigned a = 0; a < DSEG_ACCESS__MAX; a++) {
            for (unsigned p = 0; p < DSEG_PRIVILEGE__MAX; p++) {
                if (chosen(s->regime, r) && chosen(s->access, a) &&
                    chosen(s->privilege, p)) {
                    sum += read_tally(&counters->tally[r][a][p], s->count);
                }
            }
        }
    }
    return sum;
}

uint64_t dseg_counter_select_read(const DsegCounters *counters, uint64_t select)
{
    Select s = decode(select);

    switch (s.count) {
    case COUNT_FAULT_GUEST_REFS:
        return counters->fault_guest_refs;
    case COUNT_FAULT_NESTED_REFS:
        return counters->fault_nested_refs;
    case COUNT_FAULTS ... COUNT_FAULT_GUEST_REFS - 1:
        return counters->faults[s.count - COUNT_FAULTS];
    default:
        return sum_tallies(counters, &s);
    }
}
