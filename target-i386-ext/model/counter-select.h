/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: the counter that CR12 selects and CR13 reads
 *
 * The encoding is that of docs/spec/counters.rst.
 *
 * Plain C: no QEMU headers, so that unit tests can compile it by itself.
 */

#ifndef DSEG_MODEL_COUNTER_SELECT_H
#define DSEG_MODEL_COUNTER_SELECT_H

#include <stdbool.h>
#include "model/counters.h"

/* Whether CR12 can be @select. */
bool dseg_counter_select_valid(uint64_t select);

/*
 * The sum of all the counters that @select, which is valid, stands for.
 * @cycles is NULL where no caches are modelled: they are 0.
 */
uint64_t dseg_counter_select_read(const DsegCounters *counters,
                                  const DsegCycles *cycles, uint64_t select);

#endif
