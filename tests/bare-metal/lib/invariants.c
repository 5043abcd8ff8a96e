/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the counters of this CPU have to obey at any time. */
#include "invariants.h"

#include "dseg.h"
#include "tap.h"

#define COUNTS (FALSE_ESCAPES + 1)
#define PRIVILEGES (KERNEL + 1)
#define ACCESSES (FETCH + 1)

static uint64_t counts[COUNTS][REGIMES][PRIVILEGES][ACCESSES];

static void read_all(void)
{
    for (unsigned count = 0; count < COUNTS; count++) {
        for (unsigned regime = 0; regime < REGIMES; regime++) {
            for (unsigned privilege = 0; privilege < PRIVILEGES; privilege++) {
                for (unsigned access = 0; access < ACCESSES; access++) {
                    counts[count][regime][privilege][access] = counter(
                        SELECTOR(count, regime, privilege, access));
                }
            }
        }
    }
}

/* 0, "all" of a field, is the sum of its other values. */
static void check_sums(const uint64_t of[REGIMES][PRIVILEGES][ACCESSES])
{
    uint64_t regimes = 0, privileges = 0, accesses = 0;

    for (unsigned i = 1; i < REGIMES; i++) {
        regimes += of[i][0][0];
    }
    for (unsigned i = 1; i < PRIVILEGES; i++) {
        privileges += of[0][i][0];
    }
    for (unsigned i = 1; i < ACCESSES; i++) {
        accesses += of[0][0][i];
    }
    expect("sum over regimes", of[0][0][0], regimes);
    expect("sum over privileges", of[0][0][0], privileges);
    expect("sum over accesses", of[0][0][0], accesses);
}

/* The line of the table of regimes, for walks of one kind. */
static void check_regime(enum regime regime, unsigned privilege,
                         unsigned access)
{
    uint64_t walks = counts[WALKS][regime][privilege][access];
    uint64_t guest_refs = counts[GUEST_REFS][regime][privilege][access];
    uint64_t nested_refs = counts[NESTED_REFS][regime][privilege][access];
    uint64_t checks = counts[CHECKS][regime][privilege][access];
    uint64_t lookups = counts[LOOKUPS][regime][privilege][access];
    uint64_t escapes = counts[ESCAPES][regime][privilege][access];
    bool guest_hit = regime == NATIVE_DIRECT || regime == GUEST_DIRECT ||
                     regime == DUAL_DIRECT;
    bool never_nested = regime != BASE && regime != GUEST_DIRECT &&
                        regime != MIXED;

    if (guest_hit) {
        expect("guest refs by a guest segment", 0, guest_refs);
        expect("checks by a guest segment", walks, checks);
    }
    if (never_nested) {
        expect("nested refs where there are none", 0, nested_refs);
        expect("escapes where there are none", 0, escapes);
    } else {
        expect("nested refs of each walk", true, nested_refs >= walks);
    }
    if (regime == NATIVE || regime == NATIVE_DIRECT) {
        expect("filter lookups outside guests", 0, lookups);
    }
    if (regime == VMM_DIRECT || regime == MIXED) {
        expect("filter lookups of all gPAs", guest_refs + walks, lookups);
        expect("checks of all gPAs", true, checks >= lookups);
    }
    if (regime == DUAL_DIRECT) {
        expect("filter lookups by both segments", walks, lookups);
    }
    expect("escapes are looked up", true, escapes <= lookups);
    expect("false escapes are escapes", true,
           counts[FALSE_ESCAPES][regime][privilege][access] <= escapes);
}

void check_invariants(void)
{
    case_begin("all that was counted obeys the invariants");
    /* The second time, all that L1 needs for it is in the TLB. */
    read_all();
    read_all();
    for (unsigned count = 0; count < COUNTS; count++) {
        check_sums(counts[count]);
    }
    for (unsigned regime = NATIVE; regime < REGIMES; regime++) {
        for (unsigned privilege = 0; privilege < PRIVILEGES; privilege++) {
            for (unsigned access = 0; access < ACCESSES; access++) {
                check_regime(regime, privilege, access);
            }
        }
    }
    case_end();
}
