/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Exceptions that L2 handles by itself, while its IDT, GDT and stack are
 * translated by a segment: error codes and CR2 as L2 sees them; and accesses
 * that are implicitly the supervisor's, which SMAP forbids whatever EFLAGS.AC
 * is.
 */
#include "lib/cpu.h"
#include "lib/tap.h"
#include "lib/vm.h"

#define SYSTEM_PAGES 2              /* tables, stack */
#define GDT_OFFSET 0x800
#define CODE64 0x08
#define CODE64_DESCRIPTOR 0x00af9b000000ffffull
#define DATA_DESCRIPTOR 0x00cf93000000ffffull
#define GATE 0x8e00
#define GATE_SIZE 16

static const struct vm_shape shape = { 4, 1, 4, 1 };

static const struct {
    const char *name;
    bool guest_segment, vmm_segment;
} modes[] = {
    { "page tables", false, false },
    { "the VMM segment", false, true },
    { "the guest segment", true, false },
    { "both segments", true, true },
};

struct gate {
    uint16_t offset_low, selector, type, offset_mid;
    uint32_t offset_high, reserved;
};

/*
 * IDT, GDT and stack are in the second and third page of the data. A guest
 * segment translates these two, and the first page, and the tables then have
 * none of them.
 */
static void make(struct vm *vm, unsigned mode)
{
    uint64_t system, handler;
    struct gate *idt;
    uint64_t *gdt;

    dseg_reset();
    vm_init(vm, &shape);
    system = vm->data_hpa + PAGE;
    idt = at_hpa(system);
    gdt = at_hpa(system + GDT_OFFSET);
    for (unsigned vector = 0; vector < 32; vector++) {
        bool has_code = vector == VECTOR_GP || vector == VECTOR_PF;

        handler = L2_CODE_KERNEL +
                  ((has_code ? l2_handler_of_code : l2_handler) - l2_code);
        idt[vector] = (struct gate) {
            handler, CODE64, GATE, handler >> 16, handler >> 32, 0,
        };
    }
    gdt[0] = 0;
    gdt[CODE64 / 8] = CODE64_DESCRIPTOR;
    gdt[CODE64 / 8 + 1] = DATA_DESCRIPTOR;
    vm->guest.vmcb->cs.selector = CODE64;
    vm->guest.vmcb->ss.selector = CODE64 + 8;
    vm->guest.vmcb->idtr.base = to_gva(system);
    vm->guest.vmcb->idtr.limit = 32 * GATE_SIZE - 1;
    vm->guest.vmcb->gdtr.base = to_gva(system) + GDT_OFFSET;
    vm->guest.vmcb->gdtr.limit = 3 * 8 - 1;
    vm->guest.vmcb->rsp = to_gva(system) + SYSTEM_PAGES * PAGE;
    vm->guest.vmcb->intercept_exceptions = 0;
    if (modes[mode].guest_segment) {
        for (unsigned i = 0; i <= SYSTEM_PAGES; i++) {
            *tables_entry(&vm->guest_tables,
                          to_gva(vm->data_hpa) + i * PAGE, 1) = 0;
        }
        set_guest_segment(&vm->guest,
                          segment(to_gva(vm->data_hpa), 3 * PAGE,
                                  to_gpa(vm->data_hpa)));
    }
    if (modes[mode].vmm_segment) {
        set_vmm_segment(segment(to_gpa(0), MEMORY_END, 0));
    }
}

static void expect_delivered(struct vm *vm, struct l2_end end, uint64_t code,
                             uint64_t address)
{
    expect("exit code", EXIT_VMMCALL, end.exit_code);
    expect("where it ended", L2_CODE_KERNEL, vm->guest.vmcb->rip & -PAGE);
    expect("error code", code, end.rax);
    expect("CR2", address, vm->guest.registers.rbx);
}

static void page_faults(unsigned mode)
{
    uint64_t unmapped, gva;
    struct l2_end end;
    struct vm vm;

    case_begin("by %s: L2 handles a #PF of a page that is not there",
               modes[mode].name);
    make(&vm, mode);
    unmapped = to_gva(vm.data_hpa) + 8 * PAGE + 3;
    end = vm_access(&vm, STORE, unmapped);
    expect_delivered(&vm, end, PF_W, unmapped);
    case_end();

    case_begin("by %s: L2 handles a #PF of a fetch from a page with NX",
               modes[mode].name);
    make(&vm, mode);
    gva = to_gva(vm.data_hpa);
    if (!modes[mode].guest_segment) {
        *tables_entry(&vm.guest_tables, gva, 1) |= PTE_NX;
    }
    end = l2_fetch(&vm.guest, gva);
    expect_delivered(&vm, end, PF_P | PF_I, gva);
    case_end();

    case_begin("by %s: L2 handles a #UD", modes[mode].name);
    make(&vm, mode);
    vm.guest.vmcb->efer &= ~EFER_NXE;
    end = l2_fetch(&vm.guest, to_gva(vm.data_hpa));
    expect("exit code", EXIT_VMMCALL, end.exit_code);
    expect("where it ended", L2_CODE_KERNEL, vm.guest.vmcb->rip & -PAGE);
    case_end();

    case_begin("by %s: L2 handles a #GP of a refused CR9", modes[mode].name);
    make(&vm, mode);
    end = l2_run(&vm.guest, l2_write_cr9, 1, 0);
    expect("exit code", EXIT_VMMCALL, end.exit_code);
    expect("error code", 0, end.rax);
    case_end();
}

/*
 * #UD reads the IDT, which is a user's page: SMAP forbids that, even with AC.
 */
static void implicit_access(unsigned mode, unsigned cpl, bool smap, bool ac)
{
    struct l2_end end;
    struct vm vm;

    case_begin("by %s: reading the IDT at CPL %u with SMAP=%d and AC=%d is %s",
               modes[mode].name, cpl, smap, ac, smap ? "#PF" : "allowed");
    make(&vm, mode);
    guest_set_cpl(&vm.guest, cpl);
    vm.guest.vmcb->intercept_exceptions = BIT(VECTOR_PF);
    vm.guest.vmcb->cr4 |= smap ? CR4_SMAP : 0;
    vm.guest.vmcb->rflags |= ac ? RFLAGS_AC : 0;
    vm.guest.vmcb->efer &= ~EFER_NXE;
    end = l2_fetch(&vm.guest, to_gva(vm.data_hpa));
    if (smap) {
        expect("exit code", EXIT_EXCEPTION(VECTOR_PF), end.exit_code);
        expect("error code", PF_P, end.exit_info1);
        expect("address", vm.guest.vmcb->idtr.base + VECTOR_UD * GATE_SIZE,
               end.exit_info2 & -GATE_SIZE);
    } else {
        expect("exit code", EXIT_VMMCALL, end.exit_code);
    }
    case_end();
}

void tests(void)
{
    for (unsigned mode = 0; mode < ARRAY_SIZE(modes); mode++) {
        page_faults(mode);
        implicit_access(mode, 0, false, false);
        implicit_access(mode, 0, true, false);
        implicit_access(mode, 0, true, true);
        implicit_access(mode, 3, true, false);
        implicit_access(mode, 3, true, true);
    }
}
