/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: one look at all that page tables map in a range, in steps
 */

#include "model/sweep.h"

/* The page or hole at sweep->next, up to the limit; false if that ends it. */
static bool look_up(DsegSweep *sweep)
{
    DsegMapping mapping;
    bool mapped = dseg_tables_lookup(sweep->in_tables, sweep->next, &mapping) ==
                  DSEG_LOOKUP_MAPPED;
    uint64_t page = UINT64_C(1) << mapping.lg_size;
    uint64_t addr = sweep->next;
    uint64_t size = page - (addr & (page - 1));

    if (size > sweep->in_limit - addr) {
        size = sweep->in_limit - addr;
    }
    sweep->next += size;
    return !mapped || sweep->in_visit(sweep->in_opaque, addr, size, &mapping);
}

DsegSwept dseg_sweep_step(DsegSweep *sweep, unsigned lookups)
{
    for (; lookups && sweep->next < sweep->in_limit; lookups--) {
        if (!look_up(sweep)) {
            return DSEG_SWEPT_ENDED;
        }
    }
    return sweep->next < sweep->in_limit ? DSEG_SWEPT_PART : DSEG_SWEPT_ALL;
}
