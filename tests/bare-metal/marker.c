/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The marker instruction is a no-operation, in L1 and L2, at each CPL; with
 * dseg=off, too (docs/spec/registers.rst). What it snapshots is seen from
 * QEMU's monitor only.
 */
#include "lib/cpu.h"
#include "lib/tap.h"
#include "lib/trap.h"
#include "lib/vm.h"

#define MARKER ".byte 0x0f, 0x1f, 0x87, 0x01, 0x00, 0x00, 0xd5"
#define NO_MARKER ".byte 0x0f, 0x1f, 0x87, 0x01, 0x00, 0x00, 0xd4"

static const struct vm_shape shape = { 4, 1, 4, 1 };

static void in_host(void)
{
    uint64_t before, after, rdi = 0x123;

    case_begin("the marker in L1 changes neither flags nor its operand");
    asm volatile("pushf; pop %0\n" MARKER "\npushf; pop %1"
                 : "=&r"(before), "=&r"(after), "+D"(rdi));
    expect("RFLAGS", before, after);
    expect("RDI", 0x123, rdi);
    expect("exception", 0, TRY("", MARKER, "", "D"(BIT(62))));
    expect("exception of another label's byte", 0,
           TRY("", NO_MARKER, "", "D"(BIT(62))));
    case_end();
}

static void in_guest(unsigned cpl)
{
    struct l2_end end;
    struct vm vm;

    case_begin("the marker in L2 at CPL %u causes no #VMEXIT", cpl);
    vm_init(&vm, &shape);
    guest_set_cpl(&vm.guest, cpl);
    vm.guest.registers.rdx = 0x456;
    end = l2_run(&vm.guest, l2_marker, BIT(62), 0);
    expect("exit code", EXIT_VMMCALL, end.exit_code);
    expect("RIP behind it", (cpl ? L2_CODE_USER : L2_CODE_KERNEL) +
           (l2_marker - l2_code) + 7, vm.guest.vmcb->rip);
    expect("RDI", BIT(62), vm.guest.registers.rdi);
    expect("RDX", 0x456, vm.guest.registers.rdx);
    expect("RFLAGS", RFLAGS_FIXED, vm.guest.vmcb->rflags);
    case_end();
}

void tests(void)
{
    in_host();
    in_guest(0);
    in_guest(3);
}
