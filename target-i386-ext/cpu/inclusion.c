/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: QEMU's TLB as a part of the modelled L1
 *
 * QEMU's TLB gets a page where the modelled L1 has an entry for it, which then
 * backs the page.  The page is hidden when that entry leaves L1, or when the
 * model has to see its next use.  docs/tlb.md has an example.
 */

#include "qemu/osdep.h"
#include "cpu.h"
#include "exec/cputlb.h"
#include "exec/target_page.h"
#include "dseg.h"
#include "cpu/inclusion.h"
#include "cpu/state.h"

void x86_dseg_tlb_flushed(X86DsegTlb *tlb)
{
    tlb->generation++;
}

void x86_dseg_tlb_enter_begin(X86DsegTlb *tlb)
{
    tlb->flushes = x86_dseg_tlb_flushes(tlb);
}

void x86_dseg_tlb_enter_end(X86DsegTlb *tlb)
{
    tlb->kept += x86_dseg_tlb_flushes(tlb) - tlb->flushes;
    x86_dseg_tlb_flushed(tlb);
}

/* A 512th of a page of @size has 2^that bytes. */
static unsigned part_shift(DsegTlbSize size)
{
    return dseg_tlb_size_shift(size) - 9;
}

void x86_dseg_tlb_back_part(X86DsegTlb *tlb, DsegTlbSpot spot, uint64_t va,
                            bool first)
{
    uint64_t *parts = tlb->parts[spot.slot];
    unsigned part = va >> part_shift(spot.size) & 511;

    if (first) {
        memset(parts, 0, sizeof(X86DsegParts));
    }
    parts[part / 64] |= UINT64_C(1) << part % 64;
}

/*
 * Has QEMU's TLB ask again for the 4 KiB page at @va, in the MMU indices of
 * @idxmap.  If one of these is of fetches, the jump cache may have code of that
 * page.
 */
static void hide(X86DsegTlb *tlb, uint64_t va, uint16_t idxmap)
{
    tlb_hide_page_by_mmuidx(env_cpu(tlb->env), va, idxmap,
                            idxmap >> X86_DSEG_FETCH_IDX);
}

/* Hides each 4 KiB page of the parts that an entry backs, which is rare. */
static __attribute__((noinline))
void hide_parts(X86DsegTlb *tlb, DsegTlbSlot slot)
{
    const X86DsegBacked *backed = &tlb->backed[slot];
    unsigned shift = part_shift(backed->size);

    for (unsigned i = 0; i < ARRAY_SIZE(tlb->parts[slot]); i++) {
        for (uint64_t left = tlb->parts[slot][i]; left; left &= left - 1) {
            uint64_t va = backed->va + ((64 * i + ctz64(left)) << shift);

            for (uint64_t end = va + (UINT64_C(1) << shift); va != end;
                 va += TARGET_PAGE_SIZE) {
                hide(tlb, va, backed->idxmap);
            }
        }
    }
}

/* As DsegTlbHide. */
void x86_dseg_tlb_hide(void *opaque, DsegTlbSlot slot)
{
    X86DsegTlb *tlb = opaque;
    X86DsegBacked *backed = &tlb->backed[slot];

    if (backed->generation != tlb->generation) {
        return;
    }
    backed->generation = 0;
    if (unlikely(backed->size != DSEG_TLB_4K)) {
        hide_parts(tlb, slot);
    } else {
        hide(tlb, backed->va, backed->idxmap);
    }
}

void x86_dseg_tlb_hide_data(X86DsegTlb *tlb, uint64_t va)
{
    hide(tlb, va & TARGET_PAGE_MASK, (1 << MMU_PHYS_IDX) - 1);
}

void x86_dseg_tlb_hide_others(X86DsegTlb *tlb)
{
    DsegTlbSpace space = x86_dseg_tlb_space(tlb->env);

    for (DsegTlbSlot i = 0; i < dseg_tlb_l1_slots(tlb->model); i++) {
        DsegTlbSlotPage page;

        if (tlb->backed[i].generation != tlb->generation) {
            continue;
        }
        page = dseg_tlb_slot_page(tlb->model, i);
        if (page.space.asid != space.asid ||
            (page.space.pcid != space.pcid && !page.global)) {
            x86_dseg_tlb_hide(tlb, i);
        }
    }
}
