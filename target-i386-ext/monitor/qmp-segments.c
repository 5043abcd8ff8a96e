/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: QMP commands that set, clear and show segments
 */

#include "qemu/osdep.h"
#include "exec/cputlb.h"
#include "hw/core/cpu.h"
#include "qapi/error.h"
#include "qapi/qapi-commands-x86-dseg.h"
#include "monitor/agreement.h"
#include "dseg.h"
#include "monitor/qmp.h"
#include "monitor/tables-in-force.h"

/*
 * x86-dseg-set
 */

typedef struct SetRequest {
    X86DsegLevel level;
    X86DsegScoped scoped;
    X86DsegComparison comparison;   /* of the CPU that was asked last */
    bool complete;
} SetRequest;

static bool make_segment(CPUX86State *env, X86DsegLevel level, uint64_t base,
                         uint64_t size, uint64_t target, DsegSegment *segment,
                         Error **errp)
{
    unsigned phys_bits = x86_dseg_phys_bits(env);
    DsegRule broken = dseg_segment_make(segment, level == X86_DSEG_LEVEL_VMM ?
                                        DSEG_VMM : DSEG_GUEST,
                                        base, size, target, phys_bits,
                                        x86_dseg_virt_bits(env));
    const char *argument = dseg_rule_argument(broken);
    uint64_t value = *argument == 'b' ? base : *argument == 's' ? size : target;

    if (broken == DSEG_RULE_OK) {
        return true;
    }
    if (broken == DSEG_RULE_BASE_PHYS_BITS ||
        broken == DSEG_RULE_TARGET_PHYS_BITS) {
        error_setg(errp, "%s 0x%" PRIx64 " %s (%u bits)", argument, value,
                   dseg_rule_text(broken), phys_bits);
    } else {
        error_setg(errp, "%s 0x%" PRIx64 " %s", argument, value,
                   dseg_rule_text(broken));
    }
    return false;
}

static void do_begin(CPUState *cs, run_on_cpu_data data)
{
    SetRequest *request = data.host_ptr;

    x86_dseg_compare_begin(cpu_env(cs), request->level, &request->scoped,
                           &request->comparison);
    request->complete = false;
}

static void do_compare(CPUState *cs, run_on_cpu_data data)
{
    SetRequest *request = data.host_ptr;

    request->complete = x86_dseg_compare_step(&request->comparison,
                                              X86_DSEG_LOOKUPS_AT_ONCE);
}

/* The CPU's guest goes on between the steps.  False if the CPU has gone. */
static bool compare(int index, SetRequest *request)
{
    if (!x86_dseg_on_cpu(index, do_begin, request)) {
        return false;
    }
    while (!request->complete) {
        if (!x86_dseg_on_cpu(index, do_compare, request)) {
            return false;
        }
    }
    return true;
}

static void do_set(CPUState *cs, run_on_cpu_data data)
{
    SetRequest *request = data.host_ptr;
    X86DsegMonitorOwned *owned = &cpu_env(cs)->dseg->monitor;

    if (request->level == X86_DSEG_LEVEL_VMM) {
        owned->vmm = request->scoped;
    } else {
        owned->guest = request->scoped;
    }
    x86_dseg_tlb_changed(cpu_env(cs), DSEG_TLB_MONITOR);
    tlb_flush(cs);
}

/* Whether a comparison lets @request be set; else the error says why not. */
static bool acceptable(const X86DsegComparison *c, int cpu, bool force,
                       const SetRequest *request, Error **errp)
{
    switch (c->verdict) {
    case X86_DSEG_NOT_RAM:
        error_setg(errp, "target must be RAM: CPU %d has none at 0x%" PRIx64,
                   cpu, c->first_target);
        return false;
    case X86_DSEG_DIFFERS:
        if (force) {
            return true;
        }
        if (c->first_permission) {
            error_setg(errp, "base: the segment must agree with the page "
                       "tables in force, but those of CPU %d do not let page "
                       "0x%" PRIx64 " be written%s, the first of %" PRIu64
                       " such pages (force sets it all the same)", cpu,
                       c->first, request->level == X86_DSEG_LEVEL_GUEST ?
                       " in user mode" : "", c->differing);
            return false;
        }
        error_setg(errp, "target: the segment must agree with the page tables "
                   "in force, but those of CPU %d map page 0x%" PRIx64
                   " to 0x%" PRIx64 ", not to 0x%" PRIx64 ", the first of %"
                   PRIu64 " such pages (force sets it all the same)", cpu,
                   c->first, c->first_target,
                   c->first + request->scoped.segment.offset,
                   c->differing);
        return false;
    default:
        return true;
    }
}

