/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: what a TLB hierarchy consists of
 *
 * For the files that implement it, and nobody else.
 */

#ifndef DSEG_TLB_STATE_H
#define DSEG_TLB_STATE_H

#include "tlb.h"
#include "tlb-array.h"

struct DsegTlb {
    /*
     * Arrays that an access may be in, by level, whether it is a fetch, and
     * page size; NULL if that size has none.
     */
    DsegTlbArray *lookup[DSEG_TLB_LEVEL__MAX][2][DSEG_TLB_SIZE__MAX];
    DsegTlbArray arrays[DSEG_TLB_MAX_ARRAYS];
    DsegTlbSlot first_slot[DSEG_TLB_MAX_ARRAYS]; /* of L1 arrays */
    uint32_t slots;
    bool segments_beside_l1;
    DsegTlbGone *gone;
    void *opaque;
    DsegTlbCounters counters;
    DsegTlbGeometry geometry;
};

#endif
