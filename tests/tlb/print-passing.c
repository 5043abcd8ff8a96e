/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the caches have counted, as JSON. */
#include "print-passing.h"

#include <inttypes.h>
#include <stdio.h>

#include "geometry.h"

static const char *const world_names[WORLDS] = { "native", "nested" };
static const char *const privilege_names[PRIVILEGES] = { "user", "kernel" };
static const char *const regime_names[REGIMES] = {
    [REF_NATIVE] = "native", [REF_NATIVE_DIRECT] = "native-direct",
    [REF_BASE] = "base", [REF_VMM_DIRECT] = "vmm-direct",
    [REF_GUEST_DIRECT] = "guest-direct", [REF_DUAL_DIRECT] = "dual-direct",
    [REF_MIXED] = "mixed",
};

/* What is between the entries of a list. */
static const char *separator;

static void begin_list(const char *name)
{
    printf("%s\n  \"%s\": [", separator, name);
    separator = "";
}

static void end_list(void)
{
    printf("]");
    separator = ",";
}

static void begin_entry(void)
{
    printf("%s\n    {", separator);
    separator = ",";
}

static void print_data(const struct passed *counts)
{
    begin_list("data");
    for (unsigned i = 0; i < KINDS * PLACES; i++) {
        unsigned kind = i / PLACES, where = i % PLACES;

        if (counts->data[kind][where]) {
            begin_entry();
            printf("\"kind\": \"%s\", \"place\": \"%s\", \"count\": %" PRIu64
                   "}", kind_names[kind], where_names[where],
                   counts->data[kind][where]);
        }
    }
    end_list();
}

static void print_step(unsigned world, unsigned privilege, unsigned dimension,
                       unsigned for_level, unsigned table_level,
                       const uint64_t of_places[PLACES])
{
    for (unsigned where = 0; where < PLACES; where++) {
        if (!of_places[where]) {
            continue;
        }
        begin_entry();
        printf("\"world\": \"%s\", \"privilege\": \"%s\", ",
               world_names[world], privilege_names[privilege]);
        if (dimension == DIMENSION_GUEST) {
            printf("\"dimension\": \"guest\", ");
        } else {
            printf("\"dimension\": \"nested\", \"for-level\": %u, ", for_level);
        }
        printf("\"table-level\": %u, \"place\": \"%s\", \"count\": %" PRIu64
               "}", table_level, where_names[where], of_places[where]);
    }
}

/* Those of one world and privilege. */
static void print_steps_of(unsigned world, unsigned privilege,
                           step_counts counts)
{
    for (unsigned dimension = 0; dimension < DIMENSIONS; dimension++) {
        for (unsigned i = 0; i <= MAX_LEVELS; i++) {
            for (unsigned table = 1; table <= MAX_LEVELS; table++) {
                print_step(world, privilege, dimension, i, table,
                           counts[dimension][i][table]);
            }
        }
    }
}

static void print_steps(struct passed *counts)
{
    begin_list("steps");
    for (unsigned world = 0; world < WORLDS; world++) {
        for (unsigned privilege = 0; privilege < PRIVILEGES; privilege++) {
            print_steps_of(world, privilege, counts->steps[world][privilege]);
        }
    }
    end_list();
}

static void print_walk_cycles(const struct passed *counts)
{
    begin_list("walk-cycles");
    for (unsigned i = 0; i < REGIMES * KINDS * PRIVILEGES; i++) {
        unsigned regime = i / (KINDS * PRIVILEGES);
        unsigned kind = i / PRIVILEGES % KINDS, privilege = i % PRIVILEGES;
        uint64_t cycles = counts->walk_cycles[regime][kind][privilege];

        if (cycles) {
            begin_entry();
            printf("\"regime\": \"%s\", \"access\": \"%s\", "
                   "\"privilege\": \"%s\", \"cycles\": %" PRIu64 "}",
                   regime_names[regime], kind_names[kind],
                   privilege_names[privilege], cycles);
        }
    }
    end_list();
}

static void print_caches(const struct caches *caches)
{
    begin_list("caches");
    for (unsigned i = 0; i < CACHES; i++) {
        const struct cache *cache = &caches->cache[i];

        if (cache->size) {
            begin_entry();
            printf("\"cache\": \"%s\", \"used\": %" PRIu64 ", \"evictions\": "
                   "%" PRIu64 ", \"back-invalidations\": %" PRIu64 "}",
                   cache_names[i], cache_used(caches, cache), cache->evictions,
                   cache->back_invalidations);
        }
    }
    end_list();
}

void print_passing(struct passing *passing)
{
    struct passed *counts = &passing->counts;

    if (!passing->caches.present) {
        return;
    }
    printf(",\n\"caches\": {");
    separator = "";
    print_data(counts);
    printf(",\n  \"swept\": {\"load\": %" PRIu64 ", \"store\": %" PRIu64 "}",
           counts->swept[LOAD], counts->swept[STORE]);
    print_steps(counts);
    print_walk_cycles(counts);
    printf(",\n  \"data-cycles\": %" PRIu64, counts->data_cycles);
    print_caches(&passing->caches);
    printf("}");
}
