/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A library that a user preloads: it counts maps on their way to whoever else
 * has an mmap(), and says so at the end
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

static unsigned maps;

static void *pass_on(const char *name, void *address, size_t size, int prot,
                     int flags, int fd, off_t offset)
{
    __typeof__(&mmap) next = (__typeof__(&mmap))dlsym(RTLD_NEXT, name);

    maps++;
    return next(address, size, prot, flags, fd, offset);
}

void *mmap(void *address, size_t size, int prot, int flags, int fd,
           off_t offset)
{
    return pass_on("mmap", address, size, prot, flags, fd, offset);
}

void *mmap64(void *address, size_t size, int prot, int flags, int fd,
             off_t offset)
{
    return pass_on("mmap64", address, size, prot, flags, fd, offset);
}

__attribute__((destructor)) static void tell(void)
{
    printf("%s\n", maps ? "maps were seen" : "no map was seen");
}
