/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: what passes the caches later
 *
 * What is known of the lines of a large cache does not fit the caches of the
 * host, and nobody waits for where something was found.  So what comes has to
 * wait until the host's memory has answered, and may pass in another thread.
 */

#include "caches/inside.h"
#include "tlb/memory.h"

/*
 * The host is asked for what is known of the set in the last cache, the largest
 * one: its caches have not forgotten the others.
 */
static void ask(const DsegCaches *caches, uint64_t line, bool fetch)
{
    const DsegCachePath *path = &caches->path[fetch];
    const DsegCache *cache = path->cache[path->length - 1];
    uint32_t set = set_of(cache, line);
    const uint8_t *memory = hints_of(cache, set);

    for (size_t i = 0; i < cache->stride; i += DSEG_TLB_LINE) {
        __builtin_prefetch(memory + i, 1);
    }
    dseg_tlb_replacement_prefetch(&cache->order, set);
}

/* Lines one after the other are asked for when they pass, or the first are gone. */
static void ask_for_more(const DsegCaches *caches, const DsegPassing *passing)
{
    for (unsigned i = 0; passing->more && i <= passing->more; i++) {
        ask(caches, passing->line + i, passing->fetch);
    }
}

static DsegCachePlace pass(DsegCaches *caches, uint64_t line, bool fetch)
{
    return is_last(caches, line, fetch) ? DSEG_PLACE_L1
                                        : dseg_caches_look_for(caches, line,
                                                               fetch);
}

static void pass_all(DsegCaches *caches, const DsegPassing *batch,
                     unsigned count)
{
    uint64_t *words = (uint64_t *)&caches->passed;

    for (unsigned i = 0; i < count; i++) {
        if (!is_last(caches, batch[i].line, batch[i].fetch)) {
            ask(caches, batch[i].line, batch[i].fetch);
        }
    }
    for (const DsegPassing *p = batch; p < batch + count; p++) {
        ask_for_more(caches, p);
        for (unsigned i = 0; i <= p->more; i++) {
            DsegCachePlace place = pass(caches, p->line + i, p->fetch);

            words[p->places + place]++;
            words[p->cycles] += caches->path[p->fetch].latency[place];
        }
    }
}

static DsegPassing *batch_of(const DsegCacheQueue *queue, uint64_t number)
{
    return queue->memory + number % queue->batches * DSEG_CACHE_BATCH;
}

void dseg_caches_init_queue(DsegCaches *caches, unsigned batches)
{
    DsegCacheQueue *queue = &caches->queue;

    free(queue->memory);
    queue->memory = dseg_tlb_zeroed(batches * DSEG_CACHE_BATCH *
                                    sizeof(*queue->memory));
    queue->batches = batches;
    queue->batch = batch_of(queue, queue->written);
}

bool dseg_caches_pass_batch(DsegCaches *caches)
{
    DsegCacheQueue *queue = &caches->queue;

    if (!batches_waiting(queue)) {
        return false;
    }
    pass_all(caches, batch_of(queue, queue->passed), DSEG_CACHE_BATCH);
    __atomic_store_n(&queue->passed, queue->passed + 1, __ATOMIC_RELEASE);
    return true;
}

/* There is room for another one then. */
static void pass_here(DsegCaches *caches)
{
    pthread_mutex_lock(&caches->lock);
    dseg_caches_pass_batch(caches);
    pthread_mutex_unlock(&caches->lock);
}

void dseg_caches_end_batch(DsegCaches *caches)
{
    DsegCacheQueue *queue = &caches->queue;

    __atomic_store_n(&queue->written, queue->written + 1, __ATOMIC_RELEASE);
    if (batches_waiting(queue) == queue->batches) {
        pass_here(caches);
    } else {
        dseg_caches_call_helper(caches);
    }
    queue->batch = batch_of(queue, queue->written);
    queue->filled = 0;
}

void dseg_caches_settle(DsegCaches *caches)
{
    DsegCacheQueue *queue = &caches->queue;

    pthread_mutex_lock(&caches->lock);
    while (dseg_caches_pass_batch(caches)) {
    }
    pass_all(caches, queue->batch, queue->filled);
    queue->filled = 0;
    pthread_mutex_unlock(&caches->lock);
}
