/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: which pages a program goes through from end to end
 *
 * Mode inclusive sees one access to such a page, though all of its lines are
 * used.  docs/spec/caches.rst, Sweeps.
 *
 * Plain C: no QEMU headers, so that unit tests can compile it by itself.
 */

#ifndef DSEG_CACHES_SWEEPS_H
#define DSEG_CACHES_SWEEPS_H

#include <stdbool.h>
#include <stdint.h>
#include "model/page-tables.h"

#define DSEG_WATCHES 8

/* Of so many pages one after the other, only one has to show its second line. */
#define DSEG_TRUST 8

/* The pages that are watched. */
typedef struct DsegSweeps {
    /* Bit n: perhaps one whose number modulo 64 is n.  Most are none. */
    uint64_t hint;
    uint64_t page[DSEG_WATCHES];    /* its number + 1; 0: none */
    uint16_t hits[DSEG_WATCHES];    /* that its first line has had */
    uint8_t before[DSEG_WATCHES];   /* pages swept before it, modulo DSEG_TRUST */
    uint8_t next;                   /* where the next watch begins */
} DsegSweeps;

/* dseg_sweeps_is_watched() where the hint does not know. */
bool dseg_sweeps_has(const DsegSweeps *sweeps, uint64_t va);

/* Whether the page of @va is watched: each access to it has to be told of. */
static inline bool dseg_sweeps_is_watched(const DsegSweeps *sweeps, uint64_t va)
{
    return sweeps->hint >> va / DSEG_PAGE_SIZE % 64 & 1 &&
           dseg_sweeps_has(sweeps, va);
}

/* The watch of the page of @va, which is watched, ends. */
void dseg_sweeps_forget(DsegSweeps *sweeps, uint64_t va);

/* The same, if it is watched. */
static inline void dseg_sweeps_end(DsegSweeps *sweeps, uint64_t va)
{
    if (dseg_sweeps_is_watched(sweeps, va)) {
        dseg_sweeps_forget(sweeps, va);
    }
}

/* All watches end. */
void dseg_sweeps_end_all(DsegSweeps *sweeps);

/* dseg_sweeps_miss() and dseg_sweeps_hit() where the page of @va is watched. */
bool dseg_sweeps_miss_watched(DsegSweeps *sweeps, uint64_t va);
bool dseg_sweeps_hit_watched(DsegSweeps *sweeps, uint64_t va, uint32_t line);

/* The page of @va, which is not watched, is from now on: none before it is swept. */
void dseg_sweeps_begin(DsegSweeps *sweeps, uint64_t va);

/*
 * An access to @va has missed L1 of the TLB.  Returns whether the page is swept:
 * then all of its lines pass, and the page behind it is watched from now on.
 */
static inline bool dseg_sweeps_miss(DsegSweeps *sweeps, uint64_t va)
{
    if (dseg_sweeps_is_watched(sweeps, va)) {
        return dseg_sweeps_miss_watched(sweeps, va);
    }
    if (va % DSEG_PAGE_SIZE == 0) {
        dseg_sweeps_begin(sweeps, va);
    }
    return false;
}

/* One has hit it, the same; lines have @line bytes. */
static inline bool dseg_sweeps_hit(DsegSweeps *sweeps, uint64_t va,
                                   uint32_t line)
{
    return dseg_sweeps_is_watched(sweeps, va) &&
           dseg_sweeps_hit_watched(sweeps, va, line);
}

#endif
