/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _GNU_SOURCE
#include "device.h"
#include "options.h"
#include "processes.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

int open_device(void)
{
    int fd = open(DSEG_VMM_DEVICE, O_RDWR | O_CLOEXEC);

    if (fd < 0) {
        die(1, DSEG_VMM_DEVICE ": %s%s", strerror(errno), errno == ENOENT ?
            ": load the module dseg-vmm (modprobe dseg-vmm)" : "");
    }
    return fd;
}

int open_vm(pid_t pid)
{
    int vm = vm_of_process(pid);

    if (vm < 0) {
        die(1, "no VM of process %d: %s", pid, strerror(errno));
    }
    return vm;
}

const char *attach_error(int error)
{
    switch (error) {
    case EBUSY:
        return "it has a segment already";
    case ENXIO:
        return "it has no memory there, or not in one piece, or in a "
               "guest_memfd";
    case EFAULT:
        return "its memory is not private and anonymous (memory-backend-ram)";
    case ENOMEM:
        return "there is no contiguous memory of that size, or its cgroup may "
               "not have so much";
    case EPERM:
        return "that is more memory than you may lock (ulimit -l)";
    case EAGAIN:
        return "its memory was being changed, or is in use by a device";
    default:
        return strerror(error);
    }
}

void report(pid_t pid, const struct dseg_vmm_attach *segment)
{
    fprintf(stderr, "dseg-vm: process %d: segment of %" PRIu64 " MiB at gPA "
            "0x%" PRIx64 ", %" PRIu64 " pages displaced, %" PRIu64 " moved\n",
            pid, (uint64_t)segment->size >> 20, (uint64_t)segment->gpa,
            (uint64_t)segment->displaced, (uint64_t)segment->moved);
}

int try_to_attach(int device, pid_t pid, struct dseg_vmm_attach *segment)
{
    int error;

    segment->vm_fd = vm_of_process(pid);
    if (segment->vm_fd < 0) {
        return errno;
    }
    error = ioctl(device, DSEG_VMM_ATTACH, segment) ? errno : 0;
    close(segment->vm_fd);
    return error;
}
