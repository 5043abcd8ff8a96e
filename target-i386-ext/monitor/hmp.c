/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: the HMP commands
 *
 * Each reads its arguments, calls the QMP command and shows the result.
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qapi/qapi-commands-x86-dseg.h"
#include "qobject/qdict.h"
#include "monitor/hmp.h"
#include "monitor/monitor.h"
#include "monitor/hmp-args.h"

static void hmp_dseg_set(Monitor *mon, const QDict *qdict)
{
    g_autoptr(X86DsegCheckList) checks = NULL;
    const char *world_text = qdict_get_try_str(qdict, "world");
    Error *err = NULL;
    X86DsegLevel level = hmp_get_level(qdict_get_str(qdict, "level"), &err);
    uint64_t base = hmp_get_number(qdict, "base", &err);
    uint64_t size = hmp_get_number(qdict, "size", &err);
    uint64_t target = hmp_get_number(qdict, "target", &err);
    X86DsegWorld world = world_text ? hmp_get_world(world_text, &err) : 0;
    bool force = qdict_get_try_bool(qdict, "force", false);
    uint64_t cr3, nested_cr3;
    int64_t cpu;
    bool has_cpu = hmp_get_cpu(qdict, &cpu, &err);
    bool has_cr3 = hmp_get_optional(qdict, "cr3", "any", &cr3, &err);
    bool has_nested_cr3 = hmp_get_optional(qdict, "nested_cr3", "any",
                                           &nested_cr3, &err);

    if (!err) {
        checks = qmp_x86_dseg_set(level, base, size, target, has_cpu, cpu,
                                  has_cr3, cr3, world_text, world,
                                  has_nested_cr3, nested_cr3, true, force,
                                  &err);
    }
    if (!err && !checks) {
        monitor_printf(mon, "set; no CPU has page tables to compare it with\n");
    }
    for (X86DsegCheckList *c = checks; c; c = c->next) {
        monitor_printf(mon, "CPU %" PRId64 ": set; of %" PRIu64 " pages the "
                       "page tables map %" PRIu64 ", of which %" PRIu64
                       " differ\n", c->value->cpu, c->value->pages,
                       c->value->mapped, c->value->differing);
    }
    hmp_handle_error(mon, err);
}

static void hmp_dseg_clear(Monitor *mon, const QDict *qdict)
{
    const char *level_text = qdict_get_try_str(qdict, "level");
    Error *err = NULL;
    bool has_level = level_text && strcmp(level_text, "all");
    X86DsegLevel level = has_level ? hmp_get_level(level_text, &err) : 0;
    int64_t cpu;
    bool has_cpu = hmp_get_cpu(qdict, &cpu, &err);

    if (!err) {
        qmp_x86_dseg_clear(has_level, level, has_cpu, cpu, &err);
    }
    hmp_handle_error(mon, err);
}

static void hmp_dseg_escape(Monitor *mon, const QDict *qdict)
{
    const char *action = qdict_get_str(qdict, "action");
    bool clear = !strcmp(action, "clear");
    Error *err = NULL;
    uint64_t page;
    bool has_page = hmp_get_optional(qdict, "page", "all", &page, &err);
    int64_t cpu;
    bool has_cpu = hmp_get_cpu(qdict, &cpu, &err);

    if (err) {
        /* already said what is wrong */
    } else if (!clear && strcmp(action, "add") && strcmp(action, "remove")) {
        error_setg(&err, "action '%s' must be add, remove or clear", action);
    } else if (clear && has_page) {
        error_setg(&err, "page must be left out or 'all' to clear the filter");
    } else if (clear) {
        qmp_x86_dseg_escape_clear(has_cpu, cpu, &err);
    } else if (!has_page) {
        error_setg(&err, "page must be given to add or remove it");
    } else if (!strcmp(action, "add")) {
        qmp_x86_dseg_escape_add(page, has_cpu, cpu, &err);
    } else {
        qmp_x86_dseg_escape_remove(page, has_cpu, cpu, &err);
    }
    hmp_handle_error(mon, err);
}

