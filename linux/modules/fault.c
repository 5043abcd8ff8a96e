// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Faults on purpose, for tests: the parameter "fault"
 */
#include <linux/atomic.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/moduleparam.h>

#include "fault.h"

/* Steps until the one that fails; 0: none does. */
static atomic_t left;

bool dseg_fault(void)
{
	return atomic_dec_if_positive(&left) == 0;
}

static int set_left(const char *text, const struct kernel_param *unused)
{
	unsigned int steps;
	int err = kstrtouint(text, 0, &steps);

	if (err)
		return err;
	if (steps > INT_MAX)
		return -ERANGE;
	atomic_set(&left, steps);
	return 0;
}

static int get_left(char *buffer, const struct kernel_param *unused)
{
	return sprintf(buffer, "%d\n", atomic_read(&left));
}

static const struct kernel_param_ops ops = {
	.set = set_left,
	.get = get_left,
};

module_param_cb(fault, &ops, NULL, 0600);
MODULE_PARM_DESC(fault, "have the N-th step from now on fail, for tests");
