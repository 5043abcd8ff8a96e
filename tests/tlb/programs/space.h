/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the programs of the suite "tlb" share, on the runtime of bare-metal:
 * address spaces, memory to map, random numbers, accesses, and the region that
 * is measured. No program takes an interrupt or a fault in it.
 *
 * Physical memory: page tables from 8 MiB on, frames to map from FRAMES on.
 */
#ifndef TLB_SPACE_H
#define TLB_SPACE_H

#include "lib/cpu.h"
#include "lib/memory.h"
#include "lib/tables.h"
#include "../../../linux/include/dseg.h"

#define REGION_BEGIN() DSEG_MARK(1)
#define REGION_END() DSEG_MARK(2)

#define PTE_G BIT(8)
#define CR4_PGE BIT(7)
#define CR4_PCIDE BIT(17)
#define LEAF (PTE_P | PTE_W | PTE_A | PTE_D)
#define MiB2 (2 * MiB)

/* 2 MiB of memory that accesses may change, and that nobody else uses. */
#define FRAMES (32 * MiB)
#define FRAMES_SIZE MiB2

/* Where programs map data: far from the 1:1 mapping of the runtime. */
#define DATA (1024 * GiB)

/* Make tables that map the first 64 MiB 1:1 by pages of 2 MiB, with flags. */
void space_init(struct tables *tables, uint64_t flags);

/*
 * Map pages of that level at an address to FRAMES; those of 4K take turns. In a
 * guest's tables that is the gPA of FRAMES.
 */
void space_map(struct tables *tables, uint64_t address, unsigned pages,
               unsigned level, uint64_t flags);

/* Where new tables come from; it starts anew with each program. */
extern struct arena table_arena;

static inline void space_enter(const struct tables *tables)
{
    write_cr3(tables->root);
}

static inline uint64_t load(uint64_t address)
{
    return *(volatile uint64_t *)address;
}

static inline void store(uint64_t address, uint64_t value)
{
    *(volatile uint64_t *)address = value;
}

static inline void invlpg(uint64_t address)
{
    asm volatile("invlpg (%0)" : : "r"(address) : "memory");
}

static inline void invlpga(uint64_t address, uint32_t asid)
{
    asm volatile("invlpga %0, %1" : : "a"(address), "c"(asid) : "memory");
}

/* The same numbers in each run, below "limit". */
static inline uint64_t random_below(uint64_t *state, uint64_t limit)
{
    *state = *state * 6364136223846793005ull + 1442695040888963407ull;
    return (*state >> 33) % limit;
}

/* A load, or one time in four a store. */
static inline void random_access(uint64_t *state, uint64_t address)
{
    if (random_below(state, 4)) {
        load(address);
    } else {
        store(address, *state);
    }
}

#endif
