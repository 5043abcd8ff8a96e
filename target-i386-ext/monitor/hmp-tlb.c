/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: the HMP command that shows modelled TLBs
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qapi/qapi-commands-x86-dseg.h"
#include "monitor/hmp.h"
#include "monitor/monitor.h"
#include "monitor/hmp-args.h"
#include "monitor/hmp-caches.h"

static uint64_t find_count(const X86DsegTlbCountList *list,
                           X86DsegTlbLevel level, X86DsegAccess kind,
                           X86DsegTlbPages pages)
{
    for (; list; list = list->next) {
        const X86DsegTlbCount *count = list->value;

        if (count->level == level && count->kind == kind &&
            count->pages == pages) {
            return count->count;
        }
    }
    return 0;
}

/* A row for each kind of lookup that has occurred. */
static void print_lookups(Monitor *mon, const X86DsegTlbInfo *tlb)
{
    monitor_printf(mon, "  %-16s %14s %14s\n", "lookups", "hits", "misses");
    for (unsigned level = 0; level < X86_DSEG_TLB_LEVEL__MAX; level++) {
        for (unsigned kind = 0; kind < X86_DSEG_ACCESS__MAX; kind++) {
            for (unsigned p = 0; p < X86_DSEG_TLB_PAGES__MAX; p++) {
                uint64_t hits = find_count(tlb->hits, level, kind, p);
                uint64_t misses = find_count(tlb->misses, level, kind, p);

                if (hits || misses) {
                    monitor_printf(mon, "  %s %-8s %-4s %14" PRIu64 " %14"
                                   PRIu64 "\n", X86DsegTlbLevel_str(level),
                                   X86DsegAccess_str(kind),
                                   X86DsegTlbPages_str(p), hits, misses);
                }
            }
        }
    }
}

static void print_kinds(Monitor *mon, const char *name,
                        const X86DsegTlbKinds *kinds)
{
    monitor_printf(mon, "  %-16s %14" PRIu64 " load %14" PRIu64 " store %14"
                   PRIu64 " fetch\n", name, kinds->load, kinds->store,
                   kinds->fetch);
}

static void print_arrays(Monitor *mon, const X86DsegTlbInfo *tlb)
{
    const X86DsegTlbUseList *use = tlb->arrays;

    monitor_printf(mon, "  %-16s %14s %14s %14s\n", "array", "entries", "used",
                   "evictions");
    for (X86DsegTlbArrayList *a = tlb->geometry->arrays; a; a = a->next) {
        const X86DsegTlbArray *array = a->value;
        g_autoptr(GString) name = g_string_new(
            X86DsegTlbPlace_str(array->level));

        for (X86DsegTlbPagesList *p = array->pages; p; p = p->next) {
            g_string_append_printf(name, " %s", X86DsegTlbPages_str(p->value));
        }
        monitor_printf(mon, "  %-16s %14" PRIu32 " %14" PRIu32 " %14" PRIu64
                       "  %" PRIu32 "-way %s\n", name->str, array->entries,
                       use->value->used, use->value->evictions, array->ways,
                       X86DsegTlbPolicy_str(array->policy));
        use = use->next;
    }
}

static void hmp_info_dseg_tlb(Monitor *mon, const QDict *qdict)
{
    g_autoptr(X86DsegTlbInfoList) tlbs = NULL;
    Error *err = NULL;
    int64_t cpu;
    bool has_cpu = hmp_get_cpu(qdict, &cpu, &err);

    if (!err) {
        tlbs = qmp_query_x86_dseg_tlb(has_cpu, cpu, &err);
    }
    if (!err && !tlbs) {
        monitor_printf(mon, "no modelled TLB (-cpu MODEL,dseg=on,"
                       "dseg-tlb=sandybridge-ep)\n");
    }
    for (X86DsegTlbInfoList *t = tlbs; t; t = t->next) {
        const X86DsegTlbInfo *tlb = t->value;

        monitor_printf(mon, "CPU %" PRId64 ": mode %s\n", tlb->cpu,
                       X86DsegTlbMode_str(tlb->mode));
        print_lookups(mon, tlb);
        print_kinds(mon, "walks", tlb->walks);
        print_kinds(mon, "segment hits", tlb->segment_hits);
        print_kinds(mon, "... beside L1", tlb->segment_hits_l1);
        print_arrays(mon, tlb);
        for (X86DsegTlbInvalidationsList *i = tlb->invalidations; i;
             i = i->next) {
            monitor_printf(mon, "  invalidations by %s: %" PRIu64 ", of %"
                           PRIu64 " entries\n",
                           X86DsegTlbCause_str(i->value->cause),
                           i->value->count, i->value->entries);
        }
        if (tlb->caches) {
            hmp_print_dseg_caches(mon, tlb->caches);
        }
    }
    hmp_handle_error(mon, err);
}

static void register_types(void)
{
    monitor_register_hmp("dseg-tlb", true, hmp_info_dseg_tlb);
}

type_init(register_types)
