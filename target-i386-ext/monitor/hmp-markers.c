/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: the HMP command that shows what markers have seen
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qapi/qapi-commands-x86-dseg.h"
#include "monitor/hmp.h"
#include "monitor/monitor.h"
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

static void register_types(void)
{
    monitor_register_hmp("dseg-markers", true, hmp_info_dseg_markers);
}

type_init(register_types)
