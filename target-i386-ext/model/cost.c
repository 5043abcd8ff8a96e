/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: what one translation costs
 */

#include "model/cost.h"

DsegRegime dseg_cost_regime(const DsegCost *walk)
{
    if (!walk->in_nested) {
        return walk->out_guest_hit ? DSEG_NATIVE_DIRECT : DSEG_NATIVE;
    }
    if (walk->out_guest_hit) {
        return walk->out_vmm_hits ? DSEG_DUAL_DIRECT : DSEG_GUEST_DIRECT;
    }
    if (!walk->out_vmm_hits) {
        return DSEG_BASE;
    }
    return walk->out_vmm_hits == walk->out_gpas ? DSEG_VMM_DIRECT : DSEG_MIXED;
}
