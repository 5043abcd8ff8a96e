/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: the state of one virtual CPU
 *
 * Everything here belongs to the CPU's own thread; others come in by
 * run_on_cpu().
 */

#ifndef I386_DSEG_STATE_H
#define I386_DSEG_STATE_H

#include "qapi/qapi-types-x86-dseg.h"
#include "dseg.h"
#include "counters.h"
#include "filter.h"
#include "segment.h"

/* A page-table root that something belongs to, or any. */
typedef struct X86DsegRoot {
    uint64_t addr;
    uint64_t mask;  /* 0 for any */
} X86DsegRoot;

static inline bool x86_dseg_root_matches(const X86DsegRoot *root, uint64_t cr3)
{
    return !((root->addr ^ cr3) & root->mask);
}

/* A segment that the monitor has set, and where it is in force. */
typedef struct X86DsegScoped {
    DsegSegment segment;
    X86DsegWorld world;     /* level vmm: always nested */
    X86DsegRoot cr3;        /* level guest */
    X86DsegRoot nested_cr3;
} X86DsegScoped;

/* What the monitor owns: no world switch or reset touches it. */
typedef struct X86DsegMonitorOwned {
    X86DsegScoped guest;
    X86DsegScoped vmm;
    DsegEscapes escapes;
} X86DsegMonitorOwned;

/* What the walker carries along. */
struct X86DsegWalk {
    CPUX86State *env;
    bool nested_dimension;      /* it walks the nested tables for one gPA */
    DsegPaging nested_mode;     /* paging mode of the nested tables */
    const DsegSegment *guest;   /* the segments in force, or NULL */
    const DsegSegment *vmm;
    DsegWalk cost;
};

struct X86DsegState {
    X86DsegMonitorOwned monitor;
    X86DsegWalk guest_walk;
    X86DsegWalk nested_walk;
    DsegCounters counters;
};

/* MAXPHYADDR of the CPU, and the width of its canonical addresses. */
unsigned x86_dseg_phys_bits(CPUX86State *env);
unsigned x86_dseg_virt_bits(CPUX86State *env);

#endif
