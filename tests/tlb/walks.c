/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The end of a walk. */
#include "walks.h"

/* A walk that ends. */
struct walk {
    struct simulator *s;
    const struct translation *t;
    struct passing_walk passing;
};

static bool has_nested_tlb(const struct simulator *s)
{
    for (unsigned i = 0; i < s->tlb.arrays; i++) {
        if (s->tlb.array[i].place == NESTED) {
            return true;
        }
    }
    return false;
}

/* A gPA of a walk: true if the nested TLB has it. */
static bool nested_tlb_has(struct simulator *s, uint64_t gpa)
{
    struct entry *found = hierarchy_probe(&s->tlb, 0, LOAD, gpa,
                                          world_asid(&s->world), 0);

    s->counts.gpa_lookups += has_nested_tlb(s);
    if (found) {
        s->counts.gpa_hits[found->pages]++;
        hierarchy_touch(&s->tlb, found);
    }
    return found;
}

/* The level that the walk of a gPA begins below; its leaf: nothing is read. */
static unsigned begin_nested(struct simulator *s, const struct gpa *gpa)
{
    unsigned asid = world_asid(&s->world), begin;
    struct entry page = { .pages = PAGES_4K + gpa->leaf - 1, .asid = asid,
                          .store = true };

    if (nested_tlb_has(s, gpa->gpa)) {
        return gpa->leaf;
    }
    begin = walk_cache_walk(&s->nested_cache, gpa->gpa, asid, 0, gpa->top,
                            gpa->leaf);
    page.address = gpa->gpa & -page_bytes(page.pages);
    hierarchy_fill(&s->tlb, 0, LOAD, gpa->gpa, &page);
    return begin;
}

/* The gPA of the guest's entry of that level, or (0) of the page. */
static void use_gpa(struct walk *walk, const struct gpa *gpa,
                    unsigned for_level, bool spared)
{
    unsigned begin;

    if (gpa->by_segment) {
        return;
    }
    begin = spared ? gpa->leaf : begin_nested(walk->s, gpa);
    for (unsigned level = gpa->top; level >= gpa->leaf; level--) {
        const struct step step = {
            .dimension = DIMENSION_NESTED, .for_level = for_level,
            .table_level = level, .hpa = gpa->entry[gpa->top - level],
            .spared = level >= begin,
        };

        pass_step(&walk->s->passing, &walk->passing, &step);
    }
}

/* An entry of the first dimension's tables, after what its gPA needs. */
static void use_entry(struct walk *walk, unsigned level, bool spared)
{
    const struct translation *t = walk->t;
    const struct step step = {
        .dimension = DIMENSION_GUEST, .table_level = level,
        .hpa = t->entry[t->top - level], .spared = spared,
    };

    if (t->gpas) {
        use_gpa(walk, &t->gpa[t->top - level], level, spared);
    }
    pass_step(&walk->s->passing, &walk->passing, &step);
}

void walk_end(struct simulator *s, uint64_t address, enum kind kind,
              const struct translation *t)
{
    struct walk walk = {
        .s = s, .t = t,
        .passing = { t->gpas ? WORLD_NESTED : WORLD_NATIVE, t->result.regime,
                     kind },
    };

    if (t->top) {
        unsigned begin = walk_cache_walk(&s->guest_cache, address,
                                         world_asid(&s->world),
                                         world_pcid(&s->world), t->top,
                                         t->leaf);

        for (unsigned level = t->top; level >= t->leaf; level--) {
            use_entry(&walk, level, level >= begin);
        }
    }
    if (t->gpas) {
        use_gpa(&walk, &t->gpa[t->gpas - 1], 0, false);
    }
}
