/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A hierarchy of caches under test, and traces for it: a character a line
 *
 * 0 to 9 and a to z: data of that line passes; ! before one: a fetch does.
 * A - makes all lines invalid.
 */

#ifndef TEST_CACHES_FIXTURE_H
#define TEST_CACHES_FIXTURE_H

#include <glib.h>
#include <stdlib.h>

#include "caches/caches.h"

enum { CACHES_LINE = 64 };    /* bytes, of the geometries here */

G_DEFINE_AUTOPTR_CLEANUP_FUNC(DsegCaches, dseg_caches_free)

static inline DsegCacheGeometry caches_lru(unsigned ways, uint32_t latency)
{
    return (DsegCacheGeometry) {
        .size = ways * CACHES_LINE, .ways = ways, .latency = latency,
    };
}

/* Caches of one set each, of that many ways; 0: absent.  All are LRU. */
static inline DsegCachesGeometry one_set(unsigned l1d, unsigned l1i,
                                         unsigned l2, unsigned llc)
{
    return (DsegCachesGeometry) {
        .line = CACHES_LINE,
        .memory = 100,
        .cache = {
            [DSEG_CACHE_L1D] = caches_lru(l1d, 2),
            [DSEG_CACHE_L1I] = caches_lru(l1i, 3),
            [DSEG_CACHE_L2] = caches_lru(l2, 10),
            [DSEG_CACHE_LLC] = caches_lru(llc, 30),
        },
    };
}

static inline void shape(DsegCachesGeometry *geometry, DsegCacheName name,
                         unsigned sets, unsigned ways, DsegTlbPolicy policy)
{
    DsegCacheGeometry *cache = &geometry->cache[name];

    cache->size = (uint64_t)sets * ways * geometry->line;
    cache->ways = ways;
    cache->policy = policy;
}

/* L1D alone. */
static inline DsegCachesGeometry l1d(unsigned sets, unsigned ways,
                                     DsegTlbPolicy policy)
{
    DsegCachesGeometry geometry = one_set(1, 0, 0, 0);

    shape(&geometry, DSEG_CACHE_L1D, sets, ways, policy);
    return geometry;
}

static inline DsegCaches *caches_new(const DsegCachesGeometry *geometry)
{
    char *text = dseg_caches_geometry_check(geometry);

    g_assert_cmpstr(text, ==, NULL);
    free(text);
    return dseg_caches_new(geometry);
}

/* An hPA in the line of that name. */
static inline uint64_t caches_hpa(const DsegCaches *caches, char name)
{
    uint64_t line = g_ascii_isdigit(name) ? name - '0' : name - 'a' + 10;

    return line * dseg_caches_geometry(caches)->line + 9;
}

/* Where the line of that name is found: 1, 2, 3 (LLC) or m. */
static inline char caches_pass(DsegCaches *caches, char name, bool fetch)
{
    return "123m"[dseg_caches_pass(caches, caches_hpa(caches, name), fetch)];
}

/* Where the lines of a trace were found, a character each; to be freed. */
static inline char *caches_run(DsegCaches *caches, const char *trace)
{
    GString *places = g_string_new(NULL);

    for (; *trace; trace++) {
        bool fetch = *trace == '!';

        trace += fetch;
        if (*trace == '-') {
            dseg_caches_empty(caches);
        } else {
            g_string_append_c(places, caches_pass(caches, *trace, fetch));
        }
    }
    return g_string_free(places, false);
}

/* Where a line is found after a trace by new caches. */
static inline char caches_found(const DsegCachesGeometry *geometry,
                                const char *trace, char name, bool fetch)
{
    g_autoptr(DsegCaches) caches = caches_new(geometry);
    g_autofree char *places = caches_run(caches, trace);

    return caches_pass(caches, name, fetch);
}

static inline void assert_trace(const DsegCachesGeometry *geometry,
                                const char *trace, const char *expected)
{
    g_autoptr(DsegCaches) caches = caches_new(geometry);
    g_autofree char *places = caches_run(caches, trace);

    g_assert_cmpstr(places, ==, expected);
}

/* Where each of @names is found, as data, if it is the next after the trace. */
static inline void assert_found(const DsegCachesGeometry *geometry,
                                const char *trace, const char *names,
                                const char *expected)
{
    g_autoptr(GString) places = g_string_new(NULL);

    for (; *names; names++) {
        g_string_append_c(places,
                          caches_found(geometry, trace, *names, false));
    }
    g_assert_cmpstr(places->str, ==, expected);
}

static inline void assert_use(DsegCaches *caches, DsegCacheName name,
                              uint32_t used, uint64_t evictions,
                              uint64_t back_invalidations)
{
    DsegCacheUse use = dseg_caches_use(caches, name);

    g_assert_cmpuint(use.used, ==, used);
    g_assert_cmpuint(use.evictions, ==, evictions);
    g_assert_cmpuint(use.back_invalidations, ==, back_invalidations);
}

#endif
