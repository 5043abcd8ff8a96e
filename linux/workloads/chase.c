/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pointer chase: each load's address is the result of the load before it.
 *
 * The work area is an array of cache lines linked into one random cycle
 * (Sattolo's algorithm). Every line also holds its own index, and each step
 * checks that it arrived where the link pointed to. The links themselves are
 * checked by the checksum, which must stay what it was at first.
 */
#include "common.h"
#include "numbers.h"

#define STEPS_BETWEEN_STOP_CHECKS 65536

struct line {
    uint64_t next;        /* index of the line to go to */
    uint64_t self;
    uint64_t padding[6];
};

static void initialise(struct line *lines, uint64_t n, uint64_t seed)
{
    for (uint64_t i = 0; i < n; i++) {
        lines[i] = (struct line){ .next = i, .self = i };
    }
    for (uint64_t i = n - 1; i > 0; i--) {
        uint64_t j = random_number(&seed) % i;
        uint64_t next = lines[i].next;

        lines[i].next = lines[j].next;
        lines[j].next = next;
    }
}

/* Take @steps steps from *@position; returns how many arrived wrong. */
static uint64_t chase(const struct line *lines, uint64_t n, uint64_t *position,
                      uint64_t steps)
{
    uint64_t at = *position;
    uint64_t errors = 0;

    for (uint64_t done = 0; done < steps; done++) {
        uint64_t next = lines[at].next;

        if (next >= n || lines[next].self != next) {
            errors++;
            next = (at + 1) % n;
        }
        at = next;
        if (done % STEPS_BETWEEN_STOP_CHECKS == 0 && stop_requested) {
            break;
        }
    }
    *position = at;
    return errors;
}

int main(int argc, char **argv)
{
    struct options o = {
        .name = "chase", .bytes = 64 << 20, .updates = 2000000,
        .threads = 1, .at = 0x600000000000,
    };
    struct round r = { .number = 1 };
    uint64_t position = 0, bad_rounds = 0, words, n, expected;
    struct line *lines;

    parse_options(&o, argc, argv,
                  "Follows a random cycle of pointers through the work area. A round takes\n"
                  "--updates steps and goes on where the last one ended.");
    require_one_thread(&o);
    lines = map_work_area(&o);
    words = o.bytes / sizeof(uint64_t);
    n = o.bytes / sizeof(*lines);
    initialise(lines, n, o.seed);
    expected = checksum(&lines->next, words);

    for (;;) {
        double begin = seconds_now();

        r.updates = o.updates;
        mark(r.number, UPDATES_BEGIN);
        r.errors = chase(lines, n, &position, o.updates);
        mark(r.number, UPDATES_END);
        r.seconds = seconds_now() - begin;
        if (stop_requested) {
            break;
        }
        r.checksum = checksum(&lines->next, words);
        r.errors += r.checksum != expected;
        print_round(&o, &r, "ns_per_step", r.seconds * 1e9 / r.updates);
        if (r.errors) {
            bad_rounds++;
            initialise(lines, n, o.seed);
        }
        if (r.number++ == o.rounds) {
            break;
        }
    }
    return finish(&o, r.number - 1, bad_rounds);
}
