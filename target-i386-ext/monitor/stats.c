/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: the counters as statistics of each virtual CPU
 */

#include "qemu/osdep.h"
#include "hw/core/cpu.h"
#include "qapi/qapi-types-x86-dseg.h"
#include "qom/object.h"
#include "system/stats.h"
#include "monitor/qmp.h"

/* One statistic; either a number, or a histogram with bars for 0, 1, 2... */
typedef struct Statistic {
    const char *name;
    uint64_t (*number)(const X86DsegCounts *c);
    unsigned bars;
    uint64_t (*bar)(const X86DsegCounts *c, unsigned i);
} Statistic;

#define TOTAL(field) \
    static uint64_t total_##field(const X86DsegCounts *c) \
    { \
        return dseg_counters_total(&c->walks).field; \
    }

TOTAL(walks)
TOTAL(guest_refs)
TOTAL(nested_refs)
TOTAL(checks)
TOTAL(filter_lookups)
TOTAL(escapes)
TOTAL(false_escapes)

static uint64_t regime_walks(const X86DsegCounts *c, unsigned regime)
{
    return dseg_counters_regime(&c->walks, regime).walks;
}

static uint64_t walks_with_refs(const X86DsegCounts *c, unsigned refs)
{
    return dseg_counters_refs(&c->walks, refs);
}

static uint64_t walks_with_checks(const X86DsegCounts *c, unsigned checks)
{
    return dseg_counters_checks(&c->walks, checks);
}

static uint64_t faults(const X86DsegCounts *c)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < DSEG_FAULT__MAX; i++) {
        sum += c->walks.faults[i];
    }
    return sum;
}

static uint64_t softmmu_nested_fills(const X86DsegCounts *c)
{
    return c->walks.softmmu_nested_fills;
}

/* Both are 0 if no caches are modelled. */
static uint64_t walk_cycles(const X86DsegCounts *c)
{
    return dseg_caches_walk_cycles(&c->cycles);
}

static uint64_t data_cycles(const X86DsegCounts *c)
{
    return c->cycles.data;
}

/* The walks of each regime have names made from X86DsegRegime. */
static const Statistic statistics[] = {
    { "walks", total_walks },
    { "guest-refs", total_guest_refs },
    { "nested-refs", total_nested_refs },
    { "checks", total_checks },
    { "filter-lookups", total_filter_lookups },
    { "escapes", total_escapes },
    { "false-escapes", total_false_escapes },
    { "faults", faults },
    { "softmmu-nested-fills", softmmu_nested_fills },
    { "walk-cycles", walk_cycles },
    { "data-cycles", data_cycles },
    { "refs-histogram", .bar = walks_with_refs,
      .bars = DSEG_MAX_GUEST_REFS + DSEG_MAX_NESTED_REFS + 1 },
    { "checks-histogram", .bar = walks_with_checks,
      .bars = DSEG_MAX_CHECKS + 1 },
};

static char *regime_name(unsigned regime)
{
    return g_strdup_printf("%s-walks", X86DsegRegime_str(regime));
}

static Stats *make_stats(const char *name)
{
    Stats *stats = g_new0(Stats, 1);

    stats->name = g_strdup(name);
    stats->value = g_new0(StatsValue, 1);
    return stats;
}

static Stats *make_number(const char *name, uint64_t value)
{
    Stats *stats = make_stats(name);

    stats->value->type = QTYPE_QNUM;
    stats->value->u.scalar = value;
    return stats;
}

static Stats *make_histogram(const Statistic *s, const X86DsegCounts *c)
{
    Stats *stats = make_stats(s->name);
    uint64List **tail = &stats->value->u.list;

    stats->value->type = QTYPE_QLIST;
    for (unsigned i = 0; i < s->bars; i++) {
        QAPI_LIST_APPEND(tail, s->bar(c, i));
    }
    return stats;
}

static StatsList *stats_of(const X86DsegCounts *c, strList *names)
{
    StatsList *list = NULL;
    StatsList **tail = &list;

    for (unsigned i = 0; i < ARRAY_SIZE(statistics); i++) {
        const Statistic *s = &statistics[i];

        if (apply_str_list_filter(s->name, names)) {
            QAPI_LIST_APPEND(tail, s->bar ? make_histogram(s, c)
                                          : make_number(s->name, s->number(c)));
        }
    }
    for (unsigned r = 0; r < DSEG_REGIME__MAX; r++) {
        g_autofree char *name = regime_name(r);

        if (apply_str_list_filter(name, names)) {
            QAPI_LIST_APPEND(tail, make_number(name, regime_walks(c, r)));
        }
    }
    return list;
}

static void query_stats(StatsResultList **result, StatsTarget target,
                        strList *names, strList *targets, Error **errp)
{
    g_autofree X86DsegCounts *c = g_new(X86DsegCounts, 1);
    g_autoptr(GArray) cpus = x86_dseg_cpus(false, 0, NULL);

    if (target != STATS_TARGET_VCPU || !cpus) {
        return;
    }
    for (guint i = 0; i < cpus->len; i++) {
        int index = g_array_index(cpus, int, i);
        CPUState *cs = qemu_get_cpu(index);
        g_autofree char *path = cs ? object_get_canonical_path(OBJECT(cs))
                                   : NULL;
        StatsList *stats;

        if (!path || !apply_str_list_filter(path, targets) ||
            !x86_dseg_snapshot(index, c)) {
            continue;
        }
        stats = stats_of(c, names);
        if (stats) {
            add_stats_entry(result, STATS_PROVIDER_X86_DSEG, path, stats);
        }
    }
}

static void add_schema(StatsSchemaValueList ***tail, const char *name,
                       bool histogram)
{
    StatsSchemaValue *value = g_new0(StatsSchemaValue, 1);

    value->name = g_strdup(name);
    value->type = histogram ? STATS_TYPE_LINEAR_HISTOGRAM
                            : STATS_TYPE_CUMULATIVE;
    value->has_bucket_size = histogram;
    value->bucket_size = histogram;
    QAPI_LIST_APPEND(*tail, value);
}

static void query_schemas(StatsSchemaList **result, Error **errp)
{
    StatsSchemaValueList *list = NULL;
    StatsSchemaValueList **tail = &list;

    for (unsigned i = 0; i < ARRAY_SIZE(statistics); i++) {
        add_schema(&tail, statistics[i].name, statistics[i].bar);
    }
    for (unsigned r = 0; r < DSEG_REGIME__MAX; r++) {
        g_autofree char *name = regime_name(r);

        add_schema(&tail, name, false);
    }
    add_stats_schema(result, STATS_PROVIDER_X86_DSEG, STATS_TARGET_VCPU, list);
}

static void register_types(void)
{
    add_stats_callbacks(STATS_PROVIDER_X86_DSEG, query_stats, query_schemas);
}

type_init(register_types)
