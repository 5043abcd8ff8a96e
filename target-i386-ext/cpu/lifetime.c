/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: a CPU gets and loses them
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "dseg.h"
#include "cpu/state.h"

static bool same(const char *property, const char *value, const char *others,
                 int other, Error **errp)
{
    if (!strcmp(value, others)) {
        return true;
    }
    error_setg(errp, "CPU property '%s' must be the same for all CPUs, as they "
               "share translated code: it is '%s', but '%s' for CPU %d",
               property, value, others, other);
    return false;
}

static bool same_filter(X86CPU *cpu, X86CPU *other, Error **errp)
{
    if (cpu->dseg_filter_bits == other->dseg_filter_bits) {
        return true;
    }
    error_setg(errp, "CPU property 'dseg-filter-bits' must be the same for all "
               "CPUs, as software asks one of them: it is %u, but %u for CPU %d",
               cpu->dseg_filter_bits, other->dseg_filter_bits,
               CPU(other)->cpu_index);
    return false;
}

bool x86_dseg_same_as_others(X86CPU *cpu, Error **errp)
{
    X86CPU *other = first_cpu ? X86_CPU(first_cpu) : cpu;
    int index = CPU(other)->cpu_index;

    return same("dseg", cpu->dseg ? "on" : "off", other->dseg ? "on" : "off",
                index, errp) &&
           same("dseg-tlb", cpu->dseg_tlb ?: "off", other->dseg_tlb ?: "off",
                index, errp) &&
           same("dseg-tlb-mode", cpu->dseg_tlb_mode ?: "inclusive",
                other->dseg_tlb_mode ?: "inclusive", index, errp) &&
           same("dseg-caches", cpu->dseg_caches ? "on" : "off",
                other->dseg_caches ? "on" : "off", index, errp) &&
           same_filter(cpu, other, errp);
}

QEMU_BUILD_BUG_ON(X86_DSEG_FILTER_BITS != DSEG_FILTER_BITS);

static bool create_filters(X86CPU *cpu, Error **errp)
{
    X86DsegState *dseg = cpu->env.dseg;
    uint32_t bits = cpu->dseg_filter_bits;

    if (dseg_filter_init(&dseg->registers.escapes.filter, bits) &&
        dseg_filter_init(&dseg->monitor.escapes.filter, bits)) {
        return true;
    }
    error_setg(errp, "CPU property 'dseg-filter-bits' must be 64, 128, 256, 512 "
               "or 1024, not %u", bits);
    return false;
}

bool x86_dseg_do_realize(X86CPU *cpu, Error **errp)
{
    CPUX86State *env = &cpu->env;

    if (!(env->features[FEAT_8000_0001_EDX] & CPUID_EXT2_LM)) {
        error_setg(errp, "CPU property 'dseg' needs a CPU with long mode (lm)");
        return false;
    }
    env->dseg = g_new0(X86DsegState, 1);
    if (!create_filters(cpu, errp) || !x86_dseg_create_tlb(cpu, errp)) {
        g_clear_pointer(&env->dseg, g_free);
        return false;
    }
    x86_dseg_gdb_init(CPU(cpu));
    return true;
}

void x86_dseg_do_unrealize(X86CPU *cpu)
{
    x86_dseg_forget_markers(cpu->env.dseg);
    g_clear_pointer(&cpu->env.dseg->stop_labels, g_array_unref);
    x86_dseg_tlb_free(cpu->env.dseg->tlb);
    g_clear_pointer(&cpu->env.dseg, g_free);
}

void x86_dseg_do_reset(CPUX86State *env)
{
    /* What the monitor owns stays, and so do the counters. */
    dseg_registers_reset(&env->dseg->registers);
    env->dseg->control_is_guests = false;
    x86_dseg_tlb_reset(env);
}

unsigned x86_dseg_phys_bits(CPUX86State *env)
{
    return env_archcpu(env)->phys_bits;
}

unsigned x86_dseg_virt_bits(CPUX86State *env)
{
    return env->features[FEAT_7_0_ECX] & CPUID_7_0_ECX_LA57 ? 57 : 48;
}

unsigned x86_dseg_virt_bits_now(CPUX86State *env)
{
    return env->cr[4] & CR4_LA57_MASK ? 57 : 48;
}
