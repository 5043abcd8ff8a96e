/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz the scan for linear runs: it gets on, in steps of any size it finds the
 * same, and what it finds is what the page tables say
 */

#include "input.h"
#include "model/runs.h"

enum { TABLES = 4, ENTRIES = 512, LOOKUPS = 300 };

typedef uint64_t Memory[TABLES][ENTRIES];

/* Tables repeat, so that whatever an entry points to can be read. */
static bool load(void *opaque, uint64_t addr, unsigned size, uint64_t *value)
{
    uint64_t entry = (*(Memory *)opaque)[addr / 4096 % TABLES][addr % 4096 / 8];

    *value = size == 4 ? (uint32_t)(entry >> (addr & 4) * 8) : entry;
    return true;
}

/* Runs of entries that map consecutive pages, or lead to the same table. */
static void take_tables(Input *in, Memory *memory)
{
    for (unsigned n = 0; n < 16 && in->left; n++) {
        unsigned table = take_below(in, TABLES);
        unsigned first = take_bytes(in, 2) % ENTRIES;
        unsigned count = take_bytes(in, 1) + 1;
        uint64_t entry = (uint64_t)take_bytes(in, 2) << 12 |
                         (take_bytes(in, 1) ^ 7);
        uint64_t step = take_bool(in) ? 4096 : take_bool(in) << 21;

        for (unsigned i = first; i < ENTRIES && i < first + count; i++) {
            (*memory)[table][i] = entry;
            entry += step;
        }
    }
}

static void run(DsegRunSearch *scan, unsigned step)
{
    for (unsigned left = LOOKUPS; left; left -= step) {
        uint64_t before = scan->next;
        bool complete;

        step = step < left ? step : left;
        complete = dseg_runs_step(scan, step);
        assert(complete == (scan->next >= scan->in_limit));
        assert(complete || scan->next >= before + step);
        if (complete) {
            return;
        }
    }
    dseg_runs_end_run(scan);
}

static void check_address(const DsegRunSearch *scan, const DsegRun *found,
                          uint64_t addr)
{
    DsegMapping mapping;

    assert(dseg_tables_lookup(scan->in_tables, addr, &mapping) ==
           DSEG_LOOKUP_MAPPED);
    assert(mapping.addr - addr == found->target - found->base);
    assert(mapping.writable && mapping.user);
    assert(mapping.executable || !scan->in_executable);
}

static void check_results(const DsegRunSearch *scan, uint64_t start)
{
    uint64_t sum = 0;

    assert(scan->out_runs <= scan->in_runs);
    for (unsigned i = 0; i < scan->out_runs; i++) {
        const DsegRun *found = &scan->out_run[i];

        assert(found->size && found->size >= scan->in_min_size);
        assert(found->base >= start);
        assert(found->base + found->size <= scan->in_limit);
        assert(!i || found->size <= found[-1].size);
        check_address(scan, found, found->base);
        check_address(scan, found, found->base + found->size / 2);
        check_address(scan, found, found->base + found->size - 1);
        sum += found->size;
    }
    assert(sum <= scan->out_suitable);
    assert(scan->out_suitable <= scan->out_mapped);
    assert(scan->out_mapped <= scan->next - start);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static Memory memory;
    static DsegRunSearch whole, stepwise;
    Input in = { data, size };
    DsegTables tables = {
        .mode = take_below(&in, DSEG_PAGING_LONG5 + 1),
        .large_pages = take_bool(&in),
        .no_execute = take_bool(&in),
        .phys_bits = take_phys_bits(&in),
        .load = load,
        .opaque = &memory,
    };
    uint64_t start = take_bool(&in) ? 0 : take_edge(&in) & DSEG_PAGE_MASK;
    uint64_t length = take_edge(&in) & DSEG_PAGE_MASK;

    whole = (DsegRunSearch) {
        .in_tables = &tables,
        .in_limit = length < -start ? start + length : DSEG_PAGE_MASK,
        .in_min_size = (uint64_t)take_below(&in, 4) << 12,
        .in_runs = take_bytes(&in, 1) + 1,
        .in_executable = take_bool(&in),
        .next = start,
    };
    stepwise = whole;
    memset(&memory, 0, sizeof(memory));
    take_tables(&in, &memory);

    run(&whole, LOOKUPS);
    check_results(&whole, start);
    run(&stepwise, 1 + size % 7);
    assert(!memcmp(&whole, &stepwise, sizeof(whole)));
    return 0;
}
