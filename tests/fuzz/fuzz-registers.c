/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz the registers: whatever software writes, in whatever order, they stay
 * valid, and a write that is refused changes nothing
 */

#include "input.h"
#include "model/registers.h"

enum { FIRST_CR = 8, LAST_CR = 14 };

static bool is_canonical(uint64_t addr, unsigned virt_bits)
{
    return (uint64_t)((int64_t)(addr << (64 - virt_bits)) >>
                      (64 - virt_bits)) == addr;
}

static void write_cr(DsegRegisters *r, Input *in, unsigned virt_bits)
{
    DsegControl before = r->control;
    unsigned cr = FIRST_CR + take_below(in, LAST_CR - FIRST_CR + 1);
    uint64_t value = cr == DSEG_CR_SELECT ? take_bytes(in, 2) : take_edge(in);

    if (dseg_cr_write(&r->control, cr, value, virt_bits)) {
        assert(cr >= DSEG_CR_BASE && cr <= DSEG_CR_SELECT);
        assert(dseg_cr_read(&r->control, cr) == value);
        assert(cr == DSEG_CR_SELECT || value % 4096 == 0);
        assert(cr > DSEG_CR_LIMIT || is_canonical(value, virt_bits));
    } else {
        assert(!memcmp(&before, &r->control, sizeof(before)));
    }
}

/* The filter's last word. */
static uint32_t last_msr(const DsegRegisters *r)
{
    return DSEG_MSR_FILTER0 + dseg_filter_bits(&r->escapes.filter) / 64 - 1;
}

static void check_written(const DsegRegisters *r, uint32_t msr, uint64_t value)
{
    uint64_t back;

    if (msr == DSEG_MSR_FILTER_ADD) {
        assert(!dseg_msr_read(r, msr, &back));
        assert(dseg_filter_test(&r->escapes.filter, value));
        assert(r->escapes_unknown ||
               dseg_escapes_contains(&r->escapes, value));
    } else {
        assert(dseg_msr_read(r, msr, &back) && back == value);
    }
}

/* By the table of the specification: what can be written at all. */
static void check_rule(uint32_t msr, uint32_t last, uint64_t value,
                       unsigned phys_bits)
{
    uint64_t end = UINT64_C(1) << phys_bits;

    assert(msr >= DSEG_MSR_BASE && msr <= last);
    assert(msr >= DSEG_MSR_FILTER0 || value % 4096 == 0);
    assert(msr >= DSEG_MSR_FILTER0 || msr == DSEG_MSR_OFFSET ||
           value < end || (msr == DSEG_MSR_LIMIT && value == end));
    assert(msr != DSEG_MSR_OFFSET || value < end || value >= -end);
}

static void write_msr(DsegRegisters *r, Input *in, unsigned phys_bits)
{
    DsegRegisters before = *r;
    uint32_t msr = DSEG_MSR_BASE - 1 + take_below(in, 22);
    uint64_t end = UINT64_C(1) << phys_bits;
    uint64_t value = take_bool(in) ? take_near(in, end) : take_edge(in);

    if (dseg_msr_write(r, msr, value, phys_bits)) {
        check_rule(msr, last_msr(r), value, phys_bits);
        check_written(r, msr, value);
    } else {
        assert(!memcmp(&before, r, sizeof(before)));
    }
    assert(!memcmp(&before.control, &r->control, sizeof(r->control)));
}

/* As many pages as the list holds, put there without looking for each first. */
static void fill_list(DsegEscapes *escapes)
{
    for (unsigned i = 0; i < DSEG_ESCAPES_MAX; i++) {
        escapes->page[i] = (uint64_t)i * 4096;
        dseg_filter_add(&escapes->filter, escapes->page[i]);
    }
    escapes->count = DSEG_ESCAPES_MAX;
}

static void clear_filter(DsegRegisters *r)
{
    for (uint32_t msr = DSEG_MSR_FILTER0; msr <= last_msr(r); msr++) {
        assert(dseg_msr_write(r, msr, 0, 32));
    }
}

static void check(const DsegRegisters *r, unsigned phys_bits,
                  unsigned virt_bits)
{
    assert(dseg_control_valid(&r->control, virt_bits));
    assert(dseg_control_valid(&r->control, 57));
    assert(dseg_vmm_valid(r, phys_bits));
    assert(dseg_filter_valid(&r->escapes.filter));
    if (dseg_filter_empty(&r->escapes.filter)) {
        assert(!r->escapes_unknown && !r->escapes.count);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Input in = { data, size };
    unsigned phys_bits = take_phys_bits(&in);
    unsigned virt_bits = take_virt_bits(&in);
    DsegRegisters r;

    memset(&r, 0, sizeof(r));
    assert(dseg_filter_init(&r.escapes.filter, 64 << take_below(&in, 5)));
    if (take_below(&in, 4) == 1) {
        fill_list(&r.escapes);
    }
    while (in.left) {
        switch (take_below(&in, 32)) {
        case 31:
            clear_filter(&r);
            break;
        case 0 ... 15:
            write_cr(&r, &in, virt_bits);
            break;
        default:
            write_msr(&r, &in, phys_bits);
        }
        check(&r, phys_bits, virt_bits);
    }
    assert(dseg_escapes_valid(&r.escapes, phys_bits));
    return 0;
}
