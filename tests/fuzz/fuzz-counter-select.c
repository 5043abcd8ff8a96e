/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz the counter selectors: none that is valid reads outside the counters,
 * and parts add up to the whole
 */

#include <stdlib.h>

#include "input.h"
#include "model/counter-select.h"

/* What CR13 may read. */
typedef struct All {
    DsegCounters counters;
    DsegCycles cycles;
} All;

/* On the heap, so that the sanitizer sees a read beside them. */
static All *take_counters(Input *in)
{
    uint64_t *words = malloc(sizeof(All));
    uint64_t word = take_u64(in);

    assert(words);
    for (size_t i = 0; i < sizeof(All) / sizeof(*words); i++) {
        word = word * UINT64_C(6364136223846793005) + 1442695040888963407;
        words[i] = word;
    }
    return (All *)words;
}

static uint64_t read_count(const All *all, uint64_t select)
{
    return dseg_counter_select_read(&all->counters, &all->cycles, select);
}

/* The sum over all values of one field equals what its 0 reads. */
static void check_parts(const All *all_counters, uint64_t select,
                        unsigned shift, unsigned values)
{
    uint64_t all = select & ~(UINT64_C(15) << shift & 0xfff);
    uint64_t sum = 0;

    for (uint64_t value = 1; value <= values; value++) {
        assert(dseg_counter_select_valid(all | value << shift));
        sum += read_count(all_counters, all | value << shift);
    }
    assert(read_count(all_counters, all) == sum);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Input in = { data, size };
    uint64_t select = take_bool(&in) ? take_bytes(&in, 2) & 0xfff
                                     : take_edge(&in);

    if (dseg_counter_select_valid(select)) {
        All *counters = take_counters(&in);

        assert(select <= 0xfff);
        assert((select >> 8 & 3) != 3);
        read_count(counters, select);
        if ((select & 15) < 8) {
            check_parts(counters, select & 0xf0f, 4, 7);
            check_parts(counters, select & 0xcff, 8, 2);
            check_parts(counters, select & 0x3ff, 10, 3);
        }
        free(counters);
    }
    return 0;
}
