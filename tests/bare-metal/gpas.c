/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every gPA of a walk is decided by itself: each table page and the final page
 * outside the VMM segment, or inside and in the filter, alone, in pairs, and
 * all of them; each with the nested walk that it costs. Bit 0 of a set is the
 * final page, bit i the table of level i.
 */
#include "lib/cpu.h"
#include "lib/invariants.h"
#include "lib/tap.h"
#include "lib/vm.h"

#define FINAL BIT(0)

/*
 * A guest segment, that is not there, is elsewhere, or translates the address.
 */
enum guest_segment { NONE, MISSES, HITS };

static const char *const guest_segment_names[] = {
    [NONE] = "no guest segment", [MISSES] = "a guest segment elsewhere",
    [HITS] = "a guest segment",
};

static const struct vm_shape shapes[] = {
    { 4, 1, 4, 1 }, { 4, 2, 4, 1 }, { 4, 3, 4, 2 }, { 4, 1, 4, 3 },
    { 5, 1, 4, 1 }, { 5, 1, 5, 1 },
};

static unsigned bits_in(unsigned set)
{
    unsigned bits = 0;

    for (; set; set &= set - 1) {
        bits++;
    }
    return bits;
}

static struct cost cost_of(const struct vm_shape *shape, enum guest_segment s,
                           unsigned outside, unsigned escaped)
{
    unsigned g = shape->guest_levels + 1 - shape->guest_leaf;
    unsigned n = shape->nested_levels + 1 - shape->nested_leaf;
    unsigned walked = bits_in(outside | escaped);
    struct cost cost = {
        walked == g + 1 ? BASE : walked ? MIXED : VMM_DIRECT,
        g, walked * n, g + 1 + (s == MISSES), g + 1,
        bits_in(escaped & ~outside), 0,
    };

    if (s == HITS) {
        cost = (struct cost) {
            walked ? GUEST_DIRECT : DUAL_DIRECT, 0, walked * n, 1, 1,
            bits_in(escaped & ~outside), 0,
        };
    }
    return cost;
}

static void one_walk(const struct vm_shape *shape, enum guest_segment s,
                     unsigned outside, unsigned escaped)
{
    const struct cost cost = cost_of(shape, s, outside, escaped);
    struct costs before;
    struct l2_end end;
    struct vm vm;

    case_begin("%u levels with leaf %u in %u with leaf %u, %s: with 0x%x "
               "outside and 0x%x in the filter, %u references",
               shape->guest_levels, shape->guest_leaf, shape->nested_levels,
               shape->nested_leaf,
               guest_segment_names[s], outside, escaped,
               cost.guest_refs + cost.nested_refs);
    dseg_reset();
    vm_init_split(&vm, shape, outside);
    guest_set_cpl(&vm.guest, 3);
    set_vmm_segment(segment(to_gpa(0), OUTSIDE_START, 0));
    for (unsigned bit = 0; bit <= MAX_LEVELS; bit++) {
        if (escaped >> bit & 1) {
            filter_add(vm_page_gpa(&vm, bit));
        }
    }
    if (s != NONE) {
        uint64_t start = s == HITS ? vm.data_hpa : HOST_START;

        set_guest_segment(&vm.guest, segment(to_gva(start), PAGE,
                                             to_gpa(start)));
    }
    before = costs_now(USER, LOAD);
    end = vm_access(&vm, LOAD, to_gva(vm.data_hpa));
    expect("exit code", EXIT_VMMCALL, end.exit_code);
    expect("value loaded", DATA_BYTE, end.rax);
    expect_cost(&before, &cost);
    case_end();
}

/* The gPAs of a walk: the final page and the tables. */
static unsigned all_gpas(const struct vm_shape *shape)
{
    return FINAL | (BIT(shape->guest_levels + 1) - BIT(shape->guest_leaf));
}

static void all_walks(const struct vm_shape *shape)
{
    unsigned all = all_gpas(shape);

    for (unsigned outside = 0; outside <= all; outside++) {
        for (unsigned escaped = 0; escaped <= all; escaped++) {
            unsigned size = bits_in(outside) + bits_in(escaped);

            if ((outside | escaped) & ~all) {
                continue;
            }
            if (size <= 2 || (outside == all && !escaped) ||
                (escaped == all && !outside)) {
                one_walk(shape, NONE, outside, escaped);
            }
            if (size <= 1) {
                one_walk(shape, MISSES, outside, escaped);
            }
            if (!((outside | escaped) & ~FINAL)) {
                one_walk(shape, HITS, outside, escaped);
            }
        }
    }
}

void tests(void)
{
    for (unsigned i = 0; i < ARRAY_SIZE(shapes); i++) {
        all_walks(&shapes[i]);
    }
    check_invariants();
}
