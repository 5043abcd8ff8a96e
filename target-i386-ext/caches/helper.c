/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: a thread that has what waits pass the caches
 *
 * The CPU goes on meanwhile.  The order is that of the queue, whoever takes from
 * it, so the counts are the same with this thread and without.
 */

#include <signal.h>
#include "caches/inside.h"

/* To be called costs more than what waits in a few batches. */
#define BATCHES 256
#define WORTH_A_CALL (BATCHES / 2)

static bool sleeps(DsegCacheHelper *helper)
{
    return __atomic_load_n(&helper->sleeps, __ATOMIC_RELAXED);
}

/* A call that comes just before it sleeps is lost: there will be another one. */
static void wait_for_call(DsegCaches *caches)
{
    DsegCacheHelper *helper = &caches->helper;

    __atomic_store_n(&helper->sleeps, true, __ATOMIC_RELAXED);
    pthread_cond_wait(&helper->call, &caches->lock);
    __atomic_store_n(&helper->sleeps, false, __ATOMIC_RELAXED);
}

static void *help(void *opaque)
{
    DsegCaches *caches = opaque;

    pthread_mutex_lock(&caches->lock);
    while (!caches->helper.ends) {
        if (!dseg_caches_pass_batch(caches)) {
            wait_for_call(caches);
        }
        /* Who wants to read counts need not wait for more than a batch. */
        pthread_mutex_unlock(&caches->lock);
        pthread_mutex_lock(&caches->lock);
    }
    pthread_mutex_unlock(&caches->lock);
    return NULL;
}

bool dseg_caches_help(DsegCaches *caches)
{
    DsegCacheHelper *helper = &caches->helper;
    sigset_t all, before;

    dseg_caches_settle(caches);
    dseg_caches_init_queue(caches, BATCHES);
    /* Signals are for the program's own threads. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_cond_init(&helper->call, NULL);
    helper->there = !pthread_create(&helper->thread, NULL, help, caches);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return helper->there;
}

void dseg_caches_call_helper(DsegCaches *caches)
{
    if (caches->helper.there &&
        batches_waiting(&caches->queue) >= WORTH_A_CALL &&
        sleeps(&caches->helper)) {
        pthread_cond_signal(&caches->helper.call);
    }
}

void dseg_caches_end_helper(DsegCaches *caches)
{
    DsegCacheHelper *helper = &caches->helper;

    if (!helper->there) {
        return;
    }
    pthread_mutex_lock(&caches->lock);
    helper->ends = true;
    pthread_cond_signal(&helper->call);
    pthread_mutex_unlock(&caches->lock);
    pthread_join(helper->thread, NULL);
    pthread_cond_destroy(&helper->call);
    helper->there = false;
}
