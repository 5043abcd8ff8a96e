/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * STREAM-style triad: a[i] = b[i] + factor * c[i] over three arrays.
 *
 * The factor differs in each round, so that a round that wrote nothing is
 * noticed. All values are small integers, so that the result is exact.
 */
#include "common.h"

#define BLOCK 65536           /* elements between two looks for a signal */

struct arrays {
    double *a, *b, *c;
    uint64_t n;
};

static double factor(uint64_t round)
{
    return 3 + round % 1000;
}

static void initialise(const struct arrays *s)
{
    for (uint64_t i = 0; i < s->n; i++) {
        s->a[i] = 0;
        s->b[i] = i;
        s->c[i] = i % 1024;
    }
}

static void triad(const struct arrays *s, double f)
{
    for (uint64_t i = 0; i < s->n && !stop_requested; i += BLOCK) {
        uint64_t end = i + BLOCK < s->n ? i + BLOCK : s->n;

        for (uint64_t j = i; j < end; j++) {
            s->a[j] = s->b[j] + f * s->c[j];
        }
    }
}

static uint64_t count_errors(const struct arrays *s, double f)
{
    uint64_t errors = 0;

    for (uint64_t i = 0; i < s->n; i++) {
        errors += s->a[i] != i + f * (i % 1024);
    }
    return errors;
}

int main(int argc, char **argv)
{
    struct options o = {
        .name = "triad", .bytes = 64 << 20, .updates = 10000000,
        .threads = 1, .at = 0x600000000000,
    };
    struct round r = { .number = 1 };
    uint64_t bad_rounds = 0, passes;
    struct arrays s;

    parse_options(&o, argc, argv,
                  "Computes a[i] = b[i] + factor * c[i], three arrays in the work area. A round\n"
                  "makes as many passes over them as --updates elements need.");
    require_one_thread(&o);
    s.n = o.bytes / 3 / sizeof(double);
    s.a = map_work_area(&o);
    s.b = s.a + s.n;
    s.c = s.b + s.n;
    initialise(&s);
    passes = (o.updates + s.n - 1) / s.n;

    for (;;) {
        double begin = seconds_now();

        mark(r.number, UPDATES_BEGIN);
        for (uint64_t pass = 0; pass < passes; pass++) {
            triad(&s, factor(r.number));
        }
        mark(r.number, UPDATES_END);
        r.seconds = seconds_now() - begin;
        if (stop_requested) {
            break;
        }
        r.updates = passes * s.n;
        r.checksum = checksum((const uint64_t *)s.a, s.n);
        r.errors = count_errors(&s, factor(r.number));
        print_round(&o, &r, "mb_per_s",
                    r.updates * 3 * sizeof(double) / r.seconds / 1e6);
        if (r.errors) {
            bad_rounds++;
            initialise(&s);
        }
        if (r.number++ == o.rounds) {
            break;
        }
    }
    return finish(&o, r.number - 1, bad_rounds);
}
