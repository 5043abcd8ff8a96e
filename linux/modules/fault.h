/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DSEG_FAULT_H
#define DSEG_FAULT_H

#include <linux/types.h>

/**
 * dseg_fault() - is this the step that is to fail?
 *
 * Whatever can fail asks, so that tests can walk each path of errors: after
 * fault=N, a parameter of the module, the N-th step fails, once.  Reading the
 * parameter says how many steps there are left until then; 0: none is to fail,
 * or it has.
 *
 * Return: it is, and the caller does as if it had failed.
 */
bool dseg_fault(void);

#endif
