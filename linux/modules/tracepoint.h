/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DSEG_TRACEPOINT_H
#define DSEG_TRACEPOINT_H

/**
 * dseg_tracepoint_on() - have a tracepoint of the kernel call us
 * @name: of the tracepoint
 * @probe: with the arguments of that tracepoint, after one that is NULL
 *
 * Return: 0; -ENOENT if the kernel has none of that name; another errno.
 */
int dseg_tracepoint_on(const char *name, void *probe);

/**
 * dseg_tracepoint_off() - undo that, and wait until no probe runs
 * @name: of the tracepoint
 * @probe: as before
 */
void dseg_tracepoint_off(const char *name, void *probe);

#endif
