/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Accesses without a guest: L1 itself uses the page tables and segment under
 * test, in which its own memory is mapped one to one, and catches its
 * exceptions.
 */
#ifndef DIFFERENTIAL_NATIVE_H
#define DIFFERENTIAL_NATIVE_H

#include "machine.h"

/* Prepare L1's descriptors and exceptions, once. */
void native_init(void);

/*
 * Take on the state of a world; and go back to L1's own page tables, without
 * segment.
 */
void native_load(const struct world *world);
void native_unload(void);

/* As machine_access(): exceptions are told as #VMEXIT is. */
void native_access(const struct world *world, const struct try *access,
                   uint64_t value, struct outcome *outcome);

#endif
