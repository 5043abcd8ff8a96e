/*
 * Direct segments: QMP commands that show and reset the counters
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "hw/core/cpu.h"
#include "qapi/qapi-commands-x86-dseg.h"
#include "dseg.h"
#include "qmp.h"

static void do_snapshot(CPUState *cs, run_on_cpu_data data)
{
    *(DsegCounters *)data.host_ptr = cpu_env(cs)->dseg->counters;
}

void x86_dseg_snapshot(CPUState *cs, DsegCounters *counters)
{
    run_on_cpu(cs, do_snapshot, RUN_ON_CPU_HOST_PTR(counters));
}

static X86DsegTally tally_of(const DsegTally *tally)
{
    return (X86DsegTally) {
        .walks = tally->walks,
        .guest_refs = tally->guest_refs,
        .nested_refs = tally->nested_refs,
        .checks = tally->checks,
        .filter_lookups = tally->filter_lookups,
        .escapes = tally->escapes,
        .false_escapes = tally->false_escapes,
    };
}

static X86DsegRegimeTallyList *regimes_of(const DsegCounters *c)
{
    X86DsegRegimeTallyList *list = NULL;
    X86DsegRegimeTallyList **tail = &list;

    for (unsigned r = 0; r < DSEG_REGIME__MAX; r++) {
        for (unsigned a = 0; a < DSEG_ACCESS__MAX; a++) {
            for (unsigned p = 0; p < DSEG_PRIVILEGE__MAX; p++) {
                X86DsegRegimeTally *entry;

                if (!c->tally[r][a][p].walks) {
                    continue;
                }
                entry = g_new0(X86DsegRegimeTally, 1);
                *qapi_X86DsegRegimeTally_base(entry) =
                    tally_of(&c->tally[r][a][p]);
                entry->regime = r;
                entry->access = a;
                entry->privilege = p;
                QAPI_LIST_APPEND(tail, entry);
            }
        }
    }
    return list;
}

static X86DsegRefsList *refs_of(const DsegCounters *c)
{
    X86DsegRefsList *list = NULL;
    X86DsegRefsList **tail = &list;

    for (unsigned g = 0; g <= DSEG_MAX_GUEST_REFS; g++) {
        for (unsigned n = 0; n <= DSEG_MAX_NESTED_REFS; n++) {
            X86DsegRefs *bar;

            if (!c->refs[g][n]) {
                continue;
            }
            bar = g_new0(X86DsegRefs, 1);
            bar->guest = g;
            bar->nested = n;
            bar->walks = c->refs[g][n];
            QAPI_LIST_APPEND(tail, bar);
        }
    }
    return list;
}

static X86DsegChecksList *checks_of(const DsegCounters *c)
{
    X86DsegChecksList *list = NULL;
    X86DsegChecksList **tail = &list;

    for (unsigned i = 0; i <= DSEG_MAX_CHECKS; i++) {
        X86DsegChecks *bar;

        if (!c->checks[i]) {
            continue;
        }
        bar = g_new0(X86DsegChecks, 1);
        bar->checks = i;
        bar->walks = c->checks[i];
        QAPI_LIST_APPEND(tail, bar);
    }
    return list;
}

static X86DsegPagesList *pages_of(const DsegCounters *c)
{
    X86DsegPagesList *list = NULL;
    X86DsegPagesList **tail = &list;

    for (unsigned kind = 0; kind < DSEG_PAGE__MAX; kind++) {
        X86DsegPages *pages = g_new0(X86DsegPages, 1);

        pages->kind = kind;
        pages->guest = c->guest_page[kind];
        pages->nested = c->nested_page[kind];
        QAPI_LIST_APPEND(tail, pages);
    }
    return list;
}

static X86DsegFaults *faults_of(const DsegCounters *c)
{
    X86DsegFaults *faults = g_new0(X86DsegFaults, 1);

    *faults = (X86DsegFaults) {
        .not_present = c->faults[DSEG_FAULT_NOT_PRESENT],
        .protection = c->faults[DSEG_FAULT_PROTECTION],
        .reserved = c->faults[DSEG_FAULT_RESERVED],
        .nested_final = c->faults[DSEG_FAULT_NESTED_FINAL],
        .nested_table = c->faults[DSEG_FAULT_NESTED_TABLE],
        .guest_refs = c->fault_guest_refs,
        .nested_refs = c->fault_nested_refs,
    };
    return faults;
}

/* The QAPI enumerations list the same things in the same order. */
QEMU_BUILD_BUG_ON((int)X86_DSEG_REGIME__MAX != DSEG_REGIME__MAX);
QEMU_BUILD_BUG_ON((int)X86_DSEG_ACCESS__MAX != DSEG_ACCESS__MAX);
QEMU_BUILD_BUG_ON((int)X86_DSEG_PRIVILEGE__MAX != DSEG_PRIVILEGE__MAX);
QEMU_BUILD_BUG_ON((int)X86_DSEG_PAGE_KIND__MAX != DSEG_PAGE__MAX);

X86DsegWalksList *qmp_query_x86_dseg_walks(bool has_cpu, int64_t cpu,
                                           Error **errp)
{
    g_autoptr(GPtrArray) cpus = x86_dseg_cpus(has_cpu, cpu, errp);
    g_autofree DsegCounters *c = g_new(DsegCounters, 1);
    X86DsegWalksList *list = NULL;
    X86DsegWalksList **tail = &list;

    for (guint i = 0; cpus && i < cpus->len; i++) {
        CPUState *cs = g_ptr_array_index(cpus, i);
        X86DsegWalks *walks = g_new0(X86DsegWalks, 1);
        DsegTally total;

        x86_dseg_snapshot(cs, c);
        total = dseg_counters_total(c);
        walks->cpu = cs->cpu_index;
        walks->total = g_new0(X86DsegTally, 1);
        *walks->total = tally_of(&total);
        walks->regimes = regimes_of(c);
        walks->refs_histogram = refs_of(c);
        walks->checks_histogram = checks_of(c);
        walks->pages = pages_of(c);
        walks->faults = faults_of(c);
        walks->softmmu_nested_fills = c->softmmu_nested_fills;
        QAPI_LIST_APPEND(tail, walks);
    }
    return list;
}

static void do_reset(CPUState *cs, run_on_cpu_data data)
{
    cpu_env(cs)->dseg->counters = (DsegCounters) {};
}

void qmp_x86_dseg_walks_reset(bool has_cpu, int64_t cpu, Error **errp)
{
    x86_dseg_on_cpus(has_cpu, cpu, do_reset, NULL, errp);
}
