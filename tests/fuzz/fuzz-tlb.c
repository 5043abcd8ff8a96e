/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz the TLB hierarchy: whatever geometry passes the check and whatever is
 * done to it, a slot holds one entry, which leaves it but once, its counters
 * add up, and what an operation removes is not there after it
 */

#include <stdlib.h>

#include "input.h"
#include "tlb/walk-caches.h"

enum { MAX_SLOTS = 256 };

/* What the hierarchy has said of its L1. */
typedef struct Shadow {
    DsegTlb *tlb;
    uint32_t slots;
    bool used[MAX_SLOTS];
    bool fetch[MAX_SLOTS];
} Shadow;

static void gone(void *opaque, DsegTlbSlot slot)
{
    Shadow *shadow = opaque;
    DsegTlbSlotPage page;

    assert(slot < shadow->slots && shadow->used[slot]);
    page = dseg_tlb_slot_page(shadow->tlb, slot);
    assert(shadow->fetch[slot] == page.fetch);
    assert(page.size < DSEG_TLB_SIZE__MAX);
    assert(!(page.va & ((UINT64_C(1) << dseg_tlb_size_shift(page.size)) - 1)));
    shadow->used[slot] = false;
}

/* Small, and right more often than not. */
static DsegTlbGeometry take_geometry(Input *in)
{
    DsegTlbGeometry geometry = {
        .count = take_below(in, 8) + 2,
        .seed = take_bytes(in, 2),
        .segments_beside_l1 = take_bool(in),
    };

    for (unsigned i = 0; i < geometry.count; i++) {
        uint32_t ways = 1 + take_below(in, 8);

        geometry.arrays[i] = (DsegTlbArrayGeometry) {
            .place = i < 2 ? i : take_below(in, DSEG_TLB_PLACE__MAX),
            .sizes = i < 2 ? 1 : take_below(in, 8),
            .entries = ways << take_below(in, 2),
            .ways = ways,
            .policy = take_below(in, DSEG_TLB_POLICY__MAX),
        };
    }
    for (unsigned i = 0; i < DSEG_TLB_WALK_LEVELS; i++) {
        geometry.guest_walk_cache[i] = take_below(in, 3);
        geometry.nested_walk_cache[i] = take_below(in, 3);
    }
    return geometry;
}

/* Two that differ in high bits, and their neighbours. */
static uint64_t take_va(Input *in)
{
    uint64_t bits = take_bytes(in, 1);

    return (bits & 1 ? UINT64_C(0xffff800000000000) : 0) +
           (bits >> 1 & 1) * (UINT64_C(1) << 30) +
           (bits >> 2 & 3) * (UINT64_C(1) << 21) +
           (bits >> 4) * UINT64_C(0x801);
}

static DsegTlbSpace take_space(Input *in)
{
    unsigned bits = take_below(in, 8);

    return (DsegTlbSpace) { .asid = bits & 3, .pcid = bits >> 2 };
}

static void take_access(Input *in, Shadow *shadow)
{
    DsegTlbSpace space = take_space(in);
    uint64_t va = take_va(in);
    DsegTlbKind kind = take_below(in, DSEG_TLB_KIND__MAX);
    unsigned bits = take_below(in, 64);
    DsegTlbPage page = {
        .size = bits % DSEG_TLB_SIZE__MAX, .global = bits & 8,
        .store = bits & 16,
        .lg_mapping = bits & 32 ? dseg_tlb_size_shift(DSEG_TLB_1G) : 0,
    };
    bool hit = dseg_tlb_peek(shadow->tlb, space, va, kind, NULL);
    DsegTlbOutcome outcome;
    DsegTlbSpot spot;
    DsegTlbSlot slot;

    if (bits >= 48) {
        page = (DsegTlbPage) { .store = true, .segments_only = true };
    }
    outcome = dseg_tlb_access(shadow->tlb, space, va, kind, &page, &spot);
    slot = spot.slot;
    if (outcome == DSEG_TLB_HIT_SEGMENT_L1) {
        assert(page.segments_only && slot == DSEG_TLB_NO_SLOT);
        return;
    }
    assert(hit == (outcome == DSEG_TLB_HIT_L1 || outcome == DSEG_TLB_HIT_L2));
    assert(slot < shadow->slots);
    assert(shadow->used[slot] == (outcome == DSEG_TLB_HIT_L1));
    shadow->used[slot] = true;
    shadow->fetch[slot] = kind == DSEG_TLB_FETCH;
    /* A store may still meet an older entry that it cannot use. */
    assert(dseg_tlb_peek(shadow->tlb, space, va, kind, NULL) ||
           kind == DSEG_TLB_STORE);
}

