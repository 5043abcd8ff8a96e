/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: the counter that CR12 selects and CR13 reads
 */

#include <stddef.h>
#include "model/counter-select.h"

/* Bits 3:0. */
#define COUNT_WALK_CYCLES 7
#define COUNT_FAULTS 8          /* the first of DSEG_FAULT__MAX */
#define COUNT_FAULT_GUEST_REFS 13
#define COUNT_FAULT_NESTED_REFS 14
#define COUNT_DATA_CYCLES 15

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

_Static_assert(sizeof(tally_offset) / sizeof(tally_offset[0]) ==
               COUNT_WALK_CYCLES, "bits 3:0 number what tallies have first");

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
        return select <= COUNT_DATA_CYCLES;
    }
    return !(select >> 12) && s.regime <= DSEG_REGIME__MAX &&
           s.privilege <= DSEG_PRIVILEGE__MAX;
}

static uint64_t read_tally(const DsegTally *tally, unsigned count)
{
    return *(const uint64_t *)((const char *)tally + tally_offset[count]);
}

static bool chosen(unsigned wanted, unsigned which)
{
    return !wanted || wanted == which + 1;
}

/* What is counted by regime, access and privilege. */
static uint64_t read_cell(const DsegCounters *counters, const DsegCycles *cycles,
                          unsigned count, unsigned r, unsigned a, unsigned p)
{
    if (count == COUNT_WALK_CYCLES) {
        return cycles ? cycles->walks[r][a][p] : 0;
    }
    return read_tally(&counters->tally[r][a][p], count);
}

static uint64_t sum_cells(const DsegCounters *counters,
                          const DsegCycles *cycles, const Select *s)
{
    uint64_t sum = 0;

    for (unsigned r = 0; r < DSEG_REGIME__MAX; r++) {
        for (unsigned a = 0; a < DSEG_ACCESS__MAX; a++) {
            for (unsigned p = 0; p < DSEG_PRIVILEGE__MAX; p++) {
                if (chosen(s->regime, r) && chosen(s->access, a) &&
                    chosen(s->privilege, p)) {
                    sum += read_cell(counters, cycles, s->count, r, a, p);
                }
            }
        }
    }
    return sum;
}

uint64_t dseg_counter_select_read(const DsegCounters *counters,
                                  const DsegCycles *cycles, uint64_t select)
{
    Select s = decode(select);

    switch (s.count) {
    case COUNT_FAULT_GUEST_REFS:
        return counters->fault_guest_refs;
    case COUNT_FAULT_NESTED_REFS:
        return counters->fault_nested_refs;
    case COUNT_DATA_CYCLES:
        return cycles ? cycles->data : 0;
    case COUNT_FAULTS ... COUNT_FAULT_GUEST_REFS - 1:
        return counters->faults[s.count - COUNT_FAULTS];
    default:
        return sum_cells(counters, cycles, &s);
    }
}
