/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mremap(), for memory in the region
 */
#define _GNU_SOURCE
#include "kernel.h"
#include "preload.h"
#include "region.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

static bool grow_in_place(void *end, size_t more)
{
    return region_part(end, more) == INSIDE && region_is_unused(end, more) &&
           region_take_at(end, more);
}

/* To other memory: the region's or not. Returns NULL if it can't be done. */
static void *move(void *old, size_t have, size_t want)
{
    void *new = NULL;
    long found;

    if (!region_can_zero(old, have)) {
        return NULL;
    }
    new = (void *)region_take(want);
    if (!new) {
        found = kernel_call(SYS_mmap, 0, want, ALL_PROT,
                            MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (found < 0) {
            return NULL;
        }
        new = (void *)found;
    }
    memcpy(new, old, have);
    return new;
}

/* Returns where the memory is then; MAP_FAILED: the kernel would have no room;
   NULL: it shall do it. */
static void *resize(void *old, size_t have, size_t want, int flags)
{
    char *end = (char *)old + have;
    void *new;

    if (!want || flags & ~MREMAP_MAYMOVE || !region_is_used(old, have)) {
        return NULL;
    }
    if (want <= have) {
        if (want < have) {
            region_free((char *)old + want, have - want);
        }
        return old;
    }
    if (grow_in_place(end, want - have)) {
        return old;
    }
    if (!(flags & MREMAP_MAYMOVE)) {
        return region_part(end, want - have) == INSIDE &&
               !region_is_unused(end, want - have) ? MAP_FAILED : NULL;
    }
    new = move(old, have, want);
    if (new) {
        region_free(old, have);
    }
    return new;
}

EXPORT void *mremap(void *old, size_t old_size, size_t new_size, int flags, ...)
{
    struct signals before;
    void *fixed = NULL, *new = NULL;
    va_list arguments;

    va_start(arguments, flags);
    if (flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) {
        fixed = va_arg(arguments, void *);
    }
    va_end(arguments);
    if (flags & MREMAP_FIXED) {
        leave_to_kernel(fixed, new_size);
    }
    if (enter_inside(&before, old, old_size)) {
        new = resize(old, page_align(old_size), page_align(new_size), flags);
        if (!new) {
            region_give_up();
        }
        region_leave(&before);
    }
    if (new == MAP_FAILED) {
        errno = ENOMEM;
    }
    return new ? new : (void *)answer(kernel_call(SYS_mremap, (long)old,
                                      old_size, new_size, flags, (long)fixed,
                                      0));
}
