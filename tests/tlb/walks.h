/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The end of a walk: what walk caches and the nested TLB have of it and keep of
 * it (docs/spec/tlb.rst), and the references that pass through the caches.
 */
#ifndef TLB_WALKS_H
#define TLB_WALKS_H

#include "simulator.h"

/* An access of that kind has been translated so, by a walk. */
void walk_end(struct simulator *s, uint64_t address, enum kind kind,
              const struct translation *t);

#endif
