/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: one base/limit/offset segment
 */

#include "model/segment.h"
#include "model/page-tables.h"

static const struct {
    const char *argument;
    const char *text;
} rules[DSEG_RULE__MAX] = {
    [DSEG_RULE_OK] = { "", "all rules hold" },
    [DSEG_RULE_BASE_ALIGNED] = { "base", "must be a multiple of 4 KiB" },
    [DSEG_RULE_SIZE_ALIGNED] = { "size", "must be a multiple of 4 KiB" },
    [DSEG_RULE_TARGET_ALIGNED] = { "target", "must be a multiple of 4 KiB" },
    [DSEG_RULE_SIZE_NOT_ZERO] = { "size", "must not be 0" },
    [DSEG_RULE_BASE_WRAPS] = { "base", "plus size must be below 2^64" },
    [DSEG_RULE_TARGET_WRAPS] = { "target", "plus size must be below 2^64" },
    [DSEG_RULE_BASE_CANONICAL] = {
        "base", "up to base + size must be canonical, in one half of the "
                "address space"
    },
    [DSEG_RULE_BASE_PHYS_BITS] = {
        "base", "plus size must not be beyond MAXPHYADDR"
    },
    [DSEG_RULE_TARGET_PHYS_BITS] = {
        "target", "plus size must not be beyond MAXPHYADDR"
    },
};

static bool fits(uint64_t last, unsigned bits)
{
    return !(last >> bits);
}

DsegRule dseg_segment_make(DsegSegment *out, DsegLevel level, uint64_t base,
                           uint64_t size, uint64_t target,
                           unsigned phys_bits, unsigned virt_bits)
{
    uint64_t last = base + size - 1;
    uint64_t target_last = target + size - 1;

    if (base & ~DSEG_PAGE_MASK) {
        return DSEG_RULE_BASE_ALIGNED;
    }
    if (size & ~DSEG_PAGE_MASK) {
        return DSEG_RULE_SIZE_ALIGNED;
    }
    if (target & ~DSEG_PAGE_MASK) {
        return DSEG_RULE_TARGET_ALIGNED;
    }
    if (!size) {
        return DSEG_RULE_SIZE_NOT_ZERO;
    }
    /* A limit of 2^64 has no register value either, so it wraps. */
    if (base + size < base) {
        return DSEG_RULE_BASE_WRAPS;
    }
    if (target + size < target) {
        return DSEG_RULE_TARGET_WRAPS;
    }
    if (level == DSEG_GUEST &&
        (!dseg_canonical(base, virt_bits) ||
         !dseg_canonical(last, virt_bits) ||
         (base ^ last) >> 63)) {
        return DSEG_RULE_BASE_CANONICAL;
    }
    if (level == DSEG_VMM && !fits(last, phys_bits)) {
        return DSEG_RULE_BASE_PHYS_BITS;
    }
    if (!fits(target_last, phys_bits)) {
        return DSEG_RULE_TARGET_PHYS_BITS;
    }
    *out = (DsegSegment){
        .base = base,
        .limit = base + size,
        .offset = target - base,
    };
    return DSEG_RULE_OK;
}

const char *dseg_rule_argument(DsegRule rule)
{
    return rules[rule].argument;
}

const char *dseg_rule_text(DsegRule rule)
{
    return rules[rule].text;
}
