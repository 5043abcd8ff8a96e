/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * In which modes of the CPU a guest segment is in force: 64-bit and
 * compatibility mode, and not without long mode (docs/spec/translation.rst, "In
 * force").
 */
#include "lib/cpu.h"
#include "lib/tap.h"
#include "lib/vm.h"

#define TABLES_BYTE 0x22
#define SEGMENT_BYTE 0x11

static const struct vm_shape shape = { 4, 1, 4, 1 };

static bool in_force(enum vm_mode mode)
{
    return mode != VM_PAE;
}

static void make(struct vm *vm, enum vm_mode mode)
{
    uint64_t own;

    dseg_reset();
    vm_init(vm, &shape);
    own = arena_page(&vm->inside);
    *(uint8_t *)at_hpa(vm->data_hpa) = TABLES_BYTE;
    *(uint8_t *)at_hpa(own) = SEGMENT_BYTE;
    vm_set_mode(vm, mode);
    set_guest_segment(&vm->guest, segment(LOW_DATA, PAGE, to_gpa(own)));
    vm->guest.registers.rdi = LOW_DATA;
}

/* l2_load1 has the same encoding in all three modes. */
static void in_mode(enum vm_mode mode)
{
    const uint64_t selector = SELECTOR(CHECKS, ALL_REGIMES, ALL_PRIVILEGES,
                                       LOAD);
    uint64_t checks;
    struct l2_end end;
    struct vm vm;

    case_begin("a guest segment is %sin force in %s",
               in_force(mode) ? "" : "not ", vm_mode_names[mode]);
    make(&vm, mode);
    checks = counter(selector);
    end = l2_fetch(&vm.guest, LOW_CODE + (l2_load1 - l2_code));
    expect("exit code", EXIT_VMMCALL, end.exit_code);
    expect("value", in_force(mode) ? SEGMENT_BYTE : TABLES_BYTE, end.rax);
    expect("checked at all", in_force(mode), counter(selector) > checks);
    case_end();
}

/* Addresses of compatibility mode wrap at 4 GiB before they are translated. */
static void above_4_gib(void)
{
    struct l2_end end;
    struct vm vm;

    case_begin("compatibility mode does not reach a segment above 4 GiB");
    make(&vm, VM_COMPATIBILITY);
    vm.guest.vmcb->dseg_cr9 += 4 * GiB;
    vm.guest.vmcb->dseg_cr10 += 4 * GiB;
    vm.guest.vmcb->dseg_cr11 -= 4 * GiB;
    vm.guest.registers.rdi += 4 * GiB;
    end = l2_fetch(&vm.guest, LOW_CODE + (l2_load1 - l2_code));
    expect("exit code", EXIT_VMMCALL, end.exit_code);
    expect("value", TABLES_BYTE, end.rax);
    case_end();
}

void tests(void)
{
    for (enum vm_mode mode = VM_64; mode <= VM_PAE; mode++) {
        in_mode(mode);
    }
    above_4_gib();
}
