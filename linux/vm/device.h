/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DSEG_VM_DEVICE_H
#define DSEG_VM_DEVICE_H

#include "../include/dseg-vmm.h"

#include <sys/types.h>

/* The module's device, open; else ends the program. */
int open_device(void);

/* The file descriptor of the VM that a process has; else ends the program. */
int open_vm(pid_t pid);

/*
 * Gives the VM of a process the segment that is asked for, and has written in
 * @segment what it has got.  Returns 0, or an errno: ENOENT if there is no VM.
 */
int try_to_attach(int device, pid_t pid, struct dseg_vmm_attach *segment);

/* What an errno of that means. */
const char *attach_error(int error);

/* Says what has been attached. */
void report(pid_t pid, const struct dseg_vmm_attach *segment);

#endif
