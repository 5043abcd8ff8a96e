/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: QMP commands that change the escape filter
 */

#include "qemu/osdep.h"
#include "exec/cputlb.h"
#include "hw/core/cpu.h"
#include "qapi/error.h"
#include "qapi/qapi-commands-x86-dseg.h"
#include "dseg.h"
#include "monitor/qmp.h"

typedef enum EscapeAction {
    ESCAPE_ADD,
    ESCAPE_REMOVE,
    ESCAPE_CLEAR,
} EscapeAction;

typedef struct EscapeRequest {
    EscapeAction action;
    bool dry_run;
    uint64_t page;
    DsegEscapeResult result;    /* the first that was not OK */
    int cpu;                    /* where that was */
} EscapeRequest;

static DsegEscapeResult change_escapes(CPUX86State *env, DsegEscapes *escapes,
                                       const EscapeRequest *request)
{
    switch (request->action) {
    case ESCAPE_ADD:
        return dseg_escapes_add(escapes, request->page,
                                x86_dseg_phys_bits(env));
    case ESCAPE_REMOVE:
        return dseg_escapes_remove(escapes, request->page);
    default:
        dseg_escapes_clear(escapes);
        return DSEG_ESCAPE_OK;
    }
}

static void do_escape(CPUState *cs, run_on_cpu_data data)
{
    EscapeRequest *request = data.host_ptr;
    CPUX86State *env = cpu_env(cs);
    DsegEscapes escapes = env->dseg->monitor.escapes;
    DsegEscapeResult result = change_escapes(env, &escapes, request);

    if (result != DSEG_ESCAPE_OK && request->result == DSEG_ESCAPE_OK) {
        request->result = result;
        request->cpu = cs->cpu_index;
    }
    if (!request->dry_run) {
        env->dseg->monitor.escapes = escapes;
        x86_dseg_tlb_changed(env, DSEG_TLB_MONITOR);
        tlb_flush(cs);
    }
}

static void escape_error(const EscapeRequest *request, Error **errp)
{
    static const char *const rules[] = {
        [DSEG_ESCAPE_UNALIGNED] = "must be a multiple of 4 KiB",
        [DSEG_ESCAPE_TOO_WIDE] = "must not be beyond MAXPHYADDR",
        [DSEG_ESCAPE_PRESENT] = "must not be in the escape filter already",
        [DSEG_ESCAPE_ABSENT] = "must be in the escape filter",
    };

    if (request->result == DSEG_ESCAPE_FULL) {
        error_setg(errp, "page 0x%" PRIx64 " finds no place in the escape "
                   "filter of CPU %d: it holds %d pages at most",
                   request->page, request->cpu, DSEG_ESCAPES_MAX);
        return;
    }
    error_setg(errp, "page 0x%" PRIx64 " %s (CPU %d)", request->page,
               rules[request->result], request->cpu);
}

static void change_all_escapes(EscapeAction action, uint64_t page,
                               bool has_cpu, int64_t cpu, Error **errp)
{
    g_autoptr(GArray) cpus = x86_dseg_cpus(has_cpu, cpu, errp);
    EscapeRequest request = {
        .action = action,
        .dry_run = true,
        .page = page,
    };

    if (!cpus) {
        return;
    }
    /* All CPUs or none. */
    x86_dseg_on_each(cpus, do_escape, &request);
    if (request.result != DSEG_ESCAPE_OK) {
        escape_error(&request, errp);
        return;
    }
    request.dry_run = false;
    x86_dseg_on_each(cpus, do_escape, &request);
}

void qmp_x86_dseg_escape_add(uint64_t page, bool has_cpu, int64_t cpu,
                             Error **errp)
{
    change_all_escapes(ESCAPE_ADD, page, has_cpu, cpu, errp);
}

void qmp_x86_dseg_escape_remove(uint64_t page, bool has_cpu, int64_t cpu,
                                Error **errp)
{
    change_all_escapes(ESCAPE_REMOVE, page, has_cpu, cpu, errp);
}

void qmp_x86_dseg_escape_clear(bool has_cpu, int64_t cpu, Error **errp)
{
    change_all_escapes(ESCAPE_CLEAR, 0, has_cpu, cpu, errp);
}
