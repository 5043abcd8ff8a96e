/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: QMP commands about marker instructions: what they have kept,
 * and which of them stop the machine
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qapi/qapi-commands-x86-dseg.h"
#include "cpu/marker.h"
#include "monitor/qmp.h"

/* Each marker instruction is compared with all of them. */
#define X86_DSEG_STOPS_MAX 16

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
        out->has_instructions = marker->has_instructions;
        out->instructions = marker->instructions;
        out->tlb = tlb ? x86_dseg_describe_tlb(tlb, &marker->tlb) : NULL;
        QAPI_LIST_APPEND(*tail, out);
    }
}

static void do_stop_at(CPUState *cs, run_on_cpu_data data)
{
    X86DsegState *dseg = cpu_env(cs)->dseg;

    g_clear_pointer(&dseg->stop_labels, g_array_unref);
    dseg->stop_labels = g_array_ref(data.host_ptr);
}

void qmp_x86_dseg_stop_at(uint32List *labels, bool has_cpu, int64_t cpu,
                          Error **errp)
{
    g_autoptr(GArray) array = g_array_new(false, false, sizeof(uint32_t));

    for (; labels; labels = labels->next) {
        if (labels->value >> X86_DSEG_LABEL_BITS) {
            error_setg(errp, "labels: 0x%" PRIx32 " is no label, which has %d "
                       "bits", labels->value, X86_DSEG_LABEL_BITS);
            return;
        }
        if (array->len == X86_DSEG_STOPS_MAX) {
            error_setg(errp, "labels: there must be at most %d",
                       X86_DSEG_STOPS_MAX);
            return;
        }
        g_array_append_val(array, labels->value);
    }
    x86_dseg_on_cpus(has_cpu, cpu, do_stop_at, array, errp);
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
