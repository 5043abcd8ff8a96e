/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The arrays of a TLB hierarchy as docs/spec/tlb.rst has them: what is in which
 * way, which way is next. Written from that text alone, as the yardstick of the
 * model in QEMU; simple rather than fast.
 */
#ifndef TLB_HIERARCHY_H
#define TLB_HIERARCHY_H

#include <stdbool.h>
#include <stdint.h>

#include "policy.h"

enum kind { LOAD, STORE, FETCH, KINDS };
enum pages { PAGES_4K, PAGES_2M, PAGES_1G, PAGE_SIZES };

/* Where an array stands. */
enum place { L1D, L1I, L2, L2D, L2I, NESTED };

#define MAX_ARRAYS 16

struct entry {
    bool valid;
    uint64_t address;       /* of the page */
    enum pages pages;
    enum pages mapping;     /* the size of the page that this is a piece of */
    unsigned asid, pcid;
    bool global, store;
    uint64_t filled, touched;   /* the array's clock at that time */
};

struct array {
    enum place place;
    bool holds[PAGE_SIZES];
    unsigned entries, ways;
    enum policy policy;
    /* From here on: made by hierarchy_init(). */
    unsigned sets;
    struct entry *entry;        /* [set * ways + way] */
    bool *plru;                 /* [set * ways + node], node 1 is the root */
    uint64_t clock, random;
    uint64_t evictions;
};

struct hierarchy {
    unsigned arrays;
    struct array array[MAX_ARRAYS];
    uint64_t seed;
};

/*
 * Make the arrays empty. A text that says what is wrong with the geometry, or
 * NULL if all is well.
 */
const char *hierarchy_init(struct hierarchy *h);
void hierarchy_free(struct hierarchy *h);

/* The bytes of a page of that size. */
uint64_t page_bytes(enum pages pages);

/*
 * The array that accesses of that kind use at level 1 or 2 for pages of that
 * size; NULL if there is none. Level 0 is the nested TLB.
 */
struct array *hierarchy_array(struct hierarchy *h, unsigned level,
                              enum kind kind, enum pages pages);

/* The entry that matches an access at that level, 4 KiB first; or NULL. */
struct entry *hierarchy_probe(struct hierarchy *h, unsigned level,
                              enum kind kind, uint64_t address, unsigned asid,
                              unsigned pcid);

/* A hit: note it for the policy. */
void hierarchy_touch(struct hierarchy *h, struct entry *entry);

/*
 * Put a page into a level, for an access to an address in it: "page" is the
 * entry, without what belongs to its way.
 */
void hierarchy_fill(struct hierarchy *h, unsigned level, enum kind kind,
                    uint64_t address, const struct entry *page);

#endif
