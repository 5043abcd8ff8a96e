/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: geometries of TLBs that have been built
 *
 * No vendor says how its TLBs choose a victim: lru stands for what is not known.
 */

#include "tlb-geometry.h"

#define PAGES_4K (1 << DSEG_TLB_4K)
#define PAGES_2M (1 << DSEG_TLB_2M)
#define PAGES_1G (1 << DSEG_TLB_1G)

const DsegTlbPreset dseg_tlb_presets[] = {
    {
        .name = "sandybridge-ep",
        .description = "Intel Sandy Bridge-EP (Xeon E5), the machine of the "
                       "MICRO 2014 paper",
        .geometry = {
            .count = 6,
            .arrays = {
                { DSEG_TLB_PLACE_L1D, PAGES_4K, 64, 4, DSEG_TLB_LRU },
                { DSEG_TLB_PLACE_L1D, PAGES_2M, 32, 4, DSEG_TLB_LRU },
                { DSEG_TLB_PLACE_L1D, PAGES_1G, 4, 4, DSEG_TLB_LRU },
                { DSEG_TLB_PLACE_L1I, PAGES_4K, 128, 4, DSEG_TLB_LRU },
                { DSEG_TLB_PLACE_L1I, PAGES_2M, 8, 8, DSEG_TLB_LRU },
                { DSEG_TLB_PLACE_L2, PAGES_4K, 512, 4, DSEG_TLB_LRU },
            },
        },
    },
    { .name = NULL },
};
