/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A CPU without PCIDs and INVPCID: what pcid.c and invpcid.c use is refused. */
#include "lib/cpu.h"
#include "lib/tap.h"
#include "lib/trap.h"
#include "lib/vm.h"

static const struct vm_shape shape = { 4, 1, 4, 1 };
static uint64_t descriptor[2];

static void features(void)
{
    case_begin("CPUID has neither PCID nor INVPCID");
    expect("PCID", 0, cpuid(1, 0).ecx & CPUID_1_ECX_PCID);
    expect("INVPCID", 0, cpuid(7, 0).ebx & CPUID_7_EBX_INVPCID);
    case_end();
}

static void native(void)
{
    uint64_t cr3 = read_cr3(), cr4 = read_cr4();

    case_begin("CR4.PCIDE and bit 63 of CR3 are #GP, INVPCID is #UD");
    expect("CR4", TRAP(VECTOR_GP, 0), try_write_cr(4, cr4 | CR4_PCIDE));
    expect("CR4 then", cr4, read_cr4());
    expect("CR3", TRAP(VECTOR_GP, 0), try_write_cr(3, cr3 | CR3_NO_FLUSH));
    expect("CR3 then", cr3, read_cr3());
    expect("INVPCID", TRAP(VECTOR_UD, 0),
           try_invpcid(0, (uint64_t)descriptor));
    case_end();
}

/* #UD comes before privilege and intercept. */
static void invpcid_in_guest(unsigned cpl, uint32_t intercepts)
{
    struct l2_end end;
    struct vm vm;

    case_begin("INVPCID is #UD in L2, CPL %u, intercepts 0x%x", cpl,
               intercepts);
    vm_init(&vm, &shape);
    guest_set_cpl(&vm.guest, cpl);
    vm.guest.vmcb->intercepts3 = intercepts;
    end = l2_run(&vm.guest, l2_invpcid, to_gva(vm.data_hpa), 0);
    expect("exit code", EXIT_EXCEPTION(VECTOR_UD), end.exit_code);
    case_end();
}

static void guest(void)
{
    struct l2_end end;
    struct vm vm;

    case_begin("CR4.PCIDE is #GP in L2, and VMRUN with it fails");
    vm_init(&vm, &shape);
    end = l2_run(&vm.guest, l2_write_cr4, CR4_PAE | CR4_PCIDE, 0);
    expect("exit code", EXIT_EXCEPTION(VECTOR_GP), end.exit_code);
    vm.guest.vmcb->cr4 |= CR4_PCIDE;
    end = l2_run(&vm.guest, l2_nothing, 0, 0);
    expect("exit code", EXIT_INVALID, end.exit_code);
    case_end();
}

void tests(void)
{
    features();
    native();
    for (unsigned cpl = 0; cpl <= 3; cpl += 3) {
        invpcid_in_guest(cpl, 0);
        invpcid_in_guest(cpl, INTERCEPT3_INVPCID);
    }
    guest();
}
