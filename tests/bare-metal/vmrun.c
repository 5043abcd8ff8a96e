/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * VMRUN that fails because of direct segments or of something else, and VMRUN
 * of a guest without paging (docs/spec/registers.rst, "VMCB and world switch").
 */
#include "lib/cpu.h"
#include "lib/tap.h"
#include "lib/vm.h"

#define LOW_GPA 0x10000
#define CR0_WITHOUT_PAGING 0x33

/* What L1 has meanwhile. */
static const uint64_t hosts[4] = { 0x5000, 0x4000, 0x3000, CHECKS };

/*
 * What the VMCB has. The guest has 4 or 5 levels of page tables, or no paging.
 */
static const struct {
    const char *name;
    uint64_t cr9, cr10, cr11, cr12;
    unsigned levels;
    bool fails;
} rows[] = {
    { "allowed values", 0x9000, 0x8000, 0x7000, ESCAPES, 4, false },
    { "CR9 unaligned", 0x9001, 0, 0, 0, 4, true },
    { "CR9 not canonical", BIT(47), 0, 0, 0, 4, true },
    { "CR9 not canonical, 5 levels", BIT(56), 0, 0, 0, 5, true },
    { "CR9 canonical with 5 levels", BIT(55), 0, 0, 0, 5, false },
    { "CR9 canonical with 5 levels, 4 levels", BIT(55), 0, 0, 0, 4, true },
    { "CR10 unaligned", 0x9000, 0x800, 0, 0, 4, true },
    { "CR10 not canonical", 0x9000, BIT(63), 0, 0, 4, true },
    { "CR10 canonical", -PAGE, 0xffff800000000000, 0, 0, 4, false },
    { "CR11 unaligned", 0, 0, 0xfff, 0, 4, true },
    { "CR11 not canonical", 0, 0, BIT(62), 0, 4, false },
    { "CR12 no selector, fault of a regime", 0, 0, 0, 0x18, 4, true },
    { "CR12 no selector, regime", 0, 0, 0, 0x80, 4, true },
    { "CR12 no selector, high bit", 0, 0, 0, BIT(63), 4, true },
    { "all wrong", 1, 1, 1, ~0ull, 4, true },
    { "all wrong, but no paging", 1, 1, 1, ~0ull, 0, false },
    { "a segment, but no paging", 0, 0x7000, 0x5000, WALKS, 0, false },
};

static void make(struct vm *vm, unsigned levels)
{
    const struct vm_shape shape = { levels ? levels : 4, 1, 4, 1 };

    dseg_reset();
    vm_init(vm, &shape);
    write_cr9(hosts[0]);
    write_cr10(hosts[1]);
    write_cr11(hosts[2]);
    write_cr12(hosts[3]);
}

/* Make it a guest in 32-bit mode without paging, that executes l2_nothing. */
static void turn_paging_off(struct vm *vm)
{
    struct vmcb *vmcb = vm->guest.vmcb;

    tables_map(&vm->nested, LOW_GPA, l2_code_hpa(), PAGE, 1,
               PTE_P | PTE_W | PTE_U);
    vmcb->cr0 = CR0_WITHOUT_PAGING;
    vmcb->cr4 = 0;
    vmcb->efer = EFER_SVME;
    vmcb->cs.attributes = ATTRIBUTES_CODE32;
}

static struct l2_end run(struct vm *vm, unsigned levels)
{
    return levels ? l2_run(&vm->guest, l2_nothing, 0, 0)
                  : l2_fetch(&vm->guest, LOW_GPA + (l2_nothing - l2_code));
}

static void expect_host(void)
{
    expect("CR9 of L1", hosts[0], read_cr9());
    expect("CR10 of L1", hosts[1], read_cr10());
    expect("CR11 of L1", hosts[2], read_cr11());
    expect("CR12 of L1", hosts[3], read_cr12());
}

