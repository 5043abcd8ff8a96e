/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The VMCB (APM, volume 2, appendix B; layout, exit codes in appendix C), with
 * the four quadwords of direct segments (docs/spec/registers.rst).
 */
#ifndef BARE_METAL_VMCB_H
#define BARE_METAL_VMCB_H

#include <stddef.h>
#include <stdint.h>

struct vmcb_segment {
    uint16_t selector, attributes;
    uint32_t limit;
    uint64_t base;
};

struct vmcb {
    uint16_t intercept_cr_reads, intercept_cr_writes;   /* 0x000 */
    uint16_t intercept_dr_reads, intercept_dr_writes;
    uint32_t intercept_exceptions;                      /* 0x008 */
    uint32_t intercepts1, intercepts2, intercepts3;
    uint8_t reserved018[0x040 - 0x018];
    uint64_t iopm_base, msrpm_base;                     /* 0x040 */
    uint64_t tsc_offset;
    uint32_t asid;                                      /* 0x058 */
    uint32_t tlb_control;
    uint64_t virtual_interrupt;                         /* 0x060 */
    uint64_t interrupt_shadow;
    uint64_t exit_code;                                 /* 0x070 */
    uint64_t exit_info1, exit_info2;
    uint64_t exit_int_info;
    uint64_t np_enable;                                 /* 0x090 */
    uint8_t reserved098[0x0a8 - 0x098];
    uint64_t event_injection;                           /* 0x0a8 */
    uint64_t n_cr3;                                     /* 0x0b0 */
    uint64_t lbr_virtualization;
    uint64_t clean_bits;                                /* 0x0c0 */
    uint64_t next_rip;
    uint8_t reserved0d0[0x400 - 0x0d0];

    struct vmcb_segment es, cs, ss, ds, fs, gs;         /* 0x400 */
    struct vmcb_segment gdtr, ldtr, idtr, tr;           /* 0x460 */
    uint8_t reserved4a0[0x4cb - 0x4a0];
    uint8_t cpl;                                        /* 0x4cb */
    uint32_t reserved4cc;
    uint64_t efer;                                      /* 0x4d0 */
    uint8_t reserved4d8[0x548 - 0x4d8];
    uint64_t cr4, cr3, cr0;                             /* 0x548 */
    uint64_t dr7, dr6;
    uint64_t rflags;                                    /* 0x570 */
    uint64_t rip;
    uint64_t dseg_cr9, dseg_cr10, dseg_cr11, dseg_cr12; /* 0x580 */
    uint8_t reserved5a0[0x5d8 - 0x5a0];
    uint64_t rsp;                                       /* 0x5d8 */
    uint8_t reserved5e0[0x5f8 - 0x5e0];
    uint64_t rax;                                       /* 0x5f8 */
    uint8_t reserved600[0x640 - 0x600];
    uint64_t cr2;                                       /* 0x640 */
    uint8_t reserved648[0x668 - 0x648];
    uint64_t g_pat;                                     /* 0x668 */
    uint8_t reserved670[0x1000 - 0x670];
};

#define VMCB_OFFSET(field, offset)                                      \
    _Static_assert(offsetof(struct vmcb, field) == (offset), #field)

VMCB_OFFSET(intercept_exceptions, 0x008);
VMCB_OFFSET(intercepts1, 0x00c);
VMCB_OFFSET(intercepts2, 0x010);
VMCB_OFFSET(intercepts3, 0x014);
VMCB_OFFSET(iopm_base, 0x040);
VMCB_OFFSET(msrpm_base, 0x048);
VMCB_OFFSET(asid, 0x058);
VMCB_OFFSET(tlb_control, 0x05c);
VMCB_OFFSET(exit_code, 0x070);
VMCB_OFFSET(exit_info1, 0x078);
VMCB_OFFSET(exit_info2, 0x080);
VMCB_OFFSET(exit_int_info, 0x088);
VMCB_OFFSET(np_enable, 0x090);
VMCB_OFFSET(event_injection, 0x0a8);
VMCB_OFFSET(n_cr3, 0x0b0);
VMCB_OFFSET(clean_bits, 0x0c0);
VMCB_OFFSET(next_rip, 0x0c8);
VMCB_OFFSET(es, 0x400);
VMCB_OFFSET(cs, 0x410);
VMCB_OFFSET(gdtr, 0x460);
VMCB_OFFSET(idtr, 0x480);
VMCB_OFFSET(tr, 0x490);
VMCB_OFFSET(cpl, 0x4cb);
VMCB_OFFSET(efer, 0x4d0);
VMCB_OFFSET(cr4, 0x548);
VMCB_OFFSET(cr3, 0x550);
VMCB_OFFSET(cr0, 0x558);
VMCB_OFFSET(dr7, 0x560);
VMCB_OFFSET(dr6, 0x568);
VMCB_OFFSET(rflags, 0x570);
VMCB_OFFSET(rip, 0x578);
VMCB_OFFSET(dseg_cr9, 0x580);
VMCB_OFFSET(rsp, 0x5d8);
VMCB_OFFSET(rax, 0x5f8);
VMCB_OFFSET(cr2, 0x640);
VMCB_OFFSET(g_pat, 0x668);
_Static_assert(sizeof(struct vmcb) == 0x1000, "a VMCB is a page");

#define INTERCEPT1_MSR_PROT (1u << 28)
#define INTERCEPT1_SHUTDOWN (1u << 31)
#define INTERCEPT1_HLT (1u << 24)
#define INTERCEPT2_VMRUN (1u << 0)
#define INTERCEPT2_VMMCALL (1u << 1)
#define INTERCEPT3_INVPCID (1u << 2)

#define TLB_FLUSH_ALL 1
#define TLB_FLUSH_GUEST 3
#define TLB_FLUSH_GUEST_NONGLOBAL 7

/*
 * struct vmcb_segment.attributes: present, 64-bit code; 32-bit code, and data,
 * with limits in pages.
 */
#define ATTRIBUTES_CODE64 0xa9b
#define ATTRIBUTES_CODE32 0xc9b
#define ATTRIBUTES_DATA 0xc93
#define ATTRIBUTES_DPL(cpl) ((cpl) << 5)

#define EXIT_READ_CR(n) (0x000 + (n))
#define EXIT_WRITE_CR(n) (0x010 + (n))
#define EXIT_EXCEPTION(vector) (0x040 + (vector))
#define EXIT_MSR 0x07c
#define EXIT_VMMCALL 0x081
#define EXIT_INVPCID 0x0a2
#define EXIT_NPF 0x400
#define EXIT_INVALID (~0ull)

#endif
