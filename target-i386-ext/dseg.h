/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: the hooks that the rest of QEMU calls
 *
 * With the CPU property dseg=off CPUX86State.dseg is NULL, every hook in the
 * MMU is one test of a pointer, and nothing else differs from stock QEMU.
 */

#ifndef I386_DSEG_H
#define I386_DSEG_H

#include "qapi/error.h"
#include "system/tcg.h"
#include "cpu.h"

typedef struct X86DsegState X86DsegState;
typedef struct X86DsegWalk X86DsegWalk;

/*
 * Gives @cpu, whose property asks for them, its direct segments.  Fails if they
 * can't work there.
 */
bool x86_dseg_create(X86CPU *cpu, Error **errp);

static inline bool x86_dseg_realize(X86CPU *cpu, Error **errp)
{
    if (!tcg_enabled()) {
        error_setg(errp, "CPU property 'dseg' needs the TCG accelerator "
                   "(-accel tcg)");
        return false;
    }
    return x86_dseg_create(cpu, errp);
}

/* Takes them away again, if it has any. */
static inline void x86_dseg_unrealize(X86CPU *cpu)
{
    g_clear_pointer(&cpu->env.dseg, g_free);
}

/*
 * A walk starts: of the guest's (or native) page tables, or of the nested ones
 * for one gPA.  Returns what the walker carries along for the other hooks: NULL
 * if the CPU has no direct segments.  One of each can be in flight.
 */
X86DsegWalk *x86_dseg_start_guest(CPUX86State *env);
X86DsegWalk *x86_dseg_start_nested(CPUX86State *env);

static inline X86DsegWalk *x86_dseg_guest_walk(CPUX86State *env)
{
    return unlikely(env->dseg) ? x86_dseg_start_guest(env) : NULL;
}

static inline X86DsegWalk *x86_dseg_nested_walk(CPUX86State *env)
{
    return unlikely(env->dseg) ? x86_dseg_start_nested(env) : NULL;
}

/*
 * Whether a segment translates @addr.  Then *@pte is a leaf entry that says the
 * same, so that the walker treats it exactly as one: user, writable, accessed,
 * dirty, and at the guest level, if EFER.NXE is set, not executable.  Where the
 * sum is beyond MAXPHYADDR, *@rsvd_mask is changed such that *@pte has a
 * reserved bit.
 *
 * Called when a walk starts or starts over; what it has cost so far is
 * forgotten.
 */
bool x86_dseg_lookup(X86DsegWalk *walk, hwaddr addr, int pg_mode,
                     uint64_t *rsvd_mask, uint64_t *pte);

static inline bool x86_dseg_leaf(X86DsegWalk *walk, hwaddr addr, int pg_mode,
                                 uint64_t *rsvd_mask, uint64_t *pte)
{
    return unlikely(walk) &&
           x86_dseg_lookup(walk, addr, pg_mode, rsvd_mask, pte);
}

/*
 * An entry of the page tables at @addr has been found; @lg_page_size is the
 * size of the nested mapping that it was found by, if there is one.
 */
void x86_dseg_count_ref(X86DsegWalk *walk, hwaddr addr, unsigned lg_page_size);

static inline void x86_dseg_ref(X86DsegWalk *walk, hwaddr addr,
                                unsigned lg_page_size)
{
    if (unlikely(walk)) {
        x86_dseg_count_ref(walk, addr, lg_page_size);
    }
}

/*
 * The guest's tables have ended in a page of @page_size bytes with the final
 * @gpa, and that has been found by a nested mapping of size @lg_page_size.
 */
void x86_dseg_count_final(X86DsegWalk *walk, hwaddr gpa, uint64_t page_size,
                          unsigned lg_page_size);

static inline void x86_dseg_final(X86DsegWalk *walk, hwaddr gpa,
                                  uint64_t page_size, unsigned lg_page_size)
{
    if (unlikely(walk)) {
        x86_dseg_count_final(walk, gpa, page_size, lg_page_size);
    }
}

/* A walk that x86_dseg_guest_walk() started is complete. */
void x86_dseg_count_done(X86DsegWalk *walk, MMUAccessType access_type,
                         int mmu_idx, uint64_t page_size);

static inline void x86_dseg_done(X86DsegWalk *walk, MMUAccessType access_type,
                                 int mmu_idx, uint64_t page_size)
{
    if (unlikely(walk)) {
        x86_dseg_count_done(walk, access_type, mmu_idx, page_size);
    }
}

/*
 * The translation for @mmu_idx that was tried last faults: with exception @excp
 * and @error_code, or, if @npf, with #NPF; @table says that it is that of a
 * page-table entry.
 */
void x86_dseg_count_fault(CPUX86State *env, int mmu_idx, int excp,
                          int error_code, bool npf, bool table);

static inline void x86_dseg_fault(CPUX86State *env, int mmu_idx, int excp,
                                  int error_code, bool npf, bool table)
{
    if (unlikely(env->dseg)) {
        x86_dseg_count_fault(env, mmu_idx, excp, error_code, npf, table);
    }
}

#endif
