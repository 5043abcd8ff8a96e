/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: what VMRUN and #VMEXIT do with CR9 to CR12
 *
 * As docs/spec/registers.rst says.  The VMM segment stays as it is.  Each
 * #VMEXIT is counted by its reason.
 */

#include "qemu/osdep.h"
#include "cpu.h"
#include "exec/cputlb.h"
#include "svm.h"
#include "dseg.h"
#include "cpu/state.h"

/*
 * Reserved in APM volume 2, appendix B.  The host save area has the same
 * offsets.
 */
#define SAVE_AREA 0x580

static hwaddr place(hwaddr area, unsigned cr)
{
    return area + SAVE_AREA + (cr - DSEG_CR_BASE) * sizeof(uint64_t);
}

static void save(CPUX86State *env, hwaddr area)
{
    const DsegControl *control = &env->dseg->registers.control;

    for (unsigned cr = DSEG_CR_BASE; cr <= DSEG_CR_SELECT; cr++) {
        x86_stq_phys(env_cpu(env), place(area, cr), dseg_cr_read(control, cr));
    }
}

/* Switches to @control.  Loading CR3 has flushed what segments did not make. */
static void set_control(CPUX86State *env, const DsegControl *control)
{
    DsegControl *old = &env->dseg->registers.control;
    bool segments = dseg_segment_enabled(&old->guest) ||
                    dseg_segment_enabled(&control->guest);

    *old = *control;
    if (segments) {
        tlb_flush(env_cpu(env));
    }
}

/* False if one of them breaks a rule; all that do are 0 then. */
static bool load(CPUX86State *env, hwaddr area)
{
    unsigned virt_bits = x86_dseg_virt_bits_now(env);
    DsegControl control = {};
    bool valid = true;

    for (unsigned cr = DSEG_CR_BASE; cr <= DSEG_CR_SELECT; cr++) {
        uint64_t value = x86_ldq_phys(env_cpu(env), place(area, cr));

        valid &= dseg_cr_write(&control, cr, value, virt_bits);
    }
    set_control(env, &control);
    return valid;
}

void x86_dseg_do_vmrun_save(CPUX86State *env)
{
    save(env, env->vm_hsave);
    x86_dseg_tlb_leave(env);
}

bool x86_dseg_do_vmrun_load(CPUX86State *env)
{
    X86DsegState *dseg = env->dseg;

    if (!(env->cr[0] & CR0_PG_MASK)) {
        set_control(env, &(DsegControl) {});
    } else if (!load(env, env->vm_vmcb)) {
        return false;
    }
    dseg->control_is_guests = true;
    x86_dseg_tlb_vmrun(env);
    return true;
}

void x86_dseg_do_vmexit_save(CPUX86State *env)
{
    uint64_t code = x86_ldq_phys(env_cpu(env), env->vm_vmcb +
                                 offsetof(struct vmcb, control.exit_code));

    dseg_counters_exit(&env->dseg->counters, code);
    /* Not where VMRUN fails before it has loaded the guest's. */
    if (env->dseg->control_is_guests) {
        save(env, env->vm_vmcb);
        env->dseg->control_is_guests = false;
    }
    x86_dseg_tlb_leave(env);
}

void x86_dseg_do_vmexit_load(CPUX86State *env)
{
    load(env, env->vm_hsave);
    x86_dseg_tlb_vmexit(env);
}
