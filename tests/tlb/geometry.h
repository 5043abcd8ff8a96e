/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A geometry as text, a line for each thing:
 *
 *     array l1d pages=4k entries=64 ways=4 policy=lru
 *     array l2 pages=4k,2m entries=1024 ways=8 policy=random
 *     seed 7
 *     segments l1
 *     walk-cache guest pml5e=2 pml4e=2 pdpte=4 pde=16
 *
 * Places are l1d, l1i, l2, l2d, l2i and nested; walk caches are guest (the host
 * has the same) and nested. seed is 0 and segments l2 by default.
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