static void one(unsigned row)
{
    bool kept = rows[row].levels;
    struct vmcb *vmcb;
    struct l2_end end;
    struct vm vm;

    case_begin("VMRUN %s: %s", rows[row].fails ? "fails" : "works",
               rows[row].name);
    make(&vm, rows[row].levels);
    vmcb = vm.guest.vmcb;
    vmcb->dseg_cr9 = rows[row].cr9;
    vmcb->dseg_cr10 = rows[row].cr10;
    vmcb->dseg_cr11 = rows[row].cr11;
    vmcb->dseg_cr12 = rows[row].cr12;
    if (!rows[row].levels) {
        turn_paging_off(&vm);
    }
    end = run(&vm, rows[row].levels);
    expect("exit code", rows[row].fails ? EXIT_INVALID : EXIT_VMMCALL,
           end.exit_code);
    expect("CR9 in the VMCB", kept ? rows[row].cr9 : 0, vmcb->dseg_cr9);
    expect("CR10 in the VMCB", kept ? rows[row].cr10 : 0, vmcb->dseg_cr10);
    expect("CR11 in the VMCB", kept ? rows[row].cr11 : 0, vmcb->dseg_cr11);
    expect("CR12 in the VMCB", kept ? rows[row].cr12 : 0, vmcb->dseg_cr12);
    expect_host();
    case_end();
}

/* Failures that have nothing to do with segments: L1 has its own again. */
static void other_failures(void)
{
    static const char *const names[] = {
        "EFER.SVME is 0", "the ASID is 0", "VMRUN is not intercepted",
        "CR0.NW without CD", "reserved bits of EFER",
    };

    for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
        struct vmcb *vmcb;
        struct l2_end end;
        struct vm vm;

        case_begin("VMRUN fails: %s", names[i]);
        make(&vm, 4);
        vmcb = vm.guest.vmcb;
        vmcb->dseg_cr9 = 0x9000;
        vmcb->dseg_cr10 = 0x8000;
        vmcb->dseg_cr11 = 0x7000;
        vmcb->dseg_cr12 = ESCAPES;
        vmcb->efer &= i == 0 ? ~EFER_SVME : ~0ull;
        vmcb->asid = i == 1 ? 0 : 1;
        vmcb->intercepts2 &= i == 2 ? ~INTERCEPT2_VMRUN : ~0u;
        vmcb->cr0 |= i == 3 ? BIT(29) : 0;
        vmcb->efer |= i == 4 ? BIT(63) : 0;
        end = run(&vm, 4);
        expect("exit code", EXIT_INVALID, end.exit_code);
        expect("CR9 in the VMCB", 0x9000, vmcb->dseg_cr9);
        expect("CR10 in the VMCB", 0x8000, vmcb->dseg_cr10);
        expect("CR11 in the VMCB", 0x7000, vmcb->dseg_cr11);
        expect("CR12 in the VMCB", ESCAPES, vmcb->dseg_cr12);
        expect_host();
        case_end();
    }
}

/* g = 0: a nested walk of the final gPA, or none. */
static void cost_without_paging(bool vmm_segment)
{
    const struct cost cost = {
        vmm_segment ? VMM_DIRECT : BASE, 0, vmm_segment ? 0 : 4, vmm_segment,
        vmm_segment, 0, 0,
    };
    struct costs before;
    struct l2_end end;
    struct vm vm;

    case_begin("a guest without paging, %s: a fetch costs %u references",
               vmm_segment ? "VMM segment" : "no segments", cost.nested_refs);
    make(&vm, 0);
    turn_paging_off(&vm);
    if (vmm_segment) {
        set_vmm_segment(segment(LOW_GPA, PAGE, l2_code_hpa()));
    }
    before = costs_now(KERNEL, FETCH);
    end = run(&vm, 0);
    expect("exit code", EXIT_VMMCALL, end.exit_code);
    expect_cost(&before, &cost);
    case_end();
}

void tests(void)
{
    for (unsigned row = 0; row < ARRAY_SIZE(rows); row++) {
        one(row);
    }
    other_failures();
    cost_without_paging(false);
    cost_without_paging(true);
}
