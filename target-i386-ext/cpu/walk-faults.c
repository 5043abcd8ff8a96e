/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: walks that end in a fault
 */

#include "qemu/osdep.h"
#include "dseg.h"
#include "cpu/state.h"

static DsegFault fault_of_error_code(int error_code)
{
    if (error_code & PG_ERROR_RSVD_MASK) {
        return DSEG_FAULT_RESERVED;
    }
    return error_code & PG_ERROR_P_MASK ? DSEG_FAULT_PROTECTION
                                        : DSEG_FAULT_NOT_PRESENT;
}

void x86_dseg_do_fault(CPUX86State *env, vaddr addr, int mmu_idx, int excp,
                       int error_code, bool npf, bool table)
{
    DsegFault fault;

    if (env->dseg->tlb) {
        env->dseg->tlb->in_fetch = false; /* if it was one, it has ended */
    }
    if (npf) {
        fault = table ? DSEG_FAULT_NESTED_TABLE : DSEG_FAULT_NESTED_FINAL;
    } else if (excp == EXCP0E_PAGE) {
        fault = fault_of_error_code(error_code);
    } else {
        return; /* #GP for an address that is not canonical: no walk */
    }
    if (mmu_idx == MMU_NESTED_IDX) {
        return; /* an access of the CPU itself, to a VMCB: no walk either */
    }
    if (!npf) {
        x86_dseg_tlb_page_fault(env, addr);
    }
    dseg_counters_fault(&env->dseg->counters, &env->dseg->guest_walk.cost,
                        fault);
}
