/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A CPU with dseg=off has nothing of it (docs/spec/index.rst). */
#include "lib/cpu.h"
#include "lib/tap.h"
#include "lib/trap.h"
#include "lib/vm.h"

#define LEAF 0x44534547
#define MAGIC 0x47455344
#define UNTOUCHED 0x6b6b6b6b6b6b6001ull

static const struct vm_shape shape = { 4, 1, 4, 1 };

static const char *const reads[] = {
    l2_read_cr9, l2_read_cr10, l2_read_cr11, l2_read_cr12, l2_read_cr13,
};
static const char *const writes[] = {
    l2_write_cr9, l2_write_cr10, l2_write_cr11, l2_write_cr12, l2_write_cr13,
};

static void control_registers(void)
{
    uint64_t value;

    for (unsigned n = 9; n <= 13; n++) {
        case_begin("dseg=off: CR%u is #UD in L1", n);
        expect("read", TRAP(VECTOR_UD, 0), try_read_cr(n, &value));
        expect("write", TRAP(VECTOR_UD, 0), try_write_cr(n, 0));
        case_end();
    }
}

/* #UD comes before privilege and intercepts. */
static void control_registers_in_guest(unsigned n, unsigned cpl)
{
    struct l2_end end;
    struct vm vm;

    case_begin("dseg=off: CR%u is #UD in L2, intercepted or not, at CPL %u",
               n, cpl);
    vm_init(&vm, &shape);
    guest_set_cpl(&vm.guest, cpl);
    for (unsigned i = 0; i < 2; i++) {
        end = l2_run(&vm.guest, reads[n - 9], 0, 0);
        expect("exit code of a read", EXIT_EXCEPTION(VECTOR_UD), end.exit_code);
        end = l2_run(&vm.guest, writes[n - 9], 0, 0);
        expect("exit code of a write", EXIT_EXCEPTION(VECTOR_UD),
               end.exit_code);
        vm.guest.vmcb->intercept_cr_reads = 0xfff8;
        vm.guest.vmcb->intercept_cr_writes = 0xfff8;
    }
    case_end();
}

/* Unknown: QEMU ignores writes of such MSRs, and reads are 0. */
static void msrs(void)
{
    for (uint32_t msr = MSR_VMM_BASE; msr < MSR_FILTER(MAX_FILTER_WORDS); msr++) {
        uint64_t value = 0;

        case_begin("dseg=off: MSR 0x%x keeps nothing", msr);
        try_write_msr(msr, 0x1000);
        try_read_msr(msr, &value);
        expect("value", 0, value);
        case_end();
    }
}

static void cpuid_leaf(void)
{
    case_begin("dseg=off: there is no CPUID leaf");
    expect("EAX is the magic number", false, cpuid(LEAF, 0).eax == MAGIC);
    case_end();
}

static void world_switch(void)
{
    struct l2_end end;
    struct vmcb *vmcb;
    struct vm vm;

    case_begin("dseg=off: a world switch leaves the VMCB's bytes alone");
    vm_init(&vm, &shape);
    vmcb = vm.guest.vmcb;
    vmcb->dseg_cr9 = vmcb->dseg_cr10 = UNTOUCHED;
    vmcb->dseg_cr11 = vmcb->dseg_cr12 = UNTOUCHED;
    end = l2_run(&vm.guest, l2_load1, to_gva(vm.data_hpa), 0);
    expect("exit code", EXIT_VMMCALL, end.exit_code);
    expect("quadword", UNTOUCHED, vmcb->dseg_cr9);
    expect("quadword", UNTOUCHED, vmcb->dseg_cr10);
    expect("quadword", UNTOUCHED, vmcb->dseg_cr11);
    expect("quadword", UNTOUCHED, vmcb->dseg_cr12);
    case_end();
}

/* A segment there would be, with dseg=on. */
static void no_segment(void)
{
    struct l2_end end;
    struct vm vm;

    case_begin("dseg=off: no segment of the VMCB translates");
    vm_init(&vm, &shape);
    *(uint8_t *)at_hpa(vm.data_hpa) = 1;
    set_guest_segment(&vm.guest, segment(to_gva(vm.data_hpa), PAGE,
                                         to_gpa(vm.data_hpa) + PAGE));
    end = l2_run(&vm.guest, l2_load1, to_gva(vm.data_hpa), 0);
    expect("value", 1, end.rax);
    case_end();
}

void tests(void)
{
    control_registers();
    for (unsigned n = 9; n <= 13; n++) {
        control_registers_in_guest(n, 0);
        control_registers_in_guest(n, 3);
    }
    msrs();
    cpuid_leaf();
    world_switch();
    no_segment();
}
