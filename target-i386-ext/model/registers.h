/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: the registers that software writes
 *
 * Rules and reset values are those of docs/spec/registers.rst.
 *
 * Plain C: no QEMU headers, so that unit tests can compile it by itself.
 */

#ifndef DSEG_MODEL_REGISTERS_H
#define DSEG_MODEL_REGISTERS_H

#include "model/filter.h"
#include "model/segment.h"

#define DSEG_CPUID_LEAF 0x44534547u
#define DSEG_CPUID_SIGNATURE 0x47455344u

#define DSEG_CPUID_GUEST_SEGMENT (1u << 0)
#define DSEG_CPUID_VMM_SEGMENT   (1u << 1)
#define DSEG_CPUID_FILTER        (1u << 2)
#define DSEG_CPUID_COUNTERS      (1u << 3)
#define DSEG_CPUID_MARKER        (1u << 4)
#define DSEG_CPUID_CYCLES        (1u << 5)

#define DSEG_REVISION 1

typedef enum DsegCr {
    DSEG_CR_BASE = 9,
    DSEG_CR_LIMIT = 10,
    DSEG_CR_OFFSET = 11,
    DSEG_CR_SELECT = 12,
    DSEG_CR_COUNT = 13, /* can only be read */
} DsegCr;

typedef enum DsegMsr {
    DSEG_MSR_BASE = 0x44534700,
    DSEG_MSR_LIMIT,
    DSEG_MSR_OFFSET,
    DSEG_MSR_FILTER_ADD,    /* can only be written */
    DSEG_MSR_FILTER0,
    DSEG_MSR_LAST = DSEG_MSR_FILTER0 + DSEG_FILTER_MAX_WORDS - 1,
} DsegMsr;

/* What belongs to an address space, and is switched with the world. */
typedef struct DsegControl {
    DsegSegment guest;  /* CR9, CR10, CR11 */
    uint64_t select;    /* CR12 */
} DsegControl;

typedef struct DsegRegisters {
    DsegControl control;
    DsegSegment vmm;
    DsegEscapes escapes;    /* the pages are those written to FILTER_ADD */
    bool escapes_unknown;   /* the filter has others: words were written */
} DsegRegisters;

/* What RESET and INIT do: all is 0, and the filter has the size that it had. */
void dseg_registers_reset(DsegRegisters *registers);

/*
 * Writes a control register, CR9 to CR12.  False if @value breaks a rule, or
 * @cr can't be written; nothing changes then.  @virt_bits is the width of a
 * canonical address now: 48 or 57.
 */
bool dseg_cr_write(DsegControl *control, unsigned cr, uint64_t value,
                   unsigned virt_bits);

/* Reads one of CR9 to CR12. */
uint64_t dseg_cr_read(const DsegControl *control, unsigned cr);

/* Whether every register of @control has a value that could be written. */
bool dseg_control_valid(const DsegControl *control, unsigned virt_bits);

/*
 * Writes an MSR.  False if @value breaks a rule, or there is no such MSR; nothing
 * changes then.  @phys_bits is MAXPHYADDR.
 */
bool dseg_msr_write(DsegRegisters *registers, uint32_t msr, uint64_t value,
                    unsigned phys_bits);

/*
 * Reads an MSR into *@value.  False if it can only be written, or there is none.
 */
bool dseg_msr_read(const DsegRegisters *registers, uint32_t msr,
                   uint64_t *value);

/* Whether the VMM segment has values that could be written. */
bool dseg_vmm_valid(const DsegRegisters *registers, unsigned phys_bits);

#endif
