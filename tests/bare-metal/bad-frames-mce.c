/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bad frames with machine checks (docs/spec/bad-frames.rst, "Machine checks";
 * APM, volume 2, chapter 9): which CPU gets one, where, and with what contents.
 */
#include "lib/bad-frames.h"
#include "lib/cpu.h"
#include "lib/smp.h"
#include "lib/tap.h"
#include "lib/trap.h"
#include "lib/vm.h"

#define VECTOR_MC 18
#define CR4_MCE BIT(6)
#define MSR_MCG_STATUS 0x17a
#define MSR_MC9_CTL 0x424
#define MSR_MC9_STATUS 0x425
#define MSR_MC9_ADDR 0x426
#define MSR_MC9_MISC 0x427
#define STATUS_OVER BIT(62)

#define VA (4096 * GiB)
#define LEAF_FLAGS (PTE_P | PTE_W | PTE_U | PTE_A | PTE_D)
#define TABLE_FLAGS (PTE_P | PTE_W | PTE_U | PTE_A)

static const struct vm_shape shape = { 4, 1, 4, 1 };

/*
 * Whether a machine check comes between this instruction and the next one: then
 * it is the next one that TRY() finds to be interrupted.
 */
#define TRY_THEN_MC(instruction, address)                               \
    TRY(instruction, "nop", "", "r"(address))

/* This CPU has that machine check; clear it. */
static void expect_machine_check(uint64_t hpa, uint64_t flags)
{
    expect("MCG_STATUS: RIPV, MCIP", 0x5, read_msr(MSR_MCG_STATUS));
    expect("MC9_STATUS: VAL, UC, EN, MISCV, ADDRV, Poison",
           0xbc00080000000000 | flags, read_msr(MSR_MC9_STATUS));
    expect("MC9_ADDR", hpa, read_msr(MSR_MC9_ADDR));
    expect("MC9_MISC: a physical address, less 12 bits", 0x8c,
           read_msr(MSR_MC9_MISC));
    write_msr(MSR_MCG_STATUS, 0);
    write_msr(MSR_MC9_STATUS, 0);
}

static void expect_no_machine_check(void)
{
    expect("MCG_STATUS", 0, read_msr(MSR_MCG_STATUS));
    expect("MC9_STATUS", 0, read_msr(MSR_MC9_STATUS));
}

static void feature(void)
{
    case_begin("FEATURES tells of machine checks");
    expect("FEATURES", DSEG_BAD_MCE, bad_frames_read32(DSEG_BAD_FEATURES));
    case_end();
}

static void loads_and_stores(void)
{
    uint64_t hpa = BAD_FRAME + 0x120;

    case_begin("a load of a bad frame is #MC behind it");
    expect("exception", TRAP(VECTOR_MC, 0),
           TRY_THEN_MC("mov (%1), %%rax", hpa));
    expect_machine_check(hpa, 0);
    case_end();

    case_begin("a store to a bad frame is #MC behind it");
    expect("exception", TRAP(VECTOR_MC, 0),
           TRY_THEN_MC("movb $1, (%1)", hpa + 3));
    expect_machine_check(hpa + 3, 0);
    case_end();

    case_begin("a locked instruction on a bad frame is one #MC behind it");
    expect("exception", TRAP(VECTOR_MC, 0),
           TRY_THEN_MC("lock incl (%1)", hpa + 4));
    expect_machine_check(hpa + 4, 0);
    case_end();
}

static void second_error(void)
{
    case_begin("MC9_STATUS says OVER if the last error is still there");
    expect("exception", TRAP(VECTOR_MC, 0),
           TRY_THEN_MC("mov (%1), %%rax", BAD_FRAME));
    write_msr(MSR_MCG_STATUS, 0);
    expect("exception", TRAP(VECTOR_MC, 0),
           TRY_THEN_MC("mov (%1), %%rax", OTHER_BAD_FRAME));
    expect_machine_check(OTHER_BAD_FRAME, STATUS_OVER);
    case_end();
}

