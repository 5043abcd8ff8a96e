/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: the hooks that the rest of QEMU calls
 *
 * With the CPU property dseg=off CPUX86State.dseg is NULL, every hook in the
 * MMU is one test of a pointer, and nothing else differs from stock QEMU.
 *
 * x86_dseg_X() is what QEMU calls.  x86_dseg_do_X() is what that calls where
 * there are direct segments.
 */

#ifndef I386_DSEG_H
#define I386_DSEG_H

#include "qapi/error.h"
#include "system/tcg.h"
#include "cpu.h"

/* Of the escape filter, by default: the CPU property dseg-filter-bits. */
#define X86_DSEG_FILTER_BITS 256

typedef struct X86DsegState X86DsegState;
typedef struct X86DsegWalk X86DsegWalk;
typedef struct X86DsegDebug X86DsegDebug;

/*
 * Whether @cpu has the properties of the other CPUs, as far as translated code,
 * which is theirs too, depends on them: whether CR9 to CR13 are there, and what
 * the model wants to see.  If not, the error names the property.
 */
bool x86_dseg_same_as_others(X86CPU *cpu, Error **errp);

/* Gives @cpu its direct segments.  Fails if they can't work there. */
bool x86_dseg_do_realize(X86CPU *cpu, Error **errp);

/*
 * Gives @cpu what its properties ask for, if anything.  To be called before
 * cpu_exec_realizefn(), which puts it in the list of all CPUs: where this fails
 * it does not come out of there again.
 */
static inline bool x86_dseg_realize(X86CPU *cpu, Error **errp)
{
#ifdef CONFIG_USER_ONLY
    return true;
#else
    if (!cpu->dseg) {
        const char *other = cpu->dseg_verify ? "dseg-verify" :
                            cpu->dseg_tlb ? "dseg-tlb" :
                            cpu->dseg_tlb_mode ? "dseg-tlb-mode" :
                            cpu->dseg_caches ? "dseg-caches" :
                            cpu->dseg_filter_bits != X86_DSEG_FILTER_BITS ?
                            "dseg-filter-bits" : NULL;

        if (other) {
            error_setg(errp, "CPU property '%s' needs 'dseg' (-cpu "
                       "MODEL,dseg=on,%s=...)", other, other);
            return false;
        }
        return !tcg_enabled() || x86_dseg_same_as_others(cpu, errp);
    }
    if (!tcg_enabled()) {
        error_setg(errp, "CPU property 'dseg' needs the TCG accelerator "
                   "(-accel tcg)");
        return false;
    }
    return x86_dseg_same_as_others(cpu, errp) && x86_dseg_do_realize(cpu, errp);
#endif
}

/* For code that is also built without TCG, or for user mode. */
static inline bool x86_dseg_exists(CPUX86State *env)
{
#ifdef CONFIG_USER_ONLY
    return false;
#else
    return tcg_enabled() && env->dseg;
#endif
}

/* Takes them away again, if it has any. */
void x86_dseg_do_unrealize(X86CPU *cpu);

static inline void x86_dseg_unrealize(X86CPU *cpu)
{
    if (x86_dseg_exists(&cpu->env)) {
        x86_dseg_do_unrealize(cpu);
    }
}

/* RESET or INIT. */
void x86_dseg_do_reset(CPUX86State *env);

static inline void x86_dseg_reset(CPUX86State *env)
{
    if (x86_dseg_exists(env)) {
        x86_dseg_do_reset(env);
    }
}

/* Fills in the CPUID leaf of direct segments.  False if @leaf is another. */
bool x86_dseg_do_cpuid(CPUX86State *env, uint32_t *eax, uint32_t *ebx,
                       uint32_t *ecx, uint32_t *edx);

static inline bool x86_dseg_cpuid(CPUX86State *env, uint32_t leaf,
                                  uint32_t *eax, uint32_t *ebx,
                                  uint32_t *ecx, uint32_t *edx)
{
    return x86_dseg_exists(env) && leaf == 0x44534547 &&
           x86_dseg_do_cpuid(env, eax, ebx, ecx, edx);
}

/* Whether @cr is a control register of direct segments: CR9 to CR13. */
static inline bool x86_dseg_has_cr(CPUX86State *env, unsigned cr)
{
    return env->dseg && cr >= 9 && cr <= 13;
}

/* MOV to one of them.  Raises #GP(0) if @value breaks a rule. */
void x86_dseg_write_cr(CPUX86State *env, unsigned cr, uint64_t value,
                       uintptr_t ra);