static void hmp_dseg_walks_reset(Monitor *mon, const QDict *qdict)
{
    Error *err = NULL;
    int64_t cpu;
    bool has_cpu = hmp_get_cpu(qdict, &cpu, &err);

    if (!err) {
        qmp_x86_dseg_walks_reset(has_cpu, cpu, &err);
    }
    hmp_handle_error(mon, err);
}

static void print_segment(Monitor *mon, const char *name,
                          const X86DsegSegment *s, const char *root)
{
    if (!s) {
        monitor_printf(mon, "  %-5s  none\n", name);
        return;
    }
    monitor_printf(mon, "  %-5s  0x%" PRIx64 "-0x%" PRIx64 " -> 0x%" PRIx64
                   "-0x%" PRIx64 " (%" PRIu64 " KiB), %s", name, s->base,
                   s->base + s->size - 1, s->target, s->target + s->size - 1,
                   s->size / 1024, X86DsegWorld_str(s->world));
    if (s->has_cr3) {
        monitor_printf(mon, ", %s 0x%" PRIx64, root, s->cr3);
    }
    if (s->has_nested_cr3) {
        monitor_printf(mon, ", nested CR3 0x%" PRIx64, s->nested_cr3);
    }
    monitor_printf(mon, "\n");
}

static void print_escapes(Monitor *mon, const struct uint64List *page)
{
    monitor_printf(mon, "  escapes%s", page ? "" : " none");
    for (; page; page = page->next) {
        monitor_printf(mon, " 0x%" PRIx64, page->value);
    }
    monitor_printf(mon, "\n");
}

/* Four in a line. */
static void print_words(Monitor *mon, const char *name,
                        const struct uint64List *word)
{
    for (unsigned i = 0; word; word = word->next, i++) {
        if (i % 4 == 0) {
            monitor_printf(mon, "%s  %*s", i ? "\n" : "", (int)strlen(name),
                           i ? "" : name);
        }
        monitor_printf(mon, " 0x%016" PRIx64, word->value);
    }
    monitor_printf(mon, "\n");
}

static void print_registers(Monitor *mon, const X86DsegRegisters *r)
{
    monitor_printf(mon, "  registers: CR9 0x%" PRIx64 ", CR10 0x%" PRIx64
                   ", CR11 0x%" PRIx64 ", CR12 0x%" PRIx64 "\n",
                   r->cr9, r->cr10, r->cr11, r->cr12);
    monitor_printf(mon, "  MSRs: base 0x%" PRIx64 ", limit 0x%" PRIx64
                   ", offset 0x%" PRIx64 "\n",
                   r->vmm_base, r->vmm_limit, r->vmm_offset);
    print_words(mon, "MSR filter", r->vmm_filter);
}

static void hmp_info_dseg(Monitor *mon, const QDict *qdict)
{
    g_autoptr(X86DsegCpuList) cpus = NULL;
    Error *err = NULL;
    int64_t cpu;
    bool has_cpu = hmp_get_cpu(qdict, &cpu, &err);

    if (!err) {
        cpus = qmp_query_x86_dseg(has_cpu, cpu, &err);
    }
    for (X86DsegCpuList *c = cpus; c; c = c->next) {
        X86DsegCpu *info = c->value;

        monitor_printf(mon, "CPU %" PRId64 ": %s, CPL %" PRId64 ", CR3 0x%"
                       PRIx64, info->cpu, info->guest_mode ? "nested guest"
                                                           : "native",
                       info->cpl, info->cr3);
        if (info->has_nested_cr3) {
            monitor_printf(mon, ", nested CR3 %s0x%" PRIx64,
                           info->guest_mode ? "" : "of the last guest ",
                           info->nested_cr3);
        }
        monitor_printf(mon, "\n");
        print_registers(mon, info->registers);
        print_segment(mon, "guest", info->guest, "CR3");
        print_segment(mon, "vmm", info->vmm, "nested CR3");
        print_words(mon, "filter", info->filter);
        print_escapes(mon, info->escapes);
    }
    hmp_handle_error(mon, err);
}

