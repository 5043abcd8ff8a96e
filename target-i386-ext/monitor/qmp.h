/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: what the monitor commands share
 */

#ifndef I386_DSEG_MONITOR_QMP_H
#define I386_DSEG_MONITOR_QMP_H

#include "hw/core/cpu.h"
#include "cpu/state.h"

/*
 * How many lookups in page tables a CPU may be kept from its guest for, at once:
 * in the worst case, a guest's 5-level tables that lie in 5-level nested ones,
 * each loads 30 entries.
 */
#define X86_DSEG_LOOKUPS_AT_ONCE 2048

/*
 * The CPU with @index, or all: an array of their indices, because a CPU may be
 * unplugged whenever we wait for one: qemu_get_cpu() may be NULL then.  NULL
 * with an error if there is none, or one without direct segments.
 */
GArray *x86_dseg_cpus(bool has_cpu, int64_t index, Error **errp);

/*
 * Whether all CPUs are asked for where there are none (-machine none): then a
 * query's answer is an empty list.
 */
static inline bool x86_dseg_no_cpus(bool has_cpu)
{
    return !has_cpu && !first_cpu;
}

/* Calls @fn on the thread of that CPU; false if it has gone. */
bool x86_dseg_on_cpu(int index, run_on_cpu_func fn, void *opaque);

/* The same with an error, for a CPU that the command is for. */
bool x86_dseg_on_this_cpu(int index, run_on_cpu_func fn, void *opaque,
                          Error **errp);

/* Calls @fn on the threads of @cpus, one after the other. */
void x86_dseg_on_each(GArray *cpus, run_on_cpu_func fn, void *opaque);

/* The same for the CPU with @index, or all; an error as x86_dseg_cpus(). */
void x86_dseg_on_cpus(bool has_cpu, int64_t index, run_on_cpu_func fn,
                      void *opaque, Error **errp);

/* @counters, of the CPU with that index, for QMP. */
X86DsegWalks *x86_dseg_describe_walks(int index, const DsegCounters *counters);

/* The state of @tlb that @snapshot has, for QMP. */
X86DsegTlbInfo *x86_dseg_describe_tlb(const X86DsegTlb *tlb,
                                      const X86DsegTlbSnapshot *snapshot);

/* Modelled caches, for QMP: their geometry, and the state in @snapshot. */
X86DsegCacheHierarchy *
x86_dseg_describe_caches_geometry(const DsegCachesGeometry *geometry);
X86DsegCachesInfo *
x86_dseg_describe_caches(const DsegCachesGeometry *geometry,
                         const X86DsegTlbSnapshot *snapshot);

/* The arguments of a QMP command that say where something is in force. */
typedef struct X86DsegScope {
    bool has_cr3;
    uint64_t cr3;
    bool has_world;
    X86DsegWorld world;
    bool has_nested_cr3;
    uint64_t nested_cr3;
} X86DsegScope;

/*
 * Sets all of *@out but its segment by @scope, for level @level on @cpus; false
 * with an error that names the argument and the rule that it breaks.
 */
bool x86_dseg_scope(GArray *cpus, X86DsegLevel level,
                    const X86DsegScope *scope, X86DsegScoped *out,
                    Error **errp);

/* What a CPU has counted; cycles are 0 if no caches are modelled. */
typedef struct X86DsegCounts {
    DsegCounters walks;
    DsegCycles cycles;
} X86DsegCounts;

/*
 * Copies the counters of the CPU with @index, as of one moment between two
 * instructions; false if it has gone.
 */
bool x86_dseg_snapshot(int index, X86DsegCounts *counts);

#endif
