/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which instructions the trace has more of than their accesses (AMD64
 * Architecture Programmer's Manual, volume 3): recognised by their bytes, in
 * 64-bit code; MOV to CR0, CR3 and CR4 and WRMSR in 32-bit code too.
 */
#ifndef TLB_TRACE_DECODE_H
#define TLB_TRACE_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Numbers of registers are those of the encoding: RAX is 0, RCX 1, RSP 4. */
enum { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, NO_REGISTER = 16 };

enum what {
    WHAT_OTHER, WHAT_MOV_TO_CR, WHAT_WRMSR, WHAT_INVLPG, WHAT_INVPCID,
    WHAT_INVLPGA, WHAT_VMRUN, WHAT_VMM_MEMORY, WHAT_MARKER,
};

/* An operand in memory: base + index * scale + displacement. */
struct operand {
    unsigned base, index, scale;
    bool rip_relative;
    int64_t displacement;
};

struct decoded {
    enum what what;
    bool locked;                /* by prefix, or an XCHG with memory */
    unsigned cr;                /* of MOV */
    unsigned reg;               /* the operand of MOV, the type of INVPCID */
    uint32_t label;             /* of a marker, with its top byte */
    struct operand operand;     /* of INVLPG */
};

/* What an instruction of that many bytes is. */
struct decoded decode(const uint8_t *bytes, size_t size);

#endif
