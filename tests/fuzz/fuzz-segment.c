/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz one segment: what is made translates as asked; lookup is arithmetic
 */

#include "input.h"
#include "model/segment.h"

#define UNTOUCHED UINT64_C(0xdeadbeefdeadbeef)

/* The lookup in numbers that can't overflow. */
static void check_lookup(const DsegSegment *seg, unsigned phys_bits,
                         uint64_t addr)
{
    uint64_t out = UNTOUCHED;
    DsegHit hit = dseg_segment_lookup(seg, phys_bits, addr, &out);
    Wide sum = ((Wide)addr + seg->offset) % ((Wide)1 << 64);

    if (addr < seg->base || addr >= seg->limit) {
        assert(hit == DSEG_MISS && out == UNTOUCHED);
    } else if (sum >= (Wide)1 << phys_bits) {
        assert(hit == DSEG_TOO_WIDE && out == UNTOUCHED);
    } else {
        assert(hit == DSEG_HIT && out == sum);
    }
    assert(dseg_segment_enabled(seg) || hit == DSEG_MISS);
}

static void check_around(const DsegSegment *seg, unsigned phys_bits)
{
    check_lookup(seg, phys_bits, seg->base);
    check_lookup(seg, phys_bits, seg->base - 1);
    check_lookup(seg, phys_bits, seg->limit);
    check_lookup(seg, phys_bits, seg->limit - 1);
}

static void fuzz_make(Input *in)
{
    const DsegSegment before = { UNTOUCHED, UNTOUCHED, UNTOUCHED };
    DsegSegment seg = before;
    DsegLevel level = take_bool(in) ? DSEG_VMM : DSEG_GUEST;
    unsigned phys_bits = take_phys_bits(in);
    uint64_t base = take_edge(in), size = take_edge(in), target = take_edge(in);
    DsegRule rule = dseg_segment_make(&seg, level, base, size, target,
                                      phys_bits, take_virt_bits(in));
    uint64_t out;

    assert(rule < DSEG_RULE__MAX && dseg_rule_text(rule)[0]);
    if (rule != DSEG_RULE_OK) {
        assert(dseg_rule_argument(rule)[0]);
        assert(!memcmp(&seg, &before, sizeof(seg)));
        return;
    }
    assert(seg.base == base && seg.limit == base + size);
    assert(dseg_segment_lookup(&seg, phys_bits, base, &out) == DSEG_HIT);
    assert(out == target);
    assert(dseg_segment_lookup(&seg, phys_bits, seg.limit - 1, &out) ==
           DSEG_HIT);
    assert(out == target + size - 1);
    check_around(&seg, phys_bits);
}

/* Any three registers, as software may write them. */
static void fuzz_lookup(Input *in)
{
    const DsegSegment seg = {
        .base = take_edge(in), .limit = take_edge(in), .offset = take_edge(in),
    };
    unsigned phys_bits = take_phys_bits(in);

    check_around(&seg, phys_bits);
    check_lookup(&seg, phys_bits, take_edge(in));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Input in = { data, size };

    if (take_bool(&in)) {
        fuzz_make(&in);
    } else {
        fuzz_lookup(&in);
    }
    return 0;
}
