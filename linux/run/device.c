/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _GNU_SOURCE
#include "device.h"

#include "kernel.h"
#include "../include/dseg-guest.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <sys/syscall.h>

/* By which a file of a request is known: others have no use for these. */
#define MARK (O_APPEND | O_NONBLOCK)

static uint64_t device_id;
static unsigned requests;       /* an odd number while one is under way */

static long open_with(int flags)
{
    return kernel_call(SYS_openat, AT_FDCWD, (long)DSEG_GUEST_DEVICE,
                       O_RDWR | O_CLOEXEC | flags, 0, 0, 0);
}

long device_open(void)
{
    return open_with(0);
}

bool device_is(int fd)
{
    struct stat status;

    return !kernel_call(SYS_fstat, fd, (long)&status, 0, 0, 0, 0) &&
           S_ISCHR(status.st_mode) && status.st_rdev == device_id;
}

int device_request(unsigned long number, void *argument)
{
    long fd, result;

    __atomic_store_n(&requests, requests | 1, __ATOMIC_RELEASE);
    result = fd = open_with(MARK);
    if (fd >= 0) {
        result = kernel_call(SYS_ioctl, fd, number, (long)argument, 0, 0, 0);
        kernel_call(SYS_close, fd, 0, 0, 0, 0, 0);
    }
    __atomic_store_n(&requests, requests + 1, __ATOMIC_RELEASE);
    return result < 0 ? -result : 0;
}

void device_forget_killed(void)
{
    requests &= ~1u;
}

/* --- Forks --- */

/* The kernel copies files before it copies memory: what the child finds in this
   of requests is too late. */
static __thread unsigned requests_before_fork;

static void before_fork(void)
{
    requests_before_fork = __atomic_load_n(&requests, __ATOMIC_ACQUIRE);
}

/* All numbers below were in use when it was opened; not many of those have been
   closed since. */
static void close_file_of_request(void)
{
    unsigned unused = 0;

    for (int fd = 0; unused < 16; fd++) {
        int flags = kernel_call(SYS_fcntl, fd, F_GETFL, 0, 0, 0, 0);

        unused += flags < 0;
        if (flags >= 0 && (flags & MARK) == MARK && device_is(fd)) {
            kernel_call(SYS_close, fd, 0, 0, 0, 0, 0);
            break;
        }
    }
}

static void in_child(void)
{
    if (requests_before_fork % 2 || requests != requests_before_fork) {
        close_file_of_request();
    }
    requests = 0;
}

void device_init(uint64_t id)
{
    static bool watches_forks;

    device_id = id;
    if (!watches_forks) {
        watches_forks = true;
        pthread_atfork(before_fork, NULL, in_child);
    }
}