/* MOV to CR0 changes CR0.PG. */
void x86_dseg_do_write_cr0(CPUX86State *env);

static inline void x86_dseg_write_cr0(CPUX86State *env, target_ulong cr0)
{
    if (env->dseg && ((env->cr[0] ^ cr0) & CR0_PG_MASK)) {
        x86_dseg_do_write_cr0(env);
    }
}

/*
 * WRMSR and RDMSR.  False if @msr is none of direct segments; raise #GP(0) if it
 * is one and a rule is broken.
 */
bool x86_dseg_do_wrmsr(CPUX86State *env, uint32_t msr, uint64_t value,
                       uintptr_t ra);
bool x86_dseg_do_rdmsr(CPUX86State *env, uint32_t msr, uint64_t *value,
                       uintptr_t ra);

static inline bool x86_dseg_wrmsr(CPUX86State *env, uint32_t msr,
                                  uint64_t value, uintptr_t ra)
{
    return env->dseg && x86_dseg_do_wrmsr(env, msr, value, ra);
}

static inline bool x86_dseg_rdmsr(CPUX86State *env, uint32_t msr,
                                  uint64_t *value, uintptr_t ra)
{
    return env->dseg && x86_dseg_do_rdmsr(env, msr, value, ra);
}

/* VMRUN saves the host's state. */
void x86_dseg_do_vmrun_save(CPUX86State *env);

static inline void x86_dseg_vmrun_save(CPUX86State *env)
{
    if (env->dseg) {
        x86_dseg_do_vmrun_save(env);
    }
}

/*
 * VMRUN has loaded the guest's other control registers, and nothing but this
 * can fail any more.  False if the VMCB has a value that breaks a rule.
 */
bool x86_dseg_do_vmrun_load(CPUX86State *env);

static inline bool x86_dseg_vmrun_load(CPUX86State *env)
{
    return !env->dseg || x86_dseg_do_vmrun_load(env);
}

/* #VMEXIT saves the guest's state, as far as VMRUN has loaded it. */
void x86_dseg_do_vmexit_save(CPUX86State *env);

static inline void x86_dseg_vmexit_save(CPUX86State *env)
{
    if (env->dseg) {
        x86_dseg_do_vmexit_save(env);
    }
}

/* #VMEXIT has loaded the host's other control registers. */
void x86_dseg_do_vmexit_load(CPUX86State *env);

static inline void x86_dseg_vmexit_load(CPUX86State *env)
{
    if (env->dseg) {
        x86_dseg_do_vmexit_load(env);
    }
}

/*
 * A multi-byte NOP of this ModRM byte and displacement, without a prefix, is
 * the marker instruction: its label is in the low bits of the displacement.
 */
#define X86_DSEG_LABEL_BITS 24

static inline bool x86_dseg_is_marker(uint8_t modrm, uint32_t displacement)
{
    return modrm == 0x87 && displacement >> X86_DSEG_LABEL_BITS == 0xd5;
}

/* For "info registers". */
void x86_dseg_do_dump(CPUX86State *env, FILE *f);

static inline void x86_dseg_dump(CPUX86State *env, FILE *f)
{
    if (x86_dseg_exists(env)) {
        x86_dseg_do_dump(env, f);
    }
}

/* The subsection of the CPU's state in a snapshot or migration. */
extern const VMStateDescription vmstate_x86_dseg;

/*
 * A walk starts: of the guest's (or native) page tables, or of the nested ones
 * for one gPA.  Returns what the walker carries along for the other hooks: NULL
 * if the CPU has no direct segments.  One of each can be in flight, and one of
 * each in @debug: then nothing is counted.
 */
X86DsegWalk *x86_dseg_do_guest_walk(CPUX86State *env, X86DsegDebug *debug);
X86DsegWalk *x86_dseg_do_nested_walk(CPUX86State *env, X86DsegDebug *debug);

static inline X86DsegWalk *x86_dseg_guest_walk(CPUX86State *env,
                                               X86DsegDebug *debug)
{
    return unlikely(env->dseg) ? x86_dseg_do_guest_walk(env, debug) : NULL;
}

