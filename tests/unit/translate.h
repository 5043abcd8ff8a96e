/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stands in for QEMU's MMU in the unit tests: reports the events of one
 * translation in the order in which they happen
 */

#ifndef TEST_TRANSLATE_H
#define TEST_TRANSLATE_H

#include "model/cost.h"

#define MAX_GPAS (DSEG_MAX_GUEST_REFS + 1)

/* How the VMM's side translates one gPA, and to what size of page. */
typedef struct Gpa {
    DsegNestedHow how;
    unsigned lg_size;
} Gpa;

typedef struct Translation {
    DsegPagingMode guest;
    unsigned guest_lg_size;
    DsegPagingMode nested;      /* DSEG_PAGING_NONE: native */
    bool guest_segment;
    bool guest_hit;
    bool vmm_segment;
    Gpa gpa[MAX_GPAS];      /* in order; as many as it takes */
} Translation;

static inline bool translation_is_nested(const Translation *t)
{
    return t->nested != DSEG_PAGING_NONE;
}

static inline unsigned translation_guest_refs(const Translation *t)
{
    return t->guest_hit ? 0 : dseg_paging_refs(t->guest, t->guest_lg_size);
}

/* One for each entry of the guest's tables, and the final one. */
static inline unsigned translation_gpas(const Translation *t)
{
    return translation_is_nested(t) ? translation_guest_refs(t) + 1 : 0;
}

static inline void translate_gpa(DsegCost *walk, const Translation *t,
                                 unsigned i)
{
    if (translation_is_nested(t)) {
        dseg_cost_gpa(walk, t->gpa[i].how, t->nested, t->gpa[i].lg_size);
    }
}

/* Stops, as a fault does, when @guest_refs entries have been read. */
static inline void translate_until(DsegCost *walk, const Translation *t,
                                   unsigned guest_refs)
{
    dseg_cost_begin(walk, translation_is_nested(t), t->guest_segment,
                    t->vmm_segment);
    dseg_cost_check_guest(walk, t->guest_hit);
    for (unsigned i = 0; i < guest_refs; i++) {
        translate_gpa(walk, t, i);
        dseg_cost_guest_ref(walk);
    }
}

static inline void translate(DsegCost *walk, const Translation *t)
{
    unsigned guest_refs = translation_guest_refs(t);

    translate_until(walk, t, guest_refs);
    if (guest_refs) {
        dseg_cost_guest_page(walk, t->guest_lg_size);
    }
    translate_gpa(walk, t, guest_refs);
}

#endif
