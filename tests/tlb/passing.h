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
    uint64_t swept[KINDS];      /* those of them that are lines of sweeps */
    step_counts steps[WORLDS][PRIVILEGES];
    uint64_t walk_cycles[REGIMES][KINDS][PRIVILEGES];
    uint64_t data_cycles;
};

#define WATCHES 8

/* A page whose accesses are watched, in mode inclusive. */
struct watch {
    bool on;
    uint64_t page;              /* virtual address / 4096 */
    uint64_t n;                 /* pages before it that have been swept */
    unsigned hits;              /* of its first line, so far */
    uint64_t begun;             /* how many watches had begun before it */
};

struct passing {
    struct caches caches;
    bool only_l1_misses;        /* dseg-tlb-mode=inclusive */
    enum privilege privilege;   /* of the accesses that follow */
    uint64_t fetched_line;      /* of the instruction that has passed last */
    struct watch watch[WATCHES];
    uint64_t watches;           /* that have begun */
    struct passed counts;
};

/* Counts are 0 from here on, those of the caches too. */
void passing_begin(struct passing *passing);

/* A load, a store, or (in mode inclusive) a fetch of the TLB. */
void pass_access(struct passing *passing, enum kind kind, uint64_t hpa);

/* How the TLB has answered an access to data. */
enum answer { BESIDE_L1, L1_HIT, L1_MISS };

/* Mode inclusive: what an access to data means to the watches of pages. */
void pass_watched(struct passing *passing, enum kind kind, enum answer answer,
                  uint64_t address, uint64_t hpa);

/* Addresses mean other pages from here on. */
void passing_end_watches(struct passing *passing);

/* An instruction, if it is in another line than the one before, or any case. */
void pass_instruction(struct passing *passing, uint64_t hpa, bool in_any_case);

void pass_step(struct passing *passing, const struct passing_walk *walk,
               const struct step *step);

#endif
