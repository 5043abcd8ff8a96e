/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: what the modelled TLB of a CPU has done, at one moment
 */

#include "qemu/osdep.h"
#include "cpu/caches.h"
#include "cpu/inclusion.h"

void x86_dseg_tlb_snapshot(const X86DsegTlb *tlb, X86DsegTlbSnapshot *to)
{
    to->counters = *dseg_tlb_counters(tlb->model);
    to->walk_counters = *dseg_tlb_walk_counters(tlb->model);
    for (unsigned i = 0; i < dseg_tlb_geometry(tlb->model)->count; i++) {
        to->used[i] = dseg_tlb_array_used(tlb->model, i);
    }
    if (tlb->caches) {
        to->cache_counters = *dseg_caches_counters(tlb->caches->model);
        for (DsegCacheName name = 0; name < DSEG_CACHE__MAX; name++) {
            to->cache_use[name] = dseg_caches_use(tlb->caches->model, name);
        }
    }
}
