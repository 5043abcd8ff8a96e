/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: the QMP command that looks for candidates
 */

#include "qemu/osdep.h"
#include "hw/core/cpu.h"
#include "qapi/error.h"
#include "qapi/qapi-commands-x86-dseg.h"
#include "monitor/agreement.h"
#include "dseg.h"
#include "monitor/qmp.h"
#include "model/runs.h"

/* How long the monitor waits; beyond that, the caller goes on from "next". */
#define LOOKUPS_AT_MOST (2048 * X86_DSEG_LOOKUPS_AT_ONCE)

#define DEFAULT_RUNS 10

typedef struct ScanRequest {
    X86DsegLevel level;
    X86DsegScoped scoped;       /* its segment is the range, to 0 */
    X86DsegTables tables;
    const DsegTables *scanned;  /* one of them, or NULL */
    DsegRunSearch scan;
    bool complete;
} ScanRequest;

static void do_find_tables(CPUState *cs, run_on_cpu_data data)
{
    ScanRequest *request = data.host_ptr;

    x86_dseg_tables(cpu_env(cs), &request->tables);
    request->scanned = x86_dseg_tables_for(&request->tables, request->level,
                                           &request->scoped);
}

/* Later ones read the tables of the first, whatever the CPU runs then. */
static void do_scan(CPUState *cs, run_on_cpu_data data)
{
    ScanRequest *request = data.host_ptr;

    request->complete = dseg_runs_step(&request->scan,
                                       X86_DSEG_LOOKUPS_AT_ONCE);
}

/* All that can be mapped at that level; of the guest's, the user's half. */
static uint64_t largest_range(CPUX86State *env, X86DsegLevel level)
{
    return UINT64_C(1) << (level == X86_DSEG_LEVEL_VMM ?
                           x86_dseg_phys_bits(env) :
                           x86_dseg_virt_bits(env) - 1);
}

static bool make_range(CPUX86State *env, X86DsegLevel level, uint64_t base,
                       bool has_size, uint64_t size, DsegSegment *range,
                       Error **errp)
{
    unsigned virt_bits = x86_dseg_virt_bits(env);
    bool guest = level == X86_DSEG_LEVEL_GUEST;
    /* A segment to 0 breaks no rule about targets, if they may be as wide. */
    unsigned phys_bits = guest ? virt_bits : x86_dseg_phys_bits(env);
    DsegRule broken;

    if (!has_size) {
        size = largest_range(env, level);
        if (base >= size) {
            error_setg(errp, "size must be given where base is not below "
                       "0x%" PRIx64, size);
            return false;
        }
        size -= base;
    }
    broken = dseg_segment_make(range, guest ? DSEG_GUEST : DSEG_VMM, base, size,
                               0, phys_bits, virt_bits);
    if (broken != DSEG_RULE_OK) {
        const char *argument = dseg_rule_argument(broken);

        error_setg(errp, "%s 0x%" PRIx64 " %s", argument,
                   *argument == 'b' ? base : size, dseg_rule_text(broken));
        return false;
    }
    return true;
}

static bool check_runs(int64_t runs, Error **errp)
{
    if (runs < 1 || runs > DSEG_RUNS_MAX) {
        error_setg(errp, "runs %" PRId64 " must be from 1 to %d", runs,
                   DSEG_RUNS_MAX);
        return false;
    }
    return true;
}

/* Whether there are tables to scan; else the error says what is missing. */
static bool check_tables(const ScanRequest *request, int64_t cpu, Error **errp)
{
    if (request->scanned && request->scanned->mode != DSEG_PAGING_NONE) {
        return true;
    }
    if (request->scoped.world == X86_DSEG_WORLD_NESTED &&
        !request->tables.has_nested) {
        error_setg(errp, "cpu: CPU %" PRId64 " must have run a guest with "
                   "nested paging", cpu);
    } else if (request->scanned || !request->scoped.nested_cr3.mask) {
        error_setg(errp, "base: CPU %" PRId64 " must have page tables in force "
                   "that translate 64-bit addresses as wide as that", cpu);
    } else {
        error_setg(errp, "cr3 must be given: the one that CPU %" PRId64
                   " has now belongs to another nested-cr3", cpu);
    }
    return false;
}

