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
#include "qapi/qapi-commands-x86-dseg.h"
#include "qapi/qapi-events-x86-dseg.h"
#include "dseg.h"
#include "qmp.h"
#include "tables.h"

#define MARKERS_MAX 256

typedef struct Marker {
    uint64_t count;         /* how often it has been passed */
    DsegCounters counters;  /* as they were the last time */
    X86DsegTlbSnapshot tlb;
} Marker;

/* That of @label, made if there is none yet; NULL if there are too many. */
static Marker *find_marker(X86DsegState *dseg, uint32_t label)
{
    Marker *marker;

    if (!dseg->markers) {
        dseg->markers = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    }
    marker = g_hash_table_lookup(dseg->markers, GUINT_TO_POINTER(label));
    if (!marker && g_hash_table_size(dseg->markers) < MARKERS_MAX) {
        marker = g_new0(Marker, 1);
        g_hash_table_insert(dseg->markers, GUINT_TO_POINTER(label), marker);
    }
    return marker;
}

void helper_x86_dseg_mark(CPUX86State *env, uint32_t label)
{
    Marker *marker;

    if (!env->dseg) {
        return; /* a no-operation, as on every other CPU */
    }
    marker = find_marker(env->dseg, label);
    if (!marker) {
        return; /* nor an event: the monitor limits their rate by label */
    }
    marker->count++;
    marker->counters = env->dseg->counters;
    if (env->dseg->tlb) {
        x86_dseg_tlb_snapshot(env->dseg->tlb, &marker->tlb);
    }
    BQL_LOCK_GUARD();
    qapi_event_send_x86_dseg_marker(env_cpu(env)->cpu_index, label,
                                    x86_dseg_in_guest(env),
                                    env->hflags & HF_CPL_MASK);
}

static gint by_label(gconstpointer a, gconstpointer b)
{
    return GPOINTER_TO_UINT(a) < GPOINTER_TO_UINT(b) ? -1 : 1;
}

/* Appends those of one CPU, in the order of their labels. */
static void do_query(CPUState *cs, run_on_cpu_data data)
{
    X86DsegMarkerList ***tail = data.host_ptr;
    X86DsegTlb *tlb = cpu_env(cs)->dseg->tlb;
    GHashTable *markers = cpu_env(cs)->dseg->markers;
    g_autoptr(GList) labels = markers ? g_hash_table_get_keys(markers) : NULL;

    labels = g_list_sort(labels, by_label);
    for (GList *label = labels; label; label = label->next) {
        Marker *marker = g_hash_table_lookup(markers, label->data);
        X86DsegMarker *out = g_new0(X86DsegMarker, 1);

        out->label = GPOINTER_TO_UINT(label->data);
        out->count = marker->count;
        out->walks = x86_dseg_describe_walks(cs->cpu_index, &marker->counters);
        out->tlb = tlb ? x86_dseg_describe_tlb(tlb, &marker->tlb) : NULL;
        QAPI_LIST_APPEND(*tail, out);
    }
}

X86DsegMarkerList *qmp_query_x86_dseg_markers(bool has_cpu, int64_t cpu,
                                              Error **errp)
{
    X86DsegMarkerList *list = NULL;
    X86DsegMarkerList **tail = &list;

    if (x86_dseg_no_cpus(has_cpu)) {
        return NULL;
    }
    x86_dseg_on_cpus(has_cpu, cpu, do_query, &tail, errp);
    return list;
}

void x86_dseg_forget_markers(X86DsegState *dseg)
{
    g_clear_pointer(&dseg->markers, g_hash_table_unref);
}
