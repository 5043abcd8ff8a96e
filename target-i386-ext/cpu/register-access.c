/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: how software reaches the registers
 *
 * CPUID, control registers and MSRs, as docs/spec/registers.rst says.  Runs on
 * the CPU's own thread.
 */

#include "qemu/osdep.h"
#include "cpu.h"
#include "exec/cputlb.h"
#include "exec/helper-proto.h"
#include "tcg/helper-tcg.h"
#include "dseg.h"
#include "model/counter-select.h"
#include "cpu/caches.h"
#include "cpu/state.h"

bool x86_dseg_has_vmm(CPUX86State *env)
{
    return (env->features[FEAT_8000_0001_ECX] & CPUID_EXT3_SVM) &&
           (env->features[FEAT_SVM] & CPUID_SVM_NPT);
}

/* NULL if none are modelled. */
static X86DsegCaches *caches_of(const CPUX86State *env)
{
    return env->dseg->tlb ? env->dseg->tlb->caches : NULL;
}

/*
 * NULL if no caches are modelled.  The monitor also shows the registers of a CPU
 * that is running, in a thread of its own: then what waits to pass is missing.
 */
static const DsegCycles *cycles_of(CPUX86State *env)
{
    CPUState *cs = env_cpu(env);
    X86DsegCaches *caches = caches_of(env);

    if (!caches) {
        return NULL;
    }
    if (qemu_cpu_is_self(cs) || cpu_is_stopped(cs)) {
        dseg_caches_settle(caches->model);
    }
    return dseg_caches_cycles(caches->model);
}

bool x86_dseg_do_cpuid(CPUX86State *env, uint32_t *eax, uint32_t *ebx,
                       uint32_t *ecx, uint32_t *edx)
{
    bool vmm = x86_dseg_has_vmm(env);
    bool cycles = caches_of(env);

    *eax = DSEG_CPUID_SIGNATURE;
    *ebx = DSEG_CPUID_GUEST_SEGMENT | DSEG_CPUID_COUNTERS | DSEG_CPUID_MARKER |
           (vmm ? DSEG_CPUID_VMM_SEGMENT | DSEG_CPUID_FILTER : 0) |
           (cycles ? DSEG_CPUID_CYCLES : 0);
    *ecx = DSEG_REVISION << 16 | DSEG_FILTER_HASHES << 8 |
           dseg_filter_words(&env->dseg->registers.escapes.filter);
    *edx = DSEG_MSR_BASE;
    return true;
}

/*
 * Control registers
 */

/* The guest segment is another one than @old. */
static void guest_segment_changed(CPUX86State *env, const DsegSegment *old)
{
    if (!dseg_segment_same(old, &env->dseg->registers.control.guest)) {
        x86_dseg_tlb_changed(env, DSEG_TLB_GUEST_SEGMENT);
    }
    tlb_flush(env_cpu(env));
}

bool x86_dseg_set_cr(CPUX86State *env, unsigned cr, uint64_t value)
{
    DsegSegment old = env->dseg->registers.control.guest;

    if (!dseg_cr_write(&env->dseg->registers.control, cr, value,
                       x86_dseg_virt_bits_now(env))) {
        return false;
    }
    if (cr != DSEG_CR_SELECT) {
        guest_segment_changed(env, &old);
    }
    return true;
}

uint64_t x86_dseg_get_cr(CPUX86State *env, unsigned cr)
{
    const DsegControl *control = &env->dseg->registers.control;

    return cr == DSEG_CR_COUNT ?
           dseg_counter_select_read(&env->dseg->counters, cycles_of(env),
                                    control->select) :
           dseg_cr_read(control, cr);
}

void x86_dseg_write_cr(CPUX86State *env, unsigned cr, uint64_t value,
                       uintptr_t ra)
{
    if (!x86_dseg_set_cr(env, cr, value)) {
        raise_exception_err_ra(env, EXCP0D_GPF, 0, ra);
    }
}

target_ulong helper_x86_dseg_read_cr(CPUX86State *env, uint32_t cr)
{
    return x86_dseg_get_cr(env, cr);
}

void x86_dseg_do_write_cr0(CPUX86State *env)
{
    DsegSegment *segment = &env->dseg->registers.control.guest;
    DsegSegment old = *segment;

    x86_dseg_tlb_changed(env, DSEG_TLB_CR0);
    if ((env->cr[0] & CR0_PG_MASK) && !(env->hflags & HF_SMM_MASK)) {
        *segment = (DsegSegment) {};
        guest_segment_changed(env, &old);
    }
}

/*
 * Model-specific registers
 */

bool x86_dseg_set_msr(CPUX86State *env, uint32_t msr, uint64_t value)
{
    DsegRegisters *registers = &env->dseg->registers;
    DsegSegment old = registers->vmm;
    DsegFilter old_filter = registers->escapes.filter;

    if (!x86_dseg_has_vmm(env) ||
        !dseg_msr_write(registers, msr, value, x86_dseg_phys_bits(env))) {
        return false;
    }
    if (!dseg_segment_same(&old, &registers->vmm) ||
        (dseg_segment_enabled(&old) &&
         !dseg_filter_same(&old_filter, &registers->escapes.filter))) {
        x86_dseg_tlb_changed(env, DSEG_TLB_VMM_SEGMENT);
    }
    tlb_flush(env_cpu(env));
    return true;
}

/* Of a guest: the access was not intercepted, and is none of its business. */
static bool msr_forbidden(CPUX86State *env)
{
    return (env->hflags & HF_GUEST_MASK) || !x86_dseg_has_vmm(env);
}

bool x86_dseg_do_wrmsr(CPUX86State *env, uint32_t msr, uint64_t value,
                       uintptr_t ra)
{
    if (msr < DSEG_MSR_BASE || msr > DSEG_MSR_LAST) {
        return false;
    }
    if (msr_forbidden(env) || !x86_dseg_set_msr(env, msr, value)) {
        raise_exception_err_ra(env, EXCP0D_GPF, 0, ra);
    }
    return true;
}

bool x86_dseg_do_rdmsr(CPUX86State *env, uint32_t msr, uint64_t *value,
                       uintptr_t ra)
{
    if (msr < DSEG_MSR_BASE || msr > DSEG_MSR_LAST) {
        return false;
    }
    if (msr_forbidden(env) ||
        !dseg_msr_read(&env->dseg->registers, msr, value)) {
        raise_exception_err_ra(env, EXCP0D_GPF, 0, ra);
    }
    return true;
}
