/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: the marker instruction
 *
 * It takes a snapshot of the CPU's counters under its label and sends an event;
 * see docs/spec/registers.rst.
 */

#include "qemu/osdep.h"
#include "qemu/main-loop.h"
#include "cpu.h"
#include "exec/helper-proto.h"
#include "hw/core/cpu.h"
#include "qapi/qapi-events-x86-dseg.h"
#include "system/cpu-timers.h"
#include "system/runstate.h"
#include "dseg.h"
#include "cpu/marker.h"

#define MARKERS_MAX 256

/* That of @label, made if there is none yet; NULL if there are too many. */
static X86DsegMarkerState *find_marker(X86DsegState *dseg, uint32_t label)
{
    X86DsegMarkerState *marker;

    if (!dseg->markers) {
        dseg->markers = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    }
    marker = g_hash_table_lookup(dseg->markers, GUINT_TO_POINTER(label));
    if (!marker && g_hash_table_size(dseg->markers) < MARKERS_MAX) {
        marker = g_new0(X86DsegMarkerState, 1);
        g_hash_table_insert(dseg->markers, GUINT_TO_POINTER(label), marker);
    }
    return marker;
}

bool x86_dseg_instructions(uint64_t *count)
{
    if (!icount_enabled()) {
        return false;
    }
    *count = icount_get_raw();
    return true;
}

static bool stops_at(const X86DsegState *dseg, uint32_t label)
{
    for (guint i = 0; dseg->stop_labels && i < dseg->stop_labels->len; i++) {
        if (g_array_index(dseg->stop_labels, uint32_t, i) == label) {
            return true;
        }
    }
    return false;
}

void helper_x86_dseg_mark(CPUX86State *env, uint32_t label)
{
    X86DsegMarkerState *marker;

    if (!env->dseg) {
        return; /* a no-operation, as on every other CPU */
    }
    marker = find_marker(env->dseg, label);
    if (!marker) {
        return; /* nor an event: the monitor limits their rate by label */
    }
    marker->count++;
    marker->counters = env->dseg->counters;
    marker->has_instructions = x86_dseg_instructions(&marker->instructions);
    if (env->dseg->tlb) {
        x86_dseg_tlb_snapshot(env->dseg->tlb, &marker->tlb);
    }
    BQL_LOCK_GUARD();
    qapi_event_send_x86_dseg_marker(env_cpu(env)->cpu_index, label,
                                    x86_dseg_in_guest(env),
                                    env->hflags & HF_CPL_MASK);
    if (stops_at(env->dseg, label)) {
        vm_stop(RUN_STATE_PAUSED); /* before the next instruction */
    }
}

void x86_dseg_forget_markers(X86DsegState *dseg)
{
    g_clear_pointer(&dseg->markers, g_hash_table_unref);
}
