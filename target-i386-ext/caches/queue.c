/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: what passes the caches later
 *
 * What is known of the lines of a large cache does not fit the caches of the
 * host, and nobody waits for where something was found.  So what comes has to
 * wait until the host's memory has answered.
 */

#include "caches/inside.h"
#include "tlb/memory.h"

/*
 * The host is asked for what is known of the set in the last cache, the largest
 * one: its caches have not forgotten the others.
 */
static void ask(const DsegCaches *caches, const DsegPassing *passing)
{
    const DsegCachePath *path = &caches->path[passing->fetch];
    const DsegCache *cache = path->cache[path->length - 1];
    uint32_t set = set_of(cache, passing->line);
    const uint8_t *memory = hints_of(cache, set);

    for (size_t i = 0; i < cache->stride; i += DSEG_TLB_LINE) {
        __builtin_prefetch(memory + i, 1);
    }
    dseg_tlb_replacement_prefetch(&cache->order, set);
}

static DsegCachePlace pass(DsegCaches *caches, const DsegPassing *passing)
{
    return is_last(caches, passing->line, passing->fetch)
               ? DSEG_PLACE_L1
               : dseg_caches_look_for(caches, passing->line, passing->fetch);
}

void dseg_caches_settle(DsegCaches *caches)
{
    for (unsigned i = 0; i < caches->waiting; i++) {
        const DsegPassing *passing = &caches->queue[i];

        if (!is_last(caches, passing->line, passing->fetch)) {
            ask(caches, passing);
        }
    }
    for (unsigned i = 0; i < caches->waiting; i++) {
        const DsegPassing *passing = &caches->queue[i];
        DsegCachePlace place = pass(caches, passing);

        passing->places[place]++;
        *passing->cycles += caches->path[passing->fetch].latency[place];
    }
    caches->waiting = 0;
}
