/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: the geometry of a TLB hierarchy
 *
 * Its rules are in docs/spec/tlb.rst, Geometry.
 *
 * Plain C: no QEMU headers, so that unit tests can compile it by itself.
 */

#ifndef DSEG_TLB_GEOMETRY_H
#define DSEG_TLB_GEOMETRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DSEG_TLB_MAX_ARRAYS 16
#define DSEG_TLB_MAX_ENTRIES 65536
#define DSEG_TLB_MAX_PLRU_WAYS 64
#define DSEG_TLB_WALK_LEVELS 4 /* PML5E, PML4E, PDPTE, PDE */

typedef enum DsegTlbSize {
    DSEG_TLB_4K,
    DSEG_TLB_2M,
    DSEG_TLB_1G,
    DSEG_TLB_SIZE__MAX,
} DsegTlbSize;

/* Bits in an address below the number of a page of that size: 12, 21, 30. */
static inline unsigned dseg_tlb_size_shift(DsegTlbSize size)
{
    return 12 + 9 * size;
}

/* What an array is for. */
typedef enum DsegTlbPlace {
    DSEG_TLB_PLACE_L1D,
    DSEG_TLB_PLACE_L1I,
    DSEG_TLB_PLACE_L2,
    DSEG_TLB_PLACE_L2D,
    DSEG_TLB_PLACE_L2I,
    DSEG_TLB_PLACE_NESTED,
    DSEG_TLB_PLACE__MAX,
} DsegTlbPlace;

typedef enum DsegTlbPolicy {
    DSEG_TLB_LRU,
    DSEG_TLB_PLRU,
    DSEG_TLB_FIFO,
    DSEG_TLB_RANDOM,
    DSEG_TLB_POLICY__MAX,
} DsegTlbPolicy;

typedef struct DsegTlbArrayGeometry {
    DsegTlbPlace place;
    uint8_t sizes;          /* bit n: DsegTlbSize n */
    uint32_t entries;
    uint32_t ways;
    DsegTlbPolicy policy;
} DsegTlbArrayGeometry;

typedef struct DsegTlbGeometry {
    DsegTlbArrayGeometry arrays[DSEG_TLB_MAX_ARRAYS];
    unsigned count;                 /* of arrays */
    uint64_t seed;                  /* of the policy random */
    bool segments_beside_l1;        /* else beside L2 */

    /* By level from PML5E on: how many entries a cache has; 0: no cache. */
    uint32_t guest_walk_cache[DSEG_TLB_WALK_LEVELS];
    uint32_t nested_walk_cache[DSEG_TLB_WALK_LEVELS];
} DsegTlbGeometry;

/*
 * Checks all rules.  Returns NULL if @geometry obeys them, else a text, which
 * the caller frees with free(), that names the field and the rule, such as
 * "arrays[2].ways: must divide entries (64)".
 */
char *dseg_tlb_geometry_check(const DsegTlbGeometry *geometry);

/* A geometry with a name, and what it is. */
typedef struct DsegTlbPreset {
    const char *name;
    const char *description;        /* one line, with its source */
    DsegTlbGeometry geometry;
} DsegTlbPreset;

/* All of them, ended by one whose name is NULL. */
extern const DsegTlbPreset dseg_tlb_presets[];

/* Names as on the command line: "l1d", "4k", "lru", ... */
extern const char *const dseg_tlb_place_names[DSEG_TLB_PLACE__MAX];
extern const char *const dseg_tlb_size_names[DSEG_TLB_SIZE__MAX];
extern const char *const dseg_tlb_policy_names[DSEG_TLB_POLICY__MAX];

#endif
