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
#include "cpu/caches.h"
#include "cpu/inclusion.h"
#include "cpu/state.h"

#define MAX_INSN_BYTES 15

bool x86_dseg_do_watches_fetches(CPUX86State *env)
{
    return env->dseg->tlb && env->dseg->tlb->exact;
}

/* The caches that each instruction passes; NULL if there are none. */
static X86DsegCaches *caches_of_instructions(CPUX86State *env)
{
    const X86DsegTlb *tlb = env->dseg ? env->dseg->tlb : NULL;

    return tlb && tlb->caches && tlb->caches->watches_lines ? tlb->caches
                                                            : NULL;
}

bool x86_dseg_do_new_line(CPUX86State *env, uint64_t pc, uint64_t before)
{
    const X86DsegCaches *caches = caches_of_instructions(env);

    return caches && dseg_caches_line(caches->model, pc) !=
                     dseg_caches_line(caches->model, before);
}

/* The model has made a fetch for @pc, or has not, as there is no paging. */
static void note_page(X86DsegTlb *tlb, uint64_t pc)
{
    X86DsegCaches *caches = tlb->caches;

    caches->page_offset = caches->fetched_hpa - pc;
    caches->paged = caches->fetched_hpa != -1;
    if (tlb->fetched == -1) {
        caches->fetched_line = -1;
    }
}

/* One access, of an instruction in the page of @pc; may raise #PF. */
static void fetch(CPUX86State *env, uint64_t pc, uintptr_t ra)
{
    X86DsegTlb *tlb = env->dseg->tlb;
    uint64_t page = pc & TARGET_PAGE_MASK;

    if (tlb->fetched == page) {
        return;
    }
    if (tlb->caches) {
        tlb->caches->fetched_hpa = -1;
    }
    tlb->in_fetch = true;
    x86_cpu_tlb_fill(env_cpu(env), pc, 1, MMU_INST_FETCH,
                     cpu_mmu_index(env_cpu(env), true), false, ra);
    tlb->in_fetch = false;
    if (tlb->caches) {
        note_page(tlb, pc);
    }
    tlb->fetched = page;
}

/* An instruction whose first byte is at @hpa passes, if it is in another line. */
static void pass_line(X86DsegCaches *caches, uint64_t hpa)
{
    uint64_t line = dseg_caches_line(caches->model, hpa);

    if (caches->paged && line != caches->fetched_line) {
        caches->fetched_line = line;
        x86_dseg_caches_access(caches, hpa, DSEG_FETCH);
    }
}

/* Of the instruction that comes next. */
static uint64_t linear_pc(CPUX86State *env)
{
    uint64_t pc = env->eip + env->segs[R_CS].base;

    return env->hflags & HF_CS64_MASK ? pc : (uint32_t)pc;
}

/* The rest of an instruction that straddles two pages. */
static void fetch_second_page(CPUX86State *env, uint64_t pc, uintptr_t ra)
{
    const TranslationBlock *tb = tcg_tb_lookup(ra);
    uint64_t last = pc + tb->size - 1;

    if ((last ^ pc) & TARGET_PAGE_MASK) {
        fetch(env, last & TARGET_PAGE_MASK, ra);
    }
}

void helper_x86_dseg_fetch(CPUX86State *env)
{
    uint64_t pc = linear_pc(env);
    X86DsegCaches *caches;
    uint64_t hpa = 0;

    if (!x86_dseg_watches_fetches(env)) {
        return; /* the code was translated for another CPU */
    }
    fetch(env, pc, GETPC());
    caches = env->dseg->tlb->caches;
    if (caches) {
        caches->block = pc;
        hpa = pc + caches->page_offset;
    }
    if (-(pc | TARGET_PAGE_MASK) < MAX_INSN_BYTES) {
        fetch_second_page(env, pc, GETPC());
    }
    if (caches_of_instructions(env)) {
        pass_line(caches, hpa);
    }
}

void helper_x86_dseg_line(CPUX86State *env, uint32_t offset)
{
    X86DsegCaches *caches = caches_of_instructions(env);

    if (caches) {
        pass_line(caches, caches->block + offset + caches->page_offset);
    }
}
