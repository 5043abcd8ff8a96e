/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The rounds of a workload.
 */
#include "rounds.h"

/* False if it was cut short by a signal. */
static bool run_round(const struct options *o, const struct workload *w,
                      void *data, struct round *r)
{
    double begin = seconds_now();

    mark(r->number, UPDATES_BEGIN);
    r->updates = w->work(data, o, r->number);
    mark(r->number, UPDATES_END);
    r->seconds = seconds_now() - begin;
    if (stop_requested) {
        return false;
    }
    r->errors = 0;
    w->check(data, o, r);
    return !stop_requested;
}

int run_rounds(const struct options *o, const struct workload *w, void *data)
{
    struct round r = { .number = 1 };
    uint64_t bad_rounds = 0;

    w->build(data, o);
    while (!stop_requested && run_round(o, w, data, &r)) {
        print_round(o, &r, w->metric, r.updates / r.seconds);
        if (r.errors) {
            bad_rounds++;
            w->build(data, o);
        }
        if (r.number++ == o->rounds) {
            break;
        }
    }
    return finish(o, r.number - 1, bad_rounds);
}
