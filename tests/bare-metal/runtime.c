/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The test system itself, and with it QEMU's stock emulation of nested paging:
 * what the other tests rely on.
 */
#include "lib/cpu.h"
#include "lib/l2.h"
#include "lib/smp.h"
#include "lib/tap.h"
#include "lib/trap.h"
#include "lib/vm.h"

#define PATTERN 0x1122334455667788ull

static const struct vm_shape shapes[] = {
    { 4, 1, 4, 1 }, { 4, 2, 4, 2 }, { 4, 3, 4, 3 }, { 5, 1, 4, 1 },
    { 4, 1, 5, 1 }, { 5, 1, 5, 1 }, { 5, 3, 5, 3 },
};

static void exceptions_are_caught(void)
{
    uint8_t byte;

    case_begin("an exception in L1 is caught, with its error code");
    expect("an address that is not canonical", TRAP(VECTOR_GP, 0),
           try_load(BIT(62), &byte));
    expect("a page that is not there", TRAP(VECTOR_PF, PF_W),
           try_store(16 * GiB, 0));
    expect("CR2", 16 * GiB, read_cr2());
    expect("an instruction that is right", 0, try_load(MEMORY_START, &byte));
    case_end();
}

/* Address bits beyond MAXPHYADDR, and a bit of CR4 that no CPU has. */
static void reserved_bits_of_registers(void)
{
    static const uint64_t cr3_bits[] = { BIT(40), BIT(51) };

    for (unsigned i = 0; i < ARRAY_SIZE(cr3_bits); i++) {
        uint64_t cr3 = read_cr3();
        struct l2_end end;
        struct vm vm;

        case_begin("reserved bits 0x%lx of CR3 are #GP, in L1 and L2",
                   cr3_bits[i]);
        expect("write in L1", TRAP(VECTOR_GP, 0),
               try_write_cr(3, cr3 | cr3_bits[i]));
        expect("CR3 then", cr3, read_cr3());
        vm_init(&vm, &shapes[0]);
        end = l2_run(&vm.guest, l2_load_write_cr3_load, to_gva(vm.data_hpa),
                     vm.guest.vmcb->cr3 | cr3_bits[i]);
        expect("exit code", EXIT_EXCEPTION(VECTOR_GP), end.exit_code);
        expect("error code", 0, end.exit_info1);
        expect("CR3 of L2", vm.guest_tables.root, vm.guest.vmcb->cr3);
        case_end();
    }
    case_begin("reserved bits of CR4 are #GP");
    expect("write", TRAP(VECTOR_GP, 0), try_write_cr(4, read_cr4() | BIT(63)));
    case_end();
}

static void guests_load_and_store(unsigned cpl)
{
    for (unsigned i = 0; i < ARRAY_SIZE(shapes); i++) {
        const struct vm_shape *shape = &shapes[i];
        struct l2_end end;
        uint64_t *data;
        struct vm vm;

        case_begin("%u levels with leaf %u in %u with leaf %u, CPL %u: L2 "
                   "loads, stores and executes", shape->guest_levels,
                   shape->guest_leaf, shape->nested_levels, shape->nested_leaf,
                   cpl);
        vm_init(&vm, shape);
        guest_set_cpl(&vm.guest, cpl);
        data = at_hpa(vm.data_hpa);
        *data = PATTERN;
        end = l2_run(&vm.guest, l2_load8, to_gva(vm.data_hpa), 0);
        expect("exit code of the load", EXIT_VMMCALL, end.exit_code);
        expect("value loaded", PATTERN, end.rax);
        end = l2_run(&vm.guest, l2_store8, to_gva(vm.data_hpa), ~PATTERN);
        expect("exit code of the store", EXIT_VMMCALL, end.exit_code);
        expect("value stored", ~PATTERN, *data);
        __builtin_memcpy(data, L2_VMMCALL, sizeof(L2_VMMCALL));
        end = l2_fetch(&vm.guest, to_gva(vm.data_hpa));
        expect("exit code of the fetch", EXIT_VMMCALL, end.exit_code);
        expect("where it ended", to_gva(vm.data_hpa), vm.guest.vmcb->rip);
        case_end();
    }
    set_levels(4);
}

static void faults_are_delivered(void)
{
    struct l2_end end;
    struct vm vm;

    case_begin("a page that L2 has not mapped is #PF, intercepted");
    vm_init(&vm, &shapes[0]);
    *tables_entry(&vm.guest_tables, to_gva(vm.data_hpa), 1) = 0;
    end = l2_run(&vm.guest, l2_store1, to_gva(vm.data_hpa) + 5, 0);
    expect("exit code", EXIT_EXCEPTION(VECTOR_PF), end.exit_code);
    expect("error code", PF_W, end.exit_info1);
    expect("address", to_gva(vm.data_hpa) + 5, end.exit_info2);
    case_end();

    case_begin("a page that L1 has not mapped is #NPF");
    vm_init(&vm, &shapes[0]);
    *tables_entry(&vm.nested, to_gpa(vm.data_hpa), 1) = 0;
    end = l2_run(&vm.guest, l2_store1, to_gva(vm.data_hpa) + 5, 0);
    expect("exit code", EXIT_NPF, end.exit_code);
    expect("EXITINFO1", PF_W | PF_U | NPF_FINAL, end.exit_info1);
    expect("EXITINFO2", to_gpa(vm.data_hpa) + 5, end.exit_info2);
    case_end();
}

static struct vm second_vm;
static struct l2_end second_end;

static void run_second(void)
{
    second_end = l2_run(&second_vm.guest, l2_load8,
                        to_gva(second_vm.data_hpa), 0);
}

static void second_cpu_runs_a_guest(void)
{
    case_begin("the second CPU runs a guest");
    smp_start();
    vm_init(&second_vm, &shapes[0]);
    *(uint64_t *)at_hpa(second_vm.data_hpa) = PATTERN;
    smp_run(run_second);
    smp_wait();
    expect("exit code", EXIT_VMMCALL, second_end.exit_code);
    expect("value loaded", PATTERN, second_end.rax);
    case_end();
}

void tests(void)
{
    exceptions_are_caught();
    reserved_bits_of_registers();
    guests_load_and_store(0);
    guests_load_and_store(3);
    faults_are_delivered();
    second_cpu_runs_a_guest();
}
