/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: the HMP command that explains a translation
 *
 * Each reference to the guest's tables is a paragraph: first, indented, how its
 * gPA is translated, then the reference itself.
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qapi/qapi-commands-x86-dseg.h"
#include "monitor/hmp.h"
#include "monitor/monitor.h"
#include "monitor/hmp-args.h"

static const char *page_name(uint64_t size)
{
    switch (size) {
    case 1 << 12:
        return "4 KiB";
    case 1 << 21:
        return "2 MiB";
    case 1 << 22:
        return "4 MiB";
    default:
        return "1 GiB";
    }
}

static void print_check(Monitor *mon, const X86DsegStep *step,
                        const char *indent)
{
    const X86DsegStepCheck *check = &step->u.check;
    bool nested = step->dimension == X86_DSEG_DIMENSION_NESTED;

    monitor_printf(mon, "%s %s segment 0x%" PRIx64 "-0x%" PRIx64 " -> 0x%"
                   PRIx64 ": ", indent, nested ? "VMM" : "guest", check->base,
                   check->limit - 1, check->target);
    switch (check->result) {
    case X86_DSEG_HIT_MISS:
        monitor_printf(mon, "miss");
        break;
    case X86_DSEG_HIT_HIT:
        monitor_printf(mon, "hit, %s 0x%" PRIx64, nested ? "hPA" : "gPA",
                       check->to);
        break;
    default:
        monitor_printf(mon, "hit, but the sum is beyond MAXPHYADDR");
        break;
    }
    monitor_printf(mon, "%s\n", check->counted ? "" :
                   " (tested with the guest segment)");
}

static void print_filter(Monitor *mon, const X86DsegStepFilter *filter,
                         const char *indent)
{
    static const char *const outcomes[] = {
        [X86_DSEG_FILTER_OUTCOME_OUTSIDE] = "which does not matter",
        [X86_DSEG_FILTER_OUTCOME_SEGMENT] = "so the segment translates it",
        [X86_DSEG_FILTER_OUTCOME_ESCAPE] = "an escape",
        [X86_DSEG_FILTER_OUTCOME_FALSE_ESCAPE] = "a false escape",
    };
    const char *separator = "";

    monitor_printf(mon, "%s escape filter, bits ", indent);
    for (const uint8List *bit = filter->bits; bit; bit = bit->next) {
        monitor_printf(mon, "%s%u", separator, bit->value);
        separator = ".";
    }
    monitor_printf(mon, ": %s, %s\n", filter->passes ? "passes" : "not in it",
                   outcomes[filter->outcome]);
}

static void print_ref(Monitor *mon, const X86DsegStep *step,
                      const char *dimension, const char *indent)
{
    const X86DsegStepReference *ref = &step->u.reference;

    monitor_printf(mon, "%s %2" PRId64 "  %s%" PRId64 "  hPA 0x%010" PRIx64
                   "  entry 0x%016" PRIx64, indent, ref->number, dimension,
                   ref->table_level, ref->hpa, ref->entry);
    if (ref->has_page_size) {
        monitor_printf(mon, "  page of %s", page_name(ref->page_size));
    }
    monitor_printf(mon, "\n");
}

/* Whether @step is the first one for its gPA. */
static bool begins_gpa(const X86DsegStep *step, const X86DsegStep *before)
{
    return step->has_for_level &&
           !(before && before->has_for_level &&
             before->for_level == step->for_level);
}

static void print_step(Monitor *mon, const X86DsegStep *step,
                       const X86DsegStep *before, bool native)
{
    bool nested = step->dimension == X86_DSEG_DIMENSION_NESTED;
    const char *indent = nested ? "       " : " ";

    if (begins_gpa(step, before) && step->for_level) {
        monitor_printf(mon, "  gL%" PRId64 " entry at gPA 0x%" PRIx64 "\n",
                       step->for_level, step->gpa);
    } else if (begins_gpa(step, before)) {
        monitor_printf(mon, "  final gPA 0x%" PRIx64 "\n", step->gpa);
    }
    switch (step->kind) {
    case X86_DSEG_STEP_KIND_CHECK:
        print_check(mon, step, indent);
        break;
    case X86_DSEG_STEP_KIND_FILTER:
        print_filter(mon, &step->u.filter, indent);
        break;
    default:
        print_ref(mon, step, nested ? "nL" : native ? "L" : "gL", indent);
        break;
    }
}

