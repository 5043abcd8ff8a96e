/*
 * Direct segments: what one translation costs
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "walk.h"

void dseg_walk_begin(DsegWalk *walk, bool nested, bool guest_segment,
                     bool vmm_segment)
{
    *walk = (DsegWalk){
        .in_nested = nested,
        .in_guest_segment = guest_segment,
        .in_vmm_segment = vmm_segment,
        .out_guest_page = DSEG_PAGE_NONE,
        .out_nested_page = DSEG_PAGE_NONE,
    };
}

void dseg_walk_check_guest(DsegWalk *walk, bool hit)
{
    if (!walk->in_guest_segment) {
        return;
    }
    walk->out_checks++;
    if (hit) {
        walk->out_guest_hit = true;
        walk->out_guest_page = DSEG_PAGE_SEGMENT;
    }
}

void dseg_walk_guest_ref(DsegWalk *walk)
{
    walk->out_guest_refs++;
}

void dseg_walk_guest_page(DsegWalk *walk, unsigned lg_size)
{
    walk->out_guest_page = dseg_page_kind(lg_size);
}

void dseg_walk_gpa(DsegWalk *walk, DsegNestedHow how, DsegPaging mode,
                   unsigned lg_size)
{
    walk->out_gpas++;
    if (walk->in_vmm_segment) {
        walk->out_filter_lookups++;
        /* The check after the miss has tested both segments at once. */
        walk->out_checks += !walk->out_guest_hit;
    }
    if (how == DSEG_NESTED_SEGMENT) {
        walk->out_vmm_hits++;
        walk->out_nested_page = DSEG_PAGE_SEGMENT;
        return;
    }
    walk->out_escapes += how != DSEG_NESTED_WALKED;
    walk->out_false_escapes += how == DSEG_NESTED_FALSE_ESCAPE;
    walk->out_nested_refs += dseg_paging_refs(mode, lg_size);
    walk->out_nested_page = dseg_page_kind(lg_size);
}

DsegRegime dseg_walk_regime(const DsegWalk *walk)
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
