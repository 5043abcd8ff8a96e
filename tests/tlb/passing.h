/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What passes through the caches, and what is counted of it: "What passes" and
 * "Counts" of docs/spec/caches.rst.
 */
#ifndef TLB_PASSING_H
#define TLB_PASSING_H

#include "../differential/reference.h"
#include "caches.h"
#include "hierarchy.h"
#include "world.h"

enum world_kind { WORLD_NATIVE, WORLD_NESTED, WORLDS };
enum privilege { PRIVILEGE_USER, PRIVILEGE_KERNEL, PRIVILEGES };
enum dimension_kind { DIMENSION_GUEST, DIMENSION_NESTED, DIMENSIONS };

#define REGIMES (REF_MIXED + 1)

/* A walk's reference, by its place in the walk. */
struct step {
    enum dimension_kind dimension;
    unsigned for_level;         /* in the nested dimension; 0: the page's gPA */
    unsigned table_level;
    uint64_t hpa;
    bool spared;
};

/* A walk that passes. */
struct passing_walk {
    enum world_kind world;
    enum ref_regime regime;
    enum kind kind;
};

/* [dimension][for-level][table-level][place] */
typedef uint64_t step_counts[DIMENSIONS][MAX_LEVELS + 1][MAX_LEVELS + 1]
                            [PLACES];

struct passed {
    uint64_t data[KINDS][PLACES];
    step_counts steps[WORLDS][PRIVILEGES];
    uint64_t walk_cycles[REGIMES][KINDS][PRIVILEGES];
    uint64_t data_cycles;
};

struct passing {
    struct caches caches;
    bool only_l1_misses;        /* dseg-tlb-mode=inclusive */
    enum privilege privilege;   /* of the accesses that follow */
    uint64_t fetched_line;      /* of the instruction that has passed last */
    struct passed counts;
};

/* Counts are 0 from here on, those of the caches too. */
void passing_begin(struct passing *passing);

/* A load, a store, or (in mode inclusive) a fetch of the TLB. */
void pass_access(struct passing *passing, enum kind kind, uint64_t hpa);

/* An instruction, if it is in another line than the one before, or any case. */
void pass_instruction(struct passing *passing, uint64_t hpa, bool in_any_case);

void pass_step(struct passing *passing, const struct passing_walk *walk,
               const struct step *step);

#endif
