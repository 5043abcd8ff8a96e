/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests of the device, of which the program sees no file
 *
 * It is opened for each request: the program may close all files that it does
 * not know, and counts on what numbers its own have. Nor has a child more of
 * them that fork() makes meanwhile.
 */
#ifndef RUN_DEVICE_H
#define RUN_DEVICE_H

#include <stdbool.h>
#include <stdint.h>

/* Before the first request, of which there is one at a time. @id: st_rdev. */
void device_init(uint64_t id);

/* Returns a file of the device's, or a negative errno. */
long device_open(void);

/* Whether this is one. */
bool device_is(int fd);

/* Returns 0, or an errno. */
int device_request(unsigned long number, void *argument);

/* No request is under way: if it seems so, its process has been killed. */
void device_forget_killed(void);

#endif
