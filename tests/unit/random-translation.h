/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random translations: any tables in either dimension, any segments, every gPA
 * decided by itself
 */

#ifndef TEST_RANDOM_TRANSLATION_H
#define TEST_RANDOM_TRANSLATION_H

#include "random.h"
#include "translate.h"

static inline unsigned random_lg_size(GRand *rand, DsegPagingMode mode)
{
    static const unsigned lg_sizes[] = { 12, 21, 30 };

    switch (mode) {
    case DSEG_PAGING_LEGACY:
        return random_bool(rand) ? 12 : 22;
    case DSEG_PAGING_PAE:
        return lg_sizes[random_below(rand, 2)];
    default:
        return lg_sizes[random_below(rand, 3)];
    }
}

static inline DsegPagingMode random_paging(GRand *rand)
{
    return DSEG_PAGING_LEGACY + random_below(rand, 4);
}

static inline Gpa random_gpa(GRand *rand, const Translation *t)
{
    return (Gpa) {
        .how = t->vmm_segment ? random_below(rand, 4) : DSEG_NESTED_WALKED,
        .lg_size = random_lg_size(rand, t->nested),
    };
}

static inline Translation random_translation(GRand *rand)
{
    bool nested = random_below(rand, 4);
    Translation t = {
        .guest = nested && !random_below(rand, 8) ? DSEG_PAGING_NONE
                                                  : random_paging(rand),
        .nested = nested ? random_paging(rand) : DSEG_PAGING_NONE,
        .guest_segment = random_bool(rand),
        .vmm_segment = nested && random_bool(rand),
    };

    t.guest_lg_size = random_lg_size(rand, t.guest);
    t.guest_hit = t.guest_segment && random_bool(rand);
    for (unsigned i = 0; i < MAX_GPAS; i++) {
        t.gpa[i] = random_gpa(rand, &t);
    }
    /* Not every walk is a mixed one. */
    for (unsigned i = 1, same = random_bool(rand); same && i < MAX_GPAS; i++) {
        t.gpa[i] = t.gpa[0];
    }
    return t;
}

#endif
