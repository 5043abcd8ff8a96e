/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libdseg-run.so: preloaded by dseg-run, puts a program's memory into its
 * primary region
 *
 * Takes the place of mmap() and what belongs to it. A map that is anonymous,
 * private, readable and writable, and at no address that the program has
 * chosen, becomes a part of the region. What is unmapped there is left as it
 * is, as the kernel may still refer to it, and is zeroed when it is dealt out
 * again. Each function does in the region what the kernel would do, or gives
 * the region up and has the kernel do it.
 *
 * glibc's malloc() calls the kernel by ways of its own; jemalloc, which
 * dseg-run preloads as well, calls mmap().
 */
#define _GNU_SOURCE
#include "kernel.h"
#include "pages.h"
#include "preload.h"
#include "region.h"

#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/syscall.h>

/* Newer than some C libraries. */
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif
#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED 24
#endif

/* Freed memory stays in the region: to give it back costs, and helps nobody. */
EXPORT const char *malloc_conf = "dirty_decay_ms:-1,muzzy_decay_ms:-1";

__attribute__((constructor)) static void start(void)
{
    region_start();
}

__attribute__((destructor)) static void end(void)
{
    region_end();
}

long answer(long result)
{
    if (kernel_error(result)) {
        errno = -result;
        return -1;
    }
    return result;
}

static long kernel_range(long number, void *address, size_t size, long argument)
{
    return kernel_call(number, (long)address, size, argument, 0, 0, 0);
}

bool enter_inside(struct signals *before, const void *address, size_t size)
{
    if (region_part(address, size) == OUTSIDE || !region_enter(before)) {
        return false;
    }
    if (region_part(address, size) == ACROSS) {
        region_give_up();
        region_leave(before);
        return false;
    }
    return true;
}

void leave_to_kernel(const void *address, size_t size)
{
    struct signals before;

    if (enter_inside(&before, address, size)) {
        region_give_up();
        region_leave(&before);
    }
}

/* The page that an address is in: how much more, then, a range begins with. */
static size_t offset_in_page(const void *address)
{
    return (uintptr_t)address % PAGE_SIZE;
}

static void *page_of(const void *address)
{
    return (char *)address - offset_in_page(address);
}

void leave_page_to_kernel(const void *address, size_t size)
{
    leave_to_kernel(page_of(address), size + offset_in_page(address));
}

void leave_holes_to_kernel(const void *address, size_t size)
{
    struct signals before;

    if (enter_inside(&before, address, size)) {
        if (!region_is_used(address, size)) {
            region_give_up();
        }
        region_leave(&before);
    }
}

/* What the kernel says of a range, or of none if that has memory in the region
   which the program has unmapped: then it says no more than that. */
static long tell_of_holes(long number, void *address, size_t size,
                          long argument)
{
    struct signals before;
    bool has_holes = false;
    long result;

    if (enter_inside(&before, address, size)) {
        has_holes = !region_is_used(address, size);
        region_leave(&before);
    }
    result = kernel_range(number, address, has_holes ? 0 : size, argument);
    return result == 0 && has_holes ? -ENOMEM : result;
}

void leave_all_to_kernel(void)
{
    struct signals before;

    if (region_enter(&before)) {
        region_give_up();
        region_leave(&before);
    }
}

/* --- mmap() --- */

static bool may_move_in(size_t size, int prot, int flags, off_t offset)
{
    const int allowed = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE |
                        MAP_POPULATE;

    return size && page_align(size) >= size && prot == ALL_PROT &&
           !(flags & ~allowed) && (flags & MAP_PRIVATE) &&
           (flags & MAP_ANONYMOUS) && offset % (off_t)PAGE_SIZE == 0;
}

/* A map at an address in the region that the program has chosen. Returns if it
   is there; else it is the kernel's. */
static bool map_over(void *address, size_t size, int prot, int flags,
                     off_t offset)
{
    const int fixed = flags & (MAP_FIXED | MAP_FIXED_NOREPLACE);
    bool replaces = fixed == MAP_FIXED;

    if (!replaces && !region_is_unused(address, size)) {
        return false;       /* there is something: the kernel sees it, too */
    }
    if (may_move_in(size, prot, flags & ~fixed, offset) &&
        region_take_at(address, size)) {
        return true;
    }
    if (fixed) {
        region_give_up();
    }
    return false;
}

static void *map(void *address, size_t size, int prot, int flags, off_t offset)
{
    struct signals before;
    uintptr_t given = 0;

    if (!(flags & (MAP_FIXED | MAP_FIXED_NOREPLACE))) {
        address = page_of(address);     /* as a hint is taken */
    }
    if (address || flags & MAP_FIXED) {
        if (enter_inside(&before, address, size)) {
            if (map_over(address, size, prot, flags, offset)) {
                given = (uintptr_t)address;
            }
            region_leave(&before);
        }
    } else if (may_move_in(size, prot, flags, offset) &&
               region_enter(&before)) {
        given = region_take(page_align(size));
        region_leave(&before);
    }
    return (void *)given;
}

