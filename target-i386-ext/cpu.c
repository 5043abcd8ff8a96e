/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: a CPU gets and loses them
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "migration/blocker.h"
#include "dseg.h"
#include "state.h"

/* One for all CPUs: their segments and counters are not migrated. */
static Error *migration_blocker;

bool x86_dseg_create(X86CPU *cpu, Error **errp)
{
    CPUX86State *env = &cpu->env;

    if (!(env->features[FEAT_8000_0001_EDX] & CPUID_EXT2_LM)) {
        error_setg(errp, "CPU property 'dseg' needs a CPU with long mode (lm)");
        return false;
    }
    if (!migration_blocker) {
        error_setg(&migration_blocker,
                   "CPU property 'dseg' does not support snapshots and "
                   "migration");
        if (migrate_add_blocker(&migration_blocker, errp) < 0) {
            return false;
        }
    }
    env->dseg = g_new0(X86DsegState, 1);
    return true;
}

unsigned x86_dseg_phys_bits(CPUX86State *env)
{
    return env_archcpu(env)->phys_bits;
}

unsigned x86_dseg_virt_bits(CPUX86State *env)
{
    return env->features[FEAT_7_0_ECX] & CPUID_7_0_ECX_LA57 ? 57 : 48;
}
