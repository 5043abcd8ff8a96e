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
#include "caches/counts.h"
#include "tlb/tlb.h"
#include "tlb/walk-caches.h"

/* Fetches have MMU indices of their own, so that L1I and L1D are apart. */
#define X86_DSEG_FETCH_IDX 8

/*
 * What an entry of the modelled L1 backs: the pages that QEMU's TLB may have
 * because L1 has that entry.  Set by x86_dseg_tlb_back() when QEMU's TLB gets a
 * page, so that x86_dseg_tlb_hide() knows what to hide.
 */
typedef struct X86DsegBacked {
    uint64_t generation;    /* of X86DsegTlb, then; 0 or another: nothing */
    uint64_t va;            /* of the first byte of the entry's page */
    uint16_t idxmap;        /* bit n: MMU index n of QEMU's TLB */
    uint8_t size;           /* DsegTlbSize, of the entry */
} X86DsegBacked;

/*
 * Which 512ths of its page an entry larger than 4 KiB backs: bit n % 64 of word
 * n / 64 is part n.  A part is 4 KiB of 2 MiB, or 2 MiB of 1 GiB.
 */
typedef uint64_t X86DsegParts[8];

typedef struct X86DsegTlb {
    DsegTlb *model;
    CPUX86State *env;       /* of the CPU whose TLB this is */
    bool exact;             /* every access goes through the model */
    bool in_fetch;          /* exact: fetch.c asks for the page of a fetch */
    bool walk_caches;       /* the geometry has some, or a nested TLB */
    struct X86DsegCaches *caches;   /* NULL: none are modelled */
    uint32_t asid;          /* of now: 0 for the host, the VMCB's for a guest */

    /*
     * Exact: the address of the page of the fetch before.  -1 if the next
     * instruction makes a fetch in any case.
     */
    uint64_t fetched;

    /*
     * Increased when QEMU's TLB has been flushed for MOV to CR3 or for a world
     * switch: what X86DsegBacked said before is void.  It begins with 1.
     */
    uint64_t generation;

    /* x86_dseg_tlb_flushes() at the last x86_dseg_tlb_enter_begin(). */
    uint64_t flushes;

    /*
     * How many of all flushes were for MOV to CR3 or for a world switch.  These
     * change no translation: see x86_dseg_tlb_epoch().
     */
    uint64_t kept;
    uint32_t cr3_loads;     /* MOVs to CR3 that had no reason to flush */

    /*
     * A walk has ended without a fault, and the model does not know of it yet.
     * Set by x86_dseg_do_done(); x86_dseg_do_fill() tells the model.
     */
    bool pending;
    X86DsegBacked *backed;  /* by slot of L1 */
    X86DsegParts *parts;    /* the same; of no use where the size is 4 KiB */
} X86DsegTlb;

/*
 * All of QEMU's TLB is flushed, or will be before the next access: no entry of the
 * model backs anything any longer.
 */
void x86_dseg_tlb_flushed(X86DsegTlb *tlb);

/*
 * Around what enters another address space or world.  Flushes of QEMU's TLB
 * between the two change no translation: the model's entries stay as good as
 * they are, as those of the other space or world have other tags, or have been
 * invalidated.
 */
void x86_dseg_tlb_enter_begin(X86DsegTlb *tlb);
void x86_dseg_tlb_enter_end(X86DsegTlb *tlb);

/* How often QEMU's TLB has been flushed. */
static inline uint64_t x86_dseg_tlb_flushes(const X86DsegTlb *tlb)
{
    const CPUTLBCommon *c = &env_cpu(tlb->env)->neg.tlb.c;

    return c->full_flush_count + c->part_flush_count + c->elide_flush_count;
}

/*
 * Changes with each flush of QEMU's TLB that may be for a new translation.  An
 * entry of the model notes the epoch of its walk, and fills QEMU's TLB only in
 * that one.
 */
static inline uint64_t x86_dseg_tlb_epoch(const X86DsegTlb *tlb)
{
    return x86_dseg_tlb_flushes(tlb) - tlb->kept;
}

/*
 * What x86_dseg_tlb_back() does for an entry larger than 4 KiB, which is rare.
 */
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

/*
 * Hides what the L1 entry in @slot backs, so that QEMU's TLB asks the model at
 * the next access to it.  From then on the entry backs nothing.  The
 * DsegTlbHide function of the model.
 */
void x86_dseg_tlb_hide(void *tlb, DsegTlbSlot slot);

/* Hides the 4 KiB page of @va from loads and stores, whatever backs it. */
void x86_dseg_tlb_hide_data(X86DsegTlb *tlb, uint64_t va);

/*
 * Hides what is backed by entries that the current address space can't use:
 * those of another ASID, or of another PCID and not global.  They stay in the
 * model.
 */
void x86_dseg_tlb_hide_others(X86DsegTlb *tlb);

/*
 * An operation of docs/spec/tlb.rst, Invalidations, whose scope follows from
 * its cause: CR0, CR4, GUEST_SEGMENT, VMM_SEGMENT, MONITOR or RESET.  Nothing
 * if the CPU has no modelled TLB.
 */
void x86_dseg_tlb_changed(CPUX86State *env, DsegTlbCause cause);

/* A #PF for @addr: removes what translates that address. */
void x86_dseg_tlb_page_fault(CPUX86State *env, uint64_t addr);

/* VMRUN or #VMEXIT begins to load the other world's registers. */
void x86_dseg_tlb_leave(CPUX86State *env);

/* VMRUN has loaded a guest from the VMCB; #VMEXIT has loaded the host. */
void x86_dseg_tlb_vmrun(CPUX86State *env);
void x86_dseg_tlb_vmexit(CPUX86State *env);

/*
 * Removes all entries, after RESET, INIT and the loading of a snapshot.  If the
 * snapshot is of a CPU in guest mode, the guest's ASID is read from its VMCB.
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

    /* Of modelled caches; all 0 if there are none. */
    DsegCacheCounters cache_counters;
    DsegCacheUse cache_use[DSEG_CACHE__MAX];
} X86DsegTlbSnapshot;

void x86_dseg_tlb_snapshot(const X86DsegTlb *tlb, X86DsegTlbSnapshot *to);

#endif