/*
 * Compares @request with the page tables of each of @cpus and appends the
 * results.  False with an error if it must not be set.
 */
static bool compare_all(GArray *cpus, SetRequest *request, bool force,
                        X86DsegCheckList **results, Error **errp)
{
    const X86DsegComparison *c = &request->comparison;
    uint64_t mapped = 0;

    for (guint i = 0; i < cpus->len; i++) {
        int index = g_array_index(cpus, int, i);
        X86DsegCheck *check;

        if (!compare(index, request)) {
            continue;
        }
        if (!acceptable(c, index, force, request, errp)) {
            return false;
        }
        if (c->verdict == X86_DSEG_NOTHING) {
            continue;
        }
        mapped += c->mapped;
        check = g_new0(X86DsegCheck, 1);
        check->cpu = index;
        check->pages = c->pages;
        check->mapped = c->mapped;
        check->differing = c->differing;
        QAPI_LIST_APPEND(results, check);
    }
    if (!mapped && !force) {
        error_setg(errp, "base: the page tables in force must map at least one "
                   "page of the segment to confirm it, but map none: is it the "
                   "right cpu and cr3? (force sets it all the same)");
        return false;
    }
    return true;
}

X86DsegCheckList *qmp_x86_dseg_set(X86DsegLevel level, uint64_t base,
                                   uint64_t size, uint64_t target,
                                   bool has_cpu, int64_t cpu,
                                   bool has_cr3, uint64_t cr3,
                                   bool has_world, X86DsegWorld world,
                                   bool has_nested_cr3, uint64_t nested_cr3,
                                   bool has_force, bool force, Error **errp)
{
    g_autoptr(GArray) cpus = x86_dseg_cpus(has_cpu, cpu, errp);
    g_autoptr(X86DsegCheckList) results = NULL;
    SetRequest request = { .level = level };
    X86DsegScoped *scoped = &request.scoped;
    const X86DsegScope scope = {
        .has_cr3 = has_cr3,
        .cr3 = cr3,
        .has_world = has_world,
        .world = world,
        .has_nested_cr3 = has_nested_cr3,
        .nested_cr3 = nested_cr3,
    };

    /* First what needs all CPUs: x86_dseg_scope() may wait for one. */
    for (guint i = 0; cpus && i < cpus->len; i++) {
        CPUX86State *env = cpu_env(qemu_get_cpu(g_array_index(cpus, int, i)));

        if (!make_segment(env, level, base, size, target, &scoped->segment,
                          errp)) {
            return NULL;
        }
    }
    if (!cpus || !x86_dseg_scope(cpus, level, &scope, scoped, errp) ||
        !compare_all(cpus, &request, has_force && force, &results, errp)) {
        return NULL;
    }
    x86_dseg_on_each(cpus, do_set, &request);
    return g_steal_pointer(&results);
}

/*
 * x86-dseg-clear
 */

typedef struct ClearRequest {
    bool guest;
    bool vmm;
} ClearRequest;

static void do_clear(CPUState *cs, run_on_cpu_data data)
{
    ClearRequest *request = data.host_ptr;
    X86DsegMonitorOwned *owned = &cpu_env(cs)->dseg->monitor;

    if (request->guest) {
        owned->guest = (X86DsegScoped) {};
    }
    if (request->vmm) {
        owned->vmm = (X86DsegScoped) {};
    }
    x86_dseg_tlb_changed(cpu_env(cs), DSEG_TLB_MONITOR);
    tlb_flush(cs);
}

