/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: the longest linear runs of page tables
 */

#include "model/runs.h"
#include "model/sweep.h"

/* Puts @run where it belongs among the longest, if it is one of them. */
static void keep(DsegRunSearch *scan, const DsegRun *run)
{
    unsigned at = scan->out_runs;

    if (run->size < scan->in_min_size) {
        return;
    }
    while (at > 0 && scan->out_run[at - 1].size < run->size) {
        at--;
    }
    if (at == scan->in_runs) {
        return;
    }
    if (scan->out_runs < scan->in_runs) {
        scan->out_runs++;
    }
    for (unsigned i = scan->out_runs - 1; i > at; i--) {
        scan->out_run[i] = scan->out_run[i - 1];
    }
    scan->out_run[at] = *run;
}

void dseg_runs_end_run(DsegRunSearch *scan)
{
    if (scan->open.size) {
        keep(scan, &scan->open);
    }
    scan->open = (DsegRun){};
}

/* @size bytes at @base are one mapping, or a part of one. */
static void add_mapping(DsegRunSearch *scan, uint64_t base, uint64_t size,
                        const DsegMapping *mapping)
{
    DsegRun *open = &scan->open;

    /* Where there is a hole, the run ends before it. */
    if (open->size && (base != open->base + open->size ||
                       mapping->addr != open->target + open->size)) {
        dseg_runs_end_run(scan);
    }
    if (!open->size) {
        open->base = base;
        open->target = mapping->addr;
    }
    open->size += size;
    open->pages[dseg_page_kind(mapping->lg_size)]++;
    scan->out_suitable += size;
}

static bool is_suitable(const DsegRunSearch *scan, const DsegMapping *mapping)
{
    return mapping->writable && mapping->user &&
           (mapping->executable || !scan->in_executable);
}

static bool visit(void *opaque, uint64_t addr, uint64_t size,
                  const DsegMapping *mapping)
{
    DsegRunSearch *scan = opaque;

    scan->out_mapped += size;
    if (is_suitable(scan, mapping)) {
        add_mapping(scan, addr, size, mapping);
    } else {
        dseg_runs_end_run(scan);
    }
    return true;
}

bool dseg_runs_step(DsegRunSearch *scan, unsigned lookups)
{
    DsegSweep sweep = {
        .in_tables = scan->in_tables,
        .in_limit = scan->in_limit,
        .in_visit = visit,
        .in_opaque = scan,
        .next = scan->next,
    };
    DsegSwept swept = dseg_sweep_step(&sweep, lookups);

    scan->next = sweep.next;
    if (swept == DSEG_SWEPT_PART) {
        return false;
    }
    dseg_runs_end_run(scan);
    return true;
}
