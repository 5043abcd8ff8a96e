/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Registers that hold an address refuse one that is not canonical: MSRs, bases of
 * FS and GS, and of the tables of descriptors (AMD's manual, volume 3, WRMSR,
 * WRFSBASE, LGDT, LIDT, LLDT, LTR). What counts is how many bits the CPU has, not
 * CR4.LA57. VMLOAD extends the sign instead (volume 2, 15.5).
 */
#include "lib/memory.h"
#include "lib/svm.h"
#include "lib/tap.h"
#include "lib/trap.h"
#include "lib/vmcb.h"

#define MSR_SYSENTER_ESP 0x175
#define MSR_SYSENTER_EIP 0x176
#define MSR_LSTAR 0xc0000082
#define MSR_CSTAR 0xc0000083
#define MSR_FS_BASE 0xc0000100
#define MSR_GS_BASE 0xc0000101
#define MSR_KERNEL_GS_BASE 0xc0000102

#define CR4_FSGSBASE BIT(16)
#define CPUID_7_ECX_LA57 BIT(16)
#define VMCB_KERNEL_GS_BASE 0x620

#define GP_0 TRAP(VECTOR_GP, 0)
#define TABLE_SELECTOR 0x20     /* behind the four descriptors of boot.S */
#define TYPE_LDT 0x82ull
#define TYPE_TSS 0x89ull
#define TYPE_BUSY_TSS 0x8bull
#define VALID_BASE 0x1000ull

struct pointer {
    uint16_t limit;
    uint64_t base;
} __attribute__((packed));

static unsigned width;

static struct {
    uint64_t value;
    bool canonical;
} values[8];

static void make_values(void)
{
    const uint64_t half = BIT(width - 1);
    const uint64_t canonical[] = { 0x7fffffffff8, half - 8, -half, -8ull };
    const uint64_t others[] = { half, -half - 8, BIT(63), ~BIT(63) };

    for (unsigned i = 0; i < 4; i++) {
        values[i].value = canonical[i];
        values[i].canonical = true;
        values[4 + i].value = others[i];
    }
}

/* What wraps at 32 bits on AMD takes everything. */
static const struct {
    const char *name;
    uint32_t msr;
    bool takes_all;
} msrs[] = {
    { "LSTAR", MSR_LSTAR, false },
    { "CSTAR", MSR_CSTAR, false },
    { "FS_BASE", MSR_FS_BASE, false },
    { "GS_BASE", MSR_GS_BASE, false },
    { "KERNEL_GS_BASE", MSR_KERNEL_GS_BASE, false },
    { "SYSENTER_ESP", MSR_SYSENTER_ESP, true },
    { "SYSENTER_EIP", MSR_SYSENTER_EIP, true },
};

static void msr_rows(void)
{
    for (unsigned i = 0; i < ARRAY_SIZE(msrs); i++) {
        for (unsigned j = 0; j < ARRAY_SIZE(values); j++) {
            bool taken = values[j].canonical || msrs[i].takes_all;

            case_begin("WRMSR of %s, 0x%lx: %s", msrs[i].name, values[j].value,
                       taken ? "taken" : "#GP(0), nothing is written");
            write_msr(msrs[i].msr, VALID_BASE);
            expect("result", taken ? 0 : GP_0,
                   try_write_msr(msrs[i].msr, values[j].value));
            expect("value", taken ? values[j].value : VALID_BASE,
                   read_msr(msrs[i].msr));
            write_msr(msrs[i].msr, 0);
            case_end();
        }
    }
}

static void fs_gs_rows(void)
{
    write_cr4(read_cr4() | CR4_FSGSBASE);
    for (unsigned j = 0; j < ARRAY_SIZE(values); j++) {
        uint64_t expected = values[j].canonical ? 0 : GP_0;
        uint64_t then = values[j].canonical ? values[j].value : VALID_BASE;

        case_begin("WRFSBASE and WRGSBASE, 0x%lx: %s", values[j].value,
                   expected ? "#GP(0)" : "taken");
        write_msr(MSR_FS_BASE, VALID_BASE);
        write_msr(MSR_GS_BASE, VALID_BASE);
        expect("WRFSBASE", expected,
               TRY("", "wrfsbase %1", "", "r"(values[j].value)));
        expect("WRGSBASE", expected,
               TRY("", "wrgsbase %1", "", "r"(values[j].value)));
        expect("FS_BASE", then, read_msr(MSR_FS_BASE));
        expect("GS_BASE", then, read_msr(MSR_GS_BASE));
        expect("WRFSBASE, 32 bits", 0,
               TRY("", "wrfsbase %k1", "", "r"(values[j].value)));
        expect("FS_BASE", (uint32_t)values[j].value, read_msr(MSR_FS_BASE));
        write_msr(MSR_FS_BASE, 0);
        write_msr(MSR_GS_BASE, 0);
        case_end();
    }
    write_cr4(read_cr4() & ~CR4_FSGSBASE);
}

