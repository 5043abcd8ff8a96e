/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A program with a malloc() of its own, on top of the C library's, which has
 * the other allocators: all that they give goes to the same free()
 */
#include "region.h"

#include <malloc.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t number, size_t size);
void *__libc_realloc(void *memory, size_t size);
void __libc_free(void *memory);

static volatile unsigned allocated, freed;

void *malloc(size_t size)
{
    allocated++;
    return __libc_malloc(size);
}

void *calloc(size_t number, size_t size)
{
    allocated++;
    return __libc_calloc(number, size);
}

void *realloc(void *memory, size_t size)
{
    allocated += !memory;
    return __libc_realloc(memory, size);
}

void free(void *memory)
{
    freed += !!memory;
    __libc_free(memory);
}

int main(void)
{
    for (size_t size = 1; size < 200000; size = size * 3 + 5) {
        unsigned before[] = { allocated, freed };
        char *memory[] = { malloc(size), calloc(1, size), realloc(NULL, size),
                           strdup("text"), aligned_alloc(64, size),
                           memalign(256, size), valloc(size), pvalloc(size),
                           NULL };
        const size_t nr = sizeof(memory) / sizeof(memory[0]);

        CHECK(posix_memalign((void **)&memory[nr - 1], PAGE, size) == 0);
        CHECK(allocated - before[0] == 4);
        for (size_t i = 0; i < nr; i++) {
            size_t have = malloc_usable_size(memory[i]);

            CHECK(memory[i] && have >= (i == 3 ? sizeof("text") : size));
            memset(memory[i], i, have);
        }
        for (size_t i = 0; i < nr; i++) {
            char *larger = realloc(memory[i], 2 * size + 100);

            CHECK(larger && larger[0] == (char)i);
            free(larger);
        }
        CHECK(freed - before[1] == nr);
    }
    return 0;
}
