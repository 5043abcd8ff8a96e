/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest segment whose sum is no physical address: #PF with P and RSVD, before
 * any permission (docs/spec/translation.rst). Sums just below are translated.
 */
#include "lib/cpu.h"
#include "lib/tap.h"
#include "lib/trap.h"
#include "lib/vm.h"

static const struct vm_shape shape = { 4, 1, 4, 1 };

static const uint64_t sums[] = {
    PHYSICAL_END, PHYSICAL_END + PAGE, BIT(51), BIT(52), BIT(63), -PAGE,
};

static uint64_t expected_code(enum access access, unsigned cpl)
{
    return PF_P | PF_RSVD | (access == STORE ? PF_W : 0) |
           (access == FETCH ? PF_I : 0) | (cpl ? PF_U : 0);
}

static void in_guest(uint64_t sum, enum access access, unsigned cpl,
                     bool nested)
{
    uint64_t gva, faults;
    struct l2_end end;
    struct vm vm;

    case_begin("%s, a sum of 0x%lx: a %s at CPL %u is #PF RSVD",
               nested ? "guest-direct" : "native-direct in a guest", sum,
               dseg_access_names[access], cpl);
    dseg_reset();
    vm_init(&vm, &shape);
    guest_set_cpl(&vm.guest, cpl);
    gva = to_gva(vm.data_hpa);
    if (!nested) {
        struct tables tables;

        tables_init(&tables, 4, 0, &vm.host);
        l2_map_code(&tables);
        vm.guest.vmcb->cr3 = tables.root;
        vm.guest.vmcb->np_enable = 0;
    }
    /* SMAP alone would forbid a load and a store, NX a fetch. */
    vm.guest.vmcb->cr4 |= CR4_SMAP;
    set_guest_segment(&vm.guest, segment(gva, PAGE, sum));
    faults = counter(FAULTS_RESERVED);
    end = vm_access(&vm, access, gva + 0x10);
    expect("exit code", EXIT_EXCEPTION(VECTOR_PF), end.exit_code);
    expect("error code", expected_code(access, cpl), end.exit_info1);
    expect("address", gva + 0x10, end.exit_info2);
    expect("faults", faults + 1, counter(FAULTS_RESERVED));
    case_end();
}

static void in_host(uint64_t sum)
{
    uint64_t address = GVA_BASE;
    uint8_t value;

    case_begin("native-direct, a sum of 0x%lx: accesses are #PF RSVD", sum);
    dseg_reset();
    set_own_segment(segment(address, PAGE, sum));
    expect("load", TRAP(VECTOR_PF, expected_code(LOAD, 0)),
           try_load(address, &value));
    expect("CR2", address, read_cr2());
    expect("store", TRAP(VECTOR_PF, expected_code(STORE, 0)),
           try_store(address, 0));
    expect("fetch", TRAP(VECTOR_PF, expected_code(FETCH, 0)),
           try_call(address));
    dseg_reset();
    case_end();
}

/*
 * The sum is a gPA here: the nested tables can have the last of them, RAM need
 * not.
 */
static void highest_sum(void)
{
    struct l2_end end;
    struct vm vm;

    case_begin("guest-direct: the last gPA below MAXPHYADDR is translated");
    dseg_reset();
    vm_init(&vm, &shape);
    set_guest_segment(&vm.guest, segment(to_gva(vm.data_hpa), PAGE,
                                         PHYSICAL_END - PAGE));
    *tables_entry(&vm.nested, PHYSICAL_END - PAGE, 1) =
        vm.data_hpa | PTE_P | PTE_W | PTE_U;
    end = vm_access(&vm, LOAD, to_gva(vm.data_hpa));
    expect("exit code", EXIT_VMMCALL, end.exit_code);
    expect("value", DATA_BYTE, end.rax);
    case_end();
}

/* Part of the segment is too wide: each page is decided by itself. */
static void partly_wide(void)
{
    struct l2_end end;
    uint64_t gva;
    struct vm vm;

    case_begin("guest-direct: only the pages whose sum is too wide fault");
    dseg_reset();
    vm_init(&vm, &shape);
    gva = to_gva(vm.data_hpa);
    set_guest_segment(&vm.guest, segment(gva, 2 * PAGE, PHYSICAL_END - PAGE));
    *tables_entry(&vm.nested, PHYSICAL_END - PAGE, 1) =
        vm.data_hpa | PTE_P | PTE_W | PTE_U;
    end = vm_access(&vm, LOAD, gva + PAGE - 1);
    expect("exit code of the last byte", EXIT_VMMCALL, end.exit_code);
    end = l2_run(&vm.guest, l2_load8, gva + PAGE - 4, 0);
    expect("exit code across the end", EXIT_EXCEPTION(VECTOR_PF),
           end.exit_code);
    expect("error code", PF_P | PF_RSVD, end.exit_info1);
    expect("address", gva + PAGE, end.exit_info2);
    case_end();
}

void tests(void)
{
    for (unsigned i = 0; i < ARRAY_SIZE(sums); i++) {
        for (enum access access = LOAD; access <= FETCH; access++) {
            for (unsigned bits = 0; bits < 4; bits++) {
                in_guest(sums[i], access, bits & 1 ? 3 : 0, bits & 2);
            }
        }
        in_host(sums[i]);
    }
    highest_sum();
    partly_wide();
}
