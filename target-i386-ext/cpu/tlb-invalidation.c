/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: what software does to the modelled TLB
 *
 * Each operation of docs/spec/tlb.rst, Invalidations, and its scope.
 */

#include "qemu/osdep.h"
#include "cpu.h"
#include "exec/cputlb.h"
#include "tcg/helper-tcg.h"
#include "dseg.h"
#include "cpu/caches.h"
#include "cpu/inclusion.h"
#include "cpu/state.h"

/* TLB_CONTROL of the VMCB (APM volume 2, 15.16.2). */
#define TLB_CONTROL_ALL 1
#define TLB_CONTROL_GUEST 3
#define TLB_CONTROL_GUEST_NOT_GLOBAL 7

#define CR3_LOADS_PER_FLUSH 256

static void invalidate(CPUX86State *env, DsegTlbCause cause,
                       const DsegTlbScope *scope)
{
    X86DsegTlb *tlb = env->dseg->tlb;

    dseg_tlb_invalidate(tlb->model, cause, scope);
    tlb->fetched = -1;
}

static DsegTlbScope scope_of(CPUX86State *env, DsegTlbCause cause)
{
    switch (cause) {
    case DSEG_TLB_CR0:
    case DSEG_TLB_CR4:
    case DSEG_TLB_GUEST_SEGMENT:
        return (DsegTlbScope) {
            .asids = DSEG_TLB_ASID_ONE,
            .asid = env->dseg->tlb->asid,
        };
    case DSEG_TLB_VMM_SEGMENT:
        return (DsegTlbScope) { .asids = DSEG_TLB_ASID_GUESTS };
    case DSEG_TLB_MONITOR:
    case DSEG_TLB_RESET:
        return (DsegTlbScope) { .asids = DSEG_TLB_ASID_ALL };
    default:
        g_assert_not_reached();
    }
}

void x86_dseg_tlb_changed(CPUX86State *env, DsegTlbCause cause)
{
    if (env->dseg->tlb) {
        DsegTlbScope scope = scope_of(env, cause);

        invalidate(env, cause, &scope);
    }
}

/* Whether a segment of the monitor's comes into force with @cr3, or goes. */
static bool changes_segment(CPUX86State *env, uint64_t cr3)
{
    const X86DsegScoped *guest = &env->dseg->monitor.guest;

    return dseg_segment_enabled(&guest->segment) &&
           x86_dseg_root_matches(&guest->cr3, cr3) !=
           x86_dseg_root_matches(&guest->cr3, env->cr[3]);
}

/*
 * What QEMU's TLB has is a part of the modelled L1, so what the model keeps may stay
 * there.  Where segments are beside L1, what they translate is not.  Now and then
 * all of it is flushed, as only then it changes its size.
 */
static bool has_to_flush(CPUX86State *env, uint64_t cr3)
{
    X86DsegTlb *tlb = env->dseg->tlb;

    return tlb->exact || changes_segment(env, cr3) ||
           ++tlb->cr3_loads % CR3_LOADS_PER_FLUSH == 0;
}

static void load_cr3(CPUX86State *env, uint64_t cr3)
{
    X86DsegTlb *tlb = env->dseg->tlb;

    if (!(env->cr[0] & CR0_PG_MASK) || !has_to_flush(env, cr3)) {
        env->cr[3] = cr3;
        return;
    }
    x86_dseg_tlb_enter_begin(tlb);
    cpu_x86_update_cr3(env, cr3);
    x86_dseg_tlb_enter_end(tlb);
}

void x86_dseg_do_mov_cr3(CPUX86State *env, uint64_t operand, uint64_t cr3)
{
    X86DsegTlb *tlb = env->dseg->tlb;
    bool pcids = env->cr[4] & CR4_PCIDE_MASK;

    if (!tlb) {
        cpu_x86_update_cr3(env, cr3);
        return;
    }
    x86_dseg_caches_leave_space(tlb->caches);
    load_cr3(env, cr3);
    if (pcids) {
        x86_dseg_tlb_hide_others(tlb);
    }
    if (pcids && (operand & CR3_NO_FLUSH_MASK)) {
        tlb->fetched = -1;
        return;
    }
    invalidate(env, DSEG_TLB_MOV_CR3, &(DsegTlbScope) {
        .asids = DSEG_TLB_ASID_ONE,
        .asid = tlb->asid,
        .one_pcid = true,
        .pcid = pcids ? operand & CR3_PCID_MASK : 0,
        .globals = DSEG_TLB_GLOBAL_KEPT,
    });
}

