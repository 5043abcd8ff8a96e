/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: the registers that software writes
 */

#include "model/registers.h"
#include "model/page-tables.h"
#include "model/counter-select.h"

void dseg_registers_reset(DsegRegisters *registers)
{
    *registers = (DsegRegisters) {
        .escapes.filter.scale = registers->escapes.filter.scale,
    };
}

static bool aligned(uint64_t value)
{
    return !(value & ~DSEG_PAGE_MASK);
}

static bool cr_value_valid(unsigned cr, uint64_t value, unsigned virt_bits)
{
    switch (cr) {
    case DSEG_CR_BASE:
    case DSEG_CR_LIMIT:
        return aligned(value) && dseg_canonical(value, virt_bits);
    case DSEG_CR_OFFSET:
        return aligned(value);
    case DSEG_CR_SELECT:
        return dseg_counter_select_valid(value);
    default:
        return false;
    }
}

static const uint64_t *cr_at(const DsegControl *control, unsigned cr)
{
    switch (cr) {
    case DSEG_CR_BASE:
        return &control->guest.base;
    case DSEG_CR_LIMIT:
        return &control->guest.limit;
    case DSEG_CR_OFFSET:
        return &control->guest.offset;
    default:
        return &control->select;
    }
}

bool dseg_cr_write(DsegControl *control, unsigned cr, uint64_t value,
                   unsigned virt_bits)
{
    if (!cr_value_valid(cr, value, virt_bits)) {
        return false;
    }
    *(uint64_t *)cr_at(control, cr) = value;
    return true;
}

uint64_t dseg_cr_read(const DsegControl *control, unsigned cr)
{
    return *cr_at(control, cr);
}

bool dseg_control_valid(const DsegControl *control, unsigned virt_bits)
{
    for (unsigned cr = DSEG_CR_BASE; cr <= DSEG_CR_SELECT; cr++) {
        if (!cr_value_valid(cr, dseg_cr_read(control, cr), virt_bits)) {
            return false;
        }
    }
    return true;
}

/* As a signed number of phys_bits + 1 bits. */
static bool offset_fits(uint64_t offset, unsigned phys_bits)
{
    uint64_t top = offset >> phys_bits;

    return top == 0 || top == UINT64_MAX >> phys_bits;
}

static void filter_add(DsegRegisters *registers, uint64_t gpa,
                       unsigned phys_bits)
{
    DsegEscapes *escapes = &registers->escapes;

    if (dseg_escapes_add(escapes, gpa, phys_bits) == DSEG_ESCAPE_FULL) {
        registers->escapes_unknown = true;
    }
    /* Also where the page is known already: a word may have been cleared. */
    dseg_filter_add(&escapes->filter, gpa);
}

/* The word of the filter that @msr is; NULL if it has none there. */
static const uint64_t *filter_word(const DsegRegisters *registers, uint32_t msr)
{
    const DsegFilter *filter = &registers->escapes.filter;
    uint32_t i = msr - DSEG_MSR_FILTER0;

    return i < dseg_filter_words(filter) ? &filter->word[i] : NULL;
}

static void filter_write(DsegRegisters *registers, uint64_t *at, uint64_t word)
{
    DsegEscapes *escapes = &registers->escapes;

    *at = word;
    if (dseg_filter_empty(&escapes->filter)) {
        dseg_escapes_clear(escapes);
        registers->escapes_unknown = false;
    } else if (word) {
        registers->escapes_unknown = true;
    }
}

bool dseg_msr_write(DsegRegisters *registers, uint32_t msr, uint64_t value,
                    unsigned phys_bits)
{
    const uint64_t *word = filter_word(registers, msr);
    uint64_t end = UINT64_C(1) << phys_bits;

    if (word) {
        filter_write(registers, (uint64_t *)word, value);
        return true;
    }
    if (!aligned(value)) {
        return false;
    }
    switch (msr) {
    case DSEG_MSR_BASE:
        if (value >= end) {
            return false;
        }
        registers->vmm.base = value;
        return true;
    case DSEG_MSR_LIMIT:
        if (value > end) {
            return false;
        }
        registers->vmm.limit = value;
        return true;
    case DSEG_MSR_OFFSET:
        if (!offset_fits(value, phys_bits)) {
            return false;
        }
        registers->vmm.offset = value;
        return true;
    case DSEG_MSR_FILTER_ADD:
        if (value >= end) {
            return false;
        }
        filter_add(registers, value, phys_bits);
        return true;
    default:
        return false;
    }
}

bool dseg_msr_read(const DsegRegisters *registers, uint32_t msr,
                   uint64_t *value)
{
    const uint64_t *word = filter_word(registers, msr);

    if (word) {
        *value = *word;
        return true;
    }
    switch (msr) {
    case DSEG_MSR_BASE:
        *value = registers->vmm.base;
        return true;
    case DSEG_MSR_LIMIT:
        *value = registers->vmm.limit;
        return true;
    case DSEG_MSR_OFFSET:
        *value = registers->vmm.offset;
        return true;
    default:
        return false;
    }
}

bool dseg_vmm_valid(const DsegRegisters *registers, unsigned phys_bits)
{
    DsegRegisters scratch = {};

    return dseg_msr_write(&scratch, DSEG_MSR_BASE, registers->vmm.base,
                          phys_bits) &&
           dseg_msr_write(&scratch, DSEG_MSR_LIMIT, registers->vmm.limit,
                          phys_bits) &&
           dseg_msr_write(&scratch, DSEG_MSR_OFFSET, registers->vmm.offset,
                          phys_bits);
}
