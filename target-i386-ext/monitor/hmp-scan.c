/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: the HMP command that looks for candidates
 */

#include "qemu/osdep.h"
#include "qemu/cutils.h"
#include "qapi/error.h"
#include "qapi/qapi-commands-x86-dseg.h"
#include "monitor/hmp.h"
#include "monitor/monitor.h"
#include "monitor/hmp-args.h"

static uint64_t count_of(const X86DsegScanPagesList *list,
                         X86DsegPageKind kind)
{
    for (; list; list = list->next) {
        if (list->value->kind == kind) {
            return list->value->count;
        }
    }
    return 0;
}

/* A run, with the command that would make a segment of it. */
static void print_run(Monitor *mon, const X86DsegRun *run,
                      const X86DsegScan *scan, X86DsegLevel level)
{
    monitor_printf(mon, "  %6.2f%% %9" PRIu64 " %6" PRIu64 " %4" PRIu64
                   "  dseg_set %s 0x%" PRIx64 " 0x%" PRIx64 " 0x%" PRIx64 " %"
                   PRId64 " 0x%" PRIx64, 100 * run->coverage,
                   count_of(run->pages, X86_DSEG_PAGE_KIND_4K),
                   count_of(run->pages, X86_DSEG_PAGE_KIND_2M) +
                   count_of(run->pages, X86_DSEG_PAGE_KIND_4M),
                   count_of(run->pages, X86_DSEG_PAGE_KIND_1G),
                   X86DsegLevel_str(level), run->base, run->size, run->target,
                   scan->cpu, scan->cr3);
    if (level == X86_DSEG_LEVEL_GUEST) {
        monitor_printf(mon, " %s", X86DsegWorld_str(scan->world));
    }
    if (scan->has_nested_cr3) {
        monitor_printf(mon, " 0x%" PRIx64, scan->nested_cr3);
    }
    monitor_printf(mon, "\n");
}

static void print_size(Monitor *mon, uint64_t size, const char *text)
{
    g_autofree char *number = size_to_str(size);

    monitor_printf(mon, "%s %s", number, text);
}

static void print_scan(Monitor *mon, const X86DsegScan *scan,
                       X86DsegLevel level)
{
    monitor_printf(mon, "0x%" PRIx64 "-0x%" PRIx64 ": ", scan->base,
                   scan->base + scan->size - 1);
    print_size(mon, scan->mapped, "mapped, ");
    print_size(mon, scan->suitable, "suitable for a segment\n");
    if (scan->runs) {
        monitor_printf(mon, " coverage  4K pages 2M, 4M   1G  "
                       "to make it a segment\n");
    }
    for (const X86DsegRunList *run = scan->runs; run; run = run->next) {
        print_run(mon, run->value, scan, level);
    }
    if (scan->has_next) {
        monitor_printf(mon, "The rest has not been scanned: go on with base 0x%"
                       PRIx64 "\n", scan->next);
    }
}

static void hmp_dseg_scan(Monitor *mon, const QDict *qdict)
{
    g_autoptr(X86DsegScan) scan = NULL;
    const char *world_text = qdict_get_try_str(qdict, "world");
    bool has_world = world_text && strcmp(world_text, "any");
    Error *err = NULL;
    X86DsegLevel level = hmp_get_level(qdict_get_str(qdict, "level"), &err);
    X86DsegWorld world = has_world ? hmp_get_world(world_text, &err) : 0;
    uint64_t cpu, cr3, nested_cr3, base, size, min_size, runs;
    bool has_cpu = hmp_get_optional(qdict, "cpu", "any", &cpu, &err);
    bool has_cr3 = hmp_get_optional(qdict, "cr3", "any", &cr3, &err);
    bool has_nested_cr3 = hmp_get_optional(qdict, "nested_cr3", "any",
                                           &nested_cr3, &err);
    bool has_base = hmp_get_optional(qdict, "base", "any", &base, &err);
    bool has_size = hmp_get_optional(qdict, "size", "any", &size, &err);
    bool has_min_size = hmp_get_optional(qdict, "min_size", "any", &min_size,
                                         &err);
    bool has_runs = hmp_get_optional(qdict, "runs", "any", &runs, &err);

    if (!err) {
        scan = qmp_x86_dseg_scan(level, has_base, base, has_size, size,
                                 has_min_size, min_size, has_runs, runs,
                                 has_cpu, cpu, has_cr3, cr3, has_world, world,
                                 has_nested_cr3, nested_cr3, &err);
    }
    if (scan) {
        print_scan(mon, scan, level);
    }
    hmp_handle_error(mon, err);
}

static void register_types(void)
{
    monitor_register_hmp("dseg_scan", false, hmp_dseg_scan);
}

type_init(register_types)
