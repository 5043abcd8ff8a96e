/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: arguments of QMP commands that say where something is in
 * force, and so which page tables are meant
 */

#include "qemu/osdep.h"
#include "hw/core/cpu.h"
#include "qapi/error.h"
#include "monitor/qmp.h"
#include "monitor/tables-in-force.h"

/* CR3 bits 11:0 are flags or a PCID. */
#define ROOT_MASK DSEG_PAGE_MASK

static X86DsegRoot root_of(bool has_cr3, uint64_t cr3)
{
    return (X86DsegRoot) {
        .addr = cr3 & ROOT_MASK,
        .mask = has_cr3 ? ROOT_MASK : 0,
    };
}

static bool check_root(CPUX86State *env, const char *argument, bool has_cr3,
                       uint64_t cr3, Error **errp)
{
    if (has_cr3 && cr3 >> x86_dseg_phys_bits(env)) {
        error_setg(errp, "%s 0x%" PRIx64 " must not be beyond MAXPHYADDR "
                   "(%u bits)", argument, cr3, x86_dseg_phys_bits(env));
        return false;
    }
    return true;
}

static bool check_roots(GArray *cpus, const X86DsegScope *scope, Error **errp)
{
    for (guint i = 0; i < cpus->len; i++) {
        CPUX86State *env = cpu_env(qemu_get_cpu(g_array_index(cpus, int, i)));

        if (!check_root(env, "cr3", scope->has_cr3, scope->cr3, errp) ||
            !check_root(env, "nested-cr3", scope->has_nested_cr3,
                        scope->nested_cr3, errp)) {
            return false;
        }
    }
    return true;
}

static bool check_world(X86DsegLevel level, const X86DsegScope *scope,
                        Error **errp)
{
    if (level == X86_DSEG_LEVEL_VMM && scope->has_world) {
        error_setg(errp, "world is only for level guest: level vmm is always "
                   "nested");
        return false;
    }
    if (level == X86_DSEG_LEVEL_VMM && scope->has_nested_cr3) {
        error_setg(errp, "nested-cr3 is only for level guest: level vmm takes "
                   "its nested CR3 as cr3");
        return false;
    }
    if (scope->has_nested_cr3 && scope->has_world &&
        scope->world != X86_DSEG_WORLD_NESTED) {
        error_setg(errp, "world must be nested where nested-cr3 is given");
        return false;
    }
    return true;
}

static void do_has_nested(CPUState *cs, run_on_cpu_data data)
{
    bool *has_nested = data.host_ptr;
    X86DsegTables tables;

    x86_dseg_tables(cpu_env(cs), &tables);
    *has_nested |= tables.has_nested;
}

/*
 * The world of level guest if none is given: clear only where no nested guest
 * has run.
 */
static bool default_world(GArray *cpus, const X86DsegScope *scope,
                          X86DsegWorld *world, Error **errp)
{
    bool has_nested = false;

    *world = X86_DSEG_WORLD_NESTED;
    if (scope->has_nested_cr3) {
        return true;
    }
    x86_dseg_on_each(cpus, do_has_nested, &has_nested);
    if (has_nested) {
        error_setg(errp, "world must be given, as native or nested, because a "
                   "nested guest has run: is base an address in it, or in its "
                   "host?");
        return false;
    }
    *world = X86_DSEG_WORLD_NATIVE;
    return true;
}

bool x86_dseg_scope(GArray *cpus, X86DsegLevel level,
                    const X86DsegScope *scope, X86DsegScoped *out, Error **errp)
{
    if (!check_world(level, scope, errp) || !check_roots(cpus, scope, errp)) {
        return false;
    }
    if (level == X86_DSEG_LEVEL_VMM) {
        out->world = X86_DSEG_WORLD_NESTED;
        out->nested_cr3 = root_of(scope->has_cr3, scope->cr3);
        return true;
    }
    out->world = scope->world;
    out->cr3 = root_of(scope->has_cr3, scope->cr3);
    out->nested_cr3 = root_of(scope->has_nested_cr3, scope->nested_cr3);
    return scope->has_world || default_world(cpus, scope, &out->world, errp);
}
