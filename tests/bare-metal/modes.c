/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * In which modes of the CPU a guest segment is in force: 64-bit and
 * compatibility mode, and not without long mode (docs/spec/translation.rst, "In
 * force").
 */
#include "lib/cpu.h"
#include "lib/tap.h"
#include "lib/vm.h"

#define LOW_CODE 0x10000ull
#define LOW_DATA 0x20000ull
#define TABLES_BYTE 0x22
#define SEGMENT_BYTE 0x11
#define ATTRIBUTES_CODE32 0xc9b
#define PAE_LEVELS 3

static const struct vm_shape shape = { 4, 1, 4, 1 };

static const struct {
    const char *name;
    bool long_mode, code64, in_force;
} rows[] = {
    { "64-bit mode", true, true, true },
    { "compatibility mode", true, false, true },
    { "PAE paging without long mode", false, false, false },
};

/*
 * The low 4 GiB: l2_code and the data. Page-directory pointers of PAE have P
 * only.
 */
static void map_low(struct vm *vm, struct tables *tables, bool long_mode)
{
    tables_map(tables, LOW_CODE, to_gpa(l2_code_hpa()), PAGE, 1, PTE_P);
    tables_map(tables, LOW_DATA, to_gpa(vm->data_hpa), PAGE, 1, PTE_P | PTE_W);
    if (!long_mode) {
        *tables_entry(tables, 0, PAE_LEVELS) &= ~(PTE_W | PTE_U);
    }
}

/* A gPA that CR3 can have outside long mode: below 4 GiB. */
#define LOW_ROOT (2 * GiB)

static void make(struct vm *vm, unsigned row)
{
    struct vmcb *vmcb;
    uint64_t own;

    dseg_reset();
    vm_init(vm, &shape);
    vmcb = vm->guest.vmcb;
    own = arena_page(&vm->inside);
    *(uint8_t *)at_hpa(vm->data_hpa) = TABLES_BYTE;
    *(uint8_t *)at_hpa(own) = SEGMENT_BYTE;
    if (rows[row].long_mode) {
        map_low(vm, &vm->guest_tables, true);
    } else {
        struct tables pae;

        tables_init(&pae, PAE_LEVELS, -GPA_BASE, &vm->inside);
        map_low(vm, &pae, false);
        tables_map(&vm->nested, LOW_ROOT, pae.root - GPA_BASE, PAGE, 1,
                   PTE_P | PTE_W | PTE_U);
        vmcb->cr3 = LOW_ROOT;
        vmcb->efer = EFER_SVME | EFER_NXE;
    }
    if (!rows[row].code64) {
        vmcb->cs.attributes = ATTRIBUTES_CODE32;
    }
    set_guest_segment(&vm->guest, segment(LOW_DATA, PAGE, to_gpa(own)));
    vm->guest.registers.rdi = LOW_DATA;
}

/* l2_load1 has the same encoding in all three modes. */
static void in_mode(unsigned row)
{
    const uint64_t selector = SELECTOR(CHECKS, ALL_REGIMES, ALL_PRIVILEGES,
                                       LOAD);
    uint64_t checks;
    struct l2_end end;
    struct vm vm;

    case_begin("a guest segment is %sin force in %s",
               rows[row].in_force ? "" : "not ", rows[row].name);
    make(&vm, row);
    checks = counter(selector);
    end = l2_fetch(&vm.guest, LOW_CODE + (l2_load1 - l2_code));
    expect("exit code", EXIT_VMMCALL, end.exit_code);
    expect("value", rows[row].in_force ? SEGMENT_BYTE : TABLES_BYTE, end.rax);
    expect("checked at all", rows[row].in_force, counter(selector) > checks);
    case_end();
}

/* Addresses of compatibility mode wrap at 4 GiB before they are translated. */
static void above_4_gib(void)
{
    struct l2_end end;
    struct vm vm;

    case_begin("compatibility mode does not reach a segment above 4 GiB");
    make(&vm, 1);
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
    for (unsigned row = 0; row < ARRAY_SIZE(rows); row++) {
        in_mode(row);
    }
    above_4_gib();
}
