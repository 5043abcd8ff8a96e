/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A kernel that uses direct segments as the guest of a KVM that knows nothing of
 * them: tests/linux/test_under_kvm.py runs it in L1. CR9 to CR13 work, without
 * an exit; the MSRs are none of a guest's business.
 */
#include "lib/cpu.h"
#include "lib/dseg.h"
#include "lib/print.h"
#include "lib/tap.h"
#include "lib/trap.h"

/* In a GiB that the first tables, of 4 GiB, do not map. */
#define VA (4096ull << 30)
#define TIMES 10000

/* L1's walks: that is KVM, handling exits, and what else L1 does meanwhile. */
#define WALKS_OF_HOST SELECTOR(WALKS, NATIVE, ALL_PRIVILEGES, ALL_ACCESSES)

static uint64_t page[512] __attribute__((aligned(4096)));

static void registers_keep_values(void)
{
    static const uint64_t values[] = { 0x1000, 0x3000, -0x5000ull, 0x571 };

    case_begin("CR9 to CR12 keep what is written");
    for (unsigned cr = 9; cr <= 12; cr++) {
        uint64_t value = 0;

        expect("write", 0, try_write_cr(cr, values[cr - 9]));
        expect("read", 0, try_read_cr(cr, &value));
        expect("value", values[cr - 9], value);
        expect("clear", 0, try_write_cr(cr, 0));
    }
    case_end();
    case_begin("CR9 refuses what is not aligned");
    expect("write", TRAP(VECTOR_GP, 0), try_write_cr(9, 1));
    case_end();
}

static void segment_translates(void)
{
    struct costs before;
    uint8_t value = 0;

    page[0] = 0x5a;
    case_begin("a guest segment translates what no table maps");
    expect("load without it", TRAP(VECTOR_PF, 0), try_load(VA, &value));
    set_own_segment(segment(VA, 4096, (uint64_t)page));
    before = costs_now(KERNEL, LOAD);
    expect("load", 0, try_load(VA, &value));
    expect("data", 0x5a, value);
    expect("guest-direct walks with loads", 1,
           costs_now(KERNEL, LOAD).count[GUEST_DIRECT][WALKS] -
           before.count[GUEST_DIRECT][WALKS]);
    set_own_segment(NO_SEGMENT);
    expect("load after it", TRAP(VECTOR_PF, 0), try_load(VA, &value));
    case_end();
}

/* The walks that L1 makes while the guest executes CPUID so often. */
static uint64_t walks_of_cpuid(unsigned times)
{
    uint64_t before = counter(WALKS_OF_HOST);

    while (times--) {
        cpuid(0, 0);
    }
    return counter(WALKS_OF_HOST) - before;
}

/* The same for a write and a read of each of CR9 to CR12. */
static uint64_t walks_of_crs(unsigned times)
{
    uint64_t before = counter(WALKS_OF_HOST), value;

    while (times--) {
        for (unsigned cr = 9; cr <= 12; cr++) {
            try_write_cr(cr, 0);
            try_read_cr(cr, &value);
        }
    }
    return counter(WALKS_OF_HOST) - before;
}

/*
 * CPUID exits each time, and L1 then makes walks. The others would make eight
 * times as many; L1 has timer interrupts meanwhile.
 */
static void no_exits(void)
{
    uint64_t exits = walks_of_cpuid(TIMES), crs = walks_of_crs(TIMES);

    print("# walks of L1: %lu in %u CPUID, %lu in %u of CR9 to CR12\n", exits,
          TIMES, crs, 8 * TIMES);
    case_begin("CPUID exits");
    expect("at least a walk of L1 for each", 1, exits >= TIMES);
    case_end();
    case_begin("writes and reads of CR9 to CR12 do not exit");
    expect("a tenth of what as many exits would make", 0, crs >= exits * 8 / 10);
    case_end();
}

static void msrs_are_forbidden(void)
{
    uint64_t value;

    for (uint32_t msr = MSR_VMM_BASE; msr < MSR_FILTER(MAX_FILTER_WORDS); msr++) {
        case_begin("MSR 0x%x is #GP", msr);
        expect("write", TRAP(VECTOR_GP, 0), try_write_msr(msr, 0));
        expect("read", TRAP(VECTOR_GP, 0), try_read_msr(msr, &value));
        case_end();
    }
}

void tests(void)
{
    registers_keep_values();
    segment_translates();
    no_exits();
    msrs_are_forbidden();
}
