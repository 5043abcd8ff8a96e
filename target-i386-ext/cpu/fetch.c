/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: instruction fetches, as mode exact of the TLB sees them
 *
 * QEMU looks at its TLB when it looks for translated code, not when it executes
 * that.  So each block of translated code begins with a call of this helper.  A
 * block is in one page, or it is a single instruction that straddles two.
 */

#include "qemu/osdep.h"
#include "cpu.h"
#include "exec/exec-all.h"
#include "exec/helper-proto.h"
#include "exec/target_page.h"
#include "exec/translation-block.h"
#include "tcg/tcg.h"
#include "tcg/helper-tcg.h"
#include "dseg.h"
#include "cpu/inclusion.h"
#include "cpu/state.h"

#define MAX_INSN_BYTES 15

bool x86_dseg_do_watches_fetches(CPUX86State *env)
{
    return env->dseg->tlb && env->dseg->tlb->exact;
}

/* One access, of an instruction in the page of @pc; may raise #PF. */
static void fetch(CPUX86State *env, uint64_t pc, uintptr_t ra)
{
    X86DsegTlb *tlb = env->dseg->tlb;
    uint64_t page = pc & TARGET_PAGE_MASK;

    if (tlb->fetched == page) {
        return;
    }
    tlb->in_fetch = true;
    x86_cpu_tlb_fill(env_cpu(env), pc, 1, MMU_INST_FETCH,
                     cpu_mmu_index(env_cpu(env), true), false, ra);
    tlb->in_fetch = false;
    tlb->fetched = page;
}

/* Of the instruction that comes next. */
static uint64_t linear_pc(CPUX86State *env)
{
    uint64_t pc = env->eip + env->segs[R_CS].base;

    return env->hflags & HF_CS64_MASK ? pc : (uint32_t)pc;
}

void helper_x86_dseg_fetch(CPUX86State *env)
{
    uint64_t pc = linear_pc(env);

    if (!x86_dseg_watches_fetches(env)) {
        return; /* the code was translated for another CPU */
    }
    fetch(env, pc, GETPC());
    if (-(pc | TARGET_PAGE_MASK) < MAX_INSN_BYTES) {
        const TranslationBlock *tb = tcg_tb_lookup(GETPC());
        uint64_t last = pc + tb->size - 1;

        if ((last ^ pc) & TARGET_PAGE_MASK) {
            fetch(env, last & TARGET_PAGE_MASK, GETPC());
        }
    }
}