void qmp_x86_dseg_clear(bool has_level, X86DsegLevel level, bool has_cpu,
                        int64_t cpu, Error **errp)
{
    ClearRequest request = {
        .guest = !has_level || level == X86_DSEG_LEVEL_GUEST,
        .vmm = !has_level || level == X86_DSEG_LEVEL_VMM,
    };

    x86_dseg_on_cpus(has_cpu, cpu, do_clear, &request, errp);
}

/*
 * query-x86-dseg
 */

static X86DsegSegment *describe(const X86DsegScoped *scoped, X86DsegLevel level)
{
    const DsegSegment *segment = &scoped->segment;
    const X86DsegRoot *cr3 = level == X86_DSEG_LEVEL_VMM ? &scoped->nested_cr3
                                                         : &scoped->cr3;
    X86DsegSegment *out;

    if (!dseg_segment_enabled(segment)) {
        return NULL;
    }
    out = g_new0(X86DsegSegment, 1);
    out->base = segment->base;
    out->size = segment->limit - segment->base;
    out->target = segment->base + segment->offset;
    out->world = scoped->world;
    out->has_cr3 = cr3->mask;
    out->cr3 = cr3->addr;
    if (level == X86_DSEG_LEVEL_GUEST) {
        out->has_nested_cr3 = scoped->nested_cr3.mask;
        out->nested_cr3 = scoped->nested_cr3.addr;
    }
    return out;
}

static X86DsegRegisters *describe_registers(const DsegRegisters *r)
{
    X86DsegRegisters *out = g_new0(X86DsegRegisters, 1);
    uint64List **word = &out->vmm_filter;

    out->cr9 = r->control.guest.base;
    out->cr10 = r->control.guest.limit;
    out->cr11 = r->control.guest.offset;
    out->cr12 = r->control.select;
    out->vmm_base = r->vmm.base;
    out->vmm_limit = r->vmm.limit;
    out->vmm_offset = r->vmm.offset;
    for (unsigned i = 0; i < dseg_filter_words(&r->escapes.filter); i++) {
        QAPI_LIST_APPEND(word, r->escapes.filter.word[i]);
    }
    return out;
}

static void do_query(CPUState *cs, run_on_cpu_data data)
{
    X86DsegCpuList ***tail = data.host_ptr;
    CPUX86State *env = cpu_env(cs);
    const X86DsegMonitorOwned *owned = &env->dseg->monitor;
    X86DsegCpu *info = g_new0(X86DsegCpu, 1);
    uint64List **escape = &info->escapes;
    uint64List **word = &info->filter;
    X86DsegTables tables;

    x86_dseg_tables(env, &tables);
    info->cpu = cs->cpu_index;
    info->guest_mode = x86_dseg_in_guest(env);
    info->cpl = env->hflags & HF_CPL_MASK;
    info->cr3 = env->cr[3];
    info->has_nested_cr3 = tables.has_nested;
    info->nested_cr3 = tables.has_nested ? tables.nested.root : 0;
    info->registers = describe_registers(&env->dseg->registers);
    info->guest = describe(&owned->guest, X86_DSEG_LEVEL_GUEST);
    info->vmm = describe(&owned->vmm, X86_DSEG_LEVEL_VMM);
    for (unsigned i = 0; i < owned->escapes.count; i++) {
        QAPI_LIST_APPEND(escape, owned->escapes.page[i]);
    }
    for (unsigned i = 0; i < dseg_filter_words(&owned->escapes.filter); i++) {
        QAPI_LIST_APPEND(word, owned->escapes.filter.word[i]);
    }
    QAPI_LIST_APPEND(*tail, info);
}

X86DsegCpuList *qmp_query_x86_dseg(bool has_cpu, int64_t cpu, Error **errp)
{
    X86DsegCpuList *list = NULL;
    X86DsegCpuList **tail = &list;

    if (x86_dseg_no_cpus(has_cpu)) {
        return NULL;
    }
    x86_dseg_on_cpus(has_cpu, cpu, do_query, &tail, errp);
    return list;
}
