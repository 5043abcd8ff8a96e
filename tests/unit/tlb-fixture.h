/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A TLB hierarchy under test, with a record of the entries that have left L1
 */

#ifndef TEST_TLB_FIXTURE_H
#define TEST_TLB_FIXTURE_H

#include <glib.h>

#include "tlb/tlb.h"

enum { K4 = 1 << DSEG_TLB_4K, M2 = 1 << DSEG_TLB_2M, G1 = 1 << DSEG_TLB_1G };

/* What the hierarchy has said of an entry that is gone. */
typedef struct Gone {
    DsegTlbSlot slot;
    DsegTlbSpace space;
    bool global;
    uint64_t va;
    DsegTlbSize size;
    bool fetch;
} Gone;

typedef struct Tlb {
    DsegTlb *tlb;
    GArray *gone;       /* of Gone */
    DsegTlbSpace space; /* of the accesses */
    DsegTlbSpot spot;   /* of the last of them */
} Tlb;

static inline void tlb_gone(void *opaque, DsegTlbSlot slot)
{
    Tlb *t = opaque;
    DsegTlbSlotPage page = dseg_tlb_slot_page(t->tlb, slot);
    Gone gone = { slot, page.space, page.global, page.va, page.size,
                  page.fetch };

    g_array_append_val(t->gone, gone);
}

static inline Tlb *tlb_new(const DsegTlbGeometry *geometry)
{
    Tlb *t = g_new0(Tlb, 1);
    char *text = dseg_tlb_geometry_check(geometry);

    g_assert_cmpstr(text, ==, NULL);
    t->gone = g_array_new(false, false, sizeof(Gone));
    t->tlb = dseg_tlb_new(geometry, tlb_gone, t);
    return t;
}

static inline void tlb_free(Tlb *t)
{
    dseg_tlb_free(t->tlb);
    g_array_free(t->gone, true);
    g_free(t);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Tlb, tlb_free)

static inline const Gone *tlb_gone_at(const Tlb *t, unsigned i)
{
    g_assert_cmpuint(i, <, t->gone->len);
    return &g_array_index(t->gone, Gone, i);
}

/* An access that finds @page if it has to translate. */
static inline DsegTlbOutcome tlb_access(Tlb *t, DsegTlbKind kind, uint64_t va,
                                        DsegTlbPage page)
{
    g_array_set_size(t->gone, 0);
    return dseg_tlb_access(t->tlb, t->space, va, kind, &page, &t->spot);
}

/* A load that finds a page of @size that stores may use. */
static inline DsegTlbOutcome tlb_load(Tlb *t, uint64_t va, DsegTlbSize size)
{
    return tlb_access(t, DSEG_TLB_LOAD, va,
                      (DsegTlbPage) { .size = size, .store = true });
}

static inline bool tlb_has(const Tlb *t, DsegTlbKind kind, uint64_t va)
{
    return dseg_tlb_peek(t->tlb, t->space, va, kind, NULL);
}

static inline void tlb_invalidate_page(Tlb *t, uint64_t va)
{
    g_array_set_size(t->gone, 0);
    dseg_tlb_invalidate(t->tlb, DSEG_TLB_INVLPG, &(DsegTlbScope) {
        .asids = DSEG_TLB_ASID_ONE,
        .asid = t->space.asid,
        .one_pcid = true,
        .pcid = t->space.pcid,
        .one_page = true,
        .va = va,
    });
}

static inline const DsegTlbCounters *tlb_counters(const Tlb *t)
{
    return dseg_tlb_counters(t->tlb);
}

#endif
