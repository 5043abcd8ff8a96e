/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What VMRUN flushes by the VMCB's TLB_CONTROL (APM, volume 2, 15.16.1). */
#include "lib/cpu.h"
#include "lib/tap.h"
#include "lib/vm.h"

#define OLD_BYTE 0x11u
#define NEW_BYTE 0x22u
#define LEAF (PTE_P | PTE_W | PTE_U | PTE_A | PTE_D)

static const struct vm_shape shape = { 4, 1, 4, 1 };

static const struct {
    unsigned control;
    bool global;
} rows[] = {
    { TLB_FLUSH_ALL, false }, { TLB_FLUSH_ALL, true },
    { TLB_FLUSH_GUEST, false }, { TLB_FLUSH_GUEST, true },
    { TLB_FLUSH_GUEST_NONGLOBAL, false },
};

static void feature(void)
{
    case_begin("CPUID has FlushByAsid");
    expect("Fn8000_000A EDX[FlushByAsid]", CPUID_SVM_EDX_FLUSH_BY_ASID,
           cpuid(0x8000000a, 0).edx & CPUID_SVM_EDX_FLUSH_BY_ASID);
    case_end();
}

static unsigned loaded(struct vm *vm, unsigned control)
{
    struct l2_end end;

    vm->guest.vmcb->tlb_control = control;
    end = l2_run(&vm->guest, l2_load1, to_gva(vm->data_hpa), 0);
    expect("exit code", EXIT_VMMCALL, end.exit_code);
    return end.rax;
}

/* Another page at the gVA: by the guest's tables, or by the nested ones. */
static void one(unsigned row, bool nested)
{
    uint64_t flags = LEAF | (rows[row].global ? PTE_G : 0);
    struct vm vm;
    uint64_t other;

    case_begin("TLB_CONTROL %u: a change of %s page tables is in force, "
               "global page=%d", rows[row].control,
               nested ? "nested" : "the guest's", rows[row].global);
    vm_init(&vm, &shape);
    vm.guest.vmcb->cr4 |= CR4_PGE;
    other = vm.data_hpa + PAGE;
    *(uint8_t *)at_hpa(vm.data_hpa) = OLD_BYTE;
    *(uint8_t *)at_hpa(other) = NEW_BYTE;
    tables_map(&vm.guest_tables, to_gva(vm.data_hpa), to_gpa(vm.data_hpa), PAGE,
               1, flags);
    expect("first", OLD_BYTE, loaded(&vm, TLB_FLUSH_ALL));
    if (nested) {
        tables_map(&vm.nested, to_gpa(vm.data_hpa), other, PAGE, 1, LEAF);
    } else {
        tables_map(&vm.guest_tables, to_gva(vm.data_hpa), to_gpa(other), PAGE,
                   1, flags);
    }
    expect("then", NEW_BYTE, loaded(&vm, rows[row].control));
    case_end();
}

void tests(void)
{
    feature();
    for (unsigned row = 0; row < ARRAY_SIZE(rows); row++) {
        one(row, false);
        one(row, true);
    }
}
