/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What each walk costs: the table of docs/spec/counters.rst, for all page sizes
 * and levels in both dimensions. g and n are references of one walk of the
 * guest's or nested tables.
 */
#include "lib/cpu.h"
#include "lib/invariants.h"
#include "lib/tap.h"
#include "lib/vm.h"

#define ROW(g_levels, g_leaf, n_levels, n_leaf, two_d)                  \
    { { g_levels, g_leaf, n_levels, n_leaf },                           \
      (g_levels) + 1 - (g_leaf), (n_levels) + 1 - (n_leaf), two_d }

static const struct {
    struct vm_shape shape;
    unsigned g, n, two_d;
} rows[] = {
    ROW(4, 1, 4, 1, 24), ROW(4, 1, 4, 2, 19), ROW(4, 1, 4, 3, 14),
    ROW(4, 2, 4, 1, 19), ROW(4, 2, 4, 2, 15), ROW(4, 2, 4, 3, 11),
    ROW(4, 3, 4, 1, 14), ROW(4, 3, 4, 2, 11), ROW(4, 3, 4, 3, 8),
    ROW(5, 1, 4, 1, 29), ROW(5, 2, 4, 1, 24), ROW(5, 3, 4, 3, 11),
    ROW(4, 1, 5, 1, 29), ROW(4, 2, 5, 2, 19), ROW(4, 3, 5, 1, 17),
    ROW(5, 1, 5, 1, 35), ROW(5, 2, 5, 2, 24), ROW(5, 3, 5, 3, 15),
};

/*
 * Bring the guest into a regime: with the segments that cover all its memory.
 */
static void enter(struct vm *vm, enum regime regime)
{
    if (regime == NATIVE_DIRECT || regime == GUEST_DIRECT ||
        regime == DUAL_DIRECT) {
        set_guest_segment(&vm->guest, segment(to_gva(INSIDE_START),
                                              OUTSIDE_START - INSIDE_START,
                                              to_gpa(INSIDE_START)));
    }
    if (regime == VMM_DIRECT || regime == DUAL_DIRECT) {
        set_vmm_segment(segment(to_gpa(0), MEMORY_END, 0));
    }
    /* A guest segment is like a page with NX. */
    vm->guest.vmcb->efer &= ~EFER_NXE;
}

static struct cost cost_of(enum regime regime, unsigned row)
{
    unsigned g = rows[row].g, n = rows[row].n;

    switch (regime) {
    case BASE:
        return (struct cost) { regime, g, rows[row].two_d - g, 0, 0, 0, 0 };
    case VMM_DIRECT:
        return (struct cost) { regime, g, 0, g + 1, g + 1, 0, 0 };
    case GUEST_DIRECT:
        return (struct cost) { regime, 0, n, 1, 0, 0, 0 };
    default:
        return (struct cost) { regime, 0, 0, 1, 1, 0, 0 };
    }
}

static void one_access(unsigned row, enum regime regime, unsigned cpl,
                       enum access access)
{
    const struct vm_shape *shape = &rows[row].shape;
    const struct cost cost = cost_of(regime, row);
    struct costs before;
    struct l2_end end;
    struct vm vm;

    case_begin("%s, %u levels with leaf %u in %u with leaf %u: a %s at CPL %u "
               "costs %u references", dseg_regime_names[regime],
               shape->guest_levels, shape->guest_leaf, shape->nested_levels,
               shape->nested_leaf, dseg_access_names[access], cpl,
               cost.guest_refs + cost.nested_refs);
    dseg_reset();
    vm_init(&vm, shape);
    guest_set_cpl(&vm.guest, cpl);
    enter(&vm, regime);
    before = costs_now(cpl ? USER : KERNEL, access);
    end = vm_access(&vm, access, to_gva(vm.data_hpa));
    expect("exit code", EXIT_VMMCALL, end.exit_code);
    expect_cost(&before, &cost);
    case_end();
}

void tests(void)
{
    for (unsigned row = 0; row < ARRAY_SIZE(rows); row++) {
        for (enum regime regime = BASE; regime < MIXED; regime++) {
            for (enum access access = LOAD; access <= FETCH; access++) {
                one_access(row, regime, 3, access);
            }
            one_access(row, regime, 0, STORE);
        }
    }
    check_invariants();
}
