/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * userfaultfd(): the program, or another one for it, waits for its first use of
 * each page
 */
#define _GNU_SOURCE
#include "kernel.h"
#include "pages.h"
#include "preload.h"
#include "region.h"
#include "watch.h"

#include <errno.h>
#include <linux/userfaultfd.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef USERFAULTFD_IOC_NEW
#define USERFAULTFD_IOC_NEW _IO(0xAA, 0x00)
#endif

bool read_memory(void *to, const void *from, size_t size)
{
    struct iovec local = { to, size }, remote = { (void *)from, size };

    return kernel_call(SYS_process_vm_readv, getpid(), (long)&local, 1,
                       (long)&remote, 1, 0) == (long)size;
}

static bool is_zero(const void *address)
{
    static const char zeros[PAGE_SIZE];
    char found[PAGE_SIZE];

    return read_memory(found, address, PAGE_SIZE) &&
           !memcmp(found, zeros, PAGE_SIZE);
}

/* Locked memory is never missing, and has no use for such an advice. */
static bool is_locked(const void *address)
{
    return kernel_call(SYS_madvise, (long)address, PAGE_SIZE, MADV_COLD, 0, 0,
                       0) == -EINVAL;
}

/* Takes a page away if it is zero, which the program has not used then. Another
   thread may be writing to it: so it is looked at where nobody else finds it. */
static void make_missing(void *address)
{
    long away;

    if (!is_zero(address) || is_locked(address)) {
        return;
    }
    away = kernel_call(SYS_mremap, (long)address, PAGE_SIZE, PAGE_SIZE,
                       MREMAP_MAYMOVE | MREMAP_DONTUNMAP, 0, 0);
    if (away < 0) {
        return;
    }
    if (is_zero((void *)away)) {
        kernel_call(SYS_munmap, away, PAGE_SIZE, 0, 0, 0, 0);
    } else {
        kernel_call(SYS_mremap, away, PAGE_SIZE, PAGE_SIZE,
                    MREMAP_MAYMOVE | MREMAP_FIXED, (long)address, 0);
    }
}

static bool is_watched;         /* the kernel has been told what is untouched */
static bool is_watched_late;    /* too late: the device does not know any more */

/* All pages that are in the region are there already. From now on it is the
   kernel that knows which ones have been used. */
static void be_watched(void)
{
    struct signals before;

    if (region_enter(&before)) {
        is_watched = region_give_up_by(make_missing);
        region_leave(&before);
    }
    is_watched_late = region_has_been() && !is_watched;
}

static void make_untouched_missing(const struct uffdio_register *wanted)
{
    struct uffdio_register what;
    uintptr_t first = 0;
    size_t size;

    if (!read_memory(&what, wanted, sizeof(what)) ||
        !(what.mode & UFFDIO_REGISTER_MODE_MISSING)) {
        return;
    }
    size = region_overlap((void *)what.range.start, what.range.len, &first);
    for (uintptr_t at = first; at < first + size; at += PAGE_SIZE) {
        make_missing((void *)at);
    }
}

int watch_userfaultfd(int flags)
{
    long result = kernel_call(SYS_userfaultfd, flags, 0, 0, 0, 0, 0);

    if (result >= 0) {
        be_watched();
    }
    return answer(result);
}

EXPORT int ioctl(int fd, unsigned long number, ...)
{
    va_list arguments;
    void *argument;
    long result;

    va_start(arguments, number);
    argument = va_arg(arguments, void *);
    va_end(arguments);
    if (number == UFFDIO_REGISTER && is_watched_late) {
        make_untouched_missing(argument);
    }
    result = kernel_call(SYS_ioctl, fd, number, (long)argument, 0, 0, 0);
    if (number == USERFAULTFD_IOC_NEW && result >= 0) {
        be_watched();
    }
    return answer(result);
}

void watch_stand_aside(void)
{
    is_watched_late = false;
}
