/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The MSRs of the VMM segment and its filter, in L1 and in L2
 * (docs/spec/registers.rst).
 */
#include "lib/cpu.h"
#include "lib/tap.h"
#include "lib/trap.h"
#include "lib/vm.h"

#define OLD 0x7000
#define MSR_PERMISSION_PAGES 2

static const struct vm_shape shape = { 4, 1, 4, 1 };

static const struct {
    uint32_t msr;
    uint64_t value;
    bool refused;
} rows[] = {
    { MSR_VMM_BASE, 0, false },
    { MSR_VMM_BASE, PAGE, false },
    { MSR_VMM_BASE, PHYSICAL_END - PAGE, false },
    { MSR_VMM_BASE, PHYSICAL_END, true },
    { MSR_VMM_BASE, BIT(63), true },
    { MSR_VMM_BASE, -PAGE, true },
    { MSR_VMM_BASE, 1, true },
    { MSR_VMM_BASE, PAGE + 0x800, true },
    { MSR_VMM_LIMIT, 0, false },
    { MSR_VMM_LIMIT, PHYSICAL_END - PAGE, false },
    { MSR_VMM_LIMIT, PHYSICAL_END, false },
    { MSR_VMM_LIMIT, PHYSICAL_END + PAGE, true },
    { MSR_VMM_LIMIT, BIT(63), true },
    { MSR_VMM_LIMIT, 0xfff, true },
    { MSR_VMM_LIMIT, PHYSICAL_END + 1, true },
    { MSR_VMM_OFFSET, 0, false },
    { MSR_VMM_OFFSET, PAGE, false },
    { MSR_VMM_OFFSET, -PAGE, false },
    { MSR_VMM_OFFSET, PHYSICAL_END - PAGE, false },
    { MSR_VMM_OFFSET, -PHYSICAL_END, false },
    { MSR_VMM_OFFSET, PHYSICAL_END, true },
    { MSR_VMM_OFFSET, -PHYSICAL_END - PAGE, true },
    { MSR_VMM_OFFSET, BIT(63), true },
    { MSR_VMM_OFFSET, -1, true },
    { MSR_VMM_OFFSET, PAGE + 1, true },
    { MSR_FILTER(0), ~0ull, false },
    { MSR_FILTER(1), 1, false },
    { MSR_FILTER(2), BIT(63), false },
    { MSR_FILTER(3), 0x123456789abcdef0, false },
};

static void write(unsigned row)
{
    uint32_t msr = rows[row].msr;
    uint64_t now = 0;

    case_begin("MSR 0x%x %s 0x%lx", msr,
               rows[row].refused ? "refuses" : "takes", rows[row].value);
    dseg_reset();
    expect("write of an allowed value", 0, try_write_msr(msr, OLD));
    expect("write", rows[row].refused ? TRAP(VECTOR_GP, 0) : 0,
           try_write_msr(msr, rows[row].value));
    expect("read", 0, try_read_msr(msr, &now));
    expect("value then", rows[row].refused ? OLD : rows[row].value, now);
    case_end();
}

static void filter_add_rules(void)
{
    static const struct {
        uint64_t value;
        bool refused;
    } values[] = {
        { 0, false }, { PHYSICAL_END - PAGE, false }, { PHYSICAL_END, true },
        { BIT(63), true }, { 1, true }, { PAGE + 0x10, true },
    };
    uint64_t now;

    for (unsigned i = 0; i < ARRAY_SIZE(values); i++) {
        unsigned set = 0;

        case_begin("FILTER_ADD %s 0x%lx",
                   values[i].refused ? "refuses" : "takes", values[i].value);
        dseg_reset();
        expect("write", values[i].refused ? TRAP(VECTOR_GP, 0) : 0,
               try_write_msr(MSR_FILTER_ADD, values[i].value));
        for (unsigned word = 0; word < filter_words(); word++) {
            for (now = read_msr(MSR_FILTER(word)); now; now &= now - 1) {
                set++;
            }
        }
        expect("one bit for each hash function, or none",
               values[i].refused ? 0 : FILTER_HASHES, set);
        case_end();
    }
    case_begin("FILTER_ADD can't be read");
    expect("read", TRAP(VECTOR_GP, 0), try_read_msr(MSR_FILTER_ADD, &now));
    case_end();
}

/*
 * A guest's access never reaches the MSR: it exits with MSR_PROT, and is #GP
 * without.
 */
static void in_guest(uint32_t msr, bool write, bool msr_prot, unsigned cpl)
{
    bool readable = msr != MSR_FILTER_ADD;
    struct l2_end end;
    struct vm vm;

    case_begin("L2 %s MSR 0x%x with MSR_PROT=%d at CPL %u: %s",
               write ? "writes" : "reads", msr, msr_prot, cpl,
               msr_prot && !cpl ? "#VMEXIT" : "#GP");
    dseg_reset();
    vm_init(&vm, &shape);
    guest_set_cpl(&vm.guest, cpl);
    if (msr_prot) {
        vm.guest.vmcb->intercepts1 |= INTERCEPT1_MSR_PROT;
        vm.guest.vmcb->msrpm_base = arena_pages(&vm.host, MSR_PERMISSION_PAGES);
    }
    if (readable) {
        write_msr(msr, OLD);
    }
    end = l2_run(&vm.guest, write ? l2_write_msr : l2_read_msr, msr, 2 * PAGE);
    if (msr_prot && !cpl) {
        expect("exit code", EXIT_MSR, end.exit_code);
        expect("EXITINFO1", write, end.exit_info1);
    } else {
        expect("exit code", EXIT_EXCEPTION(VECTOR_GP), end.exit_code);
        expect("error code", 0, end.exit_info1);
    }
    if (readable) {
        expect("value then", OLD, read_msr(msr));
    }
    case_end();
}

void tests(void)
{
    for (unsigned row = 0; row < ARRAY_SIZE(rows); row++) {
        write(row);
    }
    filter_add_rules();
    for (uint32_t msr = MSR_VMM_BASE; msr <= msr_last(); msr++) {
        for (unsigned bits = 0; bits < 8; bits++) {
            in_guest(msr, bits & 1, bits & 2, bits & 4 ? 3 : 0);
        }
    }
}
