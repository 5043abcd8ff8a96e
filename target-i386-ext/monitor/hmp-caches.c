/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: modelled caches, as HMP shows them beside the TLB
 */

#include "qemu/osdep.h"
#include "monitor/hmp-caches.h"

/* Counts of one row, by place. */
typedef uint64_t Places[X86_DSEG_PLACE__MAX];

static void print_row(Monitor *mon, const char *name, const Places places)
{
    monitor_printf(mon, "  %-24s", name);
    for (unsigned place = 0; place < X86_DSEG_PLACE__MAX; place++) {
        monitor_printf(mon, " %13" PRIu64, places[place]);
    }
    monitor_printf(mon, "\n");
}

static void print_data(Monitor *mon, const X86DsegCacheDataList *list)
{
    while (list) {
        X86DsegAccess kind = list->value->kind;
        Places places = {};

        for (; list && list->value->kind == kind; list = list->next) {
            places[list->value->place] = list->value->count;
        }
        print_row(mon, X86DsegAccess_str(kind), places);
    }
}

/* Whether both are the same step, if of different places. */
static bool same_step(const X86DsegCacheSteps *a, const X86DsegCacheSteps *b)
{
    return a->world == b->world && a->privilege == b->privilege &&
           a->dimension == b->dimension && a->for_level == b->for_level &&
           a->table_level == b->table_level;
}

static char *name_of(const X86DsegCacheSteps *step)
{
    g_autofree char *target = !step->has_for_level ? g_strdup("") :
        step->for_level ? g_strdup_printf(" for %" PRId64, step->for_level) :
        g_strdup(" for final");

    return g_strdup_printf("%s %s %s %" PRId64 "%s",
                           X86DsegWorld_str(step->world),
                           X86DsegPrivilege_str(step->privilege),
                           X86DsegDimension_str(step->dimension),
                           step->table_level, target);
}

static void print_steps(Monitor *mon, const X86DsegCacheStepsList *list)
{
    while (list) {
        const X86DsegCacheSteps *first = list->value;
        g_autofree char *name = name_of(first);
        Places places = {};

        for (; list && same_step(list->value, first); list = list->next) {
            places[list->value->place] = list->value->count;
        }
        print_row(mon, name, places);
    }
}

void hmp_print_dseg_caches(Monitor *mon, const X86DsegCachesInfo *caches)
{
    uint64_t cycles = 0;

    monitor_printf(mon, "  %-24s", "found in");
    for (unsigned place = 0; place < X86_DSEG_PLACE__MAX; place++) {
        monitor_printf(mon, " %13s", X86DsegPlace_str(place));
    }
    monitor_printf(mon, "\n");
    print_data(mon, caches->data);
    print_steps(mon, caches->steps);
    for (X86DsegWalkCyclesList *c = caches->walk_cycles; c; c = c->next) {
        cycles += c->value->cycles;
    }
    monitor_printf(mon, "  of these data of sweeps: %" PRIu64 " loads, %" PRIu64
                   " stores\n", caches->swept->load, caches->swept->store);
    monitor_printf(mon, "  cycles of walks: %" PRIu64 ", of data: %" PRIu64
                   "\n", cycles, caches->data_cycles);
    for (X86DsegCacheUseList *u = caches->caches; u; u = u->next) {
        monitor_printf(mon, "  %s: %" PRIu32 " lines used, %" PRIu64
                       " evictions, %" PRIu64 " back-invalidations\n",
                       X86DsegCacheName_str(u->value->cache), u->value->used,
                       u->value->evictions, u->value->back_invalidations);
    }
}
