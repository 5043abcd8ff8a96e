/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the counters of this CPU have to obey at any time
 * (docs/spec/counters.rst).
 */
#ifndef BARE_METAL_INVARIANTS_H
#define BARE_METAL_INVARIANTS_H

/* A test case: the invariants of all that has been counted until now. */
void check_invariants(void);

#endif