/* The old table is in force again at once, whatever it was. */
#define TABLE_ROWS(load, store)                                         \
    for (unsigned j = 0; j < ARRAY_SIZE(values); j++) {                 \
        struct pointer old, now = { 0xff, values[j].value };            \
                                                                        \
        case_begin(#load ", base 0x%lx: %s", values[j].value,           \
                   values[j].canonical ? "taken" : "#GP(0)");           \
        asm volatile(#store " %0" : "=m"(old));                         \
        expect("result", values[j].canonical ? 0 : GP_0,                \
               TRY("", #load " (%1)", #load " (%2)", "r"(&now),         \
                   "r"(&old)));                                         \
        asm volatile(#store " %0" : "=m"(now));                         \
        expect("base", old.base, now.base);                             \
        case_end();                                                     \
    }

/* A GDT with what boot.S has, and a system descriptor of 16 bytes. */
static uint64_t gdt[TABLE_SELECTOR / 8 + 2] __attribute__((aligned(16)));

static void make_descriptor(uint64_t type, uint64_t base)
{
    uint64_t *descriptor = &gdt[TABLE_SELECTOR / 8];

    descriptor[0] = 0xffff | (base & 0xffffff) << 16 | type << 40 |
                    (base >> 24 & 0xff) << 56;
    descriptor[1] = base >> 32;
}

static uint64_t descriptor_type(void)
{
    return gdt[TABLE_SELECTOR / 8] >> 40 & 0xff;
}

static void descriptor_rows(void)
{
    struct pointer old, own = { sizeof(gdt) - 1, (uint64_t)gdt };

    asm volatile("sgdt %0" : "=m"(old));
    __builtin_memcpy(gdt, (void *)old.base, TABLE_SELECTOR);
    asm volatile("lgdt %0" : : "m"(own));
    for (unsigned j = 0; j < ARRAY_SIZE(values); j++) {
        uint64_t expected = values[j].canonical ? 0
                            : TRAP(VECTOR_GP, TABLE_SELECTOR);

        case_begin("LLDT, base 0x%lx: %s", values[j].value,
                   expected ? "#GP(selector)" : "taken");
        make_descriptor(TYPE_LDT, values[j].value);
        expect("result", expected,
               TRY("", "lldt %w1", "", "r"(TABLE_SELECTOR)));
        asm volatile("lldt %w0" : : "r"(0));
        case_end();

        case_begin("LTR, base 0x%lx: %s", values[j].value,
                   expected ? "#GP(selector), not busy" : "taken");
        make_descriptor(TYPE_TSS, values[j].value);
        expect("result", expected,
               TRY("", "ltr %w1", "", "r"(TABLE_SELECTOR)));
        expect("type", expected ? TYPE_TSS : TYPE_BUSY_TSS, descriptor_type());
        case_end();
    }
    asm volatile("lgdt %0" : : "m"(old));
}

/* KERNEL_GS_BASE and what else VMLOAD loads has no check, but a sign. */
static void vmload(void)
{
    static struct vmcb from __attribute__((aligned(4096)));

    for (unsigned j = 0; j < ARRAY_SIZE(values); j++) {
        uint64_t value = values[j].value;
        uint64_t extended = (int64_t)(value << (64 - width)) >> (64 - width);

        case_begin("VMLOAD of bases 0x%lx: 0x%lx", value, extended);
        from.fs.base = from.gs.base = value;
        *(uint64_t *)((char *)&from + VMCB_KERNEL_GS_BASE) = value;
        asm volatile("vmload %0" : : "a"(&from) : "memory");
        expect("FS_BASE", extended, read_msr(MSR_FS_BASE));
        expect("GS_BASE", extended, read_msr(MSR_GS_BASE));
        expect("KERNEL_GS_BASE", extended, read_msr(MSR_KERNEL_GS_BASE));
        case_end();
    }
    write_msr(MSR_FS_BASE, 0);
    write_msr(MSR_GS_BASE, 0);
}

void tests(void)
{
    width = cpuid(7, 0).ecx & CPUID_7_ECX_LA57 ? 57 : 48;
    make_values();
    msr_rows();
    fs_gs_rows();
    TABLE_ROWS(lgdt, sgdt)
    TABLE_ROWS(lidt, sidt)
    descriptor_rows();
    vmload();
}
