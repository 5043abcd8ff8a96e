/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: one base/limit/offset segment
 *
 * Plain C: no QEMU headers, so that unit tests can compile it by itself.
 */

#ifndef DSEG_MODEL_SEGMENT_H
#define DSEG_MODEL_SEGMENT_H

#include <stdbool.h>
#include <stdint.h>

/* The two levels of the poster ("Direct Segment at VMM, guest or both"). */
typedef enum DsegLevel {
    DSEG_GUEST, /* gVA -> gPA, or virtual -> physical where nothing is nested */
    DSEG_VMM,   /* gPA -> hPA */
} DsegLevel;

/*
 * A segment maps [base, limit) to [base + offset, limit + offset).  All three
 * are byte addresses, multiples of 4 KiB; the sum is modulo 2^64.  A segment
 * with base >= limit is disabled, so all zeros is "no segment".
 */
typedef struct DsegSegment {
    uint64_t base;
    uint64_t limit;
    uint64_t offset;
} DsegSegment;

typedef enum DsegHit {
    DSEG_MISS,      /* outside, or disabled: paging translates it */
    DSEG_HIT,
    DSEG_TOO_WIDE,  /* inside, but the sum is beyond MAXPHYADDR: a fault */
} DsegHit;

/* Why a segment can't be made; each names one argument and one rule. */
typedef enum DsegRule {
    DSEG_RULE_OK,
    DSEG_RULE_BASE_ALIGNED,
    DSEG_RULE_SIZE_ALIGNED,
    DSEG_RULE_TARGET_ALIGNED,
    DSEG_RULE_SIZE_NOT_ZERO,
    DSEG_RULE_BASE_WRAPS,       /* base + size must be below 2^64 */
    DSEG_RULE_TARGET_WRAPS,     /* target + size must be below 2^64 */
    DSEG_RULE_BASE_CANONICAL,   /* guest level: both ends, in the same half */
    DSEG_RULE_BASE_PHYS_BITS,   /* VMM level: base + size <= 2^MAXPHYADDR */
    DSEG_RULE_TARGET_PHYS_BITS, /* target + size <= 2^MAXPHYADDR */
    DSEG_RULE__MAX,
} DsegRule;

/* Whether @seg can hit at all. */
static inline bool dseg_segment_enabled(const DsegSegment *seg)
{
    return seg->base < seg->limit;
}

/* Whether @a and @b translate alike. */
static inline bool dseg_segment_same(const DsegSegment *a, const DsegSegment *b)
{
    if (!dseg_segment_enabled(a) && !dseg_segment_enabled(b)) {
        return true;
    }
    return a->base == b->base && a->limit == b->limit && a->offset == b->offset;
}

/* Whether @addr lies in @seg. */
static inline bool dseg_segment_contains(const DsegSegment *seg, uint64_t addr)
{
    return addr >= seg->base && addr < seg->limit;
}

/*
 * Translates @addr by @seg.  On DSEG_HIT *@out is the sum; it is not touched
 * otherwise.  @phys_bits is MAXPHYADDR.  The page offset is kept: @addr need
 * not be aligned.
 */
static inline DsegHit dseg_segment_lookup(const DsegSegment *seg,
                                          unsigned phys_bits, uint64_t addr,
                                          uint64_t *out)
{
    uint64_t sum;

    if (!dseg_segment_contains(seg, addr)) {
        return DSEG_MISS;
    }
    sum = addr + seg->offset;
    if (sum >> phys_bits) {
        return DSEG_TOO_WIDE;
    }
    *out = sum;
    return DSEG_HIT;
}

/*
 * Makes the segment that maps @size bytes at @base to @target, if every rule
 * holds, checked in the order of DsegRule; else names the first that does not
 * and leaves *@out alone.  @phys_bits is MAXPHYADDR (32 to 52), @virt_bits the
 * width of a canonical address (48 or 57).
 */
DsegRule dseg_segment_make(DsegSegment *out, DsegLevel level, uint64_t base,
                           uint64_t size, uint64_t target,
                           unsigned phys_bits, unsigned virt_bits);

/* The argument that @rule is about: "base", "size" or "target". */
const char *dseg_rule_argument(DsegRule rule);

/* The rule in words, to stand behind the argument's name and value. */
const char *dseg_rule_text(DsegRule rule);

#endif
