/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: QMP commands that show and reset the counters
 */

#include "qemu/osdep.h"
#include "hw/core/cpu.h"
#include "qapi/qapi-commands-x86-dseg.h"
#include "dseg.h"
#include "cpu/caches.h"
#include "monitor/qmp.h"

static void do_snapshot(CPUState *cs, run_on_cpu_data data)
{
    const X86DsegState *dseg = cpu_env(cs)->dseg;

    *(X86DsegCounts *)data.host_ptr = (X86DsegCounts) {
        .walks = dseg->counters,
        .cycles = dseg->tlb && dseg->tlb->caches ?
                  dseg_caches_counters(dseg->tlb->caches->model)->cycles :
                  (DsegCycles) {},
    };
}

bool x86_dseg_snapshot(int index, X86DsegCounts *counts)
{
    return x86_dseg_on_cpu(index, do_snapshot, counts);
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

static const X86DsegWorld worlds[DSEG_WORLD__MAX] = {
    [DSEG_WORLD_NATIVE] = X86_DSEG_WORLD_NATIVE,
    [DSEG_WORLD_NESTED] = X86_DSEG_WORLD_NESTED,
};

static void append_refs(X86DsegRefsList ***tail, const DsegHistogram *h,
                        X86DsegWorld world, X86DsegPrivilege privilege)
{
    for (unsigned g = 0; g <= DSEG_MAX_GUEST_REFS; g++) {
        for (unsigned n = 0; n <= DSEG_MAX_NESTED_REFS; n++) {
            X86DsegRefs *bar;

            if (!h->refs[g][n]) {
                continue;
            }
            bar = g_new0(X86DsegRefs, 1);
            bar->world = world;
            bar->privilege = privilege;
            bar->guest = g;
            bar->nested = n;
            bar->walks = h->refs[g][n];
            QAPI_LIST_APPEND(*tail, bar);
        }
    }
}

static void append_checks(X86DsegChecksList ***tail, const DsegHistogram *h,
                          X86DsegWorld world, X86DsegPrivilege privilege)
{
    for (unsigned i = 0; i <= DSEG_MAX_CHECKS; i++) {
        X86DsegChecks *bar;

        if (!h->checks[i]) {
            continue;
        }
        bar = g_new0(X86DsegChecks, 1);
        bar->world = world;
        bar->privilege = privilege;
        bar->checks = i;
        bar->walks = h->checks[i];
        QAPI_LIST_APPEND(*tail, bar);
    }
}

static void add_histograms(X86DsegWalks *walks, const DsegCounters *c)
{
    X86DsegRefsList **refs = &walks->refs_histogram;
    X86DsegChecksList **checks = &walks->checks_histogram;

    for (unsigned w = 0; w < DSEG_WORLD__MAX; w++) {
        for (unsigned p = 0; p < DSEG_PRIVILEGE__MAX; p++) {
            append_refs(&refs, &c->histogram[w][p], worlds[w], p);
            append_checks(&checks, &c->histogram[w][p], worlds[w], p);
        }
    }
}

static void append_steps(X86DsegStepsList ***tail, const uint64_t *levels,
                         X86DsegSteps steps)
{
    for (unsigned level = 1; level <= DSEG_MAX_LEVELS; level++) {
        if (levels[level]) {
            X86DsegSteps *entry = g_memdup2(&steps, sizeof(steps));

            entry->table_level = level;
            entry->count = levels[level];
            QAPI_LIST_APPEND(*tail, entry);
        }
    }
}

/* Those of one world and privilege. */
static void append_all_steps(X86DsegStepsList ***tail, const DsegSteps *steps,
                             X86DsegWorld world, X86DsegPrivilege privilege)
{
    X86DsegSteps entry = {
        .world = world,
        .privilege = privilege,
        .dimension = X86_DSEG_DIMENSION_GUEST,
    };

    append_steps(tail, steps->guest, entry);
    entry.dimension = X86_DSEG_DIMENSION_NESTED;
    entry.has_for_level = true;
    for (int level = DSEG_MAX_LEVELS; level >= 0; level--) {
        entry.for_level = level;
        append_steps(tail, steps->nested[level], entry);
    }
}

static X86DsegStepsList *steps_of(const DsegCounters *c)
{
    X86DsegStepsList *list = NULL;
    X86DsegStepsList **tail = &list;

    for (unsigned w = 0; w < DSEG_WORLD__MAX; w++) {
        for (unsigned p = 0; p < DSEG_PRIVILEGE__MAX; p++) {
            DsegSteps steps = dseg_counters_steps(c, w, p);

            append_all_steps(&tail, &steps, worlds[w], p);
        }
    }
    return list;
}

static X86DsegExitList *exits_of(const DsegCounters *c)
{
    X86DsegExitList *list = NULL;
    X86DsegExitList **tail = &list;

    for (unsigned i = 0; i < DSEG_EXITS; i++) {
        X86DsegExit *exit;

        if (!c->exits[i]) {
            continue;
        }
        exit = g_new0(X86DsegExit, 1);
        exit->name = g_malloc(DSEG_EXIT_NAME);
        dseg_exit_name(i, exit->name);
        exit->has_code = dseg_exit_code(i, &exit->code);
        exit->count = c->exits[i];
        QAPI_LIST_APPEND(tail, exit);
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

X86DsegWalks *x86_dseg_describe_walks(int index, const DsegCounters *counters)
{
    DsegTally total = dseg_counters_total(counters);
    X86DsegWalks *walks = g_new0(X86DsegWalks, 1);

    walks->cpu = index;
    walks->total = g_new0(X86DsegTally, 1);
    *walks->total = tally_of(&total);
    walks->regimes = regimes_of(counters);
    add_histograms(walks, counters);
    walks->steps = steps_of(counters);
    walks->pages = pages_of(counters);
    walks->exits = exits_of(counters);
    walks->faults = faults_of(counters);
    walks->softmmu_nested_fills = counters->softmmu_nested_fills;
    walks->verified = counters->verified;
    walks->mismatches = counters->mismatches;
    return walks;
}

X86DsegWalksList *qmp_query_x86_dseg_walks(bool has_cpu, int64_t cpu,
                                           Error **errp)
{
    g_autofree X86DsegCounts *counts = g_new(X86DsegCounts, 1);
    g_autoptr(GArray) cpus = NULL;
    X86DsegWalksList *list = NULL;
    X86DsegWalksList **tail = &list;

    if (x86_dseg_no_cpus(has_cpu)) {
        return NULL;
    }
    cpus = x86_dseg_cpus(has_cpu, cpu, errp);
    for (guint i = 0; cpus && i < cpus->len; i++) {
        int index = g_array_index(cpus, int, i);

        if (x86_dseg_snapshot(index, counts)) {
            QAPI_LIST_APPEND(tail,
                             x86_dseg_describe_walks(index, &counts->walks));
        }
    }
    return list;
}

static void do_reset(CPUState *cs, run_on_cpu_data data)
{
    X86DsegState *dseg = cpu_env(cs)->dseg;

    dseg->counters = (DsegCounters) {};
    if (dseg->tlb) {
        dseg_tlb_counters_reset(dseg->tlb->model);
        if (dseg->tlb->caches) {
            dseg_caches_reset(dseg->tlb->caches->model);
        }
    }
    x86_dseg_forget_markers(dseg);
}

void qmp_x86_dseg_walks_reset(bool has_cpu, int64_t cpu, Error **errp)
{
    x86_dseg_on_cpus(has_cpu, cpu, do_reset, NULL, errp);
}
