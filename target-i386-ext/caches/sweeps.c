/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: which pages a program goes through from end to end
 */

#include <string.h>
#include "caches/sweeps.h"

#define NO_WATCH DSEG_WATCHES

static uint64_t page_of(uint64_t va)
{
    return va / DSEG_PAGE_SIZE + 1;
}

static unsigned find(const DsegSweeps *sweeps, uint64_t va)
{
    unsigned found = NO_WATCH;

    for (unsigned i = 0; i < DSEG_WATCHES; i++) {
        if (sweeps->page[i] == page_of(va)) {
            found = i;
        }
    }
    return found;
}

bool dseg_sweeps_has(const DsegSweeps *sweeps, uint64_t va)
{
    return find(sweeps, va) != NO_WATCH;
}

/* A watch is of that page from now on. */
static void set(DsegSweeps *sweeps, unsigned watch, uint64_t page,
                uint8_t before)
{
    sweeps->page[watch] = page;
    sweeps->before[watch] = before;
    sweeps->hits[watch] = 0;
    sweeps->hint = 0;
    for (unsigned i = 0; i < DSEG_WATCHES; i++) {
        if (sweeps->page[i]) {
            sweeps->hint |= UINT64_C(1) << (sweeps->page[i] - 1) % 64;
        }
    }
}

void dseg_sweeps_forget(DsegSweeps *sweeps, uint64_t va)
{
    set(sweeps, find(sweeps, va), 0, 0);
}

void dseg_sweeps_end_all(DsegSweeps *sweeps)
{
    sweeps->hint = 0;
    memset(sweeps->page, 0, sizeof(sweeps->page));
}

static void begin(DsegSweeps *sweeps, uint64_t va, uint8_t before)
{
    dseg_sweeps_end(sweeps, va);
    set(sweeps, sweeps->next, page_of(va), before % DSEG_TRUST);
    sweeps->next = (sweeps->next + 1) % DSEG_WATCHES;
}

void dseg_sweeps_begin(DsegSweeps *sweeps, uint64_t va)
{
    begin(sweeps, va, 0);
}

/* The page of @va is swept. */
static bool sweep(DsegSweeps *sweeps, uint64_t va, uint8_t before)
{
    begin(sweeps, va + DSEG_PAGE_SIZE, before + 1);
    return true;
}

bool dseg_sweeps_miss_watched(DsegSweeps *sweeps, uint64_t va)
{
    unsigned watch = find(sweeps, va);
    uint8_t before = sweeps->before[watch];

    set(sweeps, watch, 0, 0);
    if (va % DSEG_PAGE_SIZE) {
        return false;
    }
    if (before) {
        return sweep(sweeps, va, before);
    }
    begin(sweeps, va, before);
    return false;
}

bool dseg_sweeps_hit_watched(DsegSweeps *sweeps, uint64_t va, uint32_t line)
{
    uint64_t offset = va % DSEG_PAGE_SIZE;
    unsigned watch = find(sweeps, va);
    uint8_t before = sweeps->before[watch];
    bool trust = before && offset == 0;

    /* Who goes through a line byte by byte leaves it after so many. */
    if (!trust && offset < line && ++sweeps->hits[watch] < line) {
        return false;
    }
    set(sweeps, watch, 0, 0);
    return (trust || offset == line) && sweep(sweeps, va, before);
}