static inline X86DsegWalk *x86_dseg_nested_walk(CPUX86State *env,
                                                X86DsegDebug *debug)
{
    return unlikely(env->dseg) ? x86_dseg_do_nested_walk(env, debug) : NULL;
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
bool x86_dseg_do_leaf(X86DsegWalk *walk, hwaddr addr, int pg_mode,
                      uint64_t *rsvd_mask, uint64_t *pte);

static inline bool x86_dseg_leaf(X86DsegWalk *walk, hwaddr addr, int pg_mode,
                                 uint64_t *rsvd_mask, uint64_t *pte)
{
    return unlikely(walk) &&
           x86_dseg_do_leaf(walk, addr, pg_mode, rsvd_mask, pte);
}

/*
 * An entry of the page tables at @addr has been found by @full: for a nested
 * guest, a nested mapping.
 */
void x86_dseg_do_ref(X86DsegWalk *walk, hwaddr addr,
                     const CPUTLBEntryFull *full);

static inline void x86_dseg_ref(X86DsegWalk *walk, hwaddr addr,
                                const CPUTLBEntryFull *full)
{
    if (unlikely(walk)) {
        x86_dseg_do_ref(walk, addr, full);
    }
}

/* A debug translation has read its value, @entry.  Returns that. */
uint64_t x86_dseg_do_entry(X86DsegWalk *walk, uint64_t entry);

static inline uint64_t x86_dseg_entry(X86DsegWalk *walk, uint64_t entry)
{
    return walk ? x86_dseg_do_entry(walk, entry) : entry;
}

/*
 * The guest's tables have ended in a page of @page_size bytes with the final
 * @gpa, and that has been found by the nested mapping @full.
 */
void x86_dseg_do_final(X86DsegWalk *walk, hwaddr gpa, uint64_t page_size,
                       const CPUTLBEntryFull *full);

static inline void x86_dseg_final(X86DsegWalk *walk, hwaddr gpa,
                                  uint64_t page_size,
                                  const CPUTLBEntryFull *full)
{
    if (unlikely(walk)) {
        x86_dseg_do_final(walk, gpa, page_size, full);
    }
}

/* A walk is complete; its page, of both dimensions, is of @page_size bytes. */
void x86_dseg_do_done(X86DsegWalk *walk, MMUAccessType access_type,
                      int mmu_idx, uint64_t page_size);

static inline void x86_dseg_done(X86DsegWalk *walk, MMUAccessType access_type,
                                 int mmu_idx, uint64_t page_size)
{
    if (unlikely(walk)) {
        x86_dseg_do_done(walk, access_type, mmu_idx, page_size);
    }
}

/*
 * The translation of @addr for @mmu_idx that was tried last faults: with exception
 * @excp and @error_code, or, if @npf, with #NPF; @table says that it is that of a
 * page-table entry.
 */
void x86_dseg_do_fault(CPUX86State *env, vaddr addr, int mmu_idx, int excp,
                       int error_code, bool npf, bool table);

static inline void x86_dseg_fault(CPUX86State *env, vaddr addr, int mmu_idx,
                                  int excp, int error_code, bool npf,
                                  bool table)
{
    if (unlikely(env->dseg)) {
        x86_dseg_do_fault(env, addr, mmu_idx, excp, error_code, npf, table);
    }
}

/*
 * The modelled TLB
 */

/*
 * A walk of one dimension has ended with the leaf entry @pte; @ptep has the
 * permissions that all entries on its way have.
 */
void x86_dseg_do_leaf_entry(X86DsegWalk *walk, uint64_t pte, uint64_t ptep);

static inline void x86_dseg_leaf_entry(X86DsegWalk *walk, uint64_t pte,
                                       uint64_t ptep)
{
    if (unlikely(walk)) {
        x86_dseg_do_leaf_entry(walk, pte, ptep);
    }
}

/* The MMU index of fetches where @mmu_idx is that of data. */
int x86_dseg_do_mmu_idx(CPUX86State *env, int mmu_idx);

static inline int x86_dseg_mmu_idx(CPUX86State *env, int mmu_idx, bool ifetch)
{
    return ifetch && x86_dseg_exists(env) ? x86_dseg_do_mmu_idx(env, mmu_idx)
                                          : mmu_idx;
}

/* The reverse: MMU_*_IDX. */
static inline int x86_dseg_plain_idx(int mmu_idx)
{
    return mmu_idx & 7;
}

/*
 * QEMU's TLB has missed @addr, or been told to ask again.  If the modelled one has
 * it, no walk is needed: that sees the access, and QEMU's has the page now.
 */
bool x86_dseg_do_access(CPUX86State *env, vaddr addr,
                        MMUAccessType access_type, int mmu_idx);

static inline bool x86_dseg_access(CPUX86State *env, vaddr addr,
                                   MMUAccessType access_type, int mmu_idx)
{
    return unlikely(env->dseg) &&
           x86_dseg_do_access(env, addr, access_type, mmu_idx);
}

/*
 * QEMU's TLB is to be filled with the walk that has just ended: tells the modelled
 * one, which may change *@page_size, and take PAGE_WRITE from *@prot.
 */
void x86_dseg_do_fill(CPUX86State *env, vaddr addr, MMUAccessType access_type,
                      int mmu_idx, hwaddr paddr, int *prot, int *page_size);

static inline void x86_dseg_fill(CPUX86State *env, vaddr addr,
                                 MMUAccessType access_type, int mmu_idx,
                                 hwaddr paddr, int *prot, int *page_size)
{
    if (unlikely(env->dseg)) {
        x86_dseg_do_fill(env, addr, access_type, mmu_idx, paddr, prot,
                         page_size);
    }
}

/*
 * QEMU's TLB has that translation already, hidden since the modelled one evicted
 * it, and shows it again.
 */
bool x86_dseg_do_show(CPUX86State *env, vaddr addr, hwaddr paddr, int prot,
                      int mmu_idx);

static inline bool x86_dseg_show(CPUX86State *env, vaddr addr, hwaddr paddr,
                                 int prot, int mmu_idx)
{
    return unlikely(env->dseg) &&
           x86_dseg_do_show(env, addr, paddr, prot, mmu_idx);
}

/* Software does what invalidates TLB entries: docs/spec/tlb.rst. */
void x86_dseg_do_mov_cr3(CPUX86State *env, uint64_t operand, uint64_t cr3);
void x86_dseg_do_mov_cr4(CPUX86State *env, uint64_t cr4);
void x86_dseg_do_invlpg(CPUX86State *env, uint64_t addr);
void x86_dseg_do_invlpga(CPUX86State *env, uint64_t addr, uint32_t asid);
void x86_dseg_do_invpcid(CPUX86State *env, unsigned type, uint16_t pcid,
                         uint64_t addr);

/* Load CR3, as software asks for with @operand. */
static inline void x86_dseg_mov_cr3(CPUX86State *env, uint64_t operand,
                                    uint64_t cr3)
{
    if (x86_dseg_exists(env)) {
        x86_dseg_do_mov_cr3(env, operand, cr3);
    } else {
        cpu_x86_update_cr3(env, cr3);
    }
}

static inline void x86_dseg_mov_cr4(CPUX86State *env, uint64_t cr4)
{
    if (env->dseg) {
        x86_dseg_do_mov_cr4(env, cr4);
    }
}

static inline void x86_dseg_invlpg(CPUX86State *env, uint64_t addr)
{
    if (env->dseg) {
        x86_dseg_do_invlpg(env, addr);
    }
}

static inline void x86_dseg_invlpga(CPUX86State *env, uint64_t addr,
                                    uint32_t asid)
{
    if (env->dseg) {
        x86_dseg_do_invlpga(env, addr, asid);
    }
}

static inline void x86_dseg_invpcid(CPUX86State *env, unsigned type,
                                    uint16_t pcid, uint64_t addr)
{
    if (env->dseg) {
        x86_dseg_do_invpcid(env, type, pcid, addr);
    }
}

/* Whether the translator has to call helper x86_dseg_fetch for each block. */
bool x86_dseg_do_watches_fetches(CPUX86State *env);

static inline bool x86_dseg_watches_fetches(CPUX86State *env)
{
    return x86_dseg_exists(env) && x86_dseg_do_watches_fetches(env);
}

/*
 * Whether the translator has to call helper x86_dseg_line for the instruction at
 * @pc, which is not the first one of its block: it begins in another line of the
 * caches than the one before, which is at @before.
 */
bool x86_dseg_do_new_line(CPUX86State *env, uint64_t pc, uint64_t before);

static inline bool x86_dseg_new_line(CPUX86State *env, bool first, uint64_t pc,
                                     uint64_t before)
{
    return x86_dseg_exists(env) && !first &&
           x86_dseg_do_new_line(env, pc, before);
}

/*
 * The largest part of the @size bytes, aligned to that, around @addr that lies
 * either in the guest segment in force or outside, and not in both.
 */
uint64_t x86_dseg_debug_part(CPUX86State *env, uint64_t addr, uint64_t size);

/*
 * x86_debug_translate() with @dseg, which may be all zeros, to say how direct
 * segments take part.  Beside it, in excp_helper.c.
 */
bool x86_dseg_debug_translate(CPUX86State *env, vaddr addr,
                              MMUAccessType access_type, int mmu_idx,
                              bool check_prot, X86DsegDebug *dseg,
                              X86DebugTranslation *debug);

#endif