static X86DsegRun *describe_run(const DsegRun *run, uint64_t mapped)
{
    X86DsegRun *out = g_new0(X86DsegRun, 1);
    X86DsegScanPagesList **tail = &out->pages;

    out->base = run->base;
    out->size = run->size;
    out->target = run->target;
    out->coverage = (double)run->size / mapped;
    for (unsigned kind = 0; kind < DSEG_PAGE__MAX; kind++) {
        if (run->pages[kind]) {
            X86DsegScanPages *pages = g_new0(X86DsegScanPages, 1);

            pages->kind = kind;
            pages->count = run->pages[kind];
            QAPI_LIST_APPEND(tail, pages);
        }
    }
    return out;
}

static X86DsegScan *describe(const ScanRequest *request, int64_t cpu)
{
    const DsegRunSearch *scan = &request->scan;
    X86DsegScan *out = g_new0(X86DsegScan, 1);
    X86DsegRunList **tail = &out->runs;

    out->cpu = cpu;
    out->world = request->scoped.world;
    out->cr3 = request->scanned->root & DSEG_PAGE_MASK;
    if (request->scanned == &request->tables.guest) {
        out->has_nested_cr3 = true;
        out->nested_cr3 = request->tables.nested.root & DSEG_PAGE_MASK;
    }
    out->base = request->scoped.segment.base;
    out->size = scan->next - out->base;
    out->mapped = scan->out_mapped;
    out->suitable = scan->out_suitable;
    out->has_next = !request->complete;
    out->next = scan->next;
    for (unsigned i = 0; i < scan->out_runs; i++) {
        QAPI_LIST_APPEND(tail, describe_run(&scan->out_run[i],
                                            scan->out_mapped));
    }
    return out;
}

X86DsegScan *qmp_x86_dseg_scan(X86DsegLevel level, bool has_base,
                               uint64_t base, bool has_size, uint64_t size,
                               bool has_min_size, uint64_t min_size,
                               bool has_runs, int64_t runs,
                               bool has_cpu, int64_t cpu,
                               bool has_cr3, uint64_t cr3,
                               bool has_world, X86DsegWorld world,
                               bool has_nested_cr3, uint64_t nested_cr3,
                               Error **errp)
{
    g_autofree ScanRequest *request = g_new0(ScanRequest, 1);
    g_autoptr(GArray) cpus = x86_dseg_cpus(true, has_cpu ? cpu : 0, errp);
    DsegSegment *range = &request->scoped.segment;
    const X86DsegScope scope = {
        .has_cr3 = has_cr3,
        .cr3 = cr3,
        .has_world = has_world,
        .world = world,
        .has_nested_cr3 = has_nested_cr3,
        .nested_cr3 = nested_cr3,
    };
    unsigned lookups = 0;

    cpu = has_cpu ? cpu : 0;
    runs = has_runs ? runs : DEFAULT_RUNS;
    request->level = level;
    if (!cpus || !check_runs(runs, errp) ||
        !make_range(cpu_env(qemu_get_cpu(cpu)), level, has_base ? base : 0,
                    has_size, size, range, errp) ||
        !x86_dseg_scope(cpus, level, &scope, &request->scoped, errp)) {
        return NULL;
    }
    if (!x86_dseg_on_this_cpu(cpu, do_find_tables, request, errp) ||
        !check_tables(request, cpu, errp)) {
        return NULL;
    }
    request->scan = (DsegRunSearch) {
        .in_tables = request->scanned,
        .in_limit = range->limit,
        .in_min_size = has_min_size ? min_size : 0,
        .in_runs = runs,
        .in_executable = level == X86_DSEG_LEVEL_VMM,
        .next = range->base,
    };
    while (!request->complete && lookups < LOOKUPS_AT_MOST) {
        if (!x86_dseg_on_this_cpu(cpu, do_scan, request, errp)) {
            return NULL;
        }
        lookups += X86_DSEG_LOOKUPS_AT_ONCE;
    }
    dseg_runs_end_run(&request->scan);
    return describe(request, cpu);
}
