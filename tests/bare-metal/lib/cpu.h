/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The CPU's registers and bits that the tests use (AMD64 Architecture
 * Programmer's Manual, volumes 2 and 3).
 */
#ifndef BARE_METAL_CPU_H
#define BARE_METAL_CPU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BIT(n) (1ull << (n))
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#define CR0_WP BIT(16)
#define CR0_PG BIT(31)
/* With CR4_PCIDE, bits 11:0 of CR3 are the PCID; this one is not stored. */
#define CR3_PCID 0xfffull
#define CR3_NO_FLUSH BIT(63)
#define CR4_PAE BIT(5)
#define CR4_PGE BIT(7)
#define CR4_LA57 BIT(12)
#define CR4_PCIDE BIT(17)
#define CR4_SMEP BIT(20)
#define CR4_SMAP BIT(21)
#define CR4_PKE BIT(22)

#define MSR_EFER 0xc0000080
#define EFER_LME BIT(8)
#define EFER_LMA BIT(10)
#define EFER_NXE BIT(11)
#define EFER_SVME BIT(12)
#define MSR_VM_HSAVE_PA 0xc0010117

#define RFLAGS_FIXED BIT(1)
#define RFLAGS_AC BIT(18)

#define PTE_P BIT(0)
#define PTE_W BIT(1)
#define PTE_U BIT(2)
#define PTE_A BIT(5)
#define PTE_D BIT(6)
#define PTE_PS BIT(7)
#define PTE_G BIT(8)
#define PTE_NX BIT(63)
#define PTE_ADDRESS 0x000ffffffffff000ull

/*
 * Error codes of a page fault, and the low half of a nested page fault's
 * EXITINFO1.
 */
#define PF_P BIT(0)
#define PF_W BIT(1)
#define PF_U BIT(2)
#define PF_RSVD BIT(3)
#define PF_I BIT(4)
#define PF_PK BIT(5)
#define NPF_FINAL BIT(32)
#define NPF_TABLE BIT(33)

enum { VECTOR_UD = 6, VECTOR_GP = 13, VECTOR_PF = 14 };

#define CPUID_1_ECX_PCID BIT(17)
#define CPUID_7_EBX_INVPCID BIT(10)
#define CPUID_SVM_EDX_FLUSH_BY_ASID BIT(6)

struct cpuid {
    uint32_t eax, ebx, ecx, edx;
};

static inline struct cpuid cpuid(uint32_t leaf, uint32_t subleaf)
{
    struct cpuid r;

    asm volatile("cpuid" : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
                 : "a"(leaf), "c"(subleaf));
    return r;
}

#define CR_ACCESSORS(n)                                                 \
    static inline uint64_t read_cr##n(void)                             \
    {                                                                   \
        uint64_t value;                                                 \
                                                                        \
        asm volatile("mov %%cr" #n ", %0" : "=r"(value) : : "memory");  \
        return value;                                                   \
    }                                                                   \
                                                                        \
    static inline void write_cr##n(uint64_t value)                      \
    {                                                                   \
        asm volatile("mov %0, %%cr" #n : : "r"(value) : "memory");      \
    }

CR_ACCESSORS(0)
CR_ACCESSORS(2)
CR_ACCESSORS(3)
CR_ACCESSORS(4)
CR_ACCESSORS(9)
CR_ACCESSORS(10)
CR_ACCESSORS(11)
CR_ACCESSORS(12)
CR_ACCESSORS(13)

static inline uint64_t read_msr(uint32_t msr)
{
    uint32_t low, high;

    asm volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr) : "memory");
    return (uint64_t)high << 32 | low;
}

static inline void write_msr(uint32_t msr, uint64_t value)
{
    asm volatile("wrmsr" : : "c"(msr), "a"((uint32_t)value),
                 "d"((uint32_t)(value >> 32)) : "memory");
}

/* CR4.PKE has to be set. */
static inline void write_pkru(uint32_t value)
{
    asm volatile("wrpkru" : : "a"(value), "c"(0), "d"(0) : "memory");
}

static inline void out8(uint16_t port, uint8_t value)
{
    asm volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static inline void out32(uint16_t port, uint32_t value)
{
    asm volatile("outl %0, %1" : : "a"(value), "Nd"(port));
}

/*
 * The memory at a physical address below 4 GiB, which L1 has mapped one to one.
 */
static inline void *at_hpa(uint64_t hpa)
{
    return (void *)hpa;
}

#endif
