/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What VMRUN and #VMEXIT do with CR9 to CR12, also where VMRUN fails, and what
 * leaves them alone (docs/spec/registers.rst, "VMCB and world switch").
 */
#include "lib/cpu.h"
#include "lib/tap.h"
#include "lib/vm.h"

#define DSEG_QUADWORDS 4
#define DSEG_OFFSET 0x580
#define UNTOUCHED 0x6b6b6b6b6b6b6b6bull

static const struct vm_shape shape = { 4, 1, 4, 1 };

/* What L1 has while L2 runs, and what is L2's: no segment, as CR9 >= CR10. */
static const uint64_t hosts[DSEG_QUADWORDS] = {
    0x5000, 0x4000, 0x3000, CHECKS,
};
static const uint64_t guests[DSEG_QUADWORDS] = {
    0x9000, 0x8000, BIT(63), GUEST_REFS,
};

static void set_host(void)
{
    write_cr9(hosts[0]);
    write_cr10(hosts[1]);
    write_cr11(hosts[2]);
    write_cr12(hosts[3]);
}

static void expect_host(void)
{
    expect("CR9 of L1", hosts[0], read_cr9());
    expect("CR10 of L1", hosts[1], read_cr10());
    expect("CR11 of L1", hosts[2], read_cr11());
    expect("CR12 of L1", hosts[3], read_cr12());
}

/* The four quadwords of a VMCB, or of a host save area. */
static uint64_t *quadwords(void *vmcb)
{
    return (uint64_t *)((uint8_t *)vmcb + DSEG_OFFSET);
}

static void expect_quadwords(void *vmcb, const uint64_t *expected)
{
    for (unsigned i = 0; i < DSEG_QUADWORDS; i++) {
        expect("VMCB's quadword", expected[i], quadwords(vmcb)[i]);
    }
}

static void make(struct vm *vm)
{
    dseg_reset();
    vm_init(vm, &shape);
    for (unsigned i = 0; i < DSEG_QUADWORDS; i++) {
        quadwords(vm->guest.vmcb)[i] = guests[i];
    }
    set_host();
}

static void loads_and_saves(void)
{
    static const char *const reads[] = {
        l2_read_cr9, l2_read_cr10, l2_read_cr11, l2_read_cr12,
    };
    static const char *const writes[] = {
        l2_write_cr9, l2_write_cr10, l2_write_cr11, l2_write_cr12,
    };

    for (unsigned i = 0; i < DSEG_QUADWORDS; i++) {
        uint64_t expected[DSEG_QUADWORDS];
        struct l2_end end;
        struct vm vm;

        case_begin("VMRUN loads CR%u from the VMCB", 9 + i);
        make(&vm);
        end = l2_run(&vm.guest, reads[i], 0, 0);
        expect("exit code", EXIT_VMMCALL, end.exit_code);
        expect("value in L2", guests[i], end.rax);
        expect_quadwords(vm.guest.vmcb, guests);
        expect_host();
        case_end();

        case_begin("#VMEXIT saves CR%u to the VMCB, and L1 has its own again",
                   9 + i);
        make(&vm);
        __builtin_memcpy(expected, guests, sizeof(expected));
        expected[i] = i == 3 ? ESCAPES : 0x7000;
        end = l2_run(&vm.guest, writes[i], expected[i], 0);
        expect("exit code", EXIT_VMMCALL, end.exit_code);
        expect_quadwords(vm.guest.vmcb, expected);
        expect_host();
        case_end();
    }
}

static void exits_by_fault(void)
{
    struct l2_end end;
    struct vm vm;

    case_begin("an #NPF saves and restores, too");
    make(&vm);
    *tables_entry(&vm.nested, to_gpa(vm.data_hpa), 1) = 0;
    end = vm_access(&vm, LOAD, to_gva(vm.data_hpa));
    expect("exit code", EXIT_NPF, end.exit_code);
    expect_quadwords(vm.guest.vmcb, guests);
    expect_host();
    case_end();

    case_begin("an intercepted exception saves and restores, too");
    make(&vm);
    end = l2_run(&vm.guest, l2_write_cr9, 1, 0);
    expect("exit code", EXIT_EXCEPTION(VECTOR_GP), end.exit_code);
    expect_quadwords(vm.guest.vmcb, guests);
    expect_host();
    case_end();
}

