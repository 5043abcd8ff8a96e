/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: HMP commands about markers
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qapi/qapi-commands-x86-dseg.h"
#include "monitor/hmp.h"
#include "monitor/monitor.h"
#include "dseg.h"
#include "monitor/hmp-args.h"

static void hmp_info_dseg_markers(Monitor *mon, const QDict *qdict)
{
    g_autoptr(X86DsegMarkerList) markers = NULL;
    Error *err = NULL;
    int64_t cpu;
    bool has_cpu = hmp_get_cpu(qdict, &cpu, &err);

    if (!err) {
        markers = qmp_query_x86_dseg_markers(has_cpu, cpu, &err);
    }
    if (markers) {
        monitor_printf(mon, "CPU     label      count        walks   guest refs"
                       "  nested refs       checks\n");
    }
    for (X86DsegMarkerList *m = markers; m; m = m->next) {
        const X86DsegTally *total = m->value->walks->total;

        monitor_printf(mon, "%3" PRId64 "  0x%06" PRIx32 " %10" PRIu64 " %12"
                       PRIu64 " %12" PRIu64 " %12" PRIu64 " %12" PRIu64 "\n",
                       m->value->walks->cpu, m->value->label, m->value->count,
                       total->walks, total->guest_refs, total->nested_refs,
                       total->checks);
    }
    hmp_handle_error(mon, err);
}

static void hmp_dseg_stop_at(Monitor *mon, const QDict *qdict)
{
    Error *err = NULL;
    uint64_t value;
    int64_t cpu;
    bool has_label = hmp_get_optional(qdict, "label", "none", &value, &err);
    bool has_cpu = hmp_get_cpu(qdict, &cpu, &err);
    uint32List label = { .value = has_label ? value : 0 };

    if (!err && has_label && value > UINT32_MAX) {
        error_setg(&err, "label: must have at most %d bits",
                   X86_DSEG_LABEL_BITS);
    }
    if (!err) {
        qmp_x86_dseg_stop_at(has_label ? &label : NULL, has_cpu, cpu, &err);
    }
    hmp_handle_error(mon, err);
}

static void register_types(void)
{
    monitor_register_hmp("dseg_stop_at", false, hmp_dseg_stop_at);
    monitor_register_hmp("dseg-markers", true, hmp_info_dseg_markers);
}

type_init(register_types)