/* Whether nothing has @at as a piece of a page that contains @va. */
static bool is_gone(const DsegTlb *tlb, DsegTlbSpace space, uint64_t at,
                    DsegTlbKind kind, uint64_t va)
{
    DsegTlbPage page;

    return !dseg_tlb_peek(tlb, space, at, kind, &page) ||
           (at ^ va) >> page.lg_mapping;
}

static void take_invalidation(Input *in, Shadow *shadow)
{
    DsegTlbSpace space = take_space(in);
    unsigned bits = take_below(in, 64);
    DsegTlbScope scope = {
        .asids = bits % 3, .asid = space.asid,
        .one_pcid = bits & 8, .pcid = space.pcid,
        .globals = bits >> 4 & 1,
        .one_page = bits & 32, .va = take_va(in),
    };
    DsegTlbCause cause = take_below(in, DSEG_TLB_CAUSE__MAX);
    uint64_t other = take_va(in);

    dseg_tlb_invalidate(shadow->tlb, cause, &scope);
    if (scope.globals == DSEG_TLB_GLOBAL_TOO && scope.asids < 2) {
        for (DsegTlbKind kind = 0; kind < DSEG_TLB_KIND__MAX; kind++) {
            assert(!dseg_tlb_peek(shadow->tlb, space, scope.va, kind, NULL));
            assert(is_gone(shadow->tlb, space, other, kind, scope.va));
        }
    }
}

static void take_walk(Input *in, Shadow *shadow)
{
    DsegTlbWalk walk = {
        .space = take_space(in),
        .va = take_va(in),
        .levels = 2 + take_below(in, 4),
    };

    walk.refs = walk.levels - take_below(in, walk.levels == 2 ? 2 : 3);
    walk.refs += !walk.refs;
    walk.gpa_count = take_bool(in) ? walk.refs + 1 : 0;
    for (unsigned i = 0; i < walk.gpa_count; i++) {
        walk.gpas[i] = (DsegTlbGpa) {
            .gpa = take_va(in), .levels = 4,
            .lg_size = 12 + 9 * take_below(in, 3), .by_segment = take_bool(in),
        };
    }
    dseg_tlb_walk(shadow->tlb, &walk);
    assert(walk.out_skipped < walk.refs);
    for (unsigned i = 0; i < walk.gpa_count; i++) {
        assert(walk.gpas[i].out_refs <= 4);
        assert(i >= walk.out_skipped || !walk.gpas[i].out_refs);
    }
}

static uint64_t by_size(const uint64_t *counters)
{
    return counters[0] + counters[1] + counters[2];
}

static void check_counters(const DsegTlbCounters *c)
{
    for (DsegTlbKind kind = 0; kind < DSEG_TLB_KIND__MAX; kind++) {
        uint64_t l2_misses = by_size(c->misses[DSEG_TLB_L2][kind]);

        assert(by_size(c->misses[DSEG_TLB_L1][kind]) ==
               by_size(c->hits[DSEG_TLB_L2][kind]) + l2_misses);
        assert(c->walks[kind] == l2_misses - c->segment_hits[kind]);
    }
}

static void check_used(const Shadow *shadow)
{
    const DsegTlbGeometry *geometry = dseg_tlb_geometry(shadow->tlb);
    uint32_t used = 0;

    for (unsigned i = 0; i < geometry->count; i++) {
        assert(dseg_tlb_array_used(shadow->tlb, i) <=
               geometry->arrays[i].entries);
        if (geometry->arrays[i].place <= DSEG_TLB_PLACE_L1I) {
            used += dseg_tlb_array_used(shadow->tlb, i);
        }
    }
    for (uint32_t i = 0; i < shadow->slots; i++) {
        used -= shadow->used[i];
    }
    assert(!used);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Input in = { data, size };
    DsegTlbGeometry geometry = take_geometry(&in);
    char *text = dseg_tlb_geometry_check(&geometry);
    Shadow shadow = { .tlb = NULL };

    if (text) {
        assert(!strncmp(text, "arrays", 6));
        free(text);
        return 0;
    }
    shadow.tlb = dseg_tlb_new(&geometry, gone, &shadow);
    shadow.slots = dseg_tlb_l1_slots(shadow.tlb);
    assert(shadow.slots <= MAX_SLOTS);
    while (in.left) {
        switch (take_below(&in, 8)) {
        case 0:
            take_invalidation(&in, &shadow);
            break;
        case 1:
            take_walk(&in, &shadow);
            break;
        default:
            take_access(&in, &shadow);
        }
        check_used(&shadow);
    }
    check_counters(dseg_tlb_counters(shadow.tlb));
    dseg_tlb_free(shadow.tlb);
    return 0;
}
