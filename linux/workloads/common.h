/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the workloads share: options, the memory they work on, time,
 * a clean end, and a checksum.
 */
#ifndef WORKLOADS_COMMON_H
#define WORKLOADS_COMMON_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* An option without a value that only one workload has. */
struct flag {
    const char *name;
    const char *help;
    bool set;
};

struct options {
    const char *name;     /* of the workload; begins every line it prints */
    uint64_t bytes;       /* size of the work area */
    uint64_t updates;     /* operations in a round */
    uint64_t rounds;      /* 0: until a signal ends it */
    uint64_t seed;
    uint64_t threads;
    uint64_t at;          /* virtual address of the work area */
    uint64_t phys;        /* physical address of it, if has_phys */
    bool has_phys;
    bool primary;         /* the work area is the process's primary region */
    unsigned lg_page;     /* 21 or 30: the work area is huge pages of 2^that bytes */
    struct flag *flag;    /* of this workload only, or NULL */
};

/*
 * Fill in @o, which comes with the workload's name and defaults, from the
 * command line. @what says what the workload does and what an update of it
 * is. A bad option ends the program with an error that names it.
 */
void parse_options(struct options *o, int argc, char **argv, const char *what);

/*
 * The number that the text of an option says; with @sizes it may end in K, M
 * or G.  Anything else ends the program with an error that names the option.
 */
uint64_t parse_number(const struct options *o, const char *option,
                      const char *text, bool sizes);

/* Ends the program with an error if --threads is not 1. */
void require_one_thread(const struct options *o);

/* The work area, mapped and populated; prints the line that says "ready". */
void *map_work_area(const struct options *o);

/* Set by SIGTERM and SIGINT; loops look at it at least every few ms. */
extern volatile sig_atomic_t stop_requested;

/* Lets SIGTERM and SIGINT set it; map_work_area() does so, too. */
void heed_stop_signals(void);

double seconds_now(void);

/* Depends on every word of @words and on its position. */
uint64_t checksum(const uint64_t *words, size_t n);

/*
 * The marker instructions around the updates of a round: what they do between
 * UPDATES_BEGIN and UPDATES_END, or AGAIN_BEGIN and AGAIN_END, is what the
 * workload is about.  The label is FIRST_LABEL + 4 * (round % 4) + phase.
 */
enum phase { UPDATES_BEGIN, UPDATES_END, AGAIN_BEGIN, AGAIN_END };
#define FIRST_LABEL 0x100

void mark(uint64_t round, enum phase phase);

/* What one round did, to be printed in the form that scripts parse. */
struct round {
    uint64_t number;      /* from 1 */
    uint64_t updates;
    double seconds;       /* spent on updates only, not on verification */
    uint64_t checksum;
    uint64_t errors;
};

void print_round(const struct options *o, const struct round *r,
                 const char *metric, double value);

/* Prints the last line; returns the exit code: 0 if every round was right. */
int finish(const struct options *o, uint64_t rounds, uint64_t bad_rounds);

_Noreturn void die(const struct options *o, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