EXPORT void *mmap(void *address, size_t size, int prot, int flags, int fd,
                  off_t offset)
{
    void *given = map(address, size, prot, flags, offset);

    return given ? given : (void *)answer(kernel_call(SYS_mmap, (long)address,
                                          size, prot, flags, fd, offset));
}

EXPORT void *mmap64(void *address, size_t size, int prot, int flags, int fd,
                    off_t offset)
{
    return mmap(address, size, prot, flags, fd, offset);
}

/* --- What is about a range of it --- */

EXPORT int munmap(void *address, size_t size)
{
    struct signals before;

    if (enter_inside(&before, address, size)) {
        region_free(address, size);
        region_leave(&before);
        return 0;
    }
    return answer(kernel_range(SYS_munmap, address, size, 0));
}

/* Whether an advice for memory of the region needs no more than to be true. */
static bool is_hint(int advice)
{
    switch (advice) {
    case MADV_NORMAL:
    case MADV_RANDOM:
    case MADV_SEQUENTIAL:
    case MADV_WILLNEED:
    case MADV_FREE:
    case MADV_HUGEPAGE:
    case MADV_NOHUGEPAGE:
    case MADV_MERGEABLE:
    case MADV_UNMERGEABLE:
    case MADV_COLD:
    case MADV_PAGEOUT:
    case MADV_COLLAPSE:
        return true;
    default:
        return false;
    }
}

/* Whether it is for memory as it is: the opposite gives the region up, or has
   been said without the library. The kernel changes nothing where it is so. */
static bool is_as_it_is(int advice)
{
    switch (advice) {
    case MADV_POPULATE_READ:
    case MADV_POPULATE_WRITE:
    case MADV_DOFORK:
    case MADV_DODUMP:
    case MADV_KEEPONFORK:
        return true;
    default:
        return false;
    }
}

/* Returns if it has been done. */
static bool advise(void *address, size_t size, int advice)
{
    if (!region_is_used(address, size)) {
        return false;
    }
    if (advice == MADV_DONTNEED || advice == MADV_DONTNEED_LOCKED) {
        return region_zero(address, size);
    }
    return is_hint(advice);
}

EXPORT int madvise(void *address, size_t size, int advice)
{
    struct signals before;
    bool done = false;

    if (is_as_it_is(advice)) {
        leave_holes_to_kernel(address, size);
    } else if (enter_inside(&before, address, size)) {
        done = advise(address, size, advice);
        if (!done) {
            region_give_up();
        }
        region_leave(&before);
    }
    /* A range of no size tells if the kernel knows that advice. */
    return answer(kernel_range(SYS_madvise, address, done ? 0 : size, advice));
}

/* Returns an errno, and does not discard anything. */
EXPORT int posix_madvise(void *address, size_t size, int advice)
{
    int before = errno, error = 0;

    if (advice != POSIX_MADV_DONTNEED && madvise(address, size, advice)) {
        error = errno;
    }
    errno = before;
    return error;
}

EXPORT int mprotect(void *address, size_t size, int prot)
{
    /* The kernel changes nothing where that is so already. */
    if (prot == ALL_PROT) {
        leave_holes_to_kernel(address, size);
    } else {
        leave_to_kernel(address, size);
    }
    return answer(kernel_range(SYS_mprotect, address, size, prot));
}

EXPORT int pkey_mprotect(void *address, size_t size, int prot, int pkey)
{
    if (pkey == -1) {
        return mprotect(address, size, prot);
    }
    leave_to_kernel(address, size);
    return answer(kernel_call(SYS_pkey_mprotect, (long)address, size, prot,
                              pkey, 0, 0));
}

EXPORT int mlock(const void *address, size_t size)
{
    leave_page_to_kernel(address, size);
    return answer(kernel_range(SYS_mlock, (void *)address, size, 0));
}

/* By the same call as the C library. */
EXPORT int mlock2(const void *address, size_t size, unsigned flags)
{
    if (!flags) {
        return mlock(address, size);
    }
    leave_page_to_kernel(address, size);
    return answer(kernel_range(SYS_mlock2, (void *)address, size, flags));
}

/* What is locked can't be discarded. */
EXPORT int mlockall(int flags)
{
    leave_all_to_kernel();
    return answer(kernel_call(SYS_mlockall, flags, 0, 0, 0, 0, 0));
}

EXPORT int munlock(const void *address, size_t size)
{
    return answer(tell_of_holes(SYS_munlock, page_of(address),
                                size + offset_in_page(address), 0));
}

EXPORT int msync(void *address, size_t size, int flags)
{
    pthread_testcancel();
    return answer(tell_of_holes(SYS_msync, address, size, flags));
}

EXPORT int mincore(void *address, size_t size, unsigned char *resident)
{
    return answer(tell_of_holes(SYS_mincore, address, size, (long)resident));
}

/* Its size is not known here: it may be all from that address on. */
EXPORT void *shmat(int id, const void *address, int flags)
{
    uintptr_t first = (uintptr_t)address & -PAGE_SIZE;

    if (address) {
        leave_to_kernel((void *)first, -PAGE_SIZE - first);
    }
    return (void *)answer(kernel_call(SYS_shmat, id, (long)address, flags, 0, 0,
                                      0));
}
