/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: the modelled TLB of a CPU, and QEMU's own
 *
 * docs/tlb.md says how the two are kept together.  Everything here belongs to the
 * CPU's own thread.
 */

#ifndef I386_DSEG_CPU_INCLUSION_H
#define I386_DSEG_CPU_INCLUSION_H

#include "qapi/error.h"
#include "cpu.h"
#include "tlb/tlb.h"
#include "tlb/walk-caches.h"

/* Fetches have MMU indices of their own, so that L1I and L1D are apart. */
#define X86_DSEG_FETCH_IDX 8

/* What of QEMU's TLB an entry of the modelled L1 backs. */
typedef struct X86DsegBacked {
    uint64_t generation;    /* as of X86DsegTlb: nothing, if that is another */
    uint64_t va;            /* of its first byte */
    uint16_t idxmap;        /* MMU indices */
    uint8_t size;           /* DsegTlbSize */
} X86DsegBacked;

/* Which 512ths of it, of a page larger than 4 KiB. */
typedef uint64_t X86DsegParts[8];

typedef struct X86DsegTlb {
    DsegTlb *model;
    CPUX86State *env;
    bool exact;             /* every access goes through the model */
    bool in_fetch;          /* exact: the access is one of a fetch */
    bool walk_caches;
    uint32_t asid;          /* 0 for the host */
    uint64_t fetched;       /* exact: the page fetched last, or -1 */
    uint64_t generation;    /* of QEMU's TLB, between two flushes of all of it */
    uint64_t flushes;       /* of QEMU's TLB, before it enters another space */
    uint64_t kept;          /* how many of these say nothing of translations */
    uint32_t cr3_loads;     /* by MOV */
    bool pending;           /* a walk has ended well, and is not counted yet */
    X86DsegBacked *backed;  /* by slot of L1 */
    X86DsegParts *parts;    /* the same */
} X86DsegTlb;

/*
 * All of QEMU's TLB is flushed, or will be before the next access: no entry of the
 * model backs anything any longer.
 */
void x86_dseg_tlb_flushed(X86DsegTlb *tlb);

/*
 * What flushes QEMU's TLB between the two only enters another address space or
 * world, whose tags are others: the model's entries stay as good as they are.
 */
void x86_dseg_tlb_enter_begin(X86DsegTlb *tlb);
void x86_dseg_tlb_enter_end(X86DsegTlb *tlb);

/* How often QEMU's TLB has been flushed. */
static inline uint64_t x86_dseg_tlb_flushes(const X86DsegTlb *tlb)
{
    const CPUTLBCommon *c = &env_cpu(tlb->env)->neg.tlb.c;

    return c->full_flush_count + c->part_flush_count + c->elide_flush_count;
}

/* Changes with every flush of QEMU's TLB that may be for a new translation. */
static inline uint64_t x86_dseg_tlb_epoch(const X86DsegTlb *tlb)
{
    return x86_dseg_tlb_flushes(tlb) - tlb->kept;
}

/* Part of x86_dseg_tlb_back() that is rare: of a page larger than 4 KiB. */
void x86_dseg_tlb_back_part(X86DsegTlb *tlb, DsegTlbSpot spot, uint64_t va,
                            bool first);

/* From now on the L1 entry at @spot backs what QEMU's TLB has of @va. */
static inline void x86_dseg_tlb_back(X86DsegTlb *tlb, DsegTlbSpot spot,
                                     uint64_t va, int mmu_idx)
{
    X86DsegBacked *backed = &tlb->backed[spot.slot];
    bool first = backed->generation != tlb->generation;

    if (first) {
        backed->generation = tlb->generation;
        backed->va = va >> dseg_tlb_size_shift(spot.size)
                        << dseg_tlb_size_shift(spot.size);
        backed->idxmap = 0;
        backed->size = spot.size;
    }
    backed->idxmap |= 1 << mmu_idx;
    if (unlikely(spot.size != DSEG_TLB_4K)) {
        x86_dseg_tlb_back_part(tlb, spot, va, first);
    }
}

/* QEMU's TLB asks again for what the L1 entry in @slot backs: a DsegTlbHide. */
void x86_dseg_tlb_hide(void *tlb, DsegTlbSlot slot);

/* QEMU's TLB asks again for all that the current address space can't use. */
void x86_dseg_tlb_hide_others(X86DsegTlb *tlb);

/*
 * An operation of docs/spec/tlb.rst, Invalidations, whose scope follows from its
 * cause: CR0, CR4, and segments, VMM_SEGMENT, MONITOR, RESET.  Nothing if the CPU
 * has no TLB.
 */
void x86_dseg_tlb_changed(CPUX86State *env, DsegTlbCause cause);

/* A #PF for @addr. */
void x86_dseg_tlb_page_fault(CPUX86State *env, uint64_t addr);

/* VMRUN or #VMEXIT begins to load the other world's registers. */
void x86_dseg_tlb_leave(CPUX86State *env);

/* VMRUN has loaded a guest from the VMCB; #VMEXIT has loaded the host. */
void x86_dseg_tlb_vmrun(CPUX86State *env);
void x86_dseg_tlb_vmexit(CPUX86State *env);

/*
 * Without entries, after RESET, INIT and the loading of a snapshot; for a guest
 * that the snapshot is of, its ASID is read again.
 */
void x86_dseg_tlb_reset(CPUX86State *env);

/*
 * Gives @cpu the TLB that its properties ask for, if any; false with an error that
 * names the property or the field of its file, and the rule.
 */
bool x86_dseg_create_tlb(X86CPU *cpu, Error **errp);

void x86_dseg_tlb_free(X86DsegTlb *tlb);

/* What the TLB of a CPU has done, at one moment. */
typedef struct X86DsegTlbSnapshot {
    DsegTlbCounters counters;
    DsegTlbWalkCounters walk_counters;
    uint32_t used[DSEG_TLB_MAX_ARRAYS];
} X86DsegTlbSnapshot;

void x86_dseg_tlb_snapshot(const X86DsegTlb *tlb, X86DsegTlbSnapshot *to);

#endif
