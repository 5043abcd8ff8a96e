/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The rounds of a workload: its measured work, and then a check of what came
 * out.
 */
#ifndef WORKLOADS_ROUNDS_H
#define WORKLOADS_ROUNDS_H

#include "common.h"

/*
 * What a workload does, on @data of its own.  Each of it may give up when
 * stop_requested is set: the round then does not count.
 */
struct workload {
    /* Make the input; once, and again after a round that was wrong. */
    void (*build)(void *data, const struct options *o);
    /* What is measured, and between the markers; returns the updates. */
    uint64_t (*work)(void *data, const struct options *o, uint64_t round);
    /* Fill in the checksum and the errors of the round. */
    void (*check)(void *data, const struct options *o, struct round *r);
    const char *metric;   /* how updates per second are called */
};

/* Whether to give up, in a loop that is at @i: looks now and then only. */
static inline bool stop_at(uint64_t i)
{
    return i % 1024 == 0 && stop_requested;
}

/* All rounds that @o asks for; returns the exit code. */
int run_rounds(const struct options *o, const struct workload *w, void *data);

#endif
