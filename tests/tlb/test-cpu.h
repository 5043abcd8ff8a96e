/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A simulator under test, and what its CPU does in small page tables. */
#ifndef TEST_CPU_H
#define TEST_CPU_H

#include <glib.h>
#include <string.h>

#include "geometry.h"

#define EXPECT(expected, got) g_assert_cmpuint(got, ==, expected)
#define CACHE(number) s.passing.caches.cache[CACHE_##number]

#define PAGE 0x1000ull
#define MiB 0x100000ull
#define GiB 0x40000000ull
#define RAM (16 * MiB)
#define ROOT 0x1000ull          /* CR3 */
#define NESTED_ROOT 0x2000ull   /* nCR3 */
#define DATA 0x200000ull        /* hPA and gPA where all data is */

#define P 1ull
#define W 2ull
#define PS 0x80ull
#define D 0x40ull
#define G 0x100ull
#define LEAF (P | W | D | 0x20)

#define CR0_PAGING 0x80010001ull
#define CR4_PAE 0x20ull
#define CR4_PGE 0x80ull
#define CR4_PCIDE 0x20000ull
#define EFER_LONG 0x500ull

static struct simulator s;
static struct trace_state now;
static uint64_t next_table;

static inline void operation(uint8_t which, uint64_t address, uint64_t value0,
                             uint64_t value1)
{
    struct trace_record record = {
        .type = TRACE_OPERATION, .operation = which, .address = address,
        .value = { value0, value1 },
    };

    simulator_operation(&s, &record, &now);
    g_assert_null(s.error);
}

static inline uint64_t *entry_at(uint64_t hpa)
{
    return (uint64_t *)(s.world.ram + hpa);
}

/* Map a page of 4 KiB << 9 * (level - 1) in the tables at a root. */
static inline uint64_t *map_from(uint64_t root, uint64_t address, uint64_t to,
                                 unsigned level, uint64_t flags)
{
    uint64_t table = root;

    for (unsigned at = 4;; at--) {
        uint64_t *entry = entry_at(
            table + 8 * (address >> (12 + 9 * (at - 1)) & 511));

        if (at == level) {
            *entry = to | flags | (level > 1 ? PS : 0);
            return entry;
        }
        if (!*entry) {
            *entry = next_table | P | W | 4;
            next_table += PAGE;
        }
        table = *entry & ~0xfffull;
    }
}

static inline uint64_t *map(uint64_t address, unsigned level, uint64_t flags)
{
    return map_from(ROOT, address, level == 3 ? 0 : DATA, level, flags);
}

static inline void map_nested(uint64_t gpa, uint64_t hpa, unsigned level)
{
    map_from(NESTED_ROOT, gpa, hpa, level, LEAF | 4);
}

/* 16 pages at 0: hPA DATA each. Paging, PGE; counts are 0. */
static inline void start(const char *geometry)
{
    s = (struct simulator) { 0 };
    g_assert_null(geometry_parse(&s, geometry));
    g_assert_null(simulator_init(&s, RAM));
    next_table = 0x10000;
    for (uint64_t page = 0; page < 16; page++) {
        map(page * PAGE, 1, LEAF);
    }
    now = (struct trace_state) {
        .cr0 = CR0_PAGING, .cr3 = ROOT, .cr4 = CR4_PAE | CR4_PGE,
        .efer = EFER_LONG,
    };
    operation(OPERATION_MOV_CR0, 0, 0, 0);
    simulator_begin(&s);
}

static inline void load(uint64_t address)
{
    simulator_load(&s, address, 1);
}

static inline void store(uint64_t address)
{
    simulator_store(&s, address, 1, "");
}

static inline void load_pages(unsigned first, unsigned last)
{
    for (unsigned page = first; page <= last; page++) {
        load(page * PAGE);
    }
}

/* Into guest mode; its tables map 16 pages, gPA = DATA. */
static inline void vmrun(unsigned asid, unsigned control)
{
    map_nested(0, 0, 2);
    map_nested(DATA, DATA, 2);
    now.asid = asid;
    now.nested = 1;
    now.ncr3 = NESTED_ROOT;
    operation(OPERATION_VMRUN, 0, control, 0);
}

static inline void vmexit(void)
{
    now.asid = now.nested = now.ncr3 = 0;
    operation(OPERATION_VMEXIT, 0, 0, 0);
}

#endif
