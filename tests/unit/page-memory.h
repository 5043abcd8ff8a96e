/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Physical memory with 4-level page tables, for tests of what reads them: the
 * root is page 0
 */

#ifndef TEST_PAGE_MEMORY_H
#define TEST_PAGE_MEMORY_H

#include <glib.h>
#include <string.h>

#include "model/page-tables.h"

#define P    UINT64_C(0x001)
#define RW   UINT64_C(0x002)
#define US   UINT64_C(0x004)
#define PS   UINT64_C(0x080)
#define NX   (UINT64_C(1) << 63)
#define ALL  (P | RW | US)

#define KIB (UINT64_C(1) << 10)
#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)
#define TIB (UINT64_C(1) << 40)
#define PAGE (4 * KIB)

#define TABLES 64

typedef struct Memory {
    uint64_t entry[TABLES][512];
    unsigned used;
    unsigned loads;
    DsegTables tables;
} Memory;

static bool load(void *opaque, uint64_t addr, unsigned size, uint64_t *value)
{
    Memory *memory = opaque;

    g_assert_cmpuint(size, ==, 8);
    g_assert_cmphex(addr, <, memory->used * PAGE);
    memory->loads++;
    *value = memory->entry[addr / PAGE][addr % PAGE / 8];
    return true;
}

static void make_tables(Memory *memory)
{
    memset(memory, 0, sizeof(*memory));
    memory->used = 1;
    memory->tables = (DsegTables) {
        .mode = DSEG_PAGING_LONG4, .no_execute = true, .phys_bits = 40,
        .load = load, .opaque = memory,
    };
}

/* One page of 2^@lg_size bytes; every table above it grants everything. */
static void map_page(Memory *memory, uint64_t from, uint64_t to,
                     unsigned lg_size, uint64_t flags)
{
    unsigned table = 0;

    for (unsigned shift = 39; shift > lg_size; shift -= 9) {
        uint64_t *entry = &memory->entry[table][from >> shift & 511];

        if (!*entry) {
            g_assert_cmpuint(memory->used, <, TABLES);
            *entry = memory->used++ * PAGE | ALL;
        }
        table = (*entry & ~NX) / PAGE;
    }
    memory->entry[table][from >> lg_size & 511] =
        to | flags | (lg_size > 12 ? PS : 0);
}

#endif
