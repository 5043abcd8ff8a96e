/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A trace: what a CPU did, in program order, since it turned paging on. The
 * plugin writes it, the simulator reads it.
 *
 * The file is TRACE_MAGIC, then records: struct trace_record each, TRACE_MEMORY
 * with value[0] bytes behind it, TRACE_OPERATION with a struct trace_state.
 * Everything is in the byte order of the host.
 */
#ifndef TLB_TRACE_H
#define TLB_TRACE_H

#include <stdint.h>

#define TRACE_MAGIC "DSEGTLB1"
#define TRACE_MAGIC_SIZE 8

enum trace_type {
    TRACE_MEMORY = 1,       /* RAM when the trace begins; value[1]: its size */
    TRACE_INSTRUCTION,      /* its address and size; its other records follow */
    TRACE_LOAD,
    TRACE_STORE,            /* value: the bytes, the first one lowest */
    TRACE_OPERATION,        /* it has been done; what it was and left behind */
    TRACE_MARKER,           /* value[0]: the label */
    TRACE_PRIVILEGE,        /* value[0]: the CPL from here on; 0 at first */
};

enum trace_operation {
    OPERATION_MOV_CR0 = 1,
    OPERATION_MOV_CR3,      /* value[0]: the operand */
    OPERATION_MOV_CR4,
    OPERATION_MOV_SEGMENT,  /* to CR9, CR10 or CR11 */
    OPERATION_WRMSR,        /* to EFER or 0x445347xx */
    OPERATION_INVLPG,       /* address */
    OPERATION_INVPCID,      /* value[0]: type, value[1]: PCID; address */
    OPERATION_INVLPGA,      /* value[0]: ASID; address */
    OPERATION_VMRUN,        /* value[0]: TLB_CONTROL */
    OPERATION_VMEXIT,
    OPERATION_PAGE_FAULT,   /* address */
};

struct trace_record {
    uint8_t type;
    uint8_t size;           /* bytes of an instruction or access */
    uint8_t operation;
    uint8_t reserved[5];
    uint64_t address;
    uint64_t value[2];
};

/* What governs translation. */
struct trace_state {
    uint64_t cr0, cr3, cr4, efer;
    uint64_t cr9, cr10, cr11;
    uint64_t vmm_base, vmm_limit, vmm_offset, filter[4];
    uint64_t asid;          /* 0: host */
    uint64_t nested, ncr3;  /* a guest with nested paging */
};

#endif
