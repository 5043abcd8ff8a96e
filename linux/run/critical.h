/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One thread at a time, whatever else the program does
 *
 * Signals are blocked inside, so that their handlers can do what the thread
 * that they interrupt is at. The lock is in memory that is zero in forked
 * children (MADV_WIPEONFORK), however they are made: whoever held it is not in
 * that process. A process that shares the memory (CLONE_VM) may be killed while
 * it holds the lock: the next one has it then.
 *
 * So what the lock protects must be right at any moment.
 */
#ifndef RUN_CRITICAL_H
#define RUN_CRITICAL_H

#include <stdbool.h>
#include <stdint.h>

/* What there is to restore. */
struct signals {
    uint64_t mask;
};

/* Before the first critical_enter(), once. Returns 0 or errno. */
int critical_init(void);

void critical_enter(struct signals *before);
void critical_leave(const struct signals *before);

/* Whether this process is a forked child of the one of critical_init(). */
bool critical_in_child(void);

/* Signals alone. */
void signals_block(struct signals *before);
void signals_restore(const struct signals *before);

#endif
