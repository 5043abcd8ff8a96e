/* SPDX-License-Identifier: GPL-2.0-or-later */
/* CR9 to CR13 and the CPUID leaf in L1, by docs/spec/registers.rst. */
#include "lib/cpu.h"
#include "lib/dseg.h"
#include "lib/tap.h"
#include "lib/trap.h"
#include "lib/vm.h"

#define LEAF 0x44534547
#define MAGIC 0x47455344
#define FEATURES 0x1f
#define WORDS 4
#define HIGHEST 0xfffffffffffff000ull

/* Values for CR9 to CR11; and which of them a write refuses. */
static const struct {
    uint64_t value;
    bool unaligned, beyond_48, beyond_57;
} rows[] = {
    { 0, false, false, false },
    { 0x1000, false, false, false },
    { 0x123456789000, false, false, false },
    { 0x00007ffffffff000, false, false, false },
    { 0xffff800000000000, false, false, false },
    { HIGHEST, false, false, false },
    { 1, true, false, false },
    { 0x800, true, false, false },
    { 0xfff, true, false, false },
    { 0x1001, true, false, false },
    { 0xffff800000000001, true, false, false },
    { 0x0000800000000000, false, true, false },
    { 0xffff7ffffffff000, false, true, false },
    { 0x00fffffffffff000, false, true, false },
    { 0xff00000000000000, false, true, false },
    { 0x0100000000000000, false, true, true },
    { 0xfefffffffffff000, false, true, true },
    { 0x4000000000000000, false, true, true },
    { 0x8000000000000000, false, true, true },
    { 0x7fffffffffffffff, true, true, true },
};

static void write(unsigned n, unsigned row, unsigned levels)
{
    bool beyond = levels == 5 ? rows[row].beyond_57 : rows[row].beyond_48;
    bool refused = rows[row].unaligned || (beyond && n != 11);
    uint64_t value = rows[row].value, old = n == 9 ? 0x2000 : 0x1000, now = 0;

    case_begin("CR%u %s 0x%lx with %u levels", n, refused ? "refuses" : "takes",
               value, levels);
    dseg_reset();
    /* Whatever CR10 is, there is no segment: L1 would not survive it. */
    write_cr9(n == 10 ? HIGHEST : 0);
    expect("write of an allowed value", 0, try_write_cr(n, old));
    expect("write", refused ? TRAP(VECTOR_GP, 0) : 0, try_write_cr(n, value));
    expect("read", 0, try_read_cr(n, &now));
    expect("value then", refused ? old : value, now);
    case_end();
}

static bool is_selector(uint64_t value)
{
    uint64_t count = value & 15, regime = value >> 4 & 15;
    uint64_t privilege = value >> 8 & 3;

    if (value >> 12) {
        return false;
    }
    return count < 8 ? regime < 8 && privilege < 3 : value >> 4 == 0;
}

static void selectors(void)
{
    static const uint64_t wide[] = {
        BIT(12), BIT(31), BIT(32), BIT(63), ~0ull, BIT(12) | FAULTS_FINAL,
    };
    uint64_t now;

    for (uint64_t regime = 0; regime < 16; regime++) {
        case_begin("CR12 takes selectors and nothing else, with regime %lu",
                   regime);
        for (unsigned i = 0; i < 256; i++) {
            uint64_t value = (i & 15) | regime << 4 | i >> 4 << 8;

            write_cr12(1);
            expect("write", is_selector(value) ? 0 : TRAP(VECTOR_GP, 0),
                   try_write_cr(12, value));
            expect("value then", is_selector(value) ? value : 1, read_cr12());
        }
        case_end();
    }
    for (unsigned i = 0; i < ARRAY_SIZE(wide); i++) {
        case_begin("CR12 refuses 0x%lx", wide[i]);
        write_cr12(1);
        expect("write", TRAP(VECTOR_GP, 0), try_write_cr(12, wide[i]));
        expect("value then", 1, read_cr12());
        case_end();
    }
    case_begin("CR13 can be read, and not written");
    write_cr12(0);
    expect("read", 0, try_read_cr(13, &now));
    expect("write of 0", TRAP(VECTOR_GP, 0), try_write_cr(13, 0));
    expect("write of its value", TRAP(VECTOR_GP, 0), try_write_cr(13, now));
    case_end();
}

static void neighbours(void)
{
    case_begin("CR14 and CR15 are #UD");
    expect("read of CR14", TRAP(VECTOR_UD, 0),
           TRY("", "mov %%cr14, %%rax", ""));
    expect("read of CR15", TRAP(VECTOR_UD, 0),
           TRY("", "mov %%cr15, %%rax", ""));
    expect("write of CR14", TRAP(VECTOR_UD, 0),
           TRY("", "mov %%rax, %%cr14", ""));
    expect("write of CR15", TRAP(VECTOR_UD, 0),
           TRY("", "mov %%rax, %%cr15", ""));
    case_end();
}

/* set_levels() leads through CR0.PG = 0. */
static void paging_off(void)
{
    case_begin("clearing CR0.PG sets CR9 to CR11 to 0, and not CR12");
    set_own_segment((struct segment) { 0x2000, 0x1000, 0x5000 });
    write_cr12(2);
    set_levels(5);
    expect("CR9", 0, read_cr9());
    expect("CR10", 0, read_cr10());
    expect("CR11", 0, read_cr11());
    expect("CR12", 2, read_cr12());
    set_levels(4);
    case_end();
}

static void cr3_leaves_them(void)
{
    case_begin("a write of CR3 leaves CR9 to CR12 alone");
    set_own_segment((struct segment) { 0x2000, 0x1000, 0x5000 });
    write_cr12(2);
    write_cr3(read_cr3());
    expect("CR9", 0x2000, read_cr9());
    expect("CR10", 0x1000, read_cr10());
    expect("CR11", 0x5000, read_cr11());
    expect("CR12", 2, read_cr12());
    dseg_reset();
    case_end();
}

static void leaf(void)
{
    for (uint32_t subleaf = 0; subleaf < 3; subleaf++) {
        struct cpuid r = cpuid(LEAF, subleaf);

        case_begin("CPUID leaf DSEG, subleaf %u", subleaf);
        expect("EAX", MAGIC, r.eax);
        expect("EBX", FEATURES, r.ebx);
        expect("ECX", WORDS | 4 << 8 | 1 << 16, r.ecx);
        expect("EDX", MSR_VMM_BASE, r.edx);
        case_end();
    }
}

static void at_first(void)
{
    case_begin("after reset, CR9 to CR12 and the MSRs are 0");
    expect("CR9", 0, read_cr9());
    expect("CR10", 0, read_cr10());
    expect("CR11", 0, read_cr11());
    expect("CR12", 0, read_cr12());
    for (uint32_t msr = MSR_VMM_BASE; msr <= msr_last(); msr++) {
        if (msr != MSR_FILTER_ADD) {
            expect("MSR", 0, read_msr(msr));
        }
    }
    case_end();
}

void tests(void)
{
    at_first();
    leaf();
    for (unsigned levels = 4; levels <= 5; levels++) {
        set_levels(levels);
        for (unsigned n = 9; n <= 11; n++) {
            for (unsigned row = 0; row < ARRAY_SIZE(rows); row++) {
                write(n, row, levels);
            }
        }
    }
    set_levels(4);
    selectors();
    neighbours();
    paging_off();
    cr3_leaves_them();
}
