/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: the counters of one virtual CPU
 *
 * One writer, the CPU's own thread.  Every count is of events, without a unit,
 * and only grows until it is reset.
 *
 * Invariants, once no walk is in flight:
 * with h = histogram[w][p], and r the regimes of world w:
 *   sum of tally[r][*][p].walks       == sum of h.refs[*][*]
 *                                     == sum of h.checks[*]
 *   sum of tally[r][*][p].guest_refs  == sum of g * h.refs[g][n]
 *   sum of tally[r][*][p].nested_refs == sum of n * h.refs[g][n]
 *   sum of tally[r][*][p].checks      == sum of c * h.checks[c]
 *   false_escapes <= escapes <= filter_lookups
 * and with s = dseg_counters_steps(w, p):
 *   sum of s.guest[*]     == sum of tally[r][*][p].guest_refs
 *   sum of s.nested[*][*] == sum of tally[r][*][p].nested_refs
 *
 * Plain C: no QEMU headers, so that unit tests can compile it by itself.
 */

#ifndef DSEG_MODEL_COUNTERS_H
#define DSEG_MODEL_COUNTERS_H

#include "model/cost.h"
#include "model/exits.h"

typedef enum DsegAccess {
    DSEG_LOAD,
    DSEG_STORE,
    DSEG_FETCH,
    DSEG_ACCESS__MAX,
} DsegAccess;

typedef enum DsegPrivilege {
    DSEG_USER,
    DSEG_KERNEL,
    DSEG_PRIVILEGE__MAX,
} DsegPrivilege;

/* Where a walk was made. */
typedef enum DsegWorld {
    DSEG_WORLD_NATIVE,  /* outside guest mode with nested paging */
    DSEG_WORLD_NESTED,  /* in guest mode with nested paging */
    DSEG_WORLD__MAX,
} DsegWorld;

typedef enum DsegFault {
    DSEG_FAULT_NOT_PRESENT,     /* #PF, P = 0 */
    DSEG_FAULT_PROTECTION,      /* #PF, P = 1 */
    DSEG_FAULT_RESERVED,        /* #PF, RSVD = 1 */
    DSEG_FAULT_NESTED_FINAL,    /* #NPF of the final gPA */
    DSEG_FAULT_NESTED_TABLE,    /* #NPF of a guest page-table entry */
    DSEG_FAULT__MAX,
} DsegFault;

typedef struct DsegTally {
    uint64_t walks;
    uint64_t guest_refs;
    uint64_t nested_refs;
    uint64_t checks;
    uint64_t filter_lookups;
    uint64_t escapes;
    uint64_t false_escapes;
} DsegTally;

/* Walks by what they took. */
typedef struct DsegHistogram {
    uint64_t refs[DSEG_MAX_GUEST_REFS + 1][DSEG_MAX_NESTED_REFS + 1];
    uint64_t checks[DSEG_MAX_CHECKS + 1];
} DsegHistogram;

/* Walks of the tables of one dimension, by dseg_tables(). */
typedef struct DsegTableWalks {
    uint64_t walks[DSEG_TABLES];
} DsegTableWalks;

/* Page-table entries read, by the level of their table; level 1 is the lowest. */
typedef struct DsegSteps {
    uint64_t guest[DSEG_MAX_LEVELS + 1];
    /* First index: level of the guest's entry that is to be found; 0: none,
       it is the final address. */
    uint64_t nested[DSEG_MAX_LEVELS + 1][DSEG_MAX_LEVELS + 1];
} DsegSteps;

typedef struct DsegCounters {
    /* Architectural: completed walks. */
    DsegTally tally[DSEG_REGIME__MAX][DSEG_ACCESS__MAX][DSEG_PRIVILEGE__MAX];
    DsegHistogram histogram[DSEG_WORLD__MAX][DSEG_PRIVILEGE__MAX];
    uint64_t guest_page[DSEG_PAGE__MAX];
    uint64_t nested_page[DSEG_PAGE__MAX]; /* of the final gPA */
    DsegTableWalks guest_tables[DSEG_WORLD__MAX][DSEG_PRIVILEGE__MAX];
    DsegTableWalks nested_tables[DSEG_PRIVILEGE__MAX]
                            [DSEG_MAX_LEVELS + 1]; /* as in DsegSteps */

    /* Architectural: walks that ended in a fault, and what they had cost. */
    uint64_t faults[DSEG_FAULT__MAX];
    uint64_t fault_guest_refs;
    uint64_t fault_nested_refs;

    /* Architectural: #VMEXITs, by dseg_exit_index() of their code. */
    uint64_t exits[DSEG_EXITS];

    /*
     * Not architectural: how often QEMU's TLB of nested translations missed,
     * so that the translation of a gPA was really emulated, by whichever way.
     */
    uint64_t softmmu_nested_fills;

    /*
     * Verify mode: hits of segments that page tables map too, and those of them
     * that they map elsewhere or deny.
     */
    uint64_t verified;
    uint64_t mismatches;
} DsegCounters;

/* Cycles, where caches are modelled: what references have taken. */
typedef struct DsegCycles {
    uint64_t walks[DSEG_REGIME__MAX][DSEG_ACCESS__MAX][DSEG_PRIVILEGE__MAX];
    uint64_t data;          /* of loads, stores and fetches */
} DsegCycles;

/* Counts a walk that has completed. */
void dseg_counters_walk(DsegCounters *counters, const DsegCost *walk,
                        DsegAccess access, DsegPrivilege privilege);

/* Counts a walk that has ended in a fault. */
void dseg_counters_fault(DsegCounters *counters, const DsegCost *walk,
                         DsegFault fault);

/* Counts a #VMEXIT with that exit code of the VMCB. */
void dseg_counters_exit(DsegCounters *counters, uint64_t code);

/* Which entries the walks of one world and privilege have read, step by step. */
DsegSteps dseg_counters_steps(const DsegCounters *counters, DsegWorld world,
                              DsegPrivilege privilege);

/* The sum of all accesses and privileges of one regime. */
DsegTally dseg_counters_regime(const DsegCounters *counters, DsegRegime regime);

/* The sum of everything. */
DsegTally dseg_counters_total(const DsegCounters *counters);

/* Walks that took @refs references in both dimensions together (0 to 35). */
uint64_t dseg_counters_refs(const DsegCounters *counters, unsigned refs);

/* Walks that took @checks base-bound checks (0 to DSEG_MAX_CHECKS). */
uint64_t dseg_counters_checks(const DsegCounters *counters, unsigned checks);

#endif