static void bank_that_is_off(void)
{
    struct accesses before = accesses_of(BAD_FRAME);

    case_begin("without MC9_CTL there is no #MC, but the access counts");
    write_msr(MSR_MC9_CTL, 0);
    expect("exception", 0, TRY_THEN_MC("mov (%1), %%rax", BAD_FRAME));
    expect_no_machine_check();
    expect_accesses(BAD_FRAME, before, 1, 0);
    write_msr(MSR_MC9_CTL, ~0ull);
    case_end();
}

/* What the entry leads to does not matter. */
static void page_walk(void)
{
    uint64_t first_root = read_cr3(), entry_hpa = LEAF_FRAME + 8 * LEAF_INDEX;
    struct arena arena = { MEMORY_START, MEMORY_END };
    struct tables tables;

    case_begin("a walk through a bad page table is #MC behind the load");
    write_msr(MSR_MC9_CTL, 0);
    lose_quadword(entry_hpa);
    write_msr(MSR_MC9_CTL, ~0ull);
    tables_init(&tables, 4, 0, &arena);
    *tables_entry(&tables, 0, 4) = *(uint64_t *)at_hpa(first_root);
    *tables_entry(&tables, VA, 2) = LEAF_FRAME | TABLE_FLAGS;
    write_cr3(tables.root);
    expect("exception", TRAP(VECTOR_MC, 0),
           TRY_THEN_MC("mov (%1), %%al", VA + LEAF_INDEX * PAGE));
    write_cr3(first_root);
    expect_machine_check(entry_hpa, 0);
    case_end();
}

static void devices(void)
{
    struct accesses before = accesses_of(BAD_FRAME);

    case_begin("a device that writes to a bad frame raises no #MC");
    write_by_dma(BAD_FRAME);
    expect_no_machine_check();
    expect_accesses(BAD_FRAME, before, 0, 1);
    case_end();
}

/* A guest whose data is in the bad frame. */
static void bad_guest(struct vm *vm)
{
    vm_init(vm, &shape);
    vm->guest.vmcb->cr4 |= CR4_MCE;
    *tables_entry(&vm->nested, to_gpa(vm->data_hpa), 1) = BAD_FRAME |
                                                          LEAF_FLAGS;
}

static void nested_guest(void)
{
    struct l2_end end;
    struct vm vm;

    case_begin("a nested guest's load is #VMEXIT(#MC) behind it, with the hPA");
    bad_guest(&vm);
    end = l2_run(&vm.guest, l2_load8, to_gva(vm.data_hpa) + 0x10, 0);
    expect("exit code", EXIT_EXCEPTION(VECTOR_MC), end.exit_code);
    /* The load is of 3 bytes. */
    expect("RIP", L2_CODE_KERNEL + (l2_load8 - l2_code) + 3,
           vm.guest.vmcb->rip);
    expect_machine_check(BAD_FRAME + 0x10, 0);
    case_end();

    case_begin("a nested guest's fetch is #VMEXIT(#MC) at it");
    bad_guest(&vm);
    end = l2_fetch(&vm.guest, to_gva(vm.data_hpa) + 0x20);
    expect("exit code", EXIT_EXCEPTION(VECTOR_MC), end.exit_code);
    expect("RIP", to_gva(vm.data_hpa) + 0x20, vm.guest.vmcb->rip);
    expect_machine_check(BAD_FRAME + 0x20, 0);
    case_end();
}

static uint64_t trap_of_second, status_of_second;

static void load_on_second(void)
{
    write_cr4(read_cr4() | CR4_MCE);
    trap_of_second = TRY_THEN_MC("mov (%1), %%rax", BAD_FRAME);
    status_of_second = read_msr(MSR_MC9_STATUS);
    write_msr(MSR_MCG_STATUS, 0);
}

static void second_cpu(void)
{
    case_begin("the CPU that makes the access gets the #MC, the other none");
    smp_start();
    smp_run(load_on_second);
    smp_wait();
    expect("exception", TRAP(VECTOR_MC, 0), trap_of_second);
    expect("MC9_STATUS", 0xbc00080000000000, status_of_second);
    expect_no_machine_check();
    case_end();
}

void tests(void)
{
    write_cr4(read_cr4() | CR4_MCE);
    feature();
    loads_and_stores();
    second_error();
    bank_that_is_off();
    page_walk();
    devices();
    nested_guest();
    second_cpu();
}
