/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Virtual machines of KVM, by the processes that run them.
 */
#ifndef DSEG_VM_PROCESSES_H
#define DSEG_VM_PROCESSES_H

#include <sys/types.h>

/*
 * A file descriptor of the VM that process @pid has made: our own, of the same
 * VM.  -1 with errno: ESRCH no such process; ENOENT it has no VM; EPERM we may
 * not (as ptrace), or EACCES.
 */
int vm_of_process(pid_t pid);

/*
 * A process with a VM: @ancestor itself, or a descendant of it.  0: none, or
 * none yet.
 */
pid_t vmm_among_descendants(pid_t ancestor);

/* Writes what the process is called to @name, of @size bytes; "?" if unknown. */
void process_name(pid_t pid, char *name, size_t size);

#endif
