/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz the counter selectors: none that is valid reads outside the counters,
 * and parts add up to the whole
 */

#include <stdlib.h>

#include "input.h"
#include "model/counter-select.h"

/* On the heap, so that the sanitizer sees a read beside them. */
static DsegCounters *take_counters(Input *in)
{
    uint64_t *words = malloc(sizeof(DsegCounters));
    uint64_t word = take_u64(in);

    assert(words);
    for (size_t i = 0; i < sizeof(DsegCounters) / sizeof(*words); i++) {
        word = word * UINT64_C(6364136223846793005) + 1442695040888963407;
        words[i] = word;
    }
    return (DsegCounters *)words;
}

/* The sum over all values of one field equals what its 0 reads. */
static void check_parts(const DsegCounters *counters, uint64_t select,
                        unsigned shift, unsigned values)
{
    uint64_t all = select & ~(UINT64_C(15) << shift & 0xfff);
    uint64_t sum = 0;

    for (uint64_t value = 1; value <= values; value++) {
        assert(dseg_counter_select_valid(all | value << shift));
        sum += dseg_counter_select_read(counters, all | value << shift);
    }
    assert(dseg_counter_select_read(counters, all) == sum);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Input in = { data, size };
    uint64_t select = take_bool(&in) ? take_bytes(&in, 2) & 0xfff
                                     : take_edge(&in);

    if (dseg_counter_select_valid(select)) {
        DsegCounters *counters = take_counters(&in);

        assert(select <= 0xfff && (select & 15) != 15 && (select & 15) != 7);
        assert((select >> 8 & 3) != 3);
        dseg_counter_select_read(counters, select);
        if ((select & 15) < 8) {
            check_parts(counters, select & 0xf0f, 4, 7);
            check_parts(counters, select & 0xcff, 8, 2);
            check_parts(counters, select & 0x3ff, 10, 3);
        }
        free(counters);
    }
    return 0;
}
