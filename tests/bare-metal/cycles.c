/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Cycles of modelled caches, as software reads them by CR12 and CR13: with
 * dseg-tlb=sandybridge-ep and its caches, mode exact.
 */
#include "lib/cpu.h"
#include "lib/dseg.h"
#include "lib/tap.h"
#include "lib/vm.h"

#define LEAF 0x44534547
#define FEATURE_CYCLES BIT(5)
#define WALK_CYCLES 7
#define DATA_CYCLES 15
#define L1_LATENCY 4        /* cycles, of that preset */

/* In a GiB that L1's first tables do not map. */
#define VA (4096 * GiB)
#define PAGE_LEAF (PTE_P | PTE_W | PTE_A | PTE_D)

static struct arena arena;

/* All of the loop in one line, so that instructions do not pass in it. */
static void load_often(uint64_t address, uint64_t times)
{
    asm volatile(".p2align 6\n"
                 "1: mov (%1), %%rax\n"
                 "dec %0\n"
                 "jnz 1b" : "+r"(times) : "r"(address) : "rax", "memory");
}

static uint64_t cycles_of_loads(uint64_t times)
{
    uint64_t before = counter(DATA_CYCLES);

    load_often(VA, times);
    return counter(DATA_CYCLES) - before;
}

static void data(void)
{
    uint64_t once;

    case_begin("a load that L1D has takes the latency of L1D");
    cycles_of_loads(1);
    once = cycles_of_loads(1);
    expect("cycles of 1000 more", 1000 * L1_LATENCY,
           cycles_of_loads(1001) - once);
    case_end();
}

/* INVLPG, and a load that walks: its entries have just been used. */
static void walks(void)
{
    uint64_t kind = SELECTOR(0, NATIVE, KERNEL, LOAD);
    uint64_t cycles, refs;

    case_begin("a walk takes the latency of L1D for each entry that L1D has");
    load_often(VA, 1);
    cycles = counter(kind | WALK_CYCLES);
    refs = counter(kind | GUEST_REFS);
    for (unsigned i = 0; i < 100; i++) {
        asm volatile("invlpg (%0)" : : "r"(VA) : "memory");
        load_often(VA, 1);
    }
    refs = counter(kind | GUEST_REFS) - refs;
    expect("references", 400, refs);
    expect("cycles", refs * L1_LATENCY, counter(kind | WALK_CYCLES) - cycles);
    case_end();

    case_begin("walk cycles are summed over regimes, privileges and accesses");
    expect("all", counter(WALK_CYCLES),
           counter(SELECTOR(WALK_CYCLES, NATIVE, ALL_PRIVILEGES, ALL_ACCESSES)));
    expect("native kernel",
           counter(SELECTOR(WALK_CYCLES, NATIVE, KERNEL, ALL_ACCESSES)),
           counter(SELECTOR(WALK_CYCLES, NATIVE, KERNEL, LOAD)) +
           counter(SELECTOR(WALK_CYCLES, NATIVE, KERNEL, STORE)) +
           counter(SELECTOR(WALK_CYCLES, NATIVE, KERNEL, FETCH)));
    case_end();
}

void tests(void)
{
    struct tables tables;

    case_begin("CPUID has counters of cycles");
    expect("EBX, bit 5", FEATURE_CYCLES, cpuid(LEAF, 0).ebx & FEATURE_CYCLES);
    case_end();

    arena = (struct arena) { MEMORY_START, MEMORY_END };
    tables_init_own(&tables, 4, &arena);
    tables_map(&tables, VA, arena_page(&arena), PAGE, 1, PAGE_LEAF);
    write_cr3(tables.root);
    data();
    walks();
}
