/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A geometry as text, a line for each thing:
 *
 *     array l1d pages=4k entries=64 ways=4 policy=lru
 *     array l2 pages=4k,2m entries=1024 ways=8 policy=random
 *     seed 7
 *     segments l1
 *     walk-cache guest pml5e=2 pml4e=2 pdpte=4 pde=16
 *     caches line=64 memory=200 seed=0
 *     cache l1d size=32768 ways=8 policy=lru latency=4
 *     cache l2 size=262144 ways=8 policy=plru latency=12 inclusive=yes
 *     mode inclusive
 *
 * Places are l1d, l1i, l2, l2d, l2i and nested; walk caches are guest (the host
 * has the same) and nested; caches are l1d, l1i, l2 and llc. By default seeds
 * are 0, segments are at l2, lines have 64 bytes, and the mode is exact. In
 * mode inclusive only what misses L1 of the TLB passes through the caches, but
 * for walks; everything still goes through the TLB.
 */
#ifndef TLB_GEOMETRY_H
#define TLB_GEOMETRY_H

#include "simulator.h"

extern const char *const kind_names[KINDS];
extern const char *const pages_names[PAGE_SIZES];

/*
 * Read it into what of *s is geometry. NULL, or the line that is
 * wrong, to be freed.
 */
char *geometry_parse(struct simulator *s, const char *text);

#endif
