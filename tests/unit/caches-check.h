/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Geometries of caches that are right, and what is said of those that are not
 */

#ifndef TEST_CACHES_CHECK_H
#define TEST_CACHES_CHECK_H

#include <glib.h>
#include <stdlib.h>

#include "caches/geometry.h"

static inline void assert_right(const DsegCachesGeometry *geometry)
{
    char *text = dseg_caches_geometry_check(geometry);

    g_assert_cmpstr(text, ==, NULL);
    free(text);
}

static inline void assert_wrong(const DsegCachesGeometry *geometry,
                                const char *expected)
{
    char *text = dseg_caches_geometry_check(geometry);

    g_assert_cmpstr(text, ==, expected);
    free(text);
}

/* That it is wrong, for what is said of a field of cache @name. */
static inline void assert_wrong_cache(const DsegCachesGeometry *geometry,
                                      DsegCacheName name, const char *rule)
{
    g_autofree char *expected = g_strdup_printf(
        "caches.%s.%s", dseg_cache_names[name], rule);

    assert_wrong(geometry, expected);
}

/* Caches of one line each, which any length of a line suits. */
static inline DsegCachesGeometry caches_with_line(uint32_t line)
{
    DsegCachesGeometry geometry = { .line = line, .memory = 9 };

    for (DsegCacheName i = 0; i < DSEG_CACHE__MAX; i++) {
        geometry.cache[i] = (DsegCacheGeometry) {
            .size = line, .ways = 1, .policy = DSEG_TLB_LRU, .latency = 1,
        };
    }
    return geometry;
}

#endif