static void host_save_area(void)
{
    void *area = at_hpa(svm_host_save_area());
    struct vm vm;

    case_begin("VMRUN saves the host's to the host save area");
    make(&vm);
    __builtin_memset(quadwords(area), 0xff, DSEG_QUADWORDS * sizeof(uint64_t));
    l2_run(&vm.guest, l2_nothing, 0, 0);
    expect_quadwords(area, hosts);
    case_end();
}

/* L2 changes what #VMEXIT is about to load, in the host save area. */
static void changed_save_area(void)
{
    static const struct {
        uint64_t value;
        bool refused;
    } rows[DSEG_QUADWORDS][2] = {
        { { 0x6000, false }, { 0x6001, true } },
        { { 0x1000, false }, { BIT(62), true } },
        { { BIT(62), false }, { 0x800, true } },
        { { ESCAPES, false }, { BIT(12), true } },
    };
    uint64_t area = svm_host_save_area();

    for (unsigned i = 0; i < DSEG_QUADWORDS; i++) {
        for (unsigned j = 0; j < 2; j++) {
            uint64_t expected = rows[i][j].refused ? 0 : rows[i][j].value;
            struct l2_end end;
            struct vm vm;

            case_begin("#VMEXIT loads CR%u from the host save area: 0x%lx%s",
                       9 + i, rows[i][j].value,
                       rows[i][j].refused ? ", refused, as 0" : "");
            make(&vm);
            *tables_entry(&vm.nested, to_gpa(vm.data_hpa), 1) =
                area | PTE_P | PTE_W | PTE_U;
            end = l2_run(&vm.guest, l2_store8, to_gva(vm.data_hpa) +
                         DSEG_OFFSET + i * sizeof(uint64_t), rows[i][j].value);
            expect("exit code", EXIT_VMMCALL, end.exit_code);
            expect("CR9", i == 0 ? expected : hosts[0], read_cr9());
            expect("CR10", i == 1 ? expected : hosts[1], read_cr10());
            expect("CR11", i == 2 ? expected : hosts[2], read_cr11());
            expect("CR12", i == 3 ? expected : hosts[3], read_cr12());
            case_end();
        }
    }
}

static void msrs_stay(void)
{
    struct vm vm;

    case_begin("a world switch leaves the MSRs alone");
    make(&vm);
    set_vmm_segment((struct segment) { 0x7000, 0x6000, 0x5000 });
    for (unsigned i = 0; i < filter_words(); i++) {
        write_msr(MSR_FILTER(i), i + 1);
    }
    l2_run(&vm.guest, l2_nothing, 0, 0);
    expect("VMM_BASE", 0x7000, read_msr(MSR_VMM_BASE));
    expect("VMM_LIMIT", 0x6000, read_msr(MSR_VMM_LIMIT));
    expect("VMM_OFFSET", 0x5000, read_msr(MSR_VMM_OFFSET));
    for (unsigned i = 0; i < filter_words(); i++) {
        expect("filter word", i + 1, read_msr(MSR_FILTER(i)));
    }
    case_end();
}

static void vmload_and_vmsave(void)
{
    uint64_t untouched[DSEG_QUADWORDS] = {
        UNTOUCHED, UNTOUCHED, UNTOUCHED, UNTOUCHED,
    };
    struct vm vm;

    case_begin("VMSAVE and VMLOAD do not touch CR9 to CR12");
    make(&vm);
    __builtin_memcpy(quadwords(vm.guest.vmcb), untouched, sizeof(untouched));
    asm volatile("vmsave %0" : : "a"(vm.guest.vmcb) : "memory");
    expect_quadwords(vm.guest.vmcb, untouched);
    asm volatile("vmload %0" : : "a"(vm.guest.vmcb) : "memory");
    expect_host();
    case_end();
}

void tests(void)
{
    loads_and_saves();
    exits_by_fault();
    host_save_area();
    changed_save_area();
    msrs_stay();
    vmload_and_vmsave();
}
