/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The page tables of a world. */
#ifndef DIFFERENTIAL_WORLD_TABLES_H
#define DIFFERENTIAL_WORLD_TABLES_H

#include "world.h"

/* Pages of each 2 MiB that are in use, and 2 MiB in the window. */
static const uint16_t hot_pages[] = { 0, 1, 2, 3, 508, 509, 510, 511 };
#define HOT_PAGES 8
#define WINDOW_2M ((WINDOW_END - WINDOW) / (2 * MiB))

/* Make both dimensions' tables, and set CR3 and nCR3. */
void world_make_tables(struct world *world, struct random *random);

/*
 * What is added to a gPA in the window: a multiple of 1 GiB; without nested
 * paging, 0.
 */
uint64_t some_slot(const struct world *world, struct random *random);

#endif
