/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: the counters of one virtual CPU
 */

#include "model/counters.h"

static void tally_add(DsegTally *to, const DsegTally *from)
{
    to->walks += from->walks;
    to->guest_refs += from->guest_refs;
    to->nested_refs += from->nested_refs;
    to->checks += from->checks;
    to->filter_lookups += from->filter_lookups;
    to->escapes += from->escapes;
    to->false_escapes += from->false_escapes;
}

/* The level of the tables that have ended at such a page; 0: none. */
static unsigned leaf_level(DsegPageKind page)
{
    static const uint8_t levels[DSEG_PAGE__MAX] = {
        [DSEG_PAGE_4K] = 1, [DSEG_PAGE_2M] = 2, [DSEG_PAGE_4M] = 2,
        [DSEG_PAGE_1G] = 3,
    };

    return levels[page];
}

/* Counts which tables were read; dseg_counters_steps() makes steps of that. */
static void count_tables(DsegCounters *counters, const DsegCost *walk,
                         DsegWorld world, DsegPrivilege privilege)
{
    unsigned refs = walk->out_guest_refs;
    unsigned leaf = leaf_level(walk->out_guest_page);
    DsegTableWalks *nested = counters->nested_tables[privilege];

    counters->guest_tables[world][privilege].walks[dseg_tables(leaf, refs)]++;
    for (unsigned i = 0; i < walk->out_gpas; i++) {
        unsigned level = i < refs ? leaf + refs - 1 - i : 0;

        nested[level].walks[walk->out_nested_tables[i]]++;
    }
}

void dseg_counters_walk(DsegCounters *counters, const DsegCost *walk,
                        DsegAccess access, DsegPrivilege privilege)
{
    DsegRegime regime = dseg_cost_regime(walk);
    DsegTally *tally = &counters->tally[regime][access][privilege];
    DsegWorld world = walk->in_nested ? DSEG_WORLD_NESTED : DSEG_WORLD_NATIVE;
    DsegHistogram *histogram = &counters->histogram[world][privilege];

    tally_add(tally, &(DsegTally){
        .walks = 1,
        .guest_refs = walk->out_guest_refs,
        .nested_refs = walk->out_nested_refs,
        .checks = walk->out_checks,
        .filter_lookups = walk->out_filter_lookups,
        .escapes = walk->out_escapes,
        .false_escapes = walk->out_false_escapes,
    });
    histogram->refs[walk->out_guest_refs][walk->out_nested_refs]++;
    histogram->checks[walk->out_checks]++;
    counters->guest_page[walk->out_guest_page]++;
    counters->nested_page[walk->out_nested_page]++;
    count_tables(counters, walk, world, privilege);
}

void dseg_counters_fault(DsegCounters *counters, const DsegCost *walk,
                         DsegFault fault)
{
    counters->faults[fault]++;
    counters->fault_guest_refs += walk->out_guest_refs;
    counters->fault_nested_refs += walk->out_nested_refs;
}

void dseg_counters_exit(DsegCounters *counters, uint64_t code)
{
    counters->exits[dseg_exit_index(code)]++;
}

/* Adds the steps of such walks to @steps, by level. */
static void add_steps(uint64_t *steps, const DsegTableWalks *tables)
{
    for (unsigned leaf = 1; leaf <= dseg_leaf_level(30); leaf++) {
        for (unsigned refs = 1; leaf + refs <= DSEG_MAX_LEVELS + 1; refs++) {
            for (unsigned level = leaf; level < leaf + refs; level++) {
                steps[level] += tables->walks[dseg_tables(leaf, refs)];
            }
        }
    }
}

DsegSteps dseg_counters_steps(const DsegCounters *counters, DsegWorld world,
                              DsegPrivilege privilege)
{
    DsegSteps steps = {};

    add_steps(steps.guest, &counters->guest_tables[world][privilege]);
    if (world == DSEG_WORLD_NESTED) {
        for (unsigned level = 0; level <= DSEG_MAX_LEVELS; level++) {
            add_steps(steps.nested[level],
                      &counters->nested_tables[privilege][level]);
        }
    }
    return steps;
}

DsegTally dseg_counters_regime(const DsegCounters *counters, DsegRegime regime)
{
    DsegTally sum = {};

    for (unsigned a = 0; a < DSEG_ACCESS__MAX; a++) {
        for (unsigned p = 0; p < DSEG_PRIVILEGE__MAX; p++) {
            tally_add(&sum, &counters->tally[regime][a][p]);
        }
    }
    return sum;
}

DsegTally dseg_counters_total(const DsegCounters *counters)
{
    DsegTally sum = {};

    for (unsigned regime = 0; regime < DSEG_REGIME__MAX; regime++) {
        DsegTally tally = dseg_counters_regime(counters, regime);

        tally_add(&sum, &tally);
    }
    return sum;
}

static uint64_t histogram_refs(const DsegHistogram *histogram, unsigned refs)
{
    uint64_t sum = 0;

    for (unsigned g = 0; g <= DSEG_MAX_GUEST_REFS && g <= refs; g++) {
        if (refs - g <= DSEG_MAX_NESTED_REFS) {
            sum += histogram->refs[g][refs - g];
        }
    }
    return sum;
}

uint64_t dseg_counters_refs(const DsegCounters *counters, unsigned refs)
{
    uint64_t sum = 0;

    for (unsigned w = 0; w < DSEG_WORLD__MAX; w++) {
        for (unsigned p = 0; p < DSEG_PRIVILEGE__MAX; p++) {
            sum += histogram_refs(&counters->histogram[w][p], refs);
        }
    }
    return sum;
}

uint64_t dseg_counters_checks(const DsegCounters *counters, unsigned checks)
{
    uint64_t sum = 0;

    for (unsigned w = 0; w < DSEG_WORLD__MAX; w++) {
        for (unsigned p = 0; p < DSEG_PRIVILEGE__MAX; p++) {
            sum += counters->histogram[w][p].checks[checks];
        }
    }
    return sum;
}
