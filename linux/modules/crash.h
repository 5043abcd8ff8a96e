/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DSEG_CRASH_H
#define DSEG_CRASH_H

/**
 * dseg_crash_on() - have a function called before a crash kernel starts
 * @stop: called on the CPU that goes on with that kernel, with interrupts off
 *
 * A kernel that has no crash kernels has no use for it, and no error.
 */
void dseg_crash_on(void (*stop)(void));

/**
 * dseg_crash_off() - not any longer
 */
void dseg_crash_off(void);

#endif