/* The regimes of one CPU, without the division by access and privilege. */
static void print_regimes(Monitor *mon, const X86DsegRegimeTallyList *list)
{
    X86DsegTally sum[X86_DSEG_REGIME__MAX] = {};

    for (; list; list = list->next) {
        X86DsegTally *s = &sum[list->value->regime];

        s->walks += list->value->walks;
        s->guest_refs += list->value->guest_refs;
        s->nested_refs += list->value->nested_refs;
        s->checks += list->value->checks;
        s->filter_lookups += list->value->filter_lookups;
        s->escapes += list->value->escapes;
        s->false_escapes += list->value->false_escapes;
    }
    monitor_printf(mon, "  %-13s %12s %12s %12s %12s %12s %10s %10s\n",
                   "regime", "walks", "guest refs", "nested refs", "checks",
                   "lookups", "escapes", "false");
    for (unsigned r = 0; r < X86_DSEG_REGIME__MAX; r++) {
        const X86DsegTally *s = &sum[r];

        if (s->walks) {
            monitor_printf(mon, "  %-13s %12" PRIu64 " %12" PRIu64 " %12" PRIu64
                           " %12" PRIu64 " %12" PRIu64 " %10" PRIu64 " %10"
                           PRIu64 "\n", X86DsegRegime_str(r), s->walks,
                           s->guest_refs, s->nested_refs, s->checks,
                           s->filter_lookups, s->escapes, s->false_escapes);
        }
    }
}

static void print_refs(Monitor *mon, const X86DsegRefsList *list)
{
    monitor_printf(mon, "  %-13s %12s %12s %12s %12s\n", "references", "walks",
                   "guest refs", "nested refs", "by");
    for (; list; list = list->next) {
        const X86DsegRefs *bar = list->value;

        monitor_printf(mon, "  %-13" PRId64 " %12" PRIu64 " %12" PRId64 " %12"
                       PRId64 "  %s %s\n", bar->guest + bar->nested, bar->walks,
                       bar->guest, bar->nested, X86DsegWorld_str(bar->world),
                       X86DsegPrivilege_str(bar->privilege));
    }
}

static void print_exits(Monitor *mon, const X86DsegExitList *list)
{
    if (!list) {
        return;
    }
    monitor_printf(mon, "  #VMEXITs:");
    for (; list; list = list->next) {
        monitor_printf(mon, " %s %" PRIu64 "%s", list->value->name,
                       list->value->count, list->next ? "," : "\n");
    }
}

static void hmp_info_dseg_walks(Monitor *mon, const QDict *qdict)
{
    g_autoptr(X86DsegWalksList) cpus = NULL;
    Error *err = NULL;
    int64_t cpu;
    bool has_cpu = hmp_get_cpu(qdict, &cpu, &err);

    if (!err) {
        cpus = qmp_query_x86_dseg_walks(has_cpu, cpu, &err);
    }
    for (X86DsegWalksList *c = cpus; c; c = c->next) {
        X86DsegWalks *w = c->value;

        monitor_printf(mon, "CPU %" PRId64 ": %" PRIu64 " walks\n", w->cpu,
                       w->total->walks);
        print_regimes(mon, w->regimes);
        print_refs(mon, w->refs_histogram);
        monitor_printf(mon, "  faults: %" PRIu64 " not present, %" PRIu64
                       " protection, %" PRIu64 " reserved; nested: %" PRIu64
                       " final, %" PRIu64 " table\n", w->faults->not_present,
                       w->faults->protection, w->faults->reserved,
                       w->faults->nested_final, w->faults->nested_table);
        print_exits(mon, w->exits);
        monitor_printf(mon, "  softmmu: %" PRIu64 " nested fills\n",
                       w->softmmu_nested_fills);
        monitor_printf(mon, "  verify mode: %" PRIu64 " compared, %" PRIu64
                       " mismatches\n", w->verified, w->mismatches);
    }
    hmp_handle_error(mon, err);
}

static void register_types(void)
{
    monitor_register_hmp("dseg_set", false, hmp_dseg_set);
    monitor_register_hmp("dseg_clear", false, hmp_dseg_clear);
    monitor_register_hmp("dseg_escape", false, hmp_dseg_escape);
    monitor_register_hmp("dseg_walks_reset", false, hmp_dseg_walks_reset);
    monitor_register_hmp("dseg", true, hmp_info_dseg);
    monitor_register_hmp("dseg-walks", true, hmp_info_dseg_walks);
}

type_init(register_types)
