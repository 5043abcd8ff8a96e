/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * HPCC-style RandomAccess: giga-updates per second.
 *
 * A table of 64-bit words, T[i] = i at first, is updated by
 * T[r & (n - 1)] ^= r for a sequence r of pseudo-random numbers. Applying the
 * same sequence again undoes it, which is how a round is verified: every word
 * must be back at T[i] == i. The sequence is HPCC's: a linear feedback shift
 * register for the polynomial x^63 + x^2 + x + 1, advanced to any place in it
 * by jump_ahead(). Each thread has its own part of the table and its own part
 * of the sequence, so that the result is exact with any number of threads.
 */
#define _GNU_SOURCE
#include "common.h"

#include <pthread.h>
#include <sched.h>
#include <sys/sysinfo.h>

#define POLYNOMIAL 7
#define PERIOD 1317624576693539401ull
#define MAX_THREADS 64
#define UPDATES_BETWEEN_STOP_CHECKS 65536

struct part {
    pthread_t thread;
    uint64_t *table;
    uint64_t words;
    uint64_t start;       /* index in the sequence of the first update */
    uint64_t updates;
};

static inline uint64_t next(uint64_t r)
{
    return (r << 1) ^ ((int64_t)r < 0 ? POLYNOMIAL : 0);
}

/* The number that follows 1 after @steps steps, by squaring. */
static uint64_t jump_ahead(uint64_t steps)
{
    uint64_t square[64];        /* square[j]: bit j, advanced as r is squared */
    uint64_t r = 1;

    for (unsigned j = 0; j < 64; j++) {
        square[j] = j ? next(next(square[j - 1])) : 1;
    }
    steps %= PERIOD;
    for (int bit = 63; bit >= 0; bit--) {
        uint64_t squared = 0;

        for (unsigned j = 0; j < 64; j++) {
            squared ^= r >> j & 1 ? square[j] : 0;
        }
        r = steps >> bit & 1 ? next(squared) : squared;
    }
    return r;
}

static void *update_part(void *opaque)
{
    struct part *p = opaque;
    uint64_t *table = p->table;
    uint64_t mask = p->words - 1;
    uint64_t r = jump_ahead(p->start);
    uint64_t left = p->updates;

    while (left && !stop_requested) {
        uint64_t now = left < UPDATES_BETWEEN_STOP_CHECKS
                       ? left : UPDATES_BETWEEN_STOP_CHECKS;

        left -= now;
        while (now--) {
            r = next(r);
            table[r & mask] ^= r;
        }
    }
    return NULL;
}

/*
 * Several threads run on a CPU each, as far as there are CPUs: so every CPU
 * has walks to count.  The scheduler alone may leave all on one for a round.
 */
static void pin_thread(pthread_t thread, unsigned t)
{
    cpu_set_t cpus;

    CPU_ZERO(&cpus);
    CPU_SET(t % get_nprocs(), &cpus);
    pthread_setaffinity_np(thread, sizeof(cpus), &cpus);
}

/* Apply every part's updates; returns the seconds it took. */
static double update_table(struct part *parts, unsigned n)
{
    double begin = seconds_now();

    for (unsigned t = 1; t < n; t++) {
        pthread_create(&parts[t].thread, NULL, update_part, &parts[t]);
        pin_thread(parts[t].thread, t);
    }
    if (n > 1) {
        pin_thread(pthread_self(), 0);
    }
    update_part(&parts[0]);
    for (unsigned t = 1; t < n; t++) {
        pthread_join(parts[t].thread, NULL);
    }
    return seconds_now() - begin;
}

static void initialise(uint64_t *table, uint64_t words)
{
    for (uint64_t i = 0; i < words; i++) {
        table[i] = i;
    }
}

static uint64_t count_errors(const uint64_t *table, uint64_t words)
{
    uint64_t errors = 0;

    for (uint64_t i = 0; i < words; i++) {
        errors += table[i] != i;
    }
    return errors;
}

static void plan_round(const struct options *o, uint64_t *table,
                       struct part *parts, uint64_t round)
{
    uint64_t words = o->bytes / sizeof(*table) / o->threads;
    uint64_t updates = o->updates / o->threads;

    for (unsigned t = 0; t < o->threads; t++) {
        parts[t].table = table + t * words;
        parts[t].words = words;
        parts[t].start = o->seed + ((round - 1) * o->threads + t) * updates;
        parts[t].updates = updates;
    }
}

/* One round, there and back; false if it was cut short by a signal. */
static bool run_round(const struct options *o, uint64_t *table, struct round *r)
{
    uint64_t words = o->bytes / sizeof(*table);
    struct part parts[MAX_THREADS];

    plan_round(o, table, parts, r->number);
    r->updates = 2 * o->updates;
    mark(r->number, UPDATES_BEGIN);
    r->seconds = update_table(parts, o->threads);
    mark(r->number, UPDATES_END);
    r->checksum = checksum(table, words);
    mark(r->number, AGAIN_BEGIN);
    r->seconds += update_table(parts, o->threads);
    mark(r->number, AGAIN_END);
    if (stop_requested) {
        return false;
    }
    r->errors = count_errors(table, words);
    return true;
}

static void check_gups_options(const struct options *o)
{
    if (o->bytes & (o->bytes - 1)) {
        die(o, "--bytes: must be a power of two");
    }
    if (!o->threads || o->threads > MAX_THREADS ||
        o->threads & (o->threads - 1)) {
        die(o, "--threads: must be a power of two from 1 to %d", MAX_THREADS);
    }
    if (o->updates % o->threads) {
        die(o, "--updates: must be a multiple of --threads");
    }
}

int main(int argc, char **argv)
{
    struct options o = {
        .name = "gups", .bytes = 64 << 20, .updates = 1000000,
        .threads = 1, .at = 0x600000000000,
    };
    struct round r = { .number = 1 };
    uint64_t bad_rounds = 0;
    uint64_t *table;

    parse_options(&o, argc, argv,
                  "HPCC-style random updates of a table of 64-bit words. A round applies\n"
                  "--updates of them, then the same ones again, which must restore the table.");
    check_gups_options(&o);
    table = map_work_area(&o);
    initialise(table, o.bytes / sizeof(*table));

    while (run_round(&o, table, &r)) {
        print_round(&o, &r, "updates_per_s", r.updates / r.seconds);
        if (r.errors) {
            bad_rounds++;
            initialise(table, o.bytes / sizeof(*table));
        }
        if (r.number++ == o.rounds) {
            break;
        }
    }
    return finish(&o, r.number - 1, bad_rounds);
}