static void print_mapping(Monitor *mon, const X86DsegMapping *mapping)
{
    if (mapping->has_gpa) {
        monitor_printf(mon, "  gPA 0x%" PRIx64, mapping->gpa);
    }
    monitor_printf(mon, "  hPA 0x%" PRIx64 "  %s%s%s  %" PRIu64 " KiB alike, by "
                   "%s (guest) and %s (nested)\n", mapping->hpa,
                   mapping->readable ? "r" : "-", mapping->writable ? "w" : "-",
                   mapping->executable ? "x" : "-", mapping->page_size / 1024,
                   X86DsegPageKind_str(mapping->guest_page),
                   X86DsegPageKind_str(mapping->nested_page));
}

static void print_fault(Monitor *mon, const X86DsegTranslationFault *fault)
{
    switch (fault->exception) {
    case X86_DSEG_EXCEPTION_PAGE_FAULT:
        monitor_printf(mon, "  #PF error code 0x%" PRIx64 " CR2 0x%" PRIx64
                       "\n", fault->code, fault->address);
        break;
    case X86_DSEG_EXCEPTION_NESTED_PAGE_FAULT:
        monitor_printf(mon, "  #NPF EXITINFO1 0x%" PRIx64 " EXITINFO2 0x%"
                       PRIx64 "\n", fault->code, fault->address);
        break;
    default:
        monitor_printf(mon, "  #GP: the address is not canonical\n");
        break;
    }
}

static void print_translation(Monitor *mon, const X86DsegTranslation *t)
{
    const X86DsegTally *cost = t->cost;
    const X86DsegStep *before = NULL;
    bool native = t->world == X86_DSEG_WORLD_NATIVE;

    monitor_printf(mon, "CPU %" PRId64 ", %s, CR3 0x%" PRIx64, t->cpu,
                   native ? "native" : "nested guest", t->cr3);
    if (t->has_nested_cr3) {
        monitor_printf(mon, ", nested CR3 0x%" PRIx64, t->nested_cr3);
    }
    monitor_printf(mon, ": %s %s at %s 0x%" PRIx64 "\n",
                   X86DsegPrivilege_str(t->privilege),
                   X86DsegAccess_str(t->access),
                   t->level == X86_DSEG_LEVEL_VMM ? "gPA" :
                   native ? "VA" : "gVA", t->address);
    for (const X86DsegStepList *s = t->steps; s; s = s->next) {
        print_step(mon, s->value, before, native);
        before = s->value;
    }
    if (t->mapping) {
        print_mapping(mon, t->mapping);
    } else {
        print_fault(mon, t->fault);
    }
    monitor_printf(mon, "  %s%s%" PRIu64 " guest + %" PRIu64 " nested refs; "
                   "checks %" PRIu64 ", lookups %" PRIu64 ", escapes %" PRIu64
                   ", false ones %" PRIu64 "\n",
                   t->has_regime ? X86DsegRegime_str(t->regime) : "",
                   t->has_regime ? ": " : "", cost->guest_refs,
                   cost->nested_refs, cost->checks, cost->filter_lookups,
                   cost->escapes, cost->false_escapes);
}

/* An argument that can be left out or be "any": whether it is given. */
static bool get_choice(const QDict *qdict, const char *name,
                       const QEnumLookup *lookup, const char *names,
                       int *value, Error **errp)
{
    const char *text = qdict_get_try_str(qdict, name);

    *value = 0;
    if (!text || !strcmp(text, "any")) {
        return false;
    }
    *value = hmp_get_enum(name, text, lookup, names, errp);
    return true;
}

static void hmp_dseg_translate(Monitor *mon, const QDict *qdict)
{
    g_autoptr(X86DsegTranslation) translation = NULL;
    Error *err = NULL;
    int access, privilege, level;
    uint64_t cpu;
    bool has_access = get_choice(qdict, "access", &X86DsegAccess_lookup,
                                 "load, store or fetch", &access, &err);
    bool has_privilege = get_choice(qdict, "privilege",
                                    &X86DsegPrivilege_lookup,
                                    "user or kernel", &privilege, &err);
    bool has_cpu = hmp_get_optional(qdict, "cpu", "any", &cpu, &err);
    bool has_level = get_choice(qdict, "level", &X86DsegLevel_lookup,
                                "guest or vmm", &level, &err);

    if (!err) {
        translation = qmp_x86_dseg_translate(qdict_get_int(qdict, "address"),
                                             has_cpu, cpu, has_access, access,
                                             has_privilege, privilege,
                                             has_level, level, &err);
    }
    if (translation) {
        print_translation(mon, translation);
    }
    hmp_handle_error(mon, err);
}

static void register_types(void)
{
    monitor_register_hmp("dseg_translate", false, hmp_dseg_translate);
}

type_init(register_types)
