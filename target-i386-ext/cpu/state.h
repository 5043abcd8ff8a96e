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

/*
 * One walk, of one dimension: of the guest's (or native) page tables, or of the
 * nested ones for one gPA.  The walker of QEMU carries it from hook to hook.
 *
 * A walk starts with x86_dseg_do_guest_walk() or x86_dseg_do_nested_walk().
 * x86_dseg_do_leaf() asks the segments, and again whenever it starts over.  The
 * other hooks add what has been found meanwhile.  x86_dseg_do_done() ends it.
 */
struct X86DsegWalk {
    /* Set when the walk starts. */
    CPUX86State *env;
    X86DsegDebug *debug;        /* NULL: for an access, which counts */
    bool nested_dimension;      /* it walks the nested tables for one gPA */
    DsegPagingMode nested_mode; /* of the nested tables; guest dimension */
    const DsegSegment *guest;   /* the guest segment in force, or NULL */
    const DsegSegment *vmm;     /* the VMM segment in force, or NULL */
    const DsegEscapes *escapes; /* those of the owner of @vmm */
    bool escapes_unknown;       /* @escapes does not list all of them */

    /* Set by x86_dseg_do_leaf(). */
    DsegPagingMode guest_mode;  /* of the guest's tables; guest dimension */
    uint64_t addr;              /* what is translated: a gVA, or a gPA */
    uint64_t to;                /* what it is translated to, if @hit */
    bool hit;                   /* a segment translates @addr */

    /*
     * What has been found, for the modelled TLB.  x86_dseg_do_leaf() sets what
     * holds for a segment; page tables change that.
     */
    bool global;                /* the guest's leaf entry is global (bit G) */
    bool store;                 /* a store needs no further walk: all entries
                                   allow it, and the leaf entries are dirty */
    uint8_t lg_page_size;       /* log2 of bytes: the smaller page of both
                                   dimensions; set at the end */
    uint8_t lg_mapping;         /* log2 of bytes: the guest's own page; 0: the
                                   guest's tables had no part in it */

    /* What it costs: set by each event (model/cost.h); guest dimension only. */
    DsegCost cost;
    DsegTlbWalk caches;         /* for walk caches: the gPAs so far ... */
    DsegNestedHow how[DSEG_TLB_MAX_GPAS];   /* ... and what translated them */
};

/*
 * A debug translation: for gdb, the monitor, or verify mode.  It has walks of
 * its own, which count nothing and change nothing.  The caller sets the first
 * three.
 */
struct X86DsegDebug {
    DsegRecord *record;         /* where each step is recorded, or NULL */
    bool no_guest_segment;      /* translate as if none were in force */
    bool no_vmm_segment;
    X86DsegWalk guest_walk;
    X86DsegWalk nested_walk;
};

/* All of DsegCounters are uint64_t. */
#define X86_DSEG_COUNTERS (sizeof(DsegCounters) / sizeof(uint64_t))

struct X86DsegState {
    DsegRegisters registers;    /* CR9 to CR12, and the MSRs */
    bool control_is_guests;     /* VMRUN has loaded registers.control, so that
                                   #VMEXIT has to save it */
    X86DsegMonitorOwned monitor;
    X86DsegWalk guest_walk;     /* the walk that is being made; of each */
    X86DsegWalk nested_walk;    /* dimension there is one at a time */
    union {
        DsegCounters counters;
        uint64_t counter_words[X86_DSEG_COUNTERS]; /* for vmstate.c */
    };
    uint32_t saved_filter_bits; /* of a snapshot; see vmstate.c */
    GHashTable *markers;        /* by label; see marker.c */
    GArray *stop_labels;        /* uint32_t; NULL: no marker stops the machine */
    X86DsegTlb *tlb;            /* NULL: a walk is a fill of QEMU's own */
    int64_t last_mismatch;      /* when an event told of one, in ns */
};

/*
 * Compares @walk, in which a segment has translated an address, with page
 * tables; see verify.c.
 */
void x86_dseg_verify(const X86DsegWalk *walk, MMUAccessType access_type,
                     int mmu_idx);

/* What an access of QEMU's is to the counters. */
static inline DsegAccess x86_dseg_access_of(MMUAccessType access_type)
{
    return access_type == MMU_INST_FETCH ? DSEG_FETCH :
           access_type == MMU_DATA_STORE ? DSEG_STORE : DSEG_LOAD;
}

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

/* Executed instructions, of all CPUs; false if nobody counts them (-icount). */
bool x86_dseg_instructions(uint64_t *count);

/* Forgets the snapshots that marker instructions have taken. */
void x86_dseg_forget_markers(X86DsegState *dseg);

/* gdb's view of the registers. */
void x86_dseg_gdb_init(CPUState *cs);

#endif
