/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A geometry as text, a line for each thing:
 *
 *     array l1d pages=4k entries=64 ways=4 policy=lru
 *     array l2 pages=4k,2m entries=1024 ways=8 policy=random
 *     seed 7
 *     segments l1
 *
 * Places are l1d, l1i, l2, l2d and l2i; seed is 0 and segments l2 by default.
 */
#ifndef TLB_GEOMETRY_H
#define TLB_GEOMETRY_H

#include "simulator.h"

extern const char *const kind_names[KINDS];
extern const char *const pages_names[PAGE_SIZES];

/*
 * Read it into s->tlb and s->segments_beside_l1. NULL, or the line that is
 * wrong, to be freed.
 */
char *geometry_parse(struct simulator *s, const char *text);

#endif