void x86_dseg_do_mov_cr4(CPUX86State *env, uint64_t cr4)
{
    uint64_t changed = env->cr[4] ^ cr4;

    if ((changed & (CR4_PAE_MASK | CR4_PSE_MASK | CR4_PGE_MASK)) ||
        (env->cr[4] & changed & CR4_PCIDE_MASK)) {
        x86_dseg_tlb_changed(env, DSEG_TLB_CR4);
    }
}

/* What translates @addr for the current address space. */
static void invalidate_page(CPUX86State *env, DsegTlbCause cause, uint64_t addr)
{
    DsegTlbSpace space;

    if (!env->dseg->tlb) {
        return;
    }
    space = x86_dseg_tlb_space(env);
    invalidate(env, cause, &(DsegTlbScope) {
        .asids = DSEG_TLB_ASID_ONE,
        .asid = space.asid,
        .one_pcid = true,
        .pcid = space.pcid,
        .globals = DSEG_TLB_GLOBAL_TOO,
        .one_page = true,
        .va = addr,
    });
}

void x86_dseg_do_invlpg(CPUX86State *env, uint64_t addr)
{
    invalidate_page(env, DSEG_TLB_INVLPG, addr);
}

void x86_dseg_tlb_page_fault(CPUX86State *env, uint64_t addr)
{
    invalidate_page(env, DSEG_TLB_PAGE_FAULT, addr);
}

void x86_dseg_do_invlpga(CPUX86State *env, uint64_t addr, uint32_t asid)
{
    if (env->dseg->tlb) {
        invalidate(env, DSEG_TLB_INVLPGA, &(DsegTlbScope) {
            .asids = DSEG_TLB_ASID_ONE,
            .asid = asid,
            .globals = DSEG_TLB_GLOBAL_TOO,
            .one_page = true,
            .va = addr,
        });
    }
}

void x86_dseg_do_invpcid(CPUX86State *env, unsigned type, uint16_t pcid,
                         uint64_t addr)
{
    X86DsegTlb *tlb = env->dseg->tlb;

    if (tlb) {
        invalidate(env, DSEG_TLB_INVPCID_ADDRESS + type, &(DsegTlbScope) {
            .asids = DSEG_TLB_ASID_ONE,
            .asid = tlb->asid,
            .one_pcid = type < 2,
            .pcid = pcid,
            .globals = type == 2 ? DSEG_TLB_GLOBAL_TOO : DSEG_TLB_GLOBAL_KEPT,
            .one_page = type == 0,
            .va = addr,
        });
    }
}

/*
 * World switches
 */

void x86_dseg_tlb_leave(CPUX86State *env)
{
    if (env->dseg->tlb) {
        x86_dseg_tlb_enter_begin(env->dseg->tlb);
    }
}

static void enter_space(CPUX86State *env, uint32_t asid)
{
    X86DsegTlb *tlb = env->dseg->tlb;

    tlb->asid = asid;
    tlb->fetched = -1;
    x86_dseg_caches_leave_space(tlb->caches);
    if (!(env->cr[0] & CR0_PG_MASK)) {
        tlb_flush(env_cpu(env)); /* loading CR3 has not */
    }
    x86_dseg_tlb_enter_end(tlb);
}

static uint32_t asid_of_vmcb(CPUX86State *env)
{
    return x86_ldl_phys(env_cpu(env), env->vm_vmcb +
                        offsetof(struct vmcb, control.asid));
}

void x86_dseg_tlb_vmrun(CPUX86State *env)
{
    DsegTlbScope scope = { .asids = DSEG_TLB_ASID_ONE };

    if (!env->dseg->tlb) {
        return;
    }
    enter_space(env, asid_of_vmcb(env));
    scope.asid = env->dseg->tlb->asid;
    switch (x86_ldub_phys(env_cpu(env), env->vm_vmcb +
                          offsetof(struct vmcb, control.tlb_ctl))) {
    case TLB_CONTROL_ALL:
        scope.asids = DSEG_TLB_ASID_ALL;
        break;
    case TLB_CONTROL_GUEST:
        break;
    case TLB_CONTROL_GUEST_NOT_GLOBAL:
        scope.globals = DSEG_TLB_GLOBAL_KEPT;
        break;
    default:
        return;
    }
    invalidate(env, DSEG_TLB_TLB_CONTROL, &scope);
}

void x86_dseg_tlb_vmexit(CPUX86State *env)
{
    if (env->dseg->tlb) {
        enter_space(env, 0);
    }
}

void x86_dseg_tlb_reset(CPUX86State *env)
{
    if (env->dseg->tlb) {
        env->dseg->tlb->asid = env->hflags & HF_GUEST_MASK ? asid_of_vmcb(env)
                                                           : 0;
        x86_dseg_tlb_changed(env, DSEG_TLB_RESET);
        if (env->dseg->tlb->caches) {
            x86_dseg_caches_empty(env->dseg->tlb->caches);
        }
    }
}
