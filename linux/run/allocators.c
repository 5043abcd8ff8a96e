/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * malloc() by the names that jemalloc does not have: all memory is of one
 * allocator, whichever of its functions gives it and takes it back
 *
 * A program with a malloc() of its own may have it from __libc_malloc(), and
 * from the C library what it does not define, such as posix_memalign().
 */
#define _GNU_SOURCE
#include "pages.h"
#include "preload.h"

#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>

/* The function of that name that comes after us: jemalloc's, if dseg-run has
   preloaded it. Looked up once; by two threads at once, the same twice. */
#define NEXT(name) ({                                                     \
        static __typeof__(&name) found;                                   \
                                                                          \
        if (!found) {                                                     \
            found = dlsym(RTLD_NEXT, #name);                              \
        }                                                                 \
        found;                                                            \
    })

EXPORT void *__libc_malloc(size_t size)
{
    return NEXT(malloc)(size);
}

EXPORT void *__libc_calloc(size_t number, size_t size)
{
    return NEXT(calloc)(number, size);
}

EXPORT void *__libc_realloc(void *memory, size_t size)
{
    return NEXT(realloc)(memory, size);
}

EXPORT void __libc_free(void *memory)
{
    NEXT(free)(memory);
}

EXPORT void *__libc_memalign(size_t align, size_t size)
{
    return NEXT(memalign)(align, size);
}

EXPORT void *__libc_valloc(size_t size)
{
    return __libc_memalign(PAGE_SIZE, size);
}

static void *allocate_pages(void *(*align_to)(size_t align, size_t size),
                            size_t size)
{
    size_t whole = (size + PAGE_SIZE - 1) & -PAGE_SIZE;

    if (whole < size) {
        errno = ENOMEM;
        return NULL;
    }
    return align_to(PAGE_SIZE, whole);
}

EXPORT void *__libc_pvalloc(size_t size)
{
    return allocate_pages(__libc_memalign, size);
}

EXPORT void *pvalloc(size_t size)
{
    return allocate_pages(memalign, size);
}
