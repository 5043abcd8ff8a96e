/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: the state of one virtual CPU
 *
 * Everything here belongs to the CPU's own thread; others come in by
 * run_on_cpu().
 */

#ifndef I386_DSEG_CPU_STATE_H
#define I386_DSEG_CPU_STATE_H

#include "qapi/qapi-types-x86-dseg.h"
#include "dseg.h"
#include "model/counters.h"
#include "model/filter.h"
#include "model/registers.h"
#include "model/segment.h"
#include "cpu/inclusion.h"
#include "model/record.h"

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
    DsegPagingMode guest_mode;      /* paging modes of the tables of both */
    DsegPagingMode nested_mode;
    const DsegSegment *guest;   /* the segments in force, or NULL */
    const DsegSegment *vmm;
    const DsegEscapes *escapes; /* those of the owner of @vmm */
    bool escapes_unknown;       /* @escapes does not list all of them */
    X86DsegDebug *debug;        /* NULL: for an access */
    bool hit;                   /* a segment translates @addr to @to */
    bool global;                /* G of the leaf */
    bool store;                 /* D of all leaves, and W of all entries */
    uint8_t lg_page_size;       /* of the smaller page of both dimensions */
    uint8_t lg_mapping;         /* of that of the first; 0: it has none */
    uint64_t addr;
    uint64_t to;
    DsegCost cost;
    DsegTlbWalk caches;         /* for walk caches: the gPAs so far, */
    DsegNestedHow how[DSEG_TLB_MAX_GPAS];   /* and how they were translated */
};

/* What a debug translation carries along. */
struct X86DsegDebug {
    DsegRecord *record;           /* where to record it, or NULL */
    bool no_guest_segment;      /* as if none were in force */
    bool no_vmm_segment;
    X86DsegWalk guest_walk;
    X86DsegWalk nested_walk;
};

/* All of DsegCounters are uint64_t. */
#define X86_DSEG_COUNTERS (sizeof(DsegCounters) / sizeof(uint64_t))

struct X86DsegState {
    DsegRegisters registers;
    bool control_is_guests;     /* VMRUN has loaded registers.control */
    X86DsegMonitorOwned monitor;
    X86DsegWalk guest_walk;
    X86DsegWalk nested_walk;
    union {
        DsegCounters counters;
        uint64_t counter_words[X86_DSEG_COUNTERS]; /* for vmstate.c */
    };
    GHashTable *markers;        /* by label; see marker.c */
    X86DsegTlb *tlb;            /* NULL: a walk is a fill of QEMU's own */
    int64_t last_mismatch;      /* when an event told of one, in ns */
};

/*
 * Compares @walk, in which a segment has translated an address, with page
 * tables; see verify.c.
 */
void x86_dseg_verify(const X86DsegWalk *walk, MMUAccessType access_type,
                     int mmu_idx);

/* A walk counts; @mmu_idx is one of data. */
void x86_dseg_count_walk(X86DsegWalk *walk, MMUAccessType access_type,
                         int mmu_idx);

/* A record of the nested translation of one gPA starts. */
void x86_dseg_record_nested(CPUX86State *env, DsegRecord *record);

/*
 * MAXPHYADDR of the CPU, and the width of its canonical addresses: the widest
 * that it has, and that of now.
 */
unsigned x86_dseg_phys_bits(CPUX86State *env);
unsigned x86_dseg_virt_bits(CPUX86State *env);
unsigned x86_dseg_virt_bits_now(CPUX86State *env);

/*
 * Writes a register as software would; the address space is flushed.  False if
 * @value breaks a rule; nothing changes then.
 */
bool x86_dseg_set_cr(CPUX86State *env, unsigned cr, uint64_t value);
bool x86_dseg_set_msr(CPUX86State *env, uint32_t msr, uint64_t value);

/* Reads a control register, CR9 to CR13, as software would. */
uint64_t x86_dseg_get_cr(CPUX86State *env, unsigned cr);

/* Whose translations the CPU uses now, for its modelled TLB. */
static inline DsegTlbSpace x86_dseg_tlb_space(CPUX86State *env)
{
    return (DsegTlbSpace) {
        .asid = env->dseg->tlb->asid,
        .pcid = env->cr[4] & CR4_PCIDE_MASK ? env->cr[3] & CR3_PCID_MASK : 0,
    };
}

/* Whether the CPU is in guest mode with nested paging now. */
static inline bool x86_dseg_in_guest(CPUX86State *env)
{
    return (env->hflags & HF_GUEST_MASK) && (env->hflags2 & HF2_NPT_MASK);
}

/* Whether the CPU has a VMM segment: it needs nested paging. */
bool x86_dseg_has_vmm(CPUX86State *env);

/* Forgets the snapshots that marker instructions have taken. */
void x86_dseg_forget_markers(X86DsegState *dseg);

/* gdb's view of the registers. */
void x86_dseg_gdb_init(CPUState *cs);

#endif
