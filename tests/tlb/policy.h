/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What replacement policies remember, as docs/spec/tlb.rst has it under
 * "Policies": TLBs and caches share it.
 */
#ifndef TLB_POLICY_H
#define TLB_POLICY_H

#include <stdbool.h>
#include <stdint.h>

enum policy { LRU, PLRU, FIFO, RANDOM };

bool is_power_of_2(uint64_t n);

/* Turn the bits on the way to a way of the tree away from it; 1 is the root. */
void tree_touch(bool *bits, unsigned ways, unsigned way);

/* The way that the bits lead to. */
unsigned tree_victim(const bool *bits, unsigned ways);

/* splitmix64: docs/spec/registers.rst, "The escape filter". */
uint64_t next_random(uint64_t *state);

#endif
