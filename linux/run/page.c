/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The page of dseg-run that this program has been started with
 */
#define _GNU_SOURCE
#include "page.h"

#include "kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Maps the file if it is a page of dseg-run's. */
static struct run_page *map_page(int fd, uint64_t inode)
{
    struct stat status;
    long found = -ENOENT;

    if (!kernel_call(SYS_fstat, fd, (long)&status, 0, 0, 0, 0) &&
        status.st_ino == inode && status.st_size == sizeof(struct run_page) &&
        kernel_call(SYS_fcntl, fd, F_GET_SEALS, 0, 0, 0, 0) == RUN_SEALS) {
        found = kernel_call(SYS_mmap, 0, sizeof(struct run_page),
                            PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    }
    return kernel_error(found) ? NULL : (void *)found;
}

/* Opens a file of that name and inode. Another one is not even opened, as that
   may have effects. Returns it, or -1. */
static int open_page(const char *name, uint64_t inode)
{
    struct stat status;
    long fd = -1;

    if (!kernel_call(SYS_stat, (long)name, (long)&status, 0, 0, 0, 0) &&
        S_ISREG(status.st_mode) && status.st_ino == inode) {
        fd = kernel_call(SYS_openat, AT_FDCWD, (long)name, O_RDWR | O_CLOEXEC,
                         0, 0, 0);
    }
    return fd < 0 ? -1 : fd;
}

struct run_page *page_find(void)
{
    const char *where = getenv(RUN_ENVIRONMENT);
    const char *colon = where ? strrchr(where, ':') : NULL;
    char name[64] = "";
    struct run_page *found = NULL;
    uint64_t inode;
    int fd;

    if (!colon || colon - where >= (ptrdiff_t)sizeof(name)) {
        return NULL;
    }
    memcpy(name, where, colon - where);
    inode = strtoull(colon + 1, NULL, 10);
    fd = open_page(name, inode);
    if (fd >= 0) {
        found = map_page(fd, inode);
        kernel_call(SYS_close, fd, 0, 0, 0, 0, 0);
    }
    return found;
}

void page_leave_environment(const struct run_page *page)
{
    char *preload = getenv("LD_PRELOAD");
    size_t size = preload ? strlen(preload) : 0;
    size_t ours = strlen(page->preloaded);

    unsetenv(RUN_ENVIRONMENT);
    if (size < ours || strcmp(preload + size - ours, page->preloaded)) {
        return;
    }
    if (size == ours) {
        unsetenv("LD_PRELOAD");
    } else if (preload[size - ours - 1] == ':') {
        preload[size - ours - 1] = '\0';
    }
}
