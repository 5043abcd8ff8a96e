/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: the QMP command that shows what marker instructions have kept
 */

#include "qemu/osdep.h"
#include "qapi/qapi-commands-x86-dseg.h"
#include "cpu/marker.h"
#include "monitor/qmp.h"

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
        X86DsegMarkerState *marker = g_hash_table_lookup(markers, label->data);
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
