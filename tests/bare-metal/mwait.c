/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * MWAIT with interrupts as break events although EFLAGS.IF is 0, which CPUID
 * advertises (AMD's manual, volume 3, MWAIT): on one CPU, which nothing else would
 * wake up, it must come back.
 */
#include "lib/tap.h"
#include "lib/trap.h"

#define CPUID_1_ECX_MONITOR BIT(3)
#define CPUID_5_ECX_IBE BIT(1)

static uint64_t line;

static uint64_t try_mwait(uint64_t ecx)
{
    asm volatile("monitor" : : "a"(&line), "c"(0), "d"(0));
    return TRY("xor %%eax, %%eax; mov %1, %%rcx", "mwait", "", "r"(ecx));
}

void tests(void)
{
    static const struct {
        uint64_t ecx, result;
    } rows[] = {
        { 1, 0 }, { 1 | BIT(32), 0 }, { 2, TRAP(VECTOR_GP, 0) },
        { 3, TRAP(VECTOR_GP, 0) }, { BIT(31), TRAP(VECTOR_GP, 0) },
    };

    case_begin("CPUID has MONITOR, and interrupts as break events of MWAIT");
    expect("MONITOR", true, !!(cpuid(1, 0).ecx & CPUID_1_ECX_MONITOR));
    expect("IBE", true, !!(cpuid(5, 0).ecx & CPUID_5_ECX_IBE));
    case_end();
    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
        case_begin("MWAIT, RCX = 0x%lx, IF = 0: %s", rows[i].ecx,
                   rows[i].result ? "#GP(0)" : "returns");
        expect("result", rows[i].result, try_mwait(rows[i].ecx));
        case_end();
    }
}
