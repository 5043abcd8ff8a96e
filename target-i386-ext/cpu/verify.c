/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: verify mode
 *
 * With the CPU property dseg-verify=on each translation by a segment is also
 * made by page tables, if they map the address, in the walker's debug mode with
 * segments of that level off.  What differs is counted, traced and told in an
 * event.
 */

#include "qemu/osdep.h"
#include "qemu/timer.h"
#include "hw/core/cpu.h"
#include "qapi/qapi-events-x86-dseg.h"
#include "trace/trace-target_i386_dseg.h"
#include "dseg.h"
#include "cpu/state.h"

#define EVENT_INTERVAL NANOSECONDS_PER_SECOND

typedef struct Mismatch {
    X86DsegLevel level;
    X86DsegAccess access;
    uint64_t addr;
    uint64_t segment;   /* what each makes of it */
    uint64_t paging;
    bool denied;
} Mismatch;

static void do_send_event(CPUState *cs, run_on_cpu_data data)
{
    g_autofree Mismatch *m = data.host_ptr;

    qapi_event_send_x86_dseg_mismatch(cs->cpu_index, m->level, m->addr,
                                      m->access, m->segment, m->paging,
                                      m->denied);
}

static void report(CPUX86State *env, const Mismatch *m)
{
    CPUState *cs = env_cpu(env);
    int64_t now = qemu_clock_get_ns(QEMU_CLOCK_REALTIME);

    trace_x86_dseg_mismatch(cs->cpu_index, X86DsegLevel_str(m->level), m->addr,
                            m->segment, m->paging, m->denied);
    if (env->dseg->last_mismatch &&
        now - env->dseg->last_mismatch < EVENT_INTERVAL) {
        return;
    }
    env->dseg->last_mismatch = now;
    /* Not in the middle of an access: whoever makes it may hold a lock. */
    async_run_on_cpu(cs, do_send_event,
                     RUN_ON_CPU_HOST_PTR(g_memdup2(m, sizeof(*m))));
}

static X86DsegAccess access_of(MMUAccessType access_type)
{
    switch (access_type) {
    case MMU_DATA_STORE:
        return X86_DSEG_ACCESS_STORE;
    case MMU_INST_FETCH:
        return X86_DSEG_ACCESS_FETCH;
    default:
        return X86_DSEG_ACCESS_LOAD;
    }
}

void x86_dseg_verify(const X86DsegWalk *walk, MMUAccessType access_type,
                     int mmu_idx)
{
    CPUX86State *env = walk->env;
    DsegCounters *counters = &env->dseg->counters;
    X86DsegDebug debug = {
        .no_guest_segment = !walk->nested_dimension,
        .no_vmm_segment = walk->nested_dimension,
    };
    X86DebugTranslation paging;
    Mismatch mismatch;
    bool permitted;

    x86_dseg_debug_translate(env, walk->addr, access_type, mmu_idx, false,
                             &debug, &paging);
    if (!paging.mapped) {
        return;
    }
    mismatch = (Mismatch) {
        .level = walk->nested_dimension ? X86_DSEG_LEVEL_VMM
                                        : X86_DSEG_LEVEL_GUEST,
        .access = access_of(access_type),
        .addr = walk->addr,
        .segment = walk->to,
        .paging = paging.gpa,
    };
    permitted = x86_dseg_debug_translate(env, walk->addr, access_type, mmu_idx,
                                         true, &debug, &paging);
    /* At level guest, nested page tables may fault: that is not its business. */
    mismatch.denied = !permitted && (walk->nested_dimension ||
                                     paging.exception_index == EXCP0E_PAGE);
    counters->verified++;
    if (mismatch.denied || mismatch.paging != mismatch.segment) {
        counters->mismatches++;
        report(env, &mismatch);
    }
}
