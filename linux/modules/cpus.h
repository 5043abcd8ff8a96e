/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DSEG_CPUS_H
#define DSEG_CPUS_H

#include <linux/types.h>

/**
 * struct dseg_cpus - what CPUs do to use segments; all with interrupts off
 *
 * @name: of the state of CPU hotplug
 * @start: this CPU may use segments from now on
 * @stop: this CPU may not; it clears what it has
 */
struct dseg_cpus {
	const char *name;
	void (*start)(void);
	void (*stop)(void);
};

/**
 * dseg_cpus_on() - have each CPU that is up, or comes up, start
 * @users: what they do; once for a module
 *
 * They stop when they go down, when the system reboots or crashes into another
 * kernel, and at dseg_cpus_off().
 *
 * Return: 0, or an errno of CPU hotplug.
 */
int dseg_cpus_on(const struct dseg_cpus *users);
void dseg_cpus_off(void);

/**
 * dseg_cpu_in_use() - has this CPU started, and not stopped?
 *
 * With preemption off.
 */
bool dseg_cpu_in_use(void);

#endif
